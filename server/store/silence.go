package store

import (
	"net"
	"time"
)

// A connection to PostgreSQL whose line does not answer ends after silentAfter:
// TCP would wait for a quarter of an hour, or for ever where the answer is
// what is waited for, and the relay with it. A server that only takes its time
// does answer on the line.
const (
	silentAfter = 45 * time.Second
	probeAfter  = 15 * time.Second
	probes      = 3
)

func dialer() *net.Dialer {
	return &net.Dialer{
		KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: probeAfter, Interval: (silentAfter - probeAfter) / probes, Count: probes},
		Control:         endSilent,
	}
}
