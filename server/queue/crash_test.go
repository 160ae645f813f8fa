package queue

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-smtp"

	"servicesmtp.net/companion/server/delivery"
	"servicesmtp.net/companion/server/store"
	"servicesmtp.net/companion/server/store/storetest"
)

// far is a real SMTP server that counts what it takes for each recipient.
type far struct {
	addr string

	mu    sync.Mutex // guards all below
	got   map[string]int
	data  map[string]string
	hook  func() // runs when content has come and before it is answered
	quiet bool   // do not keep anything (benchmarks)
}

type farSession struct {
	f  *far
	to []string
}

func (s *farSession) Reset()                               { s.to = nil }
func (s *farSession) Logout() error                        { return nil }
func (s *farSession) Mail(string, *smtp.MailOptions) error { s.to = nil; return nil }
func (s *farSession) Rcpt(to string, _ *smtp.RcptOptions) error {
	s.to = append(s.to, to)
	return nil
}

func (s *farSession) Data(r io.Reader) error {
	if s.f.quiet {
		_, err := io.Copy(io.Discard, r)
		return err
	}
	b, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	s.f.mu.Lock()
	for _, to := range s.to {
		s.f.got[to]++
		s.f.data[to] = string(b)
	}
	hook := s.f.hook
	s.f.mu.Unlock()
	if hook != nil {
		hook()
	}
	return nil
}

func newFar(t testing.TB) *far {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f := &far{addr: ln.Addr().String(), got: make(map[string]int), data: make(map[string]string)}
	srv := smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) { return &farSession{f: f}, nil }))
	srv.Domain, srv.MaxRecipients = "far.example", 100
	srv.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	done := make(chan struct{})
	go func() { srv.Serve(ln); close(done) }()
	t.Cleanup(func() { srv.Close(); <-done })
	return f
}

func (f *far) onData(hook func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.hook = hook
}

func smarthost(t testing.TB, addr string) delivery.Route {
	t.Helper()
	r, err := delivery.New(delivery.Config{Route: "smtp://" + addr})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestMailArrives(t *testing.T) { storetest.Each(t, testMailArrives) }

func testMailArrives(t *testing.T, dsn string) {
	f := newFar(t)
	news := make(chan string, 10)
	w := newWorldOn(t, dsn, Config{Route: smarthost(t, f.addr), News: func(account string) { news <- account }})
	w.run()
	w.accept("Subject: x\r\n\r\nbody\r\n", "b@far.example", "c@far.example")
	w.wait(`status = 'delivered'`, 2)
	if got := <-news; got != "acc" {
		t.Errorf("news for %q", got)
	}
	if got := f.data["b@far.example"]; got != "Received: x\r\nSubject: x\r\n\r\nbody\r\n" {
		t.Errorf("arrived %q", got)
	}
	if got := w.rows("")["c@far.example"]; got.code != 250 || got.attempts != 1 || got.dup != 0 {
		t.Errorf("row %+v", got)
	}
}

// child is the program that the kill test kills.
func child(dir, addr string) {
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	s, err := store.Open(context.Background(), store.Options{Dir: dir, Log: log})
	if err != nil {
		log.Error("open", "err", err)
		os.Exit(1)
	}
	r, err := delivery.New(delivery.Config{Route: "smtp://" + addr})
	if err != nil {
		os.Exit(1)
	}
	q, err := New(Config{Store: s, Route: r, Log: log, Settle: time.Millisecond})
	if err != nil {
		os.Exit(1)
	}
	log.Error("run", "err", q.Run(context.Background()))
	os.Exit(1)
}

// Killed again and again, at random moments and between a final dot and its
// answer: nothing is lost, every recipient has one row, and whoever got a
// message twice is flagged.
func TestKill(t *testing.T) {
	const messages, each, kills = 150, 10, 6 // enough messages for all the kills to come
	f := newFar(t)
	dir := t.TempDir()
	w := &world{t: t, store: openStore(t, "", dir)}
	w.renew(Config{Route: smarthost(t, f.addr)})
	for i := range messages {
		w.accept("Subject: x\r\n\r\nbody\r\n", recipients(fmt.Sprintf("m%d-", i), each)...)
	}
	w.store.Close()

	for round := range kills {
		killUnderWay(t, f, dir, 5+7*round, round%2 == 0)
	}

	w.store = openStore(t, "", dir)
	defer func() { w.store.Close() }()
	w.renew(Config{Route: smarthost(t, f.addr), Settle: time.Millisecond})
	w.run()
	w.wait(`status = 'delivered'`, messages*each)
	w.end()

	if n := w.count(`1 = 1`); n != messages*each {
		t.Errorf("%d rows, want %d", n, messages*each)
	}
	rows := w.rows("")
	doubled := 0
	for to, r := range rows {
		n := f.got[to]
		if n == 0 {
			t.Errorf("a recipient counts as delivered and got nothing: %+v", r)
		}
		if n > 1 {
			doubled++
			if r.dup == 0 {
				t.Errorf("a recipient got %d copies and is not flagged: %+v", n, r)
			}
		}
	}
	if doubled == 0 {
		t.Error("no copy was doubled: the test did not kill where it should")
	}
	t.Logf("%d of %d recipients doubled, %d flagged", doubled, len(rows), w.count(`maybe_dup = 1`))
}

// further is how many messages more a child that is to be killed may send: on a
// slow machine the others would be out before, and the next child have nothing.
const further = 5

// killUnderWay runs a child and kills it after so many messages; at the dot:
// while the far server has the content and has not answered.
func killUnderWay(t *testing.T, f *far, dir string, after int, atDot bool) {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), "QUEUE_TEST_CHILD="+dir, "QUEUE_TEST_FAR="+f.addr)
	var log bytes.Buffer
	cmd.Stderr = &log
	reached, killed := make(chan struct{}), make(chan struct{})
	var mu sync.Mutex
	n := 0
	f.onData(func() {
		mu.Lock()
		n++
		now := n
		mu.Unlock()
		if now == after {
			close(reached)
		}
		if atDot && now >= after || now >= after+further {
			<-killed
		}
	})
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	<-reached
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	cmd.Wait() // it was killed
	close(killed)
	f.onData(nil)
	if strings.Contains(log.String(), "level=ERROR") {
		t.Errorf("child said %s", log.String())
	}
}

// A stop waits for the transaction in hand and writes its answer down.
func TestStopFinishesWhatIsInHand(t *testing.T) {
	f := newFar(t)
	w := newWorld(t, Config{Route: smarthost(t, f.addr)})
	inHand, answer := make(chan struct{}), make(chan struct{})
	var once sync.Once
	f.onData(func() { once.Do(func() { close(inHand) }); <-answer })
	w.run()
	w.accept("x\r\n", "b@far.example")
	<-inHand
	w.accept("x\r\n", "c@far.example")
	stopped := make(chan error)
	stop := w.stop
	w.stop = nil
	go func() { stopped <- stop() }()
	<-w.q.stopping.Done()
	close(answer)
	if err := <-stopped; err != nil {
		t.Fatal(err)
	}
	rows := w.rows("")
	if got := rows["b@far.example"]; got.status != "delivered" {
		t.Errorf("in hand: %+v", got)
	}
	if n := w.count(`status = 'in_data' OR maybe_dup = 1`); n != 0 {
		t.Errorf("%d recipients unknown after an orderly stop", n)
	}
	w.renew(Config{Route: smarthost(t, f.addr)})
	w.run()
	w.wait(`status = 'delivered'`, 2)
}

// A stop does not wait for ever: what the far server does not answer is
// flagged, and what has not begun is as it was.
func TestStopIsBounded(t *testing.T) {
	f := newFar(t)
	w := newWorld(t, Config{Route: smarthost(t, f.addr), StopWait: 50 * time.Millisecond})
	inHand, never := make(chan struct{}), make(chan struct{})
	f.onData(func() { close(inHand); <-never })
	w.run()
	w.accept("x\r\n", "b@far.example")
	<-inHand
	w.end()
	close(never)
	if got := w.rows("")["b@far.example"]; got.status != "queued" || got.dup != 1 || got.attempts != 1 {
		t.Errorf("got %+v", got)
	}
}

// A host that takes the connection and says nothing does not hold a stop up.
func TestStopWhileConnecting(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	w := newWorld(t, Config{Route: smarthost(t, silent.Addr().String()), StopWait: time.Hour})
	w.run()
	w.accept("x\r\n", "b@far.example")
	c, err := silent.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	w.end()
	if got := w.rows("")["b@far.example"]; got.status != "queued" || got.attempts != 0 || got.dup != 0 {
		t.Errorf("got %+v", got)
	}
}

// A change that cannot be written does not take down those it shares a commit
// with.
func TestRecorderGroups(t *testing.T) {
	w := newWorld(t, Config{Route: newFake()})
	r := newRecorder(w.store)
	good := func(i int) func(context.Context, *sql.Tx) error {
		return func(ctx context.Context, tx *sql.Tx) error {
			_, err := tx.ExecContext(ctx, `INSERT INTO settings (key, value) VALUES ($1, '')`, fmt.Sprint("k", i))
			return err
		}
	}
	bad := func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO nowhere (x) VALUES (1)`)
		return err
	}
	var group []change
	for i := range 5 {
		fn := good(i)
		if i == 2 {
			fn = bad
		}
		group = append(group, change{fn: fn, done: make(chan error, 1)})
	}
	r.commit(group)
	for i, c := range group {
		if err := <-c.done; (err != nil) != (i == 2) {
			t.Errorf("change %d: %v", i, err)
		}
	}
	var n int
	if err := w.store.Reader().QueryRow(`SELECT count(*) FROM settings WHERE key LIKE 'k%'`).Scan(&n); err != nil || n != 4 {
		t.Errorf("%d changes stored, %v, want 4", n, err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := r.do(ctx, good(9)); err == nil {
		t.Error("a change was taken though nobody writes")
	}
}
