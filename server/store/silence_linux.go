package store

import (
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// endSilent bounds how long what was sent may go unacknowledged (tcp(7)).
// Probes alone find only lines on which nothing is on its way.
func endSilent(network, _ string, c syscall.RawConn) error {
	if !strings.HasPrefix(network, "tcp") {
		return nil
	}
	var set error
	err := c.Control(func(fd uintptr) {
		set = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(silentAfter.Milliseconds()))
	})
	if err == nil {
		err = set
	}
	return err
}
