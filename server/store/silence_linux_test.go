package store

import (
	"net"
	"testing"

	"golang.org/x/sys/unix"
)

// TestSilentLinesEnd: every connection to PostgreSQL is made with the limits of
// a silent line, and a Unix socket without.
func TestSilentLinesEnd(t *testing.T) {
	c, err := parseDSN("postgres://relay@db.example/relay")
	if err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	conn, err := c.DialFunc(t.Context(), "tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	raw, err := conn.(*net.TCPConn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	for name, o := range map[string]struct{ level, option, want int }{
		"unacknowledged, ms":  {unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, 45_000},
		"probes":              {unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1},
		"first probe, s":      {unix.IPPROTO_TCP, unix.TCP_KEEPIDLE, 15},
		"from probe to probe": {unix.IPPROTO_TCP, unix.TCP_KEEPINTVL, 10},
		"unanswered at most":  {unix.IPPROTO_TCP, unix.TCP_KEEPCNT, 3},
	} {
		if err := raw.Control(func(fd uintptr) {
			if got, err := unix.GetsockoptInt(int(fd), o.level, o.option); err != nil || got != o.want {
				t.Errorf("%s: %d, %v; want %d", name, got, err, o.want)
			}
		}); err != nil {
			t.Fatal(err)
		}
	}
	socket := t.TempDir() + "/s"
	local, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer local.Close()
	if conn, err = c.DialFunc(t.Context(), "unix", socket); err != nil {
		t.Fatal(err)
	}
	conn.Close()
}
