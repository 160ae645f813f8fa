package delivery

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net/textproto"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// Whatever passes the stuffer in whatever pieces comes out of a standard
// reader as it was, and ends at the final dot and nowhere else.
func TestStufferIsUndoneByReader(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		lines := rapid.SliceOfN(rapid.StringMatching(`[.a]{0,4}`), 1, 8).Draw(t, "lines")
		in := strings.Join(lines, "\r\n") + "\r\n"
		var out bytes.Buffer
		s := newStuffer(&out)
		for rest := in; rest != ""; {
			n := rapid.IntRange(1, len(rest)).Draw(t, "piece")
			if _, err := s.Write([]byte(rest[:n])); err != nil {
				t.Fatal(err)
			}
			rest = rest[n:]
		}
		out.WriteString(s.end() + "QUIT\r\n")
		r := bufio.NewReader(&out)
		got, err := io.ReadAll(textproto.NewReader(r).DotReader())
		if err != nil {
			t.Fatal(err)
		}
		if want := strings.ReplaceAll(in, "\r\n", "\n"); string(got) != want { // DotReader shortens line ends
			t.Fatalf("got %q, want %q", got, want)
		}
		if rest, _ := io.ReadAll(r); string(rest) != "QUIT\r\n" {
			t.Fatalf("after the dot: %q", rest)
		}
	})
}

func TestStufferEndsAnOpenLine(t *testing.T) {
	s := newStuffer(io.Discard)
	s.Write([]byte("a"))
	if got := s.end(); got != "\r\n.\r\n" {
		t.Errorf("got %q", got)
	}
}

func TestReadReply(t *testing.T) {
	for _, c := range []struct {
		name, in string
		want     string // code|enhanced|text, or "" for an error
	}{
		{"one line", "250 ok\r\n", "250||ok"},
		{"no text", "250\r\n", "250||"},
		{"enhanced", "550 5.1.1 no such user\r\n", "550|5.1.1|no such user"},
		{"enhanced on every line", "550-5.1.1 no\r\n550 5.1.1 user\r\n", "550|5.1.1|no\nuser"},
		{"enhanced of another class", "550 4.1.1 odd\r\n", "550||4.1.1 odd"},
		{"no enhanced code, but a number", "250 2.0 ok\r\n", "250||2.0 ok"},
		{"bare LF", "250 ok\n", "250||ok"},
		{"control characters", "250 a\x1b[31mb\xff\r\n", "250||a [31mb?"},
		{"long line", "250 " + strings.Repeat("x", 10_000) + "\r\n", "250||" + strings.Repeat("x", maxReplyText)},
		{"mixed codes", "250-a\r\n550 b\r\n", ""},
		{"no code", "ok\r\n", ""},
		{"code out of range", "150 a\r\n", ""},
		{"code of letters", "2x0 a\r\n", ""},
		{"cut short", "250-a\r\n", ""},
		{"endless", strings.Repeat("250-a\r\n", maxReplyLines+1), ""},
	} {
		r, err := readReply(bufio.NewReader(strings.NewReader(c.in)), false)
		got := strings.Join([]string{strconv.Itoa(r.code), r.enhanced, r.text}, "|")
		if err != nil {
			got = ""
		}
		if got != c.want {
			t.Errorf("%s: got %q %v, want %q", c.name, got, err, c.want)
		}
	}
}

func FuzzReadReply(f *testing.F) {
	f.Add("250-5.1.1 a\r\n250 b\r\n")
	f.Add("250\n")
	f.Fuzz(func(t *testing.T, in string) {
		r, err := readReply(bufio.NewReader(strings.NewReader(in)), true)
		if err == nil && (r.code < 200 || r.code > 599 || len(r.text) > 2*maxReplyText || strings.ContainsAny(r.text, "\r\x00\x1b") || len(r.lines) == 0) {
			t.Fatalf("%+v", r)
		}
	})
}

func TestXtext(t *testing.T) {
	if got := xtext("a+b=c d\x7f"); got != "a+2Bb+3Dc+20d+7F" {
		t.Errorf("got %q", got)
	}
}

func TestMaildir(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "m")
	r := route(t, Config{Route: "maildir:" + dir})
	conn, err := r.Open(context.Background(), r.Lane("b@x.example"))
	if err != nil {
		t.Fatal(err)
	}
	body := "Subject: x\r\n\r\n" + strings.Repeat("y", 100_000) + "\r\n"
	m := message(body, "b@x.example", "c@x.example", "d@x.example")
	for range 2 { // the second time after a crash
		got := conn.Deliver(context.Background(), m, yes)
		if d := cmp.Diff(map[int64]string{1: "delivered 250", 2: "delivered 250", 3: "delivered 250"}, byID(got)); d != "" {
			t.Fatal(d)
		}
	}
	seen := make(map[string]bool)
	names, _ := os.ReadDir(filepath.Join(dir, "new"))
	for _, n := range names {
		b, err := os.ReadFile(filepath.Join(dir, "new", n.Name()))
		if err != nil {
			t.Fatal(err)
		}
		for _, to := range []string{"b@x.example", "c@x.example", "d@x.example"} {
			if string(b) == "Return-Path: <a@sender.example>\r\nDelivered-To: "+to+"\r\n"+received+body {
				seen[to] = true
			}
		}
	}
	if len(names) != 3 || len(seen) != 3 {
		t.Errorf("%d files, right ones for %v", len(names), seen)
	}
	if left, _ := os.ReadDir(filepath.Join(dir, "tmp")); len(left) != 0 {
		t.Errorf("%d files left in tmp", len(left))
	}
	m.Size++
	for _, r := range conn.Deliver(context.Background(), m, yes) {
		if r.Status != Deferred || r.MaybeDup {
			t.Errorf("a body of another length: %+v", r)
		}
	}
	if got := conn.Deliver(context.Background(), m, func([]int64) error { return errBody }); len(got) != 0 {
		t.Errorf("taken back: %+v", got)
	}
}
