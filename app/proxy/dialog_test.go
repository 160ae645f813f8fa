package proxy

import (
	"bufio"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestDialogs plays the files in testdata. Their lines:
//
//	# comment              option auth | small    (before the first exchange)
//	C: text                sent with CRLF; consecutive C: and R: go out in one write
//	R: "quoted"            sent as the Go string says, without CRLF
//	S: text                one reply line; "..." at the end leaves the rest open
//	S* 250                 the lines of one reply up to its last, which begins so
//	closed                 the server ends the connection
//	half                   the client ends its side
//	committed N            at the end: that many messages were committed
//	body "quoted"          at the end: the last message, without our Received
func TestDialogs(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no dialogs: %v", err)
	}
	for _, f := range files {
		t.Run(strings.TrimSuffix(filepath.Base(f), ".txt"), func(t *testing.T) {
			t.Parallel()
			playFile(t, f)
		})
	}
}

func playFile(t *testing.T, name string) {
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	spool, log := &memory{}, &transcript{}
	t.Cleanup(func() { // after Run has ended
		if strings.Contains(log.String(), "level=ERROR") {
			t.Errorf("log:\n%s", log)
		}
	})
	cfg := testConfig(spool)
	cfg.Log = slog.New(slog.NewTextHandler(log, nil))
	lines := strings.Split(string(text), "\n")
	for _, l := range lines {
		switch l {
		case "option auth":
			cfg.RequireAuth = true
		case "option small":
			cfg.MaxMessage, cfg.MaxRecipients = 1000, 3
		}
	}
	s := start(t, cfg)
	p := &player{t: t, conn: dial(t, s), spool: spool, file: name}
	p.conn.SetDeadline(time.Now().Add(20 * time.Second))
	p.r = bufio.NewReader(p.conn)
	for i, l := range lines {
		p.line = i + 1
		p.play(l)
	}
	spool.balanced(t)
}

type player struct {
	t     *testing.T
	conn  net.Conn
	r     *bufio.Reader
	spool *memory
	file  string
	line  int
	out   strings.Builder
}

func (p *player) fail(format string, args ...any) {
	p.t.Helper()
	p.t.Fatalf("%s:%d: %s", p.file, p.line, fmt.Sprintf(format, args...))
}

func (p *player) play(l string) {
	p.t.Helper()
	if s, ok := strings.CutPrefix(l, "C: "); ok {
		p.out.WriteString(s + "\r\n")
		return
	}
	if s, ok := strings.CutPrefix(l, "R: "); ok {
		raw, err := strconv.Unquote(s)
		if err != nil {
			p.fail("%v", err)
		}
		p.out.WriteString(raw)
		return
	}
	if l == "C:" {
		p.out.WriteString("\r\n")
		return
	}
	if p.out.Len() > 0 {
		// The server may have hung up already; the expectations tell.
		_, _ = io.WriteString(p.conn, p.out.String())
		p.out.Reset()
	}
	word, rest, _ := strings.Cut(l, " ")
	switch word {
	case "", "#", "option":
	case "S:":
		p.match(p.reply(), rest)
	case "S*":
		got := p.reply()
		for len(got) > 3 && got[3] == '-' {
			got = p.reply()
		}
		p.match(got, rest+"...")
	case "closed":
		if rest, err := io.ReadAll(p.r); len(rest) > 0 || (err != nil && !isReset(err)) {
			p.fail("not closed: %q, %v", rest, err)
		}
	case "half":
		p.conn.(*net.TCPConn).CloseWrite()
	case "committed":
		if n := strconv.Itoa(len(p.spool.messages())); n != rest {
			p.fail("%s messages committed, want %s", n, rest)
		}
	case "body":
		want, err := strconv.Unquote(rest)
		if err != nil {
			p.fail("%v", err)
		}
		all := p.spool.messages()
		if len(all) == 0 {
			p.fail("no message")
		}
		if got := all[len(all)-1].withoutTrace(p.t); got != want {
			p.fail("body\n got %q\nwant %q", got, want)
		}
	default:
		p.fail("what is %q?", l)
	}
}

func isReset(err error) bool { return strings.Contains(err.Error(), "reset") }

func (p *player) reply() string {
	p.t.Helper()
	got, err := p.r.ReadString('\n')
	if err != nil {
		p.fail("no reply: %v (got %q)", err, got)
	}
	return strings.TrimSuffix(got, "\r\n")
}

func (p *player) match(got, want string) {
	p.t.Helper()
	if open, ok := strings.CutSuffix(want, "..."); ok && strings.HasPrefix(got, open) {
		return
	}
	if got != want {
		p.fail("got %q, want %q", got, want)
	}
}
