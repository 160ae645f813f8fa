//go:build !windows

package proxy

import "syscall"

// What the system answers when an address cannot be bound.
const (
	errnoInUse     = syscall.EADDRINUSE
	errnoDenied    = syscall.EACCES
	errnoFamily    = syscall.EAFNOSUPPORT
	errnoNoAddress = syscall.EADDRNOTAVAIL

	deniedHint = "Ports below 1024 need an administrator; choose a higher one."
)
