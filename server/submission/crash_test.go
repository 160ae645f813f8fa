package submission

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"math/rand/v2"
	"net/textproto"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// childEnv names the data folder of a relay that this test program serves when
// it is started again by itself.
const childEnv = "SUBMISSION_TEST_DATA"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childEnv); dir != "" {
		serveForEver(dir)
	}
	os.Exit(m.Run())
}

// quiet is a testing.TB outside a test.
type quiet struct{ testing.TB }

func (quiet) Helper()                   {}
func (quiet) Cleanup(func())            {}
func (quiet) TempDir() string           { return "" }
func (quiet) Errorf(f string, v ...any) { fmt.Fprintf(os.Stderr, f+"\n", v...) }
func (quiet) Fatal(v ...any)            { fmt.Fprintln(os.Stderr, v...); os.Exit(1) }

// serveForEver is the child: it prints its address and serves until killed.
func serveForEver(dir string) {
	w := newWorld(quiet{}, func(o *options) { o.dir = dir })
	n, err := w.accept.Sweep(context.Background())
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Printf("%s %d\n", w.tls, n)
	select {}
}

// child starts the relay and waits for its address.
func child(t *testing.T, dir string) (*exec.Cmd, string) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childEnv+"="+dir)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return cmd, strings.Fields(line)[0]
}

// mailing is one message of the crash test.
type mailing struct {
	envid      string // "": no key
	recipients []string
	text       string
	ids        []string // of every 250
}

// hand tries to hand m over once on an open connection.
func (m *mailing) hand(c *textproto.Conn) error {
	line := "MAIL FROM:<a@example.com>"
	if m.envid != "" {
		line += " ENVID=" + m.envid
	}
	if err := dialog(c, line, 250); err != nil {
		return err
	}
	for _, r := range m.recipients {
		if err := dialog(c, "RCPT TO:<"+r+">", 250); err != nil {
			return err
		}
	}
	if err := dialog(c, "DATA", 354); err != nil {
		return err
	}
	if _, err := io.WriteString(c.W, m.text+".\r\n"); err != nil {
		return err
	}
	if err := c.W.Flush(); err != nil {
		return err
	}
	_, reply, err := c.ReadResponse(250)
	if err != nil {
		return err
	}
	_, id, _ := strings.Cut(reply, "queued as ")
	id, _, _ = strings.Cut(id, " ")
	m.ids = append(m.ids, id)
	return nil
}

func dialog(c *textproto.Conn, line string, code int) error {
	if err := c.PrintfLine("%s", line); err != nil {
		return err
	}
	_, _, err := c.ReadResponse(code)
	return err
}

func connect(address string) (*textproto.Conn, error) {
	conn, err := tls.Dial("tcp", address, &tls.Config{InsecureSkipVerify: true}) // the child's certificate is its own
	if err != nil {
		return nil, err
	}
	c := textproto.NewConn(conn)
	if _, _, err := c.ReadResponse(220); err != nil {
		return nil, err
	}
	if err := dialog(c, "EHLO client.invalid", 250); err != nil {
		return nil, err
	}
	return c, dialog(c, "AUTH PLAIN "+plain("", "alice", "secret"), 235)
}

// TestKill: the relay is killed again and again while eight clients hand in
// mail. What got 250 is in the store exactly once, with all its recipients,
// its content and its charge; a batch whose answer was lost is repeated under
// its key until it gets one.
func TestKill(t *testing.T) {
	dir := t.TempDir()
	first := newWorld(t, func(o *options) { o.dir = dir })
	first.account("alice", "unlimited-standard")
	first.stop()

	var all [8][]*mailing
	for round := range 4 {
		cmd, address := child(t, dir)
		var wg sync.WaitGroup
		enough := after(4)
		for i := range all {
			wg.Go(func() { all[i] = append(all[i], keepSending(address, i, round, all[i], enough)...) })
		}
		wg.Go(func() {
			<-enough.reached // on a slow machine much later
			time.Sleep(time.Duration(rand.IntN(500)) * time.Millisecond)
			cmd.Process.Kill()
		})
		wg.Wait()  // each ends when the relay does
		cmd.Wait() // it was killed: that is its error
	}
	w := newWorld(t, func(o *options) { o.dir = dir })
	if _, err := w.accept.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	c := w.login("alice")
	for _, some := range all { // what is still unknown is repeated
		for _, m := range some {
			if len(m.ids) == 0 && m.envid != "" {
				if err := m.hand(c.text); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	w.compare(t, all[:])
}

// answers are counted up to how many make a round worth it, of large messages
// and of others.
type answers struct {
	large, small atomic.Int64
	least        int64
	reached      chan struct{} // closed then
	once         sync.Once
}

func after(least int64) *answers { return &answers{least: least, reached: make(chan struct{})} }

func (a *answers) count(m *mailing) {
	if len(m.text) > 100_000 {
		a.large.Add(1)
	} else {
		a.small.Add(1)
	}
	if a.large.Load() > 0 && a.small.Load() >= a.least {
		a.end()
	}
}

// end is also for a worker that does not get as far.
func (a *answers) end() { a.once.Do(func() { close(a.reached) }) }

// keepSending repeats what earlier rounds left open and then sends new
// messages until the connection breaks.
func keepSending(address string, worker, round int, earlier []*mailing, enough *answers) (made []*mailing) {
	defer enough.end()
	c, err := connect(address)
	if err != nil {
		return nil
	}
	defer c.Close()
	for _, m := range earlier {
		if len(m.ids) == 0 && m.envid != "" && m.hand(c) != nil {
			return nil
		}
	}
	for n := 1; ; n++ {
		m := &mailing{recipients: addresses(1+rand.IntN(10), fmt.Sprintf("w%d-%d-%d-", worker, round, n)),
			text: message(strings.Repeat(fmt.Sprintf("%d %d %d\r\n", worker, round, n), 1+rand.IntN(100)))}
		if (n+worker)%4 == 0 {
			m.text = message(strings.Repeat(fmt.Sprintf("%d %d %d\r\n", worker, round, n), 40_000)) // a file
		}
		if (n+worker)%3 != 0 {
			m.envid = envid(1 + worker + 10*round + 100*n)
		}
		made = append(made, m)
		if m.hand(c) != nil {
			return made
		}
		enough.count(m)
	}
}

// compare checks the store against what was answered.
func (w *world) compare(t *testing.T, all [][]*mailing) {
	t.Helper()
	answered, keyless := 0, 0
	for _, some := range all {
		for _, m := range some {
			if len(m.ids) == 0 {
				keyless++ // without a key an answer that was lost stays unknown
				continue
			}
			answered++
			for _, id := range m.ids {
				got, content := w.content("queued as " + id)
				if got.EnvelopeID != m.envid || content != m.text {
					t.Errorf("message %s: ENVID %q, %d bytes; want %q, %d bytes", id, got.EnvelopeID, len(content), m.envid, len(m.text))
				}
				if n := w.count(`SELECT count(*) FROM deliveries WHERE message_id = $1`, id); n != int64(len(m.recipients)) {
					t.Errorf("message %s has %d recipients, want %d", id, n, len(m.recipients))
				}
			}
			for _, r := range m.recipients {
				if n := w.count(`SELECT count(*) FROM deliveries WHERE recipient = $1`, r); n != 1 {
					t.Errorf("%s is there %d times", r, n)
				}
			}
		}
	}
	messages, files := w.count(`SELECT count(*) FROM messages`), w.count(`SELECT count(*) FROM bodies WHERE inline IS NULL`)
	if messages < int64(answered) || messages > int64(answered+keyless) {
		t.Errorf("%d messages, %d answered, %d without key unknown", messages, answered, keyless)
	}
	if counted, stored := w.count(`SELECT sum(emails) FROM usage_periods`), w.count(`SELECT count(*) FROM deliveries`); counted != stored {
		t.Errorf("%d e-mails counted, %d stored", counted, stored)
	}
	entries, err := os.ReadDir(w.dir + "/bodies/id-alice")
	if err != nil || int64(len(entries)) != files {
		t.Errorf("%d files of bodies, %d rows, %v", len(entries), files, err)
	}
	if answered < 8 || files == 0 {
		t.Errorf("only %d answers and %d large bodies: the test tests too little", answered, files)
	}
	t.Logf("%d answered, %d unknown without key, %d messages, %d large bodies", answered, keyless, messages, files)
}
