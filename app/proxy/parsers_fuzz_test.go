package proxy

import (
	"bytes"
	"context"
	"io"
	"net"
	"strconv"
	"strings"
	"testing"
)

// overPipe plays a stream to a server of its own, in pieces of exactly size
// octets, and returns its replies and its spool. The client hangs up when all
// was read, or when the server did.
func overPipe(t *testing.T, change func(*Config), in []byte, size int) ([]string, *memory) {
	t.Helper()
	spool := &memory{}
	cfg := testConfig(spool)
	change(&cfg)
	p := newPipes()
	s := New(cfg)
	s.bind = func(context.Context, string) (net.Listener, error) { return p, nil }
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	near, far := net.Pipe()
	p.conns <- far
	read := make(chan string)
	go func() {
		text, _ := io.ReadAll(near) // ends when either side hangs up
		read <- string(text)
	}()
	for rest := in; len(rest) > 0; {
		n := min(size, len(rest))
		if _, err := near.Write(rest[:n]); err != nil {
			break // the server has hung up
		}
		rest = rest[n:]
	}
	_, _ = near.Write(nil) // until the server wants more: it has done all that was said
	near.Close()
	replies := replyList(<-read)
	cancel()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	return replies, spool
}

// agrees holds a stream's replies and messages against the model's. The last
// replies may be lost with the pipe.
func agrees(t *testing.T, mustAuth bool, in []byte, size int) {
	t.Helper()
	got, spool := overPipe(t, func(c *Config) {
		c.RequireAuth, c.MaxMessage, c.MaxRecipients = mustAuth, 2000, 5
		c.Verify = func(context.Context, string, string) bool { return true }
	}, in, size)
	m := &model{mustAuth: mustAuth, limit: 2000, maxRcpt: 5, in: bytes.Clone(in)}
	m.run()
	want := append([]answer{{"220"}}, m.out...)
	if len(got) < len(want) {
		want = want[:len(got)]
	}
	compareReplies(t, 0, in, got, want)
	compareMail(t, 0, in, spool, m.mail, true)
}

const opened = "EHLO x\r\nMAIL FROM:<a@example.com>\r\nRCPT TO:<b@example.com>\r\n"

// FuzzChunks plays BDAT with any argument and any octets.
func FuzzChunks(f *testing.F) {
	f.Add("6 LAST", []byte("X: y\r\n"), "0", []byte(""), 7)
	f.Add("3", []byte("X: "), "3 LAST", []byte("y\r\n"), 1)
	f.Add("0", []byte(""), "0 LAST", []byte(""), 100)
	f.Add("99999999999", []byte("QUIT\r\n"), "5", []byte("BDAT 0 LAST\r\n"), 2)
	f.Add("2001", []byte("x\r\n.\r\n"), "\t5", []byte("RSET\r\n"), 3)
	f.Fuzz(func(t *testing.T, first string, a []byte, second string, b []byte, size int) {
		in := []byte(opened)
		for _, c := range []struct {
			arg    string
			octets []byte
		}{{first, a}, {second, b}} {
			if strings.ContainsAny(c.arg, "\n") || foreign(c.octets) {
				t.Skip()
			}
			in = append(append(in, "BDAT "+c.arg+"\r\n"...), c.octets...)
		}
		agrees(t, false, append(in, "QUIT\r\n"...), 1+max(size%1000, 0))
	})
}

// foreign says that octets may be read as commands whose forms the model does
// not know, or as lines that it cannot tell apart.
func foreign(b []byte) bool {
	upper := bytes.ToUpper(b)
	return len(b) > readSize/2 || bytes.Contains(upper, []byte("MAIL")) || bytes.Contains(upper, []byte("RCPT"))
}

// FuzzAuth plays an exchange of AUTH with any lines.
func FuzzAuth(f *testing.F) {
	for _, s := range []string{"PLAIN AGxvY2FsAHMzY3JldA==", "PLAIN\r\nAGxvY2FsAHMzY3JldA==", "LOGIN\r\nbG9jYWw=\r\nczNjcmV0", "login bG9jYWw=\r\nczNjcmV0Cg==", "LOGIN\r\n*", "PLAIN =", "LOGIN =\r\n=", "X", "PLAIN !\r\nNOOP", "PLAIN  a b"} {
		f.Add(s, true, 5)
	}
	f.Fuzz(func(t *testing.T, exchange string, must bool, size int) {
		if foreign([]byte(exchange)) || strings.ContainsFunc(exchange, func(r rune) bool { return r == '\u0085' || r == '\u00a0' }) {
			t.Skip()
		}
		in := "EHLO x\r\nAUTH " + exchange + "\r\nMAIL FROM:<a@example.com>\r\nQUIT\r\n"
		agrees(t, must, []byte(in), 1+max(size%1000, 0))
	})
}

// FuzzDialogue plays the dialogues of TestRandomDialogues, found by coverage.
func FuzzDialogue(f *testing.F) {
	for seed := range uint64(20) {
		f.Add(seed, 7, 1000)
	}
	f.Fuzz(func(t *testing.T, seed uint64, size, cut int) {
		w := newWriter(seed)
		in := w.dialogue()
		if cut >= 0 && cut < len(in) {
			in = in[:cut]
		}
		m := &model{in: bytes.Clone(in)}
		m.run()
		if m.browser {
			t.Skip()
		}
		agrees(t, seed%3 == 0, in, 1+max(size%1000, 0))
	})
}

// FuzzAddress holds that an address that was taken can stand in a command of
// ours: it is one line, has one "@" outside of quotes, and reads as itself.
func FuzzAddress(f *testing.F) {
	for _, s := range []string{"a@example.com", `"a b"@example.com`, `"a\"b"@x`, "a@[IPv6:::1]", "ü@bücher.example", "@a,@b:c@d", "a@b@c", "<a@b>", "a@b c", `"@"@x`, `"\"@x`} {
		f.Add(s, true)
	}
	f.Fuzz(func(t *testing.T, address string, utf8 bool) {
		if strings.ContainsAny(address, "\r\n") {
			t.Skip()
		}
		param := ""
		if utf8 {
			param = " SMTPUTF8"
		}
		send := func(a string) ([]string, *memory) {
			return overPipe(t, func(*Config) {}, []byte("EHLO x\r\nMAIL FROM:<>"+param+"\r\nRCPT TO:<"+a+">\r\nDATA\r\n.\r\nQUIT\r\n"), 1<<20)
		}
		_, spool := send(address)
		if len(spool.messages()) == 0 {
			return
		}
		clean := spool.one(t).env.Recipients[0].Address
		if strings.ContainsAny(clean, "\r\n\x00") || len(clean) > 2*maxAddress || !utf8 && !isASCII(clean) {
			t.Fatalf("%q was taken as %q", address, clean)
		}
		if _, again := send(clean); len(again.messages()) != 1 || again.one(t).env.Recipients[0].Address != clean {
			t.Fatalf("%q was taken as %s, which does not read as itself", address, strconv.Quote(clean))
		}
	})
}
