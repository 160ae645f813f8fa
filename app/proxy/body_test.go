package proxy

import (
	"bytes"
	"errors"
	"io"
	"net"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// pieces is the far side of a conn: it hands out its parts one Read at a time.
type pieces struct {
	net.Conn
	parts [][]byte
	end   error
}

func (p *pieces) Read(b []byte) (int, error) {
	for len(p.parts) > 0 && len(p.parts[0]) == 0 {
		p.parts = p.parts[1:]
	}
	if len(p.parts) == 0 {
		return 0, p.end
	}
	n := copy(b, p.parts[0])
	p.parts[0] = p.parts[0][n:]
	return n, nil
}

func (p *pieces) Write(b []byte) (int, error) { return len(b), nil }
func (p *pieces) Close() error                { return nil }
func (p *pieces) LocalAddr() net.Addr         { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)} }
func (p *pieces) RemoteAddr() net.Addr        { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)} }

func connOf(end error, parts ...[]byte) *conn {
	nc := &pieces{parts: slices.Clone(parts), end: end}
	return New(Config{}).newConn(nc, &place{})
}

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
func whole(err error) bool { return errors.Is(err, io.EOF) && !errors.Is(err, errLost) }

func TestDotReader(t *testing.T) {
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
					c := connOf(io.EOF, parts...)
					d := newDotReader(c)
					got, err := readAll(d, size)
					if got != test.want || !whole(err) {
						t.Fatalf("split %d, read by %d: got %q, %v; want %q", split, size, got, err, test.want)
					}
					d.finish()
					if feed, _ := readAll(c, 100); feed != ".\r\n"+test.rest {
						t.Fatalf("go-smtp would see %q, want the end and %q", feed, test.rest)
					}
				}
			}
		})
	}
}

func TestDotReaderNeedsTheEnd(t *testing.T) {
	broken := errors.New("cable cut")
	for _, in := range []string{"", ".", ".\r", "a", "a\r\n", "a\r\n.", "a\r\n.\r", "a\n.\n", "a\r\n..\r\n", "a\r\n.\n"} {
		for _, end := range []error{io.EOF, broken} {
			c := connOf(end, []byte(in))
			d := newDotReader(c)
			_, err := readAll(d, 10)
			if !errors.Is(err, errLost) || !errors.Is(err, end) {
				t.Errorf("%q: got %v, want errLost and %v", in, err, end)
			}
			d.finish()
			if _, err := c.Read(make([]byte, 10)); !errors.Is(err, end) {
				t.Errorf("%q: go-smtp would see %v, want %v", in, err, end)
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

func TestDotReaderUndoesStuffing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		alphabet := rapid.SliceOfN(rapid.SampledFrom([]string{".", "\r", "\n", "\r\n", "\r\n.", "a", strings.Repeat("x", 5000)}), 0, 40)
		body := strings.Join(alphabet.Draw(t, "body"), "") + "\r\n"
		wire := []byte(stuff(body) + ".\r\nQUIT\r\n")
		var parts [][]byte
		for len(wire) > 0 {
			n := rapid.IntRange(1, len(wire)).Draw(t, "part")
			parts, wire = append(parts, wire[:n]), wire[n:]
		}
		c := connOf(io.EOF, parts...)
		d := newDotReader(c)
		got, err := readAll(d, rapid.IntRange(1, 70000).Draw(t, "read"))
		if got != body || !whole(err) {
			t.Fatalf("got %q, %v; want %q", got, err, body)
		}
		d.finish()
		if rest, _ := readAll(c, 100); rest != ".\r\nQUIT\r\n" {
			t.Fatalf("left over: %q", rest)
		}
	})
}

// go-smtp's buffer must be empty whenever a command was read: conn hands out
// no octet behind a line end. A line that the end of the stream cuts is not
// handed out at all, unless it is longer than the buffer.
func TestConnHandsOutSingleLines(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := strings.Join(rapid.SliceOfN(rapid.SampledFrom([]string{"\n", "\r\n", "NOOP\r\n", "x", strings.Repeat("y", 40000)}), 1, 20).Draw(t, "in"), "")
		cut := rapid.IntRange(0, len(in)).Draw(t, "cut")
		c := connOf(io.EOF, []byte(in[:cut]), []byte(in[cut:]))
		c.greeted = true
		var got strings.Builder
		buf := make([]byte, rapid.IntRange(1, 5000).Draw(t, "size"))
		for {
			n, err := c.Read(buf)
			if i := bytes.IndexByte(buf[:n], '\n'); i >= 0 && i != n-1 {
				t.Fatalf("octets behind a line end: %q", buf[:n])
			}
			got.Write(buf[:n])
			if err != nil {
				break
			}
		}
		want := in
		if tail := in[strings.LastIndexByte(in, '\n')+1:]; len(tail) < readSize {
			want = strings.TrimSuffix(in, tail)
		}
		if got.String() != want {
			t.Fatal("something was lost or added")
		}
	})
}

// A stop between BDAT LAST and its octets, before go-smtp has begun the message,
// must not look like the end of the message: it was stored without its rest.
func TestStopInsideAChunkIsNotItsEnd(t *testing.T) {
	c := connOf(io.EOF, []byte("BDAT 8 LAST\r\nX: y"), []byte("\r\n\r\n"))
	c.greeted = true
	buf := make([]byte, 100)
	for _, want := range []string{"BDAT 8 LAST\r\n", "X: y"} {
		if n, err := c.Read(buf); string(buf[:n]) != want || err != nil {
			t.Fatalf("got %q, %v", buf[:n], err)
		}
	}
	c.stop()
	if n, err := c.Read(buf); !errors.Is(err, io.EOF) {
		t.Fatalf("got %q, %v", buf[:n], err)
	}
	if _, err := (chunkReader{r: strings.NewReader(""), c: c}).Read(buf); !errors.Is(err, errLost) {
		t.Errorf("the message is taken for whole: %v", err)
	}
}

func TestLimiter(t *testing.T) {
	long := strings.Repeat("x", maxTextLine-2)
	for _, test := range []struct {
		name string
		in   string
		max  int
		want error
	}{
		{"no limit", strings.Repeat("abc\r\n", 1000), 0, io.EOF},
		{"exactly", "12345678\r\n", 10, io.EOF},
		{"one more", "123456789\r\n", 10, errTooLarge},
		{"longest line", long + "\r\n" + long + "\r\n", 0, io.EOF},
		{"longest line, later", "a\r\n" + long + "\r\nb\r\n", 0, io.EOF},
		{"line too long", "a\r\n" + long + "x\r\nb\r\n", 0, errLongLine},
		{"line too long, no end", long + "xxx", 0, errLongLine},
	} {
		for _, size := range []int{1 << 10, 32 << 10} {
			l := &limiter{r: strings.NewReader(test.in), max: mailSize(test.max)}
			if _, err := readAll(l, size); !errors.Is(err, test.want) {
				t.Errorf("%s, read by %d: got %v, want %v", test.name, size, err, test.want)
			}
		}
	}
}

func TestSinkEndsTheLastLine(t *testing.T) {
	for _, test := range []struct {
		parts []string
		want  string
	}{
		{nil, "\r\n"},
		{[]string{"a"}, "a\r\n"},
		{[]string{"a\r\n"}, "a\r\n"},
		{[]string{"a\r", "\n"}, "a\r\n"},
		{[]string{"a", "\r", "\n"}, "a\r\n"},
		{[]string{"a\r\n", "b"}, "a\r\nb\r\n"},
		{[]string{"a\r\n", ""}, "a\r\n"},
	} {
		var b bytes.Buffer
		s := &sink{w: &b}
		for _, p := range test.parts {
			io.WriteString(s, p)
		}
		if err := s.endLine(); err != nil || b.String() != test.want || int(s.n) != b.Len() {
			t.Errorf("%q: got %q (%d), %v; want %q", test.parts, b.String(), s.n, err, test.want)
		}
	}
}
