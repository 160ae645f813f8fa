//go:build !race

package spool

const sampled = 1
