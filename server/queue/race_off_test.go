//go:build !race

package queue

const fewer = 1
