package proxy

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"servicesmtp.net/companion/app/mail"
)

// memory is a spool that keeps everything it was told.
type memory struct {
	mu        sync.Mutex
	committed []stored
	creates   int
	discards  int
	double    int // Incoming ended twice
	open      int // Incoming not ended

	onCreate func() error
	onWrite  func([]byte) error
	onCommit func(context.Context) error

	onDiscard func()
}

type stored struct {
	env  mail.Envelope
	body []byte
}

type memoryIncoming struct {
	m    *memory
	buf  bytes.Buffer
	done bool
}

func (m *memory) Create(context.Context, mail.JobID, mail.ByteSize) (Incoming, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.creates++
	if m.onCreate != nil {
		if err := m.onCreate(); err != nil {
			return nil, err
		}
	}
	m.open++
	return &memoryIncoming{m: m}, nil
}

func (i *memoryIncoming) Write(p []byte) (int, error) {
	if i.m.onWrite != nil {
		if err := i.m.onWrite(p); err != nil {
			return 0, err
		}
	}
	return i.buf.Write(p)
}

// finish is called with mu held, when Commit or Discard begins: what becomes of
// the call is the spool's business.
func (i *memoryIncoming) finish() {
	if i.done {
		i.m.double++
	} else {
		i.m.open--
	}
	i.done = true
}

func (i *memoryIncoming) Commit(ctx context.Context, env mail.Envelope) error {
	i.m.mu.Lock()
	i.finish()
	i.m.mu.Unlock()
	if i.m.onCommit != nil {
		if err := i.m.onCommit(ctx); err != nil {
			return err
		}
	}
	i.m.mu.Lock()
	defer i.m.mu.Unlock()
	i.m.committed = append(i.m.committed, stored{env, i.buf.Bytes()})
	return nil
}

func (i *memoryIncoming) Discard() {
	if i.m.onDiscard != nil {
		i.m.onDiscard()
	}
	i.m.mu.Lock()
	defer i.m.mu.Unlock()
	i.finish()
	i.m.discards++
}

// messages is what was committed so far.
func (m *memory) messages() []stored {
	m.mu.Lock()
	defer m.mu.Unlock()
	return append([]stored(nil), m.committed...)
}

// one is the only message that was committed.
func (m *memory) one(t *testing.T) stored {
	t.Helper()
	all := m.messages()
	if len(all) != 1 {
		t.Fatalf("%d messages committed, want 1", len(all))
	}
	return all[0]
}

// balanced holds that no Incoming was ended twice.
func (m *memory) balanced(t *testing.T) {
	t.Helper()
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.double != 0 {
		t.Errorf("%d times a message was both committed and discarded", m.double)
	}
}

// withoutTrace cuts our Received off a stored message.
func (s stored) withoutTrace(t *testing.T) string {
	t.Helper()
	rest := string(s.body)
	for i := range 3 {
		_, after, ok := strings.Cut(rest, "\r\n")
		if !ok || (i == 0) != strings.HasPrefix(rest, "Received: ") || (i > 0) != strings.HasPrefix(rest, "\t") {
			t.Fatalf("no trace in front of %.200q", s.body)
		}
		rest = after
	}
	return rest
}

// over holds, once Run has ended, that every Incoming was ended: a real spool
// keeps room for it as long as it is not.
func over(t testing.TB, s Spool) {
	t.Helper()
	m, ok := s.(*memory)
	if !ok {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.open != 0 {
		t.Errorf("%d messages were neither committed nor discarded", m.open)
	}
}

var (
	errTestFull  = errors.New("spool is full")
	errTestLarge = errors.New("too large")
	errTestStop  = errors.New("spool is closed")
	errTestRoute = errors.New("no account")
)

func classify(err error) Problem {
	switch {
	case errors.Is(err, errTestFull):
		return Full
	case errors.Is(err, errTestLarge):
		return TooLarge
	case errors.Is(err, errTestStop):
		return Stopping
	case errors.Is(err, errTestRoute):
		return NoAccount
	}
	return Unexpected
}

// testConfig is a listener without a password on a free port of 127.0.0.1.
func testConfig(spool Spool) Config {
	return Config{
		Addresses: []string{"127.0.0.1:0"}, Hostname: "localhost", MaxRecipients: 50000, MaxMessage: 100 * 1000 * 1000,
		Verify:   func(_ context.Context, user, password string) bool { return user == "local" && password == "s3cret" },
		Route:    func(string) (string, error) { return "office", nil },
		Classify: classify, Spool: spool, Log: slog.New(slog.DiscardHandler),
	}
}

// start runs a server until the test ends, and holds that Run then returns nil.
func start(t testing.TB, cfg Config, change ...func(*Server)) *Server {
	t.Helper()
	s := New(cfg)
	s.retry, s.grace = 20*time.Millisecond, 5*time.Second
	for _, f := range change {
		f(s)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	<-s.Ready()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
		over(t, cfg.Spool)
	})
	return s
}

// address is where the first listener is bound.
func address(t testing.TB, s *Server) string {
	t.Helper()
	l := s.Listeners()[0]
	if !l.OK {
		t.Fatalf("not listening: %v", l.Err)
	}
	return l.Address
}

func dial(t testing.TB, s *Server) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", address(t, s))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// noLeaks waits for the goroutines of this package to end; it must be called
// before start, so that it looks after Run has returned.
func noLeaks(t *testing.T) {
	t.Helper()
	t.Cleanup(func() {
		deadline := time.Now().Add(time.Minute)
		for {
			buf := make([]byte, 1<<20)
			all := string(buf[:runtime.Stack(buf, true)])
			left := 0
			for _, g := range strings.Split(all, "\n\n") {
				if strings.Contains(g, "go-smtp.") || strings.Contains(g, "proxy.(*") {
					left++
				}
			}
			if left == 0 {
				return
			}
			if time.Now().After(deadline) {
				t.Errorf("%d goroutines are left:\n%s", left, all)
				return
			}
			runtime.Gosched()
		}
	})
}

var _ io.Writer = (*memoryIncoming)(nil)
