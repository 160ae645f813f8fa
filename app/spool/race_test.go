//go:build race

package spool

// The race detector makes the database ten times slower, so the tests that try
// everything try a sample under it; `make unit` runs them without it too, and
// then they try all.
const sampled = 24
