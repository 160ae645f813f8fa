// Package race tells tests whether the race detector watches them. It makes
// databases about ten times slower, so tests that try everything try a sample
// under it; `make unit` runs them without it too, and then they try all.
package race

// Sample is one in how many cases a test tries: n under the race detector, 1
// without it.
func Sample(n int) int {
	if enabled {
		return n
	}
	return 1
}

// Enabled says that the race detector watches.
func Enabled() bool { return enabled }
