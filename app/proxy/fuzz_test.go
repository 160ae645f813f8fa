package proxy

import (
	"context"
	"io"
	"net"
	"strings"
	"testing"
)

// FuzzSession sends raw octets to a server. Whatever they are, it must not
// crash, must end, and must commit only what a reader of RFC 5321 finds a
// complete message in: a DATA closed by CRLF.CRLF, or a BDAT LAST whose octets
// are all there. The seeds include every way to stop short of that.
func FuzzSession(f *testing.F) {
	const open = "EHLO x\r\nMAIL FROM:<a@example.com>\r\nRCPT TO:<b@example.com>\r\n"
	for _, s := range []string{
		"", "QUIT\r\n", "GET / HTTP/1.1\r\n\r\n", open, open + "DATA\r\n", open + "DATA\r\nSubject: x\r\n",
		open + "DATA\r\nSubject: x\r\n.\r\n", open + "DATA\r\na\n.\nb\r\n.\rc\r\n.", open + "DATA\r\n..\r\n.\r\nQUIT\r\n",
		open + "BDAT 5 LAST\r\na: b\r\n", open + "BDAT 500 LAST\r\na: b\r\n", open + "BDAT 2\r\na:BDAT 0 LAST\r\n", open + "BDAT 2\r\na:RSET\r\n" + open,
		open + "QUIT\r\nDATA\r\n.\r\n", "EHLO x\r\nAUTH LOGIN\r\n*\r\nAUTH PLAIN AGEAYg==\r\nAUTH LOGIN =\r\n=\r\n",
		"HELO x\r\nMAIL FROM:<> SIZE=99999999999\r\nMAIL FROM:<\"a\\\"b\"@[1]> RET=FULL ENVID=a+2Bb SMTPUTF8\r\nRCPT TO:<ü@x> ORCPT=utf-8;\\x{FC}@x NOTIFY=NEVER\r\nDATA\r\n.\r\n",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		spool := &memory{}
		cfg := testConfig(spool)
		p := newPipes()
		s := New(cfg)
		s.bind = func(context.Context, string) (net.Listener, error) { return p, nil }
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan error, 1)
		go func() { done <- s.Run(ctx) }()
		near, far := net.Pipe()
		p.conns <- far
		read := make(chan struct{})
		go func() {
			defer close(read)
			_, _ = io.Copy(io.Discard, near) // ends when the server hangs up
		}()
		_, _ = near.Write(in) // fails when the server hangs up
		near.Close()
		<-read
		cancel()
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		// Each committed message needs an end of its own.
		upper := strings.ToUpper(string(in))
		ends := strings.Count(upper, "\n.\r\n") + strings.Count(upper, "LAST")
		if n := len(spool.messages()); n > ends {
			t.Fatalf("%d messages committed, %d ends in %q", n, ends, in)
		}
		for _, m := range spool.messages() {
			if body := m.withoutTrace(t); strings.Contains(strings.ReplaceAll(body, "\r\n", ""), "\n") || strings.Contains(strings.ReplaceAll(body, "\r\n", ""), "\r") {
				t.Fatalf("bare line end in %q", body)
			}
			if len(m.env.Recipients) == 0 {
				t.Fatal("no recipients")
			}
		}
		if spool.creates != spool.discards+len(spool.committed) || spool.double > 0 {
			t.Fatalf("%d created, %d discarded, %d committed", spool.creates, spool.discards, len(spool.committed))
		}
	})
}
