package uplink

import (
	"bufio"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"servicesmtp.net/companion/app/mail"
)

func readReply(s string) (mail.Reply, error) {
	d := &dialogue{r: bufio.NewReaderSize(strings.NewReader(s), maxReplyLine)}
	return d.read("X")
}

func TestReadReply(t *testing.T) {
	for _, c := range []struct {
		in   string
		want mail.Reply
		err  error
	}{
		{"250 2.0.0 ok\r\n", mail.Reply{Code: mail.Code{Basic: 250, Enhanced: [3]int{2, 0, 0}}, Text: "ok", Command: "X"}, nil},
		{"250\r\n", mail.Reply{Code: mail.Code{Basic: 250}, Command: "X"}, nil},
		{"250 \n", mail.Reply{Code: mail.Code{Basic: 250}, Command: "X"}, nil},
		{"550-5.1.1 no\r\n550-5.1.1 such\r\n550 5.1.1 user\r\n", mail.Reply{Code: mail.Code{Basic: 550, Enhanced: [3]int{5, 1, 1}}, Text: "no\nsuch\nuser", Command: "X"}, nil},
		{"550 5.7.1\r\n", mail.Reply{Code: mail.Code{Basic: 550, Enhanced: [3]int{5, 7, 1}}, Command: "X"}, nil},
		{"550 4.7.1 other class\r\n", mail.Reply{Code: mail.Code{Basic: 550}, Text: "4.7.1 other class", Command: "X"}, nil},
		{"550 5.7 short\r\n", mail.Reply{Code: mail.Code{Basic: 550}, Text: "5.7 short", Command: "X"}, nil},
		{"550 5.7.1234 long\r\n", mail.Reply{Code: mail.Code{Basic: 550}, Text: "5.7.1234 long", Command: "X"}, nil},
		{"220 10.0.0.1 ready\r\n", mail.Reply{Code: mail.Code{Basic: 220}, Text: "10.0.0.1 ready", Command: "X"}, nil},
		{"550 a\x00b\x1b[31mc\xff\u0085\r\n", mail.Reply{Code: mail.Code{Basic: 550}, Text: "a b [31mc? ", Command: "X"}, nil},
		{"199 x\r\n", mail.Reply{}, errGarbage},
		{"650 x\r\n", mail.Reply{}, errGarbage},
		{"25 x\r\n", mail.Reply{}, errGarbage},
		{"2500 x\r\n", mail.Reply{}, errGarbage},
		{"250x\r\n", mail.Reply{}, errGarbage},
		{"\r\n", mail.Reply{}, errGarbage},
		{"250-a\r\n251 b\r\n", mail.Reply{}, errGarbage},
		{"HTTP/1.1 400 Bad Request\r\n", mail.Reply{}, errGarbage},
		{strings.Repeat("250-a\r\n", maxReplyLines) + "250 b\r\n", mail.Reply{}, errGarbage},
		{"250-a\r\n", mail.Reply{}, io.EOF},
		{"250 a", mail.Reply{}, io.EOF},
		{"", mail.Reply{}, io.EOF},
	} {
		got, err := readReply(c.in)
		if !errors.Is(err, c.err) {
			t.Errorf("%q: error %v, want %v", c.in, err, c.err)
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%q: %s", c.in, diff)
		}
	}
}

// A write lasts as long as bytes move, and ends when none did for idle.
func TestWriteEndsWhenNothingMoves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		defer far.Close()
		done := make(chan struct{})
		go func() { // takes a little every 9 s, then stops
			defer close(done)
			buf := make([]byte, 1<<10)
			for range 30 {
				time.Sleep(9 * time.Second)
				io.ReadFull(far, buf)
			}
		}()
		n, err := (&conn{Conn: near, idle: 10 * time.Second}).Write(make([]byte, 1<<20))
		if !errors.Is(err, os.ErrDeadlineExceeded) || n != 30<<10 {
			t.Errorf("got %d bytes, %v; want 30 KiB and a deadline", n, err)
		}
		<-done
	})
}

// FuzzReadReply: whatever comes, a reply is small, printable and in class 2 to 5.
func FuzzReadReply(f *testing.F) {
	for _, s := range []string{"250 ok\r\n", "550-5.1.1 a\r\n550 5.1.1 b\r\n", "354 \xff\r\n", "250-\r\n250\r\n"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, in string) {
		r, err := readReply(in)
		if err != nil {
			return
		}
		if c := r.Code.Basic / 100; c < 2 || c > 5 || len(r.Text) > 2*maxReplyText {
			t.Errorf("%q: %+v", in, r)
		}
		if strings.ContainsFunc(r.Text, func(c rune) bool { return c < ' ' && c != '\n' }) {
			t.Errorf("%q: control characters in %q", in, r.Text)
		}
	})
}
