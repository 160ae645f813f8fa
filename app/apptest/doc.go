// Package apptest has doubles for the tests of the engine's stages: a scripted
// relay with real TLS that misbehaves at any step, and a keyring in memory.
//
// The relay speaks the part of docs/protocol.md that a companion meets, keeps
// keys as the real one does when asked to, and records what it was told. Without
// a script it accepts everything. It is written line by line and not on
// go-smtp's server, because it must be able to do what no server would.
//
// NewRelay listens on loopback; NewPipeRelay has no sockets and is reached
// through its Dial, so that it works inside a testing/synctest bubble, where the
// minutes of a real time-out pass at once.
//
// Every goroutine ends in the cleanup of the test that made the relay. Only
// tests import this package.
package apptest
