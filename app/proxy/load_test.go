package proxy

import (
	"bufio"
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/emersion/go-smtp"
)

func newReader(r io.Reader) *bufio.Reader { return bufio.NewReader(r) }

// 300 programs at once, each with a message of its own.
func TestManyConnections(t *testing.T) {
	noLeaks(t)
	spool := &memory{}
	s := start(t, testConfig(spool))
	var wg sync.WaitGroup
	for i := range 300 {
		wg.Go(func() {
			first := true
			body := fmt.Sprintf("Subject: %d\r\n\r\n%s\r\n.\r\n", i, strings.Repeat("x", i))
			if err := handIn(address(t, s), []byte(body), func() bool { f := first; first = false; return f }); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	seen := map[string]bool{}
	for _, m := range spool.messages() {
		seen[m.withoutTrace(t)] = true
	}
	if len(seen) != 300 {
		t.Errorf("%d different messages, want 300", len(seen))
	}
	spool.balanced(t)
}

// 50,000 recipients in one go are taken, and one more is not.
func TestManyRecipients(t *testing.T) {
	spool := &memory{}
	s := start(t, testConfig(spool))
	nc := dial(t, s)
	nc.SetDeadline(time.Now().Add(time.Minute))
	c := &pipeClient{t: t, Conn: nc, r: newReader(nc)}
	c.expect("220")
	c.say("EHLO client", "250")
	const n = 50000
	var wg sync.WaitGroup
	wg.Go(func() {
		w := bufio.NewWriter(nc)
		w.WriteString("MAIL FROM:<a@example.com>\r\n")
		for i := range n + 1 {
			fmt.Fprintf(w, "RCPT TO:<user%d@example.com>\r\n", i)
		}
		w.WriteString("DATA\r\n")
		w.Flush()
	})
	for range n + 1 {
		c.expect("250")
	}
	c.expect("452 4.5.3")
	c.expect("354")
	wg.Wait()
	c.say("Subject: x\r\n.", "250 2.0.0 queued")
	if got := spool.one(t).env.Recipients; len(got) != n || got[n-1].Address != fmt.Sprintf("user%d@example.com", n-1) {
		t.Errorf("%d recipients", len(got))
	}
}

// AUTH lines as long as RFC 4954 §4 wants them, and a megabyte is still read.
func TestLongAuthLine(t *testing.T) {
	cfg := testConfig(&memory{})
	cfg.RequireAuth = true
	long := strings.Repeat("p", 12288*3/4-10)
	cfg.Verify = func(_ context.Context, user, password string) bool { return user == "local" && password == long }
	nc := dial(t, start(t, cfg))
	c := &pipeClient{t: t, Conn: nc, r: newReader(nc)}
	c.expect("220")
	c.say("EHLO client", "250")
	c.say("AUTH PLAIN "+base64.StdEncoding.EncodeToString([]byte("\x00local\x00"+long)), "235")
	c.say("NOOP "+strings.Repeat("x", 900_000), "250")
}

// A line of a megabyte is refused with a reason; HTML of 900 KB in one line is not.
func TestLongLines(t *testing.T) {
	spool := &memory{}
	nc := dial(t, start(t, testConfig(spool)))
	c := &pipeClient{t: t, Conn: nc, r: newReader(nc)}
	c.toData()
	c.say("Subject: x\r\n\r\n"+strings.Repeat("x", maxLine)+"\r\n.", "554 5.6.0 The message has a line of more")
	c.say("MAIL FROM:<a@example.com>", "250")
	c.say("RCPT TO:<b@example.com>", "250")
	c.say("DATA", "354")
	c.say("Subject: x\r\n\r\n"+strings.Repeat("x", 900_000)+"\r\n.", "250")
	spool.one(t)
}

// Stopped in full traffic: what was acknowledged is committed, each message
// once, and nothing else is left behind.
func TestStopUnderLoad(t *testing.T) {
	noLeaks(t)
	spool := &memory{}
	s := New(testConfig(spool))
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	<-s.Ready()
	addr := address(t, s)
	var acknowledged atomic.Int64
	body := testMessage(20_000)
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			begun := int64(-1)
			// It ends with an error when the server stops.
			_ = handIn(addr, body, func() bool {
				begun++
				if begun > 0 && acknowledged.Add(1) == 200 {
					cancel()
				}
				return true
			})
		})
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	wg.Wait()
	if a, c := acknowledged.Load(), int64(len(spool.messages())); a != c {
		t.Errorf("%d acknowledged, %d committed", a, c)
	}
	if spool.creates != spool.discards+len(spool.messages()) {
		t.Errorf("%d created, %d discarded, %d committed", spool.creates, spool.discards, len(spool.messages()))
	}
	spool.balanced(t)
}

// Smuggling: no mix of CR, LF and dot ends the data early, and a message with
// one is refused, with the connection as good as before.
func TestSmuggling(t *testing.T) {
	spool := &memory{}
	s := start(t, testConfig(spool))
	for _, end := range []string{"\n.\n", "\n.\r\n", "\r.\r", "\r.\r\n", "\r\n.\n", "\r\n.\r", "\r\n.\r\r\n", "\n\n.\r\n", "\r\r\n.\r\n\n.\n", "\n.\r", "\r.\n"} {
		for _, by := range []string{"DATA", "BDAT"} {
			nc := dial(t, s)
			nc.SetDeadline(time.Now().Add(20 * time.Second))
			c := &pipeClient{t: t, Conn: nc, r: newReader(nc)}
			c.expect("220")
			c.say("EHLO client", "250")
			c.say("MAIL FROM:<a@example.com>", "250")
			c.say("RCPT TO:<b@example.com>", "250")
			evil := "Subject: x\r\n\r\ntext" + end + "MAIL FROM:<evil@example.com>\r\nRCPT TO:<b@example.com>\r\nDATA\r\nSubject: evil\r\n"
			if by == "DATA" {
				c.say("DATA", "354")
				if strings.HasPrefix(end, "\r\r\n.\r\n") { // this one holds a real end of data
					c.say(evil[:strings.Index(evil, "\r\n.\r\n")+2]+".", "554 5.6.0")
				} else {
					c.say(evil+".", "554 5.6.0")
				}
			} else {
				c.say(fmt.Sprintf("BDAT %d LAST\r\n%s", len(evil), strings.TrimSuffix(evil, "\r\n")), "554 5.6.0")
			}
			c.say("NOOP", "250")
			c.say("QUIT", "221")
			c.ends()
		}
	}
	if n := len(spool.messages()); n != 0 {
		t.Errorf("%d messages committed", n)
	}
	spool.balanced(t)
}

// go-smtp may begin the data of a BDAT only after that was broken off; the
// connection must not be used for another one then either.
func TestLateChunksEndTheConnection(t *testing.T) {
	spool := &memory{}
	s := New(testConfig(spool))
	c := connOf(io.EOF)
	ses := &session{srv: s, conn: c, ctx: t.Context(), tx: &transaction{}}
	r, w := io.Pipe()
	w.CloseWithError(smtp.ErrDataReset)
	if got := codeOf(t, ses.Data(r)); got != "451 4.4.2" {
		t.Errorf("got %v", got)
	}
	if !c.leaving() || len(spool.messages()) != 0 {
		t.Error("the connection goes on")
	}
}

// A client may vanish at any octet without a word.
func TestClientVanishes(t *testing.T) {
	noLeaks(t)
	spool := &memory{}
	t.Cleanup(func() { // after Run has ended
		if n := len(spool.messages()); n != 0 {
			t.Errorf("%d messages committed without their final dot", n)
		}
	})
	s := start(t, testConfig(spool))
	session := "EHLO client\r\nMAIL FROM:<a@example.com>\r\nRCPT TO:<b@example.com>\r\nDATA\r\nSubject: x\r\n\r\ntext\r\n.\r\n"
	for n := range len(session) {
		nc, err := net.Dial("tcp", address(t, s))
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(nc, session[:n])
		nc.Close()
	}
}
