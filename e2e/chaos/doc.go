// Package chaos ends the built programs with kill -9 at random moments, cuts
// their connections between the final dot and its answer, and then counts: no
// message that was answered with 250 may be lost, accepted twice, damaged or
// sent too fast.
//
// A short run is part of the end-to-end tests; `make chaos` runs the long one.
// Its flags are printed by `go test ./e2e/chaos -args -h`; a run with the same
// -seed hands in the same letters and draws the same moments.
package chaos
