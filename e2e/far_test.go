package e2e

import (
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-smtp"
)

// far is the recipients' mail server: it takes everything, remembers it, and
// refuses addresses whose local part begins with "refuse".
type far struct {
	addr string

	mu       sync.Mutex // guards what follows
	got      []transaction
	changed  chan struct{} // closed and replaced at each transaction
	delayDot time.Duration // wait before the answer to the final dot
	down     bool          // answers 421 to everything
}

type transaction struct {
	from       string
	recipients []string
	data       string
	began      time.Time // MAIL
	ended      time.Time // final dot read
}

func startFar(t *testing.T) *far {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f := &far{addr: ln.Addr().String(), changed: make(chan struct{})}
	srv := smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) { return &farSession{far: f}, nil }))
	srv.Domain = "far.invalid"
	srv.EnableSMTPUTF8 = true
	srv.MaxLineLength = 1 << 20
	srv.AllowInsecureAuth = true
	done := make(chan struct{})
	go func() { defer close(done); srv.Serve(ln) }()
	t.Cleanup(func() { srv.Close(); <-done })
	return f
}

type farSession struct {
	far *far
	tx  transaction
}

func (s *farSession) Reset()        { s.tx = transaction{} }
func (s *farSession) Logout() error { return nil }

func (s *farSession) Mail(from string, _ *smtp.MailOptions) error {
	s.far.mu.Lock()
	defer s.far.mu.Unlock()
	if s.far.down {
		return &smtp.SMTPError{Code: 421, EnhancedCode: smtp.EnhancedCode{4, 3, 2}, Message: "closed for today"}
	}
	s.tx = transaction{from: from, began: time.Now()}
	return nil
}

func (s *farSession) Rcpt(to string, _ *smtp.RcptOptions) error {
	if strings.HasPrefix(to, "refuse") {
		return &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "no such user here"}
	}
	s.tx.recipients = append(s.tx.recipients, to)
	return nil
}

func (s *farSession) Data(r io.Reader) error {
	data, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	s.tx.data, s.tx.ended = string(data), time.Now()
	s.far.mu.Lock()
	delay := s.far.delayDot
	s.far.mu.Unlock()
	time.Sleep(delay)
	s.far.mu.Lock()
	defer s.far.mu.Unlock()
	s.far.got = append(s.far.got, s.tx)
	close(s.far.changed)
	s.far.changed = make(chan struct{})
	return nil
}

// set changes how the server behaves.
func (f *far) set(change func(*far)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change(f)
}

// transactions is a copy of what has arrived.
func (f *far) transactions() []transaction {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]transaction(nil), f.got...)
}

// counts says how often each recipient has got a message.
func (f *far) counts() map[string]int {
	n := map[string]int{}
	for _, tx := range f.transactions() {
		for _, r := range tx.recipients {
			n[r]++
		}
	}
	return n
}

// wait returns when ok is true of what has arrived, and fails the test after
// the limit.
func (f *far) wait(t *testing.T, limit time.Duration, what string, ok func([]transaction) bool) {
	t.Helper()
	end := time.After(limit)
	for {
		f.mu.Lock()
		changed := f.changed
		f.mu.Unlock()
		if ok(f.transactions()) {
			return
		}
		select {
		case <-changed:
		case <-end:
			t.Fatalf("%s: not within %v; the far server has %d transactions with %d recipients", what, limit, len(f.transactions()), len(f.counts()))
		}
	}
}

// waitRecipients waits for n different recipients.
func (f *far) waitRecipients(t *testing.T, n int, limit time.Duration) {
	t.Helper()
	f.wait(t, limit, fmt.Sprintf("%d recipients", n), func([]transaction) bool { return len(f.counts()) >= n })
}

// content cuts off the trace fields that companion and relay put in front, and
// gives the rest byte for byte.
func content(data string) (received []string, rest string) {
	for strings.HasPrefix(data, "Received: ") {
		end := 0
		for {
			i := strings.Index(data[end:], "\r\n")
			if i < 0 {
				return received, data
			}
			end += i + 2
			if end >= len(data) || (data[end] != ' ' && data[end] != '\t') {
				break
			}
		}
		received = append(received, data[:end])
		data = data[end:]
	}
	return received, data
}
