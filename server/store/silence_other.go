//go:build !linux

package store

import "syscall"

// endSilent has nothing to set: probes alone find silent lines.
func endSilent(_, _ string, _ syscall.RawConn) error { return nil }
