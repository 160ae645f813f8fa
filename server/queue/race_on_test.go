//go:build race

package queue

// fewer divides the number of messages under the race detector, which makes
// SQLite ten times as slow.
const fewer = 5
