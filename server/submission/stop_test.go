package submission

import (
	"context"
	"log/slog"
	"net"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"servicesmtp.net/companion/internal/units"
	"servicesmtp.net/companion/server/accept"
)

// TestStop: idle connections get 421, the transaction in hand its reply first.
func TestStop(t *testing.T) {
	w := newWorld(t)
	w.account("alice", "standard")
	idle, busy, chunked, plain, fresh := w.login("alice"), w.login("alice"), w.login("alice"), w.dialPlain(), w.dialTLS()
	busy.offer(envid(1), "x@a.example")
	busy.cmd("DATA", "354 ")
	chunked.offer(envid(2), "x@a.example")
	chunked.write("BDAT 10\r\n" + message("hello")[:10])
	chunked.want("250 ")
	w.cancel()
	for _, c := range []*client{idle, plain, fresh} {
		c.want("421 4.3.2")
		c.closed()
	}
	if conn, err := net.Dial("tcp", w.tls); err == nil {
		conn.Close()
		t.Error("a stopping server takes new connections")
	}
	busy.write(message("hello") + ".\r\n")
	busy.want("250 2.0.0 queued as ")
	busy.want("421 4.3.2")
	busy.closed()
	rest := message("hello")[10:]
	chunked.cmd("BDAT "+itoa(len(rest))+" LAST\r\n"+strings.TrimSuffix(rest, "\r\n"), "250 2.0.0 queued as ")
	chunked.want("421 4.3.2")
	chunked.closed()
	w.stop()
	nothingRuns(t)
}

func itoa(n int) string { return slog.IntValue(n).String() }

// TestStopCutsWhatHangs: after the grace Run ends, whatever clients do.
func TestStopCutsWhatHangs(t *testing.T) {
	w := newWorld(t, func(o *options) { o.config = func(c *Config) { c.Grace = 50 * time.Millisecond } })
	w.account("alice", "standard")
	hung, chunked := w.login("alice"), w.login("alice")
	hung.offer("", "x@a.example")
	hung.cmd("DATA", "354 ")
	chunked.offer("", "x@a.example")
	chunked.write("BDAT 10\r\n0123456789")
	chunked.want("250 ")
	mute, err := net.Dial("tcp", w.tls) // no handshake, no session
	if err != nil {
		t.Fatal(err)
	}
	defer mute.Close()
	w.cancel()
	hung.closed()
	w.stop()
	nothingRuns(t)
}

// nothingRuns says that no goroutine of the server is left. One that has said
// that it is done may still be seen for a moment.
func nothingRuns(t *testing.T) {
	t.Helper()
	buf := make([]byte, 1<<20)
	all := ""
	for range 2000 {
		all = string(buf[:runtime.Stack(buf, true)])
		if !slices.ContainsFunc([]string{"go-smtp.(", "submission.(*Server)", "submission.(*session)", "accept.(*Acceptor)"},
			func(part string) bool { return strings.Contains(all, part) }) {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Errorf("still running:\n%s", all)
}

// TestBindAllOrNothing: a busy port is said plainly, and the others are given
// back.
func TestBindAllOrNothing(t *testing.T) {
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := free.Addr().String()
	free.Close()
	certificate, _ := selfSigned(t)
	s, err := New(Config{StartTLS: []string{address}, TLS: []string{busy.Addr().String()}, Hostname: "relay.example", Certificate: certificate,
		MaxMessage: units.MB, Authenticate: func(context.Context, Login) (string, error) { return "", nil }, Accept: &accept.Acceptor{},
		Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	err = s.Run(context.Background())
	if err == nil || !strings.Contains(err.Error(), busy.Addr().String()) || !strings.Contains(err.Error(), "in use") {
		t.Errorf("got %v, want the busy address and why", err)
	}
	if s.Addrs() != nil {
		t.Error("addresses of a server that does not serve")
	}
	again, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatalf("the free port is still held: %v", err)
	}
	again.Close()
}

func TestNewSaysWhatIsMissing(t *testing.T) {
	certificate, _ := selfSigned(t)
	good := Config{TLS: []string{"127.0.0.1:0"}, Hostname: "relay.example", Certificate: certificate, MaxMessage: units.MB,
		Authenticate: func(context.Context, Login) (string, error) { return "", nil }, Accept: &accept.Acceptor{}, Log: slog.New(slog.DiscardHandler)}
	if _, err := New(good); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*Config){
		"address":     func(c *Config) { c.TLS = nil },
		"certificate": func(c *Config) { c.Certificate = nil },
		"hostname":    func(c *Config) { c.Hostname = "" },
		"size":        func(c *Config) { c.MaxMessage = 0 },
		"login":       func(c *Config) { c.Authenticate = nil },
		"accept":      func(c *Config) { c.Accept = nil },
	} {
		c := good
		change(&c)
		if _, err := New(c); err == nil {
			t.Errorf("without %s: no error", name)
		}
	}
}

// TestIdleConnectionEnds: nobody holds a connection by saying nothing.
func TestIdleConnectionEnds(t *testing.T) {
	w := newWorld(t, func(o *options) { o.config = func(c *Config) { c.Idle = 30 * time.Millisecond } })
	c := w.dialPlain()
	c.want("421 4.4.2")
	c.closed()
}
