package proxy

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"testing"
)

// connect opens a session at an address, greeted.
func connect(t *testing.T, address string) *pipeClient {
	t.Helper()
	nc, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nc.Close() })
	c := &pipeClient{t: t, Conn: nc, r: bufio.NewReader(nc)}
	c.expect("220")
	c.say("EHLO client", "250")
	return c
}

func rebind(t *testing.T, s *Server, b Binding) []Listener {
	t.Helper()
	if err := s.Rebind(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	return s.Listeners()
}

func refused(t *testing.T, address string) {
	t.Helper()
	if nc, err := net.Dial("tcp", address); err == nil {
		nc.Close()
		t.Errorf("%s is still served", address)
	}
}

// Each client is at another point when the address is given up. None loses
// what it is at.
func TestRebindLetsTransactionsEnd(t *testing.T) {
	for _, test := range []struct {
		name    string
		before  func(c *pipeClient) // brings it to its point
		after   func(c *pipeClient) // what it goes on with
		message bool
	}{
		{"idle", func(*pipeClient) {}, func(*pipeClient) {}, false},
		{"behind MAIL", func(c *pipeClient) {
			c.say("MAIL FROM:<a@example.com>", "250")
		}, func(c *pipeClient) {
			c.say("RCPT TO:<b@example.com>", "250")
			c.say("DATA", "354")
			c.say("Subject: late\r\n\r\nhello\r\n.", "250 2.0.0 queued")
		}, true},
		{"in the middle of DATA", func(c *pipeClient) {
			c.say("MAIL FROM:<a@example.com>", "250")
			c.say("RCPT TO:<b@example.com>", "250")
			c.say("DATA", "354")
			io.WriteString(c.Conn, "Subject: late\r\n\r\nhe")
		}, func(c *pipeClient) { c.say("llo\r\n.", "250 2.0.0 queued") }, true},
		{"in the middle of BDAT", func(c *pipeClient) {
			c.say("MAIL FROM:<a@example.com>", "250")
			c.say("RCPT TO:<b@example.com>", "250")
			io.WriteString(c.Conn, "BDAT 15\r\nSubject: late\r\n")
			c.expect("250")
		}, func(c *pipeClient) {
			io.WriteString(c.Conn, "BDAT 9 LAST\r\n\r\nhello\r\n")
			c.expect("250 2.0.0 queued")
		}, true},
		{"a transaction that is given up", func(c *pipeClient) {
			c.say("MAIL FROM:<a@example.com>", "250")
		}, func(c *pipeClient) { c.say("RSET", "250") }, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			noLeaks(t)
			spool := &memory{}
			s := start(t, testConfig(spool))
			old := address(t, s)
			c := connect(t, old)
			test.before(c)
			l := rebind(t, s, Binding{Addresses: []string{"127.0.0.2:0"}})
			if len(l) != 1 || !l[0].OK || l[0].Address == old {
				t.Fatalf("listeners %+v", l)
			}
			refused(t, old)
			other := connect(t, l[0].Address) // served meanwhile
			test.after(c)
			c.expect("421 4.3.2")
			c.ends()
			if test.message {
				if got := spool.one(t).withoutTrace(t); got != "Subject: late\r\n\r\nhello\r\n" {
					t.Errorf("got %q", got)
				}
			}
			other.say("NOOP", "250")
			spool.balanced(t)
		})
	}
}

func TestRebindLeavesWhatStays(t *testing.T) {
	noLeaks(t)
	cfg := testConfig(&memory{})
	cfg.Addresses = []string{"127.0.0.1:0", "127.0.0.2:0"}
	s := start(t, cfg)
	before := s.Listeners()
	stays, goes := connect(t, before[0].Address), connect(t, before[1].Address)
	l := rebind(t, s, Binding{Addresses: []string{"127.0.0.3:0", "127.0.0.1:0"}})
	if len(l) != 2 || !l[0].OK || l[1] != before[0] {
		t.Errorf("listeners %+v, want %+v second", l, before[0])
	}
	goes.expect("421 4.3.2")
	goes.ends()
	stays.say("MAIL FROM:<a@example.com>", "250")
	refused(t, before[1].Address)
}

func TestRebindToABusyPort(t *testing.T) {
	noLeaks(t)
	port, v4, v6 := occupy(t)
	v6.Close()
	changed := make(chan struct{}, 100)
	cfg := testConfig(&memory{})
	cfg.Changed = func() { changed <- struct{}{} }
	s := start(t, cfg)
	old := address(t, s)
	l := rebind(t, s, Binding{Addresses: []string{"127.0.0.1:" + port, "[::1]:" + port}})
	if l[0].OK || !errors.Is(l[0].Err, ErrInUse) || l[0].Offered == "" || !l[1].OK {
		t.Errorf("listeners %+v", l)
	}
	refused(t, old)
	v4.Close()
	until(t, s, changed, func(l []Listener) bool { return l[0].OK && l[1].OK })
	connect(t, "127.0.0.1:"+port)
}

// 0.0.0.0 cannot be bound while 127.0.0.1 of the same port is. That is no
// reason to say that the port is in use.
func TestRebindToAnAddressThatCoversTheOldOne(t *testing.T) {
	noLeaks(t)
	s := start(t, testConfig(&memory{}))
	_, port, _ := net.SplitHostPort(address(t, s))
	for _, a := range []string{"0.0.0.0:" + port, "127.0.0.1:" + port} {
		if l := rebind(t, s, Binding{Addresses: []string{a}}); !l[0].OK || l[0].Err != nil || l[0].Address != a {
			t.Errorf("listeners %+v", l)
		}
		connect(t, "127.0.0.1:"+port)
	}
}

func TestRebindChangesWhoIsLetIn(t *testing.T) {
	noLeaks(t)
	s := start(t, testConfig(&memory{}))
	b := Binding{Addresses: []string{"127.0.0.1:0"}}
	early := connect(t, address(t, s))
	b.RequireAuth = true
	rebind(t, s, b)
	early.say("MAIL FROM:<a@example.com>", "530 5.7.0")
	early.say("AUTH PLAIN AGxvY2FsAHMzY3JldA==", "235")
	early.say("MAIL FROM:<a@example.com>", "250")
	later := connect(t, address(t, s))
	b.RequireAuth = false
	rebind(t, s, b)
	later.say("MAIL FROM:<a@example.com>", "530 5.7.0")
	connect(t, address(t, s)).say("MAIL FROM:<a@example.com>", "250")
}

func TestRebindBeforeAndAfterRun(t *testing.T) {
	noLeaks(t)
	s := New(testConfig(&memory{}))
	if l := rebind(t, s, Binding{Addresses: []string{"127.0.0.2:0"}, RequireAuth: true}); len(l) != 1 || l[0].Address != "127.0.0.2:0" || l[0].OK {
		t.Errorf("listeners %+v", l)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- s.Run(ctx) }()
	<-s.Ready()
	connect(t, address(t, s)).say("MAIL FROM:<a@example.com>", "530 5.7.0")
	cancel()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if err := s.Rebind(t.Context(), Binding{Addresses: []string{"127.0.0.1:0"}}); !errors.Is(err, ErrStopped) {
		t.Errorf("got %v, want ErrStopped", err)
	}
}

// Clients that are still at something when the program ends are no reason to
// wait longer than usual.
func TestStopAfterRebind(t *testing.T) {
	noLeaks(t)
	s := start(t, testConfig(&memory{}))
	c := connect(t, address(t, s))
	c.say("MAIL FROM:<a@example.com>", "250")
	rebind(t, s, Binding{Addresses: []string{"127.0.0.2:0"}})
	c.say("NOOP", "250")
	s.mu.Lock()
	n := len(s.conns)
	s.mu.Unlock()
	if n != 1 {
		t.Errorf("%d connections, want the one with a transaction", n)
	}
}
