package proxy

import (
	"context"
	"errors"
	"net"
	"os"
	"slices"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// occupy takes a port of both families, so that a test may decide which of
// the two is busy.
func occupy(t *testing.T) (port string, v4, v6 net.Listener) {
	t.Helper()
	for range 50 {
		var err error
		if v4, err = net.Listen("tcp4", "127.0.0.1:0"); err != nil {
			t.Fatal(err)
		}
		_, port, _ = net.SplitHostPort(v4.Addr().String())
		if v6, err = net.Listen("tcp6", "[::1]:"+port); err == nil {
			t.Cleanup(func() { v4.Close(); v6.Close() })
			return port, v4, v6
		}
		v4.Close()
		if errors.Is(explain("[::1]:"+port, err), ErrNoFamily) {
			t.Fatalf("these tests need IPv6 on the loopback: %v", err)
		}
	}
	t.Fatal("no port is free in both families")
	return "", nil, nil
}

// until waits until the server's state is as wanted, woken by Changed.
func until(t *testing.T, s *Server, changed <-chan struct{}, ok func([]Listener) bool) []Listener {
	t.Helper()
	limit := time.After(time.Minute)
	for {
		if l := s.Listeners(); ok(l) {
			return l
		}
		select {
		case <-changed:
		case <-limit:
			t.Fatalf("it never came: %+v", s.Listeners())
		}
	}
}

func TestBusyPort(t *testing.T) {
	for _, test := range []struct {
		name       string
		busy4, bu6 bool
	}{{"v4 only", true, false}, {"v6 only", false, true}, {"both", true, true}, {"none", false, false}} {
		t.Run(test.name, func(t *testing.T) {
			noLeaks(t)
			port, v4, v6 := occupy(t)
			if !test.busy4 {
				v4.Close()
			}
			if !test.bu6 {
				v6.Close()
			}
			changed := make(chan struct{}, 100)
			cfg := testConfig(&memory{})
			cfg.Addresses = []string{"127.0.0.1:" + port, "[::1]:" + port}
			cfg.Changed = func() { changed <- struct{}{} }
			s := start(t, cfg)
			for i, busy := range []bool{test.busy4, test.bu6} {
				l := s.Listeners()[i]
				if l.OK == busy || errors.Is(l.Err, ErrInUse) != busy || l.Address != cfg.Addresses[i] {
					t.Errorf("%s, busy %v: %+v", cfg.Addresses[i], busy, l)
				}
				if !busy {
					if l.Offered != "" || l.Err != nil {
						t.Errorf("served, but %+v", l)
					}
					continue
				}
				// What is offered is free, on the same host, and not taken silently.
				host, _, _ := net.SplitHostPort(l.Offered)
				wantHost, _, _ := net.SplitHostPort(cfg.Addresses[i])
				free, err := net.Listen("tcp", l.Offered)
				if err != nil || host != wantHost {
					t.Fatalf("offered %q: %v", l.Offered, err)
				}
				free.Close()
			}
			v4.Close()
			v6.Close()
			for _, l := range until(t, s, changed, func(l []Listener) bool { return l[0].OK && l[1].OK }) {
				c, err := net.Dial("tcp", l.Address)
				if err != nil {
					t.Fatal(err)
				}
				c.Close()
				if l.Err != nil || l.Offered != "" {
					t.Errorf("bound, but %+v", l)
				}
			}
			c, err := net.Dial("tcp", "localhost:"+port) // whatever that is on this machine
			if err != nil {
				t.Fatal(err)
			}
			c.Close()
		})
	}
}

func TestExplain(t *testing.T) {
	for _, test := range []struct {
		name, address string
		err           error
		want          error
	}{
		{"in use", "127.0.0.1:2525", errnoInUse, ErrInUse},
		{"denied", "127.0.0.1:25", errnoDenied, ErrDenied},
		{"no IPv6 in the kernel", "[::1]:2525", errnoFamily, ErrNoFamily},
		{"IPv6 switched off", "[::1]:2525", errnoNoAddress, ErrNoFamily},
		{"IPv6 switched off, any", "[::]:2525", errnoNoAddress, ErrNoFamily},
		{"no such address", "192.0.2.1:2525", errnoNoAddress, ErrNoAddress},
		{"no such address, v6", "[2001:db8::1]:2525", errnoNoAddress, ErrNoAddress},
		{"something else", "127.0.0.1:2525", syscall.EINVAL, ErrBind},
	} {
		be := explain(test.address, &net.OpError{Op: "listen", Err: os.NewSyscallError("bind", test.err)})
		if !errors.Is(be.Reason, test.want) || !errors.Is(be, test.err) {
			t.Errorf("%s: got %v, want %v", test.name, be, test.want)
		}
		if (be.Hint != "") != errors.Is(test.want, ErrDenied) {
			t.Errorf("%s: hint %q", test.name, be.Hint)
		}
	}
}

// A machine without IPv6, a forbidden port, and a listener that the system
// takes away, all while the other addresses are served.
func TestStates(t *testing.T) {
	noLeaks(t)
	var open atomic.Value // the listener behind "lost"
	changed := make(chan struct{}, 100)
	cfg := testConfig(&memory{})
	cfg.Addresses = []string{"127.0.0.1:0", "[::1]:2525", "127.0.0.1:25", "127.0.0.2:0", "rubbish"}
	cfg.TLSAddresses = []string{"127.0.0.1:0"}
	cfg.Changed = func() { changed <- struct{}{} }
	s := start(t, cfg, func(s *Server) {
		s.bind = func(ctx context.Context, address string) (net.Listener, error) {
			switch address {
			case "[::1]:2525":
				return nil, os.NewSyscallError("socket", errnoFamily)
			case "127.0.0.1:25":
				return nil, os.NewSyscallError("bind", errnoDenied)
			case "127.0.0.2:0":
				ln, err := bind(ctx, "127.0.0.1:0")
				if err == nil {
					open.Store(ln)
				}
				return ln, err
			}
			return bind(ctx, address)
		}
	})
	l := s.Listeners()
	for i, want := range []error{nil, ErrNoFamily, ErrDenied, nil, ErrBind, ErrNoTLS} {
		if l[i].OK != (want == nil) || !errors.Is(l[i].Err, want) {
			t.Errorf("%s: got %+v, want %v", l[i].Address, l[i], want)
		}
		if l[i].TLS != (i == 5) || (l[i].Offered != "") != errors.Is(want, ErrDenied) {
			t.Errorf("%s: got %+v", l[i].Address, l[i])
		}
	}
	before := l[3].Address
	open.Load().(net.Listener).Close()
	until(t, s, changed, func(l []Listener) bool { return l[3].OK && l[3].Address != before })
	dial(t, s)
}

func TestNetwork(t *testing.T) {
	for address, want := range map[string]string{
		"127.0.0.1:25": "tcp4", "0.0.0.0:25": "tcp4", "[::1]:25": "tcp6", "[::]:25": "tcp6", "localhost:25": "tcp", ":25": "tcp", "rubbish": "tcp",
	} {
		if got := network(address); got != want {
			t.Errorf("%s: got %s, want %s", address, got, want)
		}
	}
}

func TestNextRetry(t *testing.T) {
	busy, missing := Listener{Err: &BindError{Reason: ErrInUse}}, Listener{Err: &BindError{Reason: ErrNoFamily}}
	for _, test := range []struct {
		name   string
		states []Listener
		want   time.Duration
	}{
		{"all served", []Listener{{OK: true}}, 0},
		{"one busy", []Listener{{OK: true}, busy}, defaultRetry},
		{"no IPv6", []Listener{{OK: true}, missing}, 20 * defaultRetry},
		{"both", []Listener{busy, missing}, defaultRetry},
		{"both, other order", []Listener{missing, busy}, defaultRetry},
	} {
		s := New(Config{Addresses: slices.Repeat([]string{"x"}, len(test.states))})
		for i, l := range test.states {
			s.places[i].state = l
		}
		if got := s.nextRetry(); got != test.want {
			t.Errorf("%s: got %v, want %v", test.name, got, test.want)
		}
	}
}

func TestRunOnlyOnce(t *testing.T) {
	s := start(t, testConfig(&memory{}))
	if err := s.Run(t.Context()); !errors.Is(err, errTwice) {
		t.Errorf("got %v", err)
	}
}

func TestNothingIsServedAfterRun(t *testing.T) {
	noLeaks(t)
	s := New(testConfig(&memory{}))
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- s.Run(ctx) }()
	<-s.Ready()
	bound := address(t, s)
	cancel()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if l := s.Listeners()[0]; l.OK || l.Err != nil || l.Address != bound {
		t.Errorf("got %+v", l)
	}
	if c, err := net.Dial("tcp", bound); err == nil {
		c.Close()
		t.Error("still listening")
	}
}
