package accept

import (
	"bytes"
	"net"
	"net/url"
	"sync/atomic"
	"testing"
	"time"

	"servicesmtp.net/companion/server/store/storetest"
)

// line is a way to a PostgreSQL server that can be cut.
type line struct {
	dsn   string
	cuts  atomic.Int32 // so many COMMITs reach the server, and the connection ends before the answer
	quiet atomic.Bool  // it does not end: there is just no answer
}

func newLine(t *testing.T, dsn string) *line {
	t.Helper()
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	socket := u.Query().Get("host") + "/.s.PGSQL.5432"
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	l := &line{dsn: "postgres://postgres@" + ln.Addr().String() + u.Path + "?sslmode=disable"}
	go func() {
		for {
			client, err := ln.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial("unix", socket)
			if err != nil {
				client.Close()
				continue
			}
			go l.carry(client, server)
		}
	}()
	return l
}

// carry carries until one side ends, or the line is cut.
func (l *line) carry(client, server net.Conn) {
	defer client.Close()
	defer server.Close()
	var cut atomic.Bool
	go func() {
		defer client.Close()
		buf := make([]byte, 64<<10)
		for {
			n, err := server.Read(buf)
			if cut.Load() && l.quiet.Load() && err == nil {
				continue
			}
			if err != nil || cut.Load() {
				return
			}
			if _, err := client.Write(buf[:n]); err != nil {
				return
			}
		}
	}()
	buf := make([]byte, 64<<10)
	for {
		n, err := client.Read(buf)
		if err != nil {
			return
		}
		if bytes.Contains(buf[:n], []byte("commit\x00")) && l.cuts.Add(-1) >= 0 {
			cut.Store(true)
		}
		if _, err := server.Write(buf[:n]); err != nil {
			return
		}
	}
}

// The answer to a COMMIT is lost: what it accepted is answered as accepted, and
// once, with a key and without.
func TestAnswerToCommitLost(t *testing.T) {
	for name, quiet := range map[string]bool{"cut": false, "silent": true} {
		t.Run(name, func(t *testing.T) { testAnswerToCommitLost(t, quiet) })
	}
}

func testAnswerToCommitLost(t *testing.T, quiet bool) {
	l := newLine(t, storetest.Database(t))
	l.quiet.Store(quiet)
	w := openWorld(t, l.dsn, t.TempDir())
	id := w.account("acc", "standard")
	batches := [][]*request{
		{w.prepared(id, "", offers("a@x.example"), message("alone"))},
		{w.prepared(id, envid(1), offers("a@x.example"), message("alone, with a key"))},
		{w.prepared(id, "", offers("b@x.example"), message("one")), w.prepared(id, envid(2), offers("c@x.example"), message("two"))},
	}
	if quiet { // each takes the whole limit
		w.limit, batches = 5*time.Second, batches[:1]
	}
	want := int64(0)
	for _, batch := range batches {
		want += int64(len(batch))
		before := w.count(`SELECT count(*) FROM messages`)
		l.cuts.Store(1)
		for i, a := range w.together(batch...) {
			if a.err != nil || a.receipt.ID != batch[i].message.ID {
				t.Errorf("%d of %d: %+v, %v", i+1, len(batch), a.receipt, a.err)
			}
		}
		if n := w.count(`SELECT count(*) FROM messages`) - before; n != int64(len(batch)) {
			t.Errorf("%d messages, want %d", n, len(batch))
		}
		if l.cuts.Load() > 0 {
			t.Error("nothing was cut")
		}
	}
	if n := w.used(id).Emails; n != want {
		t.Errorf("%d e-mails counted, want %d", n, want)
	}
}
