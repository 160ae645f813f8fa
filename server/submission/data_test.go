package submission

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"

	"servicesmtp.net/companion/internal/units"
	"servicesmtp.net/companion/internal/wire"
)

func TestContentIsKept(t *testing.T) {
	w := newWorld(t)
	w.account("alice", "standard")
	c := w.login("alice")
	long := strings.Repeat("x", 990_000)
	for _, tt := range []struct{ name, sent, want string }{
		{"as it is", "A: 1\r\n\r\nbody\r\n", "A: 1\r\n\r\nbody\r\n"},
		{"empty", "", ""},
		{"8 bit", "A: ä\r\n\r\n\xff\x00\r\n", "A: ä\r\n\r\n\xff\x00\r\n"},
		{"dots", "A: 1\r\n\r\n..\r\n...x\r\n", "A: 1\r\n\r\n.\r\n..x\r\n"},
		{"a line of nearly 1 MB", "A: 1\r\n\r\n" + long + "\r\n", "A: 1\r\n\r\n" + long + "\r\n"},
		{"Bcc", "A: 1\r\nBcc: x@y.example\r\nB: 2\r\n\r\nBcc: stays\r\n", "A: 1\r\nB: 2\r\n\r\nBcc: stays\r\n"},
		{"folded Bcc", "bcc: x@y.example,\r\n z@y.example\r\n\tq@y.example\r\nB: 2\r\n\r\nbody\r\n", "B: 2\r\n\r\nbody\r\n"},
		{"Resent-Bcc", "A: 1\r\nRESENT-BCC : x@y.example\r\n\r\nbody\r\n", "A: 1\r\n\r\nbody\r\n"},
		{"Bcc of a large message", "Bcc: x@y.example\r\nA: 1\r\n\r\n" + strings.Repeat(long[:70]+"\r\n", 5_000), "A: 1\r\n\r\n" + strings.Repeat(long[:70]+"\r\n", 5_000)},
	} {
		c.offer("", "x@a.example")
		m, got := w.content(c.data(tt.sent, "250 2.0.0 queued as "))
		if got != tt.want || m.Size != int64(len(tt.want)) {
			t.Errorf("%s: stored %d bytes, want %d: %.200q", tt.name, len(got), len(tt.want), got)
		}
		if sum := wire.BodySum(sha256.Sum256([]byte(tt.want))).String(); m.SHA256 != sum {
			t.Errorf("%s: sum %s, want %s", tt.name, m.SHA256, sum)
		}
	}
}

// TestWhatTheRelayReceivedCounts: the plan and the fingerprint count the
// message as it came in, with its Bcc.
func TestWhatTheRelayReceivedCounts(t *testing.T) {
	w := newWorld(t)
	id := w.account("alice", "standard")
	c := w.login("alice")
	sent := "Bcc: x@y.example\r\nA: 1\r\n\r\nbody\r\n"
	c.offer(envid(1), "x@a.example", "y@b.example")
	c.data(sent, "250 ")
	if n := w.count(`SELECT bytes FROM usage_periods`); n != 2*int64(len(sent)) {
		t.Errorf("%d bytes counted, want twice %d", n, len(sent))
	}
	key, err := w.store.Key(t.Context(), id, envid(1))
	if err != nil {
		t.Fatal(err)
	}
	want := wire.Fingerprint("a@example.com", []string{"x@a.example", "y@b.example"}, sha256.Sum256([]byte(sent)))
	if key.Fingerprint != want {
		t.Errorf("fingerprint %s, want %s", key.Fingerprint, want)
	}
	c.offer(envid(1), "x@a.example", "y@b.example")
	c.data(sent, "250 ")
}

// TestReceivedTellsNothing: neither the customer's computer nor a recipient.
func TestReceivedTellsNothing(t *testing.T) {
	w := newWorld(t)
	w.account("alice", "standard")
	c := w.login("alice")
	c.offer("", "x@a.example")
	m, _ := w.content(c.data(message("hello"), "250 "))
	if want := "Received: by relay.example with ESMTPSA id " + m.ID + ";\r\n\t"; !strings.HasPrefix(m.Received, want) || !strings.HasSuffix(m.Received, " +0000\r\n") {
		t.Errorf("got %q, want it to begin with %q", m.Received, want)
	}
	for _, secret := range []string{"127.0.0.1", "client.invalid", "x@a.example", " for ", " from "} {
		if strings.Contains(m.Received, secret) {
			t.Errorf("Received says %q: %q", secret, m.Received)
		}
	}
	for _, secret := range []string{"a@example.com", "x@a.example", "very private", "hello", "secret", "alice", "127.0.0.1", w.dir} {
		if strings.Contains(w.log.String(), secret) {
			t.Errorf("the log says %q", secret)
		}
	}
}

func TestRefusedContent(t *testing.T) {
	w := newWorld(t, func(o *options) { o.config = func(c *Config) { c.MaxMessage = 2 * units.MB } })
	w.account("alice", "standard")
	c := w.login("alice")
	for _, tt := range []struct{ name, sent, want string }{
		{"bare LF", "A: 1\r\n\r\nbody\n.\r\nmore\r\n", "554 5.6.0"},
		{"bare CR", "A: 1\r\n\r\nbody\rmore\r\n", "554 5.6.0"},
		{"smuggled end", "A: 1\r\n\r\nbody\n.\nMAIL FROM:<q@example.com>\r\n", "554 5.6.0"},
		{"too large", "A: 1\r\n\r\n" + strings.Repeat(strings.Repeat("x", 70)+"\r\n", 30_000), "552 5.3.4"},
	} {
		c.offer("", "x@a.example")
		c.data(tt.sent, tt.want)
		c.cmd("NOOP", "250 ") // the connection is kept, and nothing of the message is taken for a command
	}
	c.cmd("MAIL FROM:<a@example.com> SIZE=2000001", "552 5.3.4")
	c.offer("", "x@a.example")
	c.data("A: 1\r\n\r\n"+strings.Repeat("x", maxLine+1)+"\r\n", "554 5.6.0")
	c.nothing(w)
}

// nothing says that no message was stored, nor anything of one.
func (c *client) nothing(w *world) {
	c.t.Helper()
	if n := w.count(`SELECT (SELECT count(*) FROM messages) + (SELECT count(*) FROM bodies) + (SELECT count(*) FROM usage_periods)`); n != 0 {
		c.t.Errorf("%d rows of refused messages", n)
	}
}

func TestChunks(t *testing.T) {
	w := newWorld(t)
	w.account("alice", "standard")
	c := w.login("alice")
	text := message("hello")
	c.offer(envid(1), "x@a.example")
	c.write("BDAT 10\r\n" + text[:10])
	c.want("250 ")
	c.write(fmt.Sprintf("BDAT %d LAST\r\n%s", len(text)-10, text[10:]))
	if _, got := w.content(c.want("250 2.0.0 queued as ")); got != text {
		t.Errorf("stored %q", got)
	}
	c.offer(envid(1), "x@a.example") // the same over DATA is a replay
	if got := c.data(text, "250 "); !strings.HasSuffix(got, "(replayed)") {
		t.Errorf("got %q", got)
	}
	c.offer("", "x@a.example")
	c.write("BDAT 10\r\n" + text[:10])
	c.want("250 ")
	c.cmd("RSET", "421 4.3.0") // given up: that ends the connection, see conn
	c.closed()
	c = w.login("alice")
	c.offer("", "x@a.example")
	c.write("BDAT 0\r\nRSET\r\nMAIL FROM:<b@example.com>\r\nRCPT TO:<z@a.example>\r\nBDAT 2 LAST\r\n\r\n")
	c.want("250 ")
	c.want("421 4.3.0")
	c.closed()
	c = w.login("alice")
	c.offer("", "x@a.example")
	c.write("BDAT 15 LAST\r\nA: 1\r\n\r\nbare\nlf")
	c.want("554 5.6.0")
	c.want("421 4.3.0")
	c.closed()
	c = w.login("alice")
	c.offer("", "x@a.example")
	c.write(fmt.Sprintf("BDAT %d LAST\r\n%s", len(text), text))
	c.want("250 2.0.0 queued as ")
	if n := w.count(`SELECT count(*) FROM messages`); n != 2 {
		t.Errorf("%d messages, want 2", n)
	}
}

// TestPipelining: a whole transaction in two writes, as the companion sends
// it.
func TestPipelining(t *testing.T) {
	w := newWorld(t)
	w.account("alice", "standard")
	c := w.login("alice")
	var b strings.Builder
	b.WriteString("MAIL FROM:<a@example.com> ENVID=" + envid(1) + "\r\n")
	for _, r := range addresses(50, "r") {
		b.WriteString("RCPT TO:<" + r + ">\r\n")
	}
	c.write(b.String() + "DATA\r\n")
	for range 51 {
		c.want("250 ")
	}
	c.want("354 ")
	c.write(message("hello") + ".\r\nQUIT\r\nMAIL FROM:<b@example.com>\r\n")
	c.want("250 2.0.0 queued as ")
	c.want("221 ")
	c.closed() // what stands behind QUIT is not executed
	w.stop()
	if strings.Contains(w.log.String(), "panic") {
		t.Errorf("log %q", w.log)
	}
}

// TestHalfAMessage: a connection that breaks before the dot, or in a chunk,
// leaves nothing.
func TestHalfAMessage(t *testing.T) {
	w := newWorld(t)
	w.account("alice", "standard")
	large := "A: 1\r\n\r\n" + strings.Repeat(strings.Repeat("x", 70)+"\r\n", 10_000)
	for _, verb := range []string{"DATA\r\n", fmt.Sprintf("BDAT %d LAST\r\n", len(large)+1), fmt.Sprintf("BDAT %d\r\n", len(large))} {
		c := w.login("alice")
		c.offer(envid(1), "x@a.example")
		c.write(verb + large)
		c.conn.Close()
	}
	w.cancel() // waits for what is in hand
	w.stop()
	again := newWorld(t, func(o *options) { o.dir = w.dir })
	(&client{t: t}).nothing(again)
	if n, err := again.accept.Sweep(t.Context()); n != 0 || err != nil {
		t.Errorf("swept %d files, %v; an orderly end leaves none", n, err)
	}
}

// TestMemoryIsFlat: 100 MB pass through, and the heap does not grow by them.
func TestMemoryIsFlat(t *testing.T) {
	w := newWorld(t)
	w.account("alice", "mega")
	c := w.login("alice")
	block := bytes.Repeat([]byte(strings.Repeat("x", 998)+"\r\n"), 100) // 100 KB
	runtime.GC()
	var before, now runtime.MemStats
	runtime.ReadMemStats(&before)
	var most uint64
	c.cmd("MAIL FROM:<a@example.com> SIZE=100000000", "250 ")
	c.cmd("RCPT TO:<x@a.example>", "250 ")
	c.cmd("DATA", "354 ")
	c.write("A: 1\r\n\r\n")
	for i := range 1_000 {
		if _, err := c.conn.Write(block); err != nil {
			t.Fatal(err)
		}
		if i%100 == 99 {
			runtime.ReadMemStats(&now)
			most = max(most, now.HeapAlloc)
		}
	}
	c.write(".\r\n")
	reply := c.want("250 2.0.0 queued as ")
	runtime.ReadMemStats(&now)
	most = max(most, now.HeapAlloc)
	if grown := int64(most) - int64(before.HeapAlloc); grown > 20<<20 {
		t.Errorf("the heap grew by %d MB", grown>>20)
	}
	id := reply[strings.LastIndexByte(reply, ' ')+1:]
	m, err := w.store.Message(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	body, size, err := w.store.OpenBody(t.Context(), m.AccountID, m.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	defer body.Close()
	sum := sha256.New()
	if n, err := io.Copy(sum, body); err != nil || n != size || size != 100_000_008 || wire.BodySum(sum.Sum(nil)).String() != m.SHA256 {
		t.Errorf("%d bytes of %d, %v", n, size, err)
	}
}
