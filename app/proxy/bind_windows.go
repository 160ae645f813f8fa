package proxy

import "golang.org/x/sys/windows"

// What the system answers when an address cannot be bound. The syscall
// package's EADDRINUSE and its like are invented numbers on Windows.
const (
	errnoInUse     = windows.WSAEADDRINUSE
	errnoDenied    = windows.WSAEACCES
	errnoFamily    = windows.WSAEAFNOSUPPORT
	errnoNoAddress = windows.WSAEADDRNOTAVAIL

	// Hyper-V, WSL and others reserve whole ranges, and no program is seen to
	// hold the port.
	deniedHint = "Windows may have reserved this port: netsh int ipv4 show excludedportrange protocol=tcp lists the reserved ones."
)
