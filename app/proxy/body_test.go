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

	"servicesmtp.net/companion/internal/smtpdata"
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
	if _, err := (chunkReader{r: strings.NewReader(""), c: c}).Read(buf); !errors.Is(err, smtpdata.ErrLost) {
		t.Errorf("the message is taken for whole: %v", err)
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
