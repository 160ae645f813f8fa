package proxy

import (
	"bufio"
	"context"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// pipes is a listener in memory, for tests with synctest's clock.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func newPipes() *pipes { return &pipes{conns: make(chan net.Conn), closed: make(chan struct{})} }

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error   { p.once.Do(func() { close(p.closed) }); return nil }
func (p *pipes) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 2525} }

// pipeServer runs cfg on a listener in memory inside a synctest bubble. The
// server has ended when the returned stop has.
func pipeServer(t *testing.T, cfg Config) (client func() *pipeClient, stop func()) {
	t.Helper()
	p := newPipes()
	s := New(cfg)
	s.bind = func(context.Context, string) (net.Listener, error) { return p, nil }
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	<-s.Ready()
	client = func() *pipeClient {
		near, far := net.Pipe()
		p.conns <- far
		return &pipeClient{t: t, Conn: near, r: bufio.NewReader(near)}
	}
	return client, func() {
		t.Helper()
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
		over(t, cfg.Spool)
	}
}

type pipeClient struct {
	t *testing.T
	net.Conn
	r *bufio.Reader
}

// expect reads one reply, which begins with want, and says when it came.
func (c *pipeClient) expect(want string) time.Time {
	c.t.Helper()
	for {
		line, err := c.r.ReadString('\n')
		if err != nil {
			c.t.Fatalf("no reply, want %s: %v", want, err)
		}
		if len(line) > 3 && line[3] == '-' {
			continue
		}
		if !strings.HasPrefix(line, want) {
			c.t.Fatalf("got %q, want %s", line, want)
		}
		return time.Now()
	}
}

func (c *pipeClient) say(line, want string) time.Time {
	c.t.Helper()
	if _, err := io.WriteString(c.Conn, line+"\r\n"); err != nil {
		c.t.Fatal(err)
	}
	return c.expect(want)
}

func (c *pipeClient) ends() {
	c.t.Helper()
	if rest, err := io.ReadAll(c.r); err != nil || len(rest) > 0 {
		c.t.Errorf("the connection goes on: %q, %v", rest, err)
	}
}

// toData brings a session up to 354.
func (c *pipeClient) toData() {
	c.t.Helper()
	c.expect("220")
	c.say("EHLO client", "250")
	c.say("MAIL FROM:<a@example.com>", "250")
	c.say("RCPT TO:<b@example.com>", "250")
	c.say("DATA", "354")
}

// A slow upload must live as long as bytes move: go-smtp's own time-out would
// end it (the "server disconnected" of slow lines).
func TestSlowClientLivesSilentOneEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		spool := &memory{}
		cfg := testConfig(spool)
		cfg.Idle = 10 * time.Second
		client, stop := pipeServer(t, cfg)
		c := client()
		c.toData()
		for _, part := range strings.SplitAfter("Subject: slow\r\n\r\nvery slow\r\n.\r", "") {
			time.Sleep(9 * time.Second)
			io.WriteString(c.Conn, part)
		}
		time.Sleep(9 * time.Second)
		io.WriteString(c.Conn, "\n")
		c.expect("250 2.0.0 queued")
		if got := spool.one(t).withoutTrace(t); got != "Subject: slow\r\n\r\nvery slow\r\n" {
			t.Errorf("got %q", got)
		}

		began := time.Now()
		if cut := c.expect("421 4.4.2").Sub(began); cut != cfg.Idle {
			t.Errorf("a silent session ended after %v, want %v", cut, cfg.Idle)
		}
		c.ends()

		c = client()
		c.toData()
		io.WriteString(c.Conn, "Subject: cut\r\n")
		began = time.Now()
		if cut := c.expect("451 4.4.2").Sub(began); cut != cfg.Idle {
			t.Errorf("a silent upload ended after %v, want %v", cut, cfg.Idle)
		}
		c.expect("421 4.4.2")
		c.ends()
		spool.one(t)
		stop()
		spool.balanced(t)
	})
}

// A client that never reads its replies must not hold a connection for ever.
func TestClientThatDoesNotReadEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := testConfig(&memory{})
		cfg.Idle = 10 * time.Second
		client, stop := pipeServer(t, cfg)
		c := client()
		c.expect("220")
		io.WriteString(c.Conn, "EHLO client\r\n")
		time.Sleep(11 * time.Second)
		began := time.Now()
		c.ends()
		if late := time.Since(began); late != 0 {
			t.Errorf("it ended %v late", late)
		}
		stop()
	})
}

func TestWrongPasswordsSlowDownAndEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := testConfig(&memory{})
		cfg.RequireAuth = true
		client, stop := pipeServer(t, cfg)
		c := client()
		c.expect("220")
		c.say("EHLO client", "250")
		const wrong = "AUTH PLAIN AGxvY2FsAHdyb25n"
		for i, want := range []time.Duration{500 * time.Millisecond, time.Second, 2 * time.Second, 4 * time.Second} {
			began := time.Now()
			if got := c.say(wrong, "535 5.7.8").Sub(began); got != want {
				t.Errorf("refusal %d came after %v, want %v", i+1, got, want)
			}
			c.say("MAIL FROM:<a@example.com>", "530 5.7.0")
			c.say("EHLO client", "250") // does not forget the failures
		}
		c.say(wrong, "421 4.7.0")
		c.ends()

		c = client()
		c.expect("220")
		c.say("EHLO client", "250")
		c.say(wrong, "535")
		c.say("AUTH PLAIN AGxvY2FsAHMzY3JldA==", "235")
		c.say("MAIL FROM:<a@example.com>", "250")
		stopped := make(chan struct{})
		go func() { defer close(stopped); stop() }()
		c.expect("421 4.3.2")
		c.ends()
		<-stopped
	})
}

// The pause after a wrong password must not hold up the stop.
func TestStopEndsPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := testConfig(&memory{})
		cfg.RequireAuth = true
		client, stop := pipeServer(t, cfg)
		c := client()
		c.expect("220")
		c.say("EHLO client", "250")
		io.WriteString(c.Conn, "AUTH PLAIN AGxvY2FsAHdyb25n\r\n")
		synctest.Wait()
		began := time.Now()
		stopped := make(chan struct{})
		go func() { defer close(stopped); stop() }()
		c.expect("535")
		c.expect("421 4.3.2")
		c.ends()
		<-stopped
		if took := time.Since(began); took != 0 {
			t.Errorf("stop took %v", took)
		}
	})
}

func TestStop(t *testing.T) {
	for _, test := range []struct {
		name      string
		lead      func(*pipeClient)
		after     func(*pipeClient)
		want      time.Duration
		committed int
	}{
		{"greeting read", func(c *pipeClient) { c.expect("220") }, func(c *pipeClient) { c.expect("421 4.3.2") }, 0, 0},
		{"idle after EHLO", func(c *pipeClient) { c.expect("220"); c.say("EHLO x", "250") }, func(c *pipeClient) { c.expect("421 4.3.2") }, 0, 0},
		{"half a command", func(c *pipeClient) {
			c.expect("220")
			io.WriteString(c.Conn, "EH")
		}, func(c *pipeClient) { c.expect("421 4.3.2") }, 0, 0},
		{"between RCPT and DATA", func(c *pipeClient) {
			c.expect("220")
			c.say("EHLO x", "250")
			c.say("MAIL FROM:<a@example.com>", "250")
			c.say("RCPT TO:<a@example.com>", "250")
		}, func(c *pipeClient) { c.expect("421 4.3.2") }, 0, 0},
		{"data ends in time", func(c *pipeClient) {
			c.toData()
			io.WriteString(c.Conn, "Subject: x\r\n")
		}, func(c *pipeClient) {
			time.Sleep(3 * time.Second)
			c.say("\r\ntext\r\n.", "250 2.0.0 queued")
			c.expect("421 4.3.2")
		}, 3 * time.Second, 1},
		{"data does not end", func(c *pipeClient) {
			c.toData()
			io.WriteString(c.Conn, "Subject: x\r\n")
		}, func(*pipeClient) {}, defaultGrace, 0},
		{"chunks end in time", func(c *pipeClient) {
			c.expect("220")
			c.say("EHLO x", "250")
			c.say("MAIL FROM:<a@example.com>", "250")
			c.say("RCPT TO:<a@example.com>", "250")
			c.say("BDAT 6\r\nX: y", "250")
		}, func(c *pipeClient) {
			time.Sleep(3 * time.Second)
			c.say("BDAT 6 LAST\r\n\r\nxx", "250 2.0.0 queued")
			c.expect("421 4.3.2")
		}, 3 * time.Second, 1},
		{"chunks do not end", func(c *pipeClient) {
			c.expect("220")
			c.say("EHLO x", "250")
			c.say("MAIL FROM:<a@example.com>", "250")
			c.say("RCPT TO:<a@example.com>", "250")
			c.say("BDAT 6\r\nX: y", "250")
		}, func(*pipeClient) {}, defaultGrace, 0},
		{"client gone silent without reading", func(c *pipeClient) {
			c.expect("220")
			io.WriteString(c.Conn, "EHLO x\r\n")
		}, func(c *pipeClient) {}, patience, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				spool := &memory{}
				client, stop := pipeServer(t, testConfig(spool))
				c := client()
				test.lead(c)
				synctest.Wait()
				began := time.Now()
				stopped := make(chan time.Duration)
				go func() { stop(); stopped <- time.Since(began) }()
				test.after(c)
				if took := <-stopped; took != test.want {
					t.Errorf("stop took %v, want %v", took, test.want)
				}
				c.ends()
				if n := len(spool.messages()); n != test.committed {
					t.Errorf("%d committed, want %d", n, test.committed)
				}
				if spool.creates != spool.discards+test.committed {
					t.Errorf("%d created, %d discarded, %d committed", spool.creates, spool.discards, test.committed)
				}
				spool.balanced(t)
			})
		})
	}
}

// A commit that is under way when Run ends is waited for, and its client is
// told; the session's context ends only with the grace.
func TestStopWaitsForCommit(t *testing.T) {
	for _, obeys := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			spool := &memory{onCommit: func(ctx context.Context) error {
				if !obeys {
					time.Sleep(5 * time.Second)
					return nil
				}
				<-ctx.Done()
				return ctx.Err()
			}}
			client, stop := pipeServer(t, testConfig(spool))
			c := client()
			c.toData()
			io.WriteString(c.Conn, "Subject: x\r\n.\r\n")
			synctest.Wait()
			began := time.Now()
			stopped := make(chan time.Duration)
			go func() { stop(); stopped <- time.Since(began) }()
			if !obeys {
				c.expect("250 2.0.0 queued")
				c.expect("421 4.3.2")
				c.ends()
			}
			_, _ = io.Copy(io.Discard, c.r) // until the server hangs up
			took := <-stopped
			if want := map[bool]time.Duration{false: 5 * time.Second, true: defaultGrace}[obeys]; took != want {
				t.Errorf("obeys %v: stop took %v, want %v", obeys, took, want)
			}
			if n := len(spool.messages()); n != map[bool]int{false: 1, true: 0}[obeys] {
				t.Errorf("obeys %v: %d committed", obeys, n)
			}
			spool.balanced(t)
		})
	}
}

// go-smtp does not wait for the goroutine of a BDAT; Run must.
func TestStopWaitsForChunks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		spool := &memory{onDiscard: func() { time.Sleep(time.Minute) }}
		client, stop := pipeServer(t, testConfig(spool))
		c := client()
		c.expect("220")
		c.say("EHLO x", "250")
		c.say("MAIL FROM:<a@example.com>", "250")
		c.say("RCPT TO:<a@example.com>", "250")
		c.say("BDAT 6\r\nX: y", "250")
		c.Close()
		synctest.Wait()
		stop()
		if spool.discards != 1 {
			t.Error("Run returned before the message was discarded")
		}
	})
}

// What go-smtp begins too late is refused without touching the spool, which
// may be closed by then.
func TestNoMessageAfterRun(t *testing.T) {
	spool := &memory{}
	s := New(testConfig(spool))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Run(ctx); err != nil {
		t.Fatal(err)
	}
	ses := &session{srv: s, conn: connOf(io.EOF, []byte(".\r\n")), ctx: t.Context(), tx: &transaction{}}
	if got := codeOf(t, ses.Data(strings.NewReader(""))); got != "421 4.3.2" || spool.creates != 0 {
		t.Errorf("got %v, %d created", got, spool.creates)
	}
}

func TestRepliesAreGatheredWithinBounds(t *testing.T) {
	c := connOf(io.EOF)
	for range 10000 {
		io.WriteString(c, "250 2.0.0 OK\r\n")
		if len(c.out) > writeSize {
			t.Fatalf("%d octets wait", len(c.out))
		}
	}
}
