package world

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

// Far is the recipients' mail server: it takes everything, remembers it, and
// refuses addresses whose local part begins with "refuse".
type Far struct {
	Addr string

	mu       sync.Mutex // guards what follows
	got      []Transaction
	changed  chan struct{} // closed and replaced at each transaction
	DelayDot time.Duration // wait before the answer to the final dot
	Down     bool          // answers 421 to everything
}

// Transaction is one message as the far server got it.
type Transaction struct {
	From       string
	Recipients []string
	Data       string
	Began      time.Time // MAIL
	Ended      time.Time // final dot read
}

// StartFar starts a far server that ends with the test.
func StartFar(t testing.TB) *Far {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f := &Far{Addr: ln.Addr().String(), changed: make(chan struct{})}
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
	far *Far
	tx  Transaction
}

func (s *farSession) Reset()        { s.tx = Transaction{} }
func (s *farSession) Logout() error { return nil }

func (s *farSession) Mail(from string, _ *smtp.MailOptions) error {
	s.far.mu.Lock()
	defer s.far.mu.Unlock()
	if s.far.Down {
		return &smtp.SMTPError{Code: 421, EnhancedCode: smtp.EnhancedCode{4, 3, 2}, Message: "closed for today"}
	}
	s.tx = Transaction{From: from, Began: time.Now()}
	return nil
}

func (s *farSession) Rcpt(to string, _ *smtp.RcptOptions) error {
	if strings.HasPrefix(to, "refuse") {
		return &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "no such user here"}
	}
	s.tx.Recipients = append(s.tx.Recipients, to)
	return nil
}

func (s *farSession) Data(r io.Reader) error {
	data, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	s.tx.Data, s.tx.Ended = string(data), time.Now()
	s.far.mu.Lock()
	delay := s.far.DelayDot
	s.far.mu.Unlock()
	time.Sleep(delay)
	s.far.mu.Lock()
	defer s.far.mu.Unlock()
	s.far.got = append(s.far.got, s.tx)
	close(s.far.changed)
	s.far.changed = make(chan struct{})
	return nil
}

// Set changes how the server behaves.
func (f *Far) Set(change func(*Far)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change(f)
}

// Transactions is a copy of what has arrived.
func (f *Far) Transactions() []Transaction {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]Transaction(nil), f.got...)
}

// Counts says how often each recipient has got a message.
func (f *Far) Counts() map[string]int {
	n := map[string]int{}
	for _, tx := range f.Transactions() {
		for _, r := range tx.Recipients {
			n[r]++
		}
	}
	return n
}

// Wait returns when ok is true of what has arrived, and fails the test after
// the limit.
func (f *Far) Wait(t testing.TB, limit time.Duration, what string, ok func([]Transaction) bool) {
	t.Helper()
	end := time.After(limit)
	for {
		f.mu.Lock()
		changed := f.changed
		f.mu.Unlock()
		if ok(f.Transactions()) {
			return
		}
		select {
		case <-changed:
		case <-end:
			t.Fatalf("%s: not within %v; the far server has %d transactions with %d recipients", what, limit, len(f.Transactions()), len(f.Counts()))
		}
	}
}

// WaitRecipients waits for n different recipients.
func (f *Far) WaitRecipients(t testing.TB, n int, limit time.Duration) {
	t.Helper()
	f.Wait(t, limit, fmt.Sprintf("%d recipients", n), func([]Transaction) bool { return len(f.Counts()) >= n })
}

// Content cuts off the trace fields that companion and relay put in front, and
// gives the rest byte for byte.
func Content(data string) (received []string, rest string) {
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
