package smtpdata

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// buffer is a connection that brings its parts one after the other.
type buffer struct {
	buf   []byte
	parts [][]byte
	end   error
}

func (b *buffer) Buffered() []byte { return b.buf }
func (b *buffer) Discard(n int)    { b.buf = b.buf[n:] }

func (b *buffer) Fill() error {
	for len(b.parts) > 0 {
		part := b.parts[0]
		b.parts = b.parts[1:]
		if len(part) > 0 {
			b.buf = append(slices.Clone(b.buf), part...)
			return nil
		}
	}
	return b.end
}

// rest is what stands behind the message.
func (b *buffer) rest() string { return string(b.buf) + string(bytes.Join(b.parts, nil)) }

func bufferOf(end error, parts ...[]byte) *buffer {
	return &buffer{parts: slices.Clone(parts), end: end}
}

// octets brings one octet at a time.
func octets(in []byte) *buffer { return bufferOf(io.EOF, bytes.SplitAfter(in, nil)...) }

// readAll reads in steps of size.
func readAll(r io.Reader, size int) (string, error) {
	var out strings.Builder
	buf := make([]byte, size)
	for {
		n, err := r.Read(buf)
		out.Write(buf[:n])
		if err != nil {
			return out.String(), err
		}
	}
}

// whole says that reading ended with the end of the message, and not with the
// end of the connection.
func whole(err error) bool { return errors.Is(err, io.EOF) && !errors.Is(err, ErrLost) }

func TestReader(t *testing.T) {
	for _, test := range []struct{ name, in, want, rest string }{
		{"empty", ".\r\n", "", ""},
		{"one line", "a\r\n.\r\n", "a\r\n", ""},
		{"commands behind it", "a\r\n.\r\nNOOP\r\n", "a\r\n", "NOOP\r\n"},
		{"stuffed", "..\r\n..a\r\n.b\r\n.\r\n", ".\r\n.a\r\nb\r\n", ""},
		{"stuffed after an empty line", "\r\n..\r\n.\r\n", "\r\n.\r\n", ""},
		{"dots inside", "a.\r\nb..c\r\n.\r\n", "a.\r\nb..c\r\n", ""},
		{"two ends", ".\r\n.\r\n", "", ".\r\n"},
		// None of these is an end (smuggling): each is content, up to the real end.
		{"LF.LF", "a\n.\nb\r\n.\r\n", "a\n.\nb\r\n", ""},
		{"LF.CRLF", "a\n.\r\nb\r\n.\r\n", "a\n.\r\nb\r\n", ""},
		{"CR.CR", "a\r.\rb\r\n.\r\n", "a\r.\rb\r\n", ""},
		{"CR.CRLF", "a\r.\r\nb\r\n.\r\n", "a\r.\r\nb\r\n", ""},
		{"CRLF.LF", "a\r\n.\nb\r\n.\r\n", "a\r\n\nb\r\n", ""},
		{"CRLF.CR", "a\r\n.\rb\r\n.\r\n", "a\r\n\rb\r\n", ""},
		{"CRLF.CRCRLF", "a\r\n.\r\r\nb\r\n.\r\n", "a\r\n\r\r\nb\r\n", ""},
		{"CRLFNUL.CRLF", "a\r\n\x00.\r\nb\r\n.\r\n", "a\r\n\x00.\r\nb\r\n", ""},
		{"CRCRLF.CRLF", "a\r\r\n.\r\n", "a\r\r\n", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			for split := range len(test.in) + 1 { // in two parts, and octet by octet
				parts := [][]byte{[]byte(test.in[:split]), []byte(test.in[split:])}
				if split == len(test.in) {
					parts = bytes.SplitAfter([]byte(test.in), nil)
				}
				for _, size := range []int{1, 2, 3, 100} {
					c := bufferOf(io.EOF, parts...)
					d := NewReader(c)
					got, err := readAll(d, size)
					if got != test.want || !whole(err) {
						t.Fatalf("split %d, read by %d: got %q, %v; want %q", split, size, got, err, test.want)
					}
					if feed := string(d.Finish()); feed != ".\r\n" || c.rest() != test.rest {
						t.Fatalf("go-smtp would see %q and %q, want the end and %q", feed, c.rest(), test.rest)
					}
				}
			}
		})
	}
}

func TestReaderNeedsTheEnd(t *testing.T) {
	broken := errors.New("cable cut")
	for _, in := range []string{"", ".", ".\r", "a", "a\r\n", "a\r\n.", "a\r\n.\r", "a\n.\n", "a\r\n..\r\n", "a\r\n.\n"} {
		for _, end := range []error{io.EOF, broken} {
			c := bufferOf(end, []byte(in))
			d := NewReader(c)
			_, err := readAll(d, 10)
			if !errors.Is(err, ErrLost) || !errors.Is(err, end) {
				t.Errorf("%q: got %v, want ErrLost and %v", in, err, end)
			}
			if feed := d.Finish(); len(feed) > 0 {
				t.Errorf("%q: go-smtp would see an end: %q", in, feed)
			}
		}
	}
}

// stuff is RFC 5321 §4.5.2 for a sender.
func stuff(body string) string {
	if strings.HasPrefix(body, ".") {
		body = "." + body
	}
	return strings.ReplaceAll(body, "\r\n.", "\r\n..")
}

func TestReaderUndoesStuffing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		alphabet := rapid.SliceOfN(rapid.SampledFrom([]string{".", "\r", "\n", "\r\n", "\r\n.", "a", strings.Repeat("x", 5000)}), 0, 40)
		body := strings.Join(alphabet.Draw(t, "body"), "") + "\r\n"
		wire := []byte(stuff(body) + ".\r\nQUIT\r\n")
		var parts [][]byte
		for len(wire) > 0 {
			n := rapid.IntRange(1, len(wire)).Draw(t, "part")
			parts, wire = append(parts, wire[:n]), wire[n:]
		}
		c := bufferOf(io.EOF, parts...)
		d := NewReader(c)
		got, err := readAll(d, rapid.IntRange(1, 70000).Draw(t, "read"))
		if got != body || !whole(err) {
			t.Fatalf("got %q, %v; want %q", got, err, body)
		}
		if feed := string(d.Finish()); feed != ".\r\n" || c.rest() != "QUIT\r\n" {
			t.Fatalf("left over: %q and %q", feed, c.rest())
		}
	})
}

func TestLimit(t *testing.T) {
	const maxLine = 100_000
	long := strings.Repeat("x", maxLine-2)
	for _, test := range []struct {
		name string
		in   string
		max  int
		want error
	}{
		{"no limit", strings.Repeat("abc\r\n", 1000), 0, io.EOF},
		{"exactly", "12345678\r\n", 10, io.EOF},
		{"one more", "123456789\r\n", 10, ErrTooLarge},
		{"longest line", long + "\r\n" + long + "\r\n", 0, io.EOF},
		{"longest line, later", "a\r\n" + long + "\r\nb\r\n", 0, io.EOF},
		{"line too long", "a\r\n" + long + "x\r\nb\r\n", 0, ErrLongLine},
		{"line too long, no end", long + "xxx", 0, ErrLongLine},
	} {
		for _, size := range []int{1 << 10, 32 << 10} {
			l := Limit(strings.NewReader(test.in), int64(test.max), maxLine)
			if _, err := readAll(l, size); !errors.Is(err, test.want) {
				t.Errorf("%s, read by %d: got %v, want %v", test.name, size, err, test.want)
			}
		}
	}
}

// FuzzReader holds the reader of DATA against the plainest way to find the
// end: in one piece, and in the smallest.
func FuzzReader(f *testing.F) {
	for _, s := range []string{"", ".\r\n", "\r\n.\r\n", "a\r\n..\r\n.\r\nQUIT", "\n.\r\n", "\r.\r\n", "\r\n.\n\r\n.\r\n", "\r\r\n.\r\n", "..\r\n\r\n.\r\r\n.\r\n", ".", "\r\n.\r"} {
		f.Add([]byte(s), 3)
	}
	f.Fuzz(func(t *testing.T, in []byte, size int) {
		want, rest, ok := undot(in)
		for name, c := range map[string]*buffer{"whole": bufferOf(io.EOF, in), "octets": octets(in)} {
			d := NewReader(c)
			var got bytes.Buffer
			_, err := io.CopyBuffer(&got, struct{ io.Reader }{d}, make([]byte, 1+max(size%100, 0)))
			if (err == nil) != ok {
				t.Fatalf("%s: %v, want an end: %v, of %q", name, err, ok, in)
			}
			if !ok {
				continue
			}
			if !bytes.Equal(got.Bytes(), want) {
				t.Fatalf("%s: got %q, want %q, of %q", name, got.Bytes(), want, in)
			}
			if c.rest() != string(rest) {
				t.Fatalf("%s: %q stands behind the end, want %q", name, c.rest(), rest)
			}
		}
	})
}

// undot is the plainest way to undo RFC 5321 §4.5.2: ok where the end is there.
func undot(in []byte) (body, rest []byte, ok bool) {
	whole := append([]byte("\r\n"), in...)
	end := bytes.Index(whole, []byte("\r\n.\r\n"))
	if end < 0 {
		return nil, nil, false
	}
	body = bytes.ReplaceAll(whole[:end+2], []byte("\r\n."), []byte("\r\n"))
	return body[2:], whole[end+5:], true
}
