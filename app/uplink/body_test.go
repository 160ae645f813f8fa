package uplink

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/textproto"
	"strings"
	"testing"

	"servicesmtp.net/companion/app/apptest"
	"servicesmtp.net/companion/app/mail"
	"servicesmtp.net/companion/internal/wire"
)

// The message arrives byte for byte, over real sockets, on one session.
func TestBodyIntegrity(t *testing.T) {
	bodies := map[string][]byte{
		"dots":              []byte(".\r\n..\r\n.a\r\n\r\n.\r\n...\r\n"),
		"looks like an end": []byte("a\r\n.\r\nQUIT\r\n"),
		"8 bit":             []byte("S: \xc3\xa9\r\n\r\n\x00\xff\xfe\x80\r\n"),
		"only CRLF":         []byte("\r\n"),
		"line of 900 KB":    []byte("a: b\r\n\r\n." + strings.Repeat("y", 900000) + "\r\n."),
		"20 MB":             bytes.Repeat([]byte(".0123456789abcdef0123456789abcdef\r\n..\r\n"), 20000000/39),
	}
	r := apptest.NewRelay(t, apptest.Options{})
	for _, endpoint := range []string{r.StartTLS(), r.TLS()} {
		s := connect(t, config(t, r, endpoint))
		n := 0
		for name, body := range bodies {
			n++
			want := body
			if !bytes.HasSuffix(want, []byte("\r\n")) {
				want = append(want[:len(want):len(want)], "\r\n"...) // DATA has no other end
			}
			b := batchOf(n, "", "a")
			b.Size, b.BodySum = mail.ByteSize(len(body)), wire.BodySum(sha256.Sum256(body))
			if res := s.Send(t.Context(), b, bytes.NewReader(body), openGate); letters(res) != "done a" || !res.Reusable {
				t.Fatalf("%s: %s (%v)", name, letters(res), res.Err)
			}
			all := r.Transactions()
			got := all[len(all)-1]
			if got.Size != int64(len(want)) || got.BodySum != wire.BodySum(sha256.Sum256(want)) {
				t.Errorf("%s: %d bytes arrived, want %d", name, got.Size, len(want))
			}
		}
	}
}

// A refusal that comes early must survive the reset that follows it when the
// relay closes with a message unread in its buffers.
func TestEarlyReplyOverTCP(t *testing.T) {
	body := string(large(4 << 20))
	for range 20 {
		r := apptest.NewRelay(t, apptest.Options{})
		r.Script(apptest.Body, apptest.ThenHangUp(apptest.AnswerEarly(100000, 552, "5.3.4 too large")))
		s := connect(t, config(t, r))
		res := s.Send(t.Context(), batchOf(1, body, "a"), strings.NewReader(body), openGate)
		if letters(res) != "done f" || res.Outcomes[0].Reply.String() != "552 5.3.4 too large" || res.Reusable {
			t.Fatalf("got %s %+v (%v)", letters(res), res.Outcomes, res.Err)
		}
	}
}

// The memory of a Send does not grow with the message.
func TestBodyIsStreamed(t *testing.T) {
	r := apptest.NewRelay(t, apptest.Options{})
	s := connect(t, config(t, r))
	biggest := 0
	line := large(64)
	left := 4 << 20
	b := batchOf(1, "", "a")
	b.Size, b.BodySum = mail.ByteSize(left), wire.BodySum{}
	res := s.Send(t.Context(), b, readerFunc(func(p []byte) (int, error) {
		biggest = max(biggest, len(p))
		if left == 0 {
			return 0, io.EOF
		}
		n := 0
		for len(p)-n >= len(line) && left > 0 {
			n += copy(p[n:], line)
			left -= len(line)
		}
		return n, nil
	}), openGate)
	if letters(res) != "done a" || biggest > 256<<10 || len(s.buf) > 256<<10 {
		t.Errorf("%s, read in pieces of %d (%v)", letters(res), biggest, res.Err)
	}
}

// stuff sends in through a dotWriter in pieces of at most size bytes.
func stuff(in []byte, size int) ([]byte, error) {
	var out bytes.Buffer
	d := newDotWriter(&out)
	for len(in) > 0 {
		n := min(size, len(in))
		if m, err := d.Write(in[:n]); err != nil || m != n {
			return nil, err
		}
		in = in[n:]
	}
	if err := d.endLine(); err != nil {
		return nil, err
	}
	out.WriteString(".\r\n")
	return out.Bytes(), nil
}

// FuzzDotWriter holds the writer against the standard library's, for every way
// of cutting the input; that one repairs bare line ends, ours refuses them.
func FuzzDotWriter(f *testing.F) {
	for _, s := range []string{"a\r\n.b\r\n", ".", "..\r\n", "\r\n.\r\n", "a\n.b", "a\r", "\n", "\r\n", "x\r\n.\r", ".\r\n.\r\n"} {
		f.Add([]byte(s), 1)
		f.Add([]byte(s), 3)
	}
	f.Fuzz(func(t *testing.T, in []byte, size int) {
		if len(in) == 0 {
			return // DotWriter makes an empty line of nothing
		}
		size = max(size, 1)
		bare := bytes.ContainsAny(bytes.ReplaceAll(in, []byte("\r\n"), nil), "\r\n") ||
			bytes.ContainsAny(bytes.ReplaceAll(in, []byte("\r\n"), []byte{' '}), "\r\n")
		got, err := stuff(in, size)
		if bare {
			if !errors.Is(err, wire.ErrBareLine) {
				t.Fatalf("%q: got %q %v, want ErrBareLine", in, got, err)
			}
			return
		}
		var out bytes.Buffer
		bw := bufio.NewWriter(&out)
		w := textproto.NewWriter(bw).DotWriter()
		w.Write(in)
		w.Close()
		if err != nil || !bytes.Equal(got, out.Bytes()) {
			t.Fatalf("%q in pieces of %d: got %q %v, want %q", in, size, got, err, out.Bytes())
		}
	})
}

func BenchmarkDotWriter(b *testing.B) {
	for _, lineLength := range []int{76, 900000} {
		line := append(bytes.Repeat([]byte{'x'}, lineLength-2), '\r', '\n')
		body := bytes.Repeat(line, 10000000/len(line))
		b.Run(fmt.Sprintf("ours/line=%d", lineLength), func(b *testing.B) {
			b.SetBytes(int64(len(body)))
			for b.Loop() {
				d := newDotWriter(io.Discard)
				for p := body; len(p) > 0; p = p[min(bufferSize, len(p)):] {
					d.Write(p[:min(bufferSize, len(p))])
				}
			}
		})
		b.Run(fmt.Sprintf("textproto/line=%d", lineLength), func(b *testing.B) {
			b.SetBytes(int64(len(body)))
			for b.Loop() {
				w := textproto.NewWriter(bufio.NewWriterSize(io.Discard, bufferSize)).DotWriter()
				for p := body; len(p) > 0; p = p[min(bufferSize, len(p)):] {
					w.Write(p[:min(bufferSize, len(p))])
				}
				w.Close()
			}
		})
	}
}
