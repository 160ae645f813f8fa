package wire

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"pgregory.net/rapid"
)

const ulid = "01ARZ3NDEKTSV4RRFFQ69G5FAV"

func TestEnvelopeID(t *testing.T) {
	long := strings.Repeat("x", 100)
	for _, c := range []struct {
		name string
		id   EnvelopeID
		want string
	}{
		{"plain", EnvelopeID{Job: ulid, Number: 7}, "sb1." + ulid + ".7"},
		{"client", EnvelopeID{Job: ulid, Number: 1, Client: "a.b=c"}, "sb1." + ulid + ".1.a.b=c"},
		{"client too long is left out", EnvelopeID{Job: ulid, Number: 1, Client: long}, "sb1." + ulid + ".1"},
	} {
		if got := c.id.String(); got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
	for _, bad := range []string{"", "sb1", "sb1." + ulid, "sb1." + ulid + ".0", "sb1." + ulid + ".01", "sb1." + ulid + ".-1",
		"sb2." + ulid + ".1", "sb1." + strings.ToLower(ulid) + ".1", "sb1." + ulid + ".1.", "sb1." + ulid + ".1." + long, "QQ314159"} {
		if _, err := ParseEnvelopeID(bad); !errors.Is(err, ErrEnvelopeID) {
			t.Errorf("%q: got %v, want ErrEnvelopeID", bad, err)
		}
	}
}

func TestEnvelopeIDRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		id := EnvelopeID{
			Job:    rapid.StringMatching(`[0-7][0-9A-HJKMNP-TV-Z]{25}`).Draw(t, "job"),
			Number: rapid.IntRange(1, 1<<30).Draw(t, "n"),
			Client: rapid.StringMatching(`([!-~]{1,40})?`).Draw(t, "client"),
		}
		got, err := ParseEnvelopeID(id.String())
		if err != nil || got != id {
			t.Fatalf("got %+v %v, want %+v", got, err, id)
		}
		if len(id.String()) > MaxEnvelopeID {
			t.Fatalf("%d characters", len(id.String()))
		}
	})
}

func TestFingerprint(t *testing.T) {
	body := BodySum{1, 2, 3}
	base := Fingerprint("a@X.example", []string{"b@Y.example", "c@z.example"}, body)
	same := Fingerprint("a@x.example", []string{"c@Z.EXAMPLE", "b@y.example"}, body)
	if base != same {
		t.Error("order of recipients and case of domains must not matter")
	}
	for name, other := range map[string]string{
		"reverse path":  Fingerprint("q@x.example", []string{"b@y.example", "c@z.example"}, body),
		"local part":    Fingerprint("a@x.example", []string{"B@y.example", "c@z.example"}, body),
		"one fewer":     Fingerprint("a@x.example", []string{"b@y.example"}, body),
		"one twice":     Fingerprint("a@x.example", []string{"b@y.example", "b@y.example", "c@z.example"}, body),
		"body":          Fingerprint("a@x.example", []string{"b@y.example", "c@z.example"}, BodySum{9}),
		"boundary move": Fingerprint("a@x.exampleb@y.example", []string{"c@z.example"}, body),
	} {
		if other == base {
			t.Errorf("%s: fingerprint does not differ", name)
		}
	}
}

func TestSignal(t *testing.T) {
	at := time.Date(2027, 1, 2, 3, 4, 5, 0, time.UTC)
	for _, s := range []Signal{
		{Token: TokenQuota, Reset: at}, {Token: TokenPace, Retry: 30 * time.Second}, {Token: TokenBlocked},
		{Token: TokenSuppressed}, {Token: TokenMoved}, {Token: TokenConflict}, {Token: TokenClosed},
	} {
		got, ok := ParseSignal(s.Text("Please see reset=never the manual."))
		if !ok || got != s {
			t.Errorf("got %+v %v, want %+v", got, ok, s)
		}
	}
	for _, none := range []string{"", "quota exceeded", "SSMTP-OTHER x"} {
		if s, ok := ParseSignal(none); ok {
			t.Errorf("%q: got %+v", none, s)
		}
	}
}

func TestCleanReader(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"nothing to do", "From: a\r\nTo: b\r\n\r\nBcc: stays\r\n", "From: a\r\nTo: b\r\n\r\nBcc: stays\r\n"},
		{"bcc", "From: a\r\nBcc: x, y\r\nTo: b\r\n\r\nhi\r\n", "From: a\r\nTo: b\r\n\r\nhi\r\n"},
		{"folded, tab, resent, case", "rEsEnT-BcC: x,\r\n y,\r\n\tz\r\nTo: b\r\nBCC:\r\n\r\nhi", "To: b\r\n\r\nhi"},
		{"space before colon", "Bcc \t: x\r\nTo: b\r\n\r\n", "To: b\r\n\r\n"},
		{"prefix only", "Bcc-Note: x\r\nXBcc: y\r\nB: z\r\n\r\n", "Bcc-Note: x\r\nXBcc: y\r\nB: z\r\n\r\n"},
		{"no colon", "Bcc\r\nTo: b\r\n\r\n", "Bcc\r\nTo: b\r\n\r\n"},
		{"header only", "Bcc: a\r\n", ""},
		{"ends in a name", "Subj", "Subj"},
		{"empty", "", ""},
		{"body at once", "\r\nBcc: x\r\n", "\r\nBcc: x\r\n"},
		{"line of spaces continues a field", "A: 1\r\n \r\nBcc: x\r\n\r\nb", "A: 1\r\n \r\n\r\nb"},
		{"long name", strings.Repeat("n", 200) + ": v\r\n\r\n", strings.Repeat("n", 200) + ": v\r\n\r\n"},
	} {
		for _, wrap := range []func(io.Reader) io.Reader{
			func(r io.Reader) io.Reader { return r }, iotest.OneByteReader, iotest.HalfReader, iotest.DataErrReader,
		} {
			got, err := io.ReadAll(NewCleanReader(wrap(strings.NewReader(c.in))))
			if err != nil || string(got) != c.want {
				t.Errorf("%s: got %q %v, want %q", c.name, got, err, c.want)
			}
		}
	}
}

func TestCleanReaderRefusesBareLineEnds(t *testing.T) {
	for _, in := range []string{"a\n", "A: b\r\n\r\nx\ny\r\n", "A: b\r\n\r\nx\ry\r\n", "A: b\r\n\r\nx\r\r\n", "A: b\r\n\r\nx\r", "\n", "\r",
		"A: b\rc\r\n\r\n", "Bcc: x\nTo: y\r\n\r\n", "A: b\r\n\r\n\n.\r\n", "N\rame: b\r\n\r\n"} {
		for _, wrap := range []func(io.Reader) io.Reader{func(r io.Reader) io.Reader { return r }, iotest.OneByteReader} {
			if _, err := io.ReadAll(NewCleanReader(wrap(strings.NewReader(in)))); !errors.Is(err, ErrBareLine) {
				t.Errorf("%q: got %v, want ErrBareLine", in, err)
			}
		}
	}
}

// FuzzCleanReader holds the reader against a simple whole-message model, for
// every way of cutting the input into reads.
func FuzzCleanReader(f *testing.F) {
	for _, s := range []string{"A: b\r\nBcc: x\r\n y\r\n\r\nbody\r\n", "\r\n", "Bcc", "a\n", "A:\r\r\n", "Bcc:\r\n\r\n\r\n"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		want, wantErr := cleanModel(in)
		for _, r := range []io.Reader{bytes.NewReader(in), iotest.OneByteReader(bytes.NewReader(in)), iotest.HalfReader(bytes.NewReader(in))} {
			got, err := io.ReadAll(NewCleanReader(r))
			if (err != nil) != (wantErr != nil) {
				t.Fatalf("%q: got %v, want %v", in, err, wantErr)
			}
			if err == nil && !bytes.Equal(got, want) {
				t.Fatalf("%q: got %q, want %q", in, got, want)
			}
		}
	})
}

func cleanModel(in []byte) ([]byte, error) {
	stripped := bytes.ReplaceAll(in, []byte("\r\n"), nil)
	if bytes.ContainsAny(stripped, "\r\n") || strings.Contains(strings.ReplaceAll(string(in), "\r\n", "!"), "\n") {
		return nil, ErrBareLine
	}
	var out []byte
	drop := false
	rest := in
	for len(rest) > 0 {
		line := rest
		if i := bytes.Index(rest, []byte("\r\n")); i >= 0 {
			line = rest[:i+2]
		}
		rest = rest[len(line):]
		if string(line) == "\r\n" {
			return append(append(out, line...), rest...), nil
		}
		if line[0] != ' ' && line[0] != '\t' {
			name, _, ok := bytes.Cut(line, []byte(":"))
			name = bytes.TrimRight(name, " \t")
			drop = ok && (strings.EqualFold(string(name), "bcc") || strings.EqualFold(string(name), "resent-bcc"))
		}
		if !drop {
			out = append(out, line...)
		}
	}
	return out, nil
}

// FuzzParseSignal: whatever a relay says, a wait is none or lies ahead, and is
// not longer than a month.
func FuzzParseSignal(f *testing.F) {
	for _, s := range []string{"SSMTP-PACE retry=30", "SSMTP-PACE retry=9223372036854775807", "SSMTP-QUOTA reset=2031-05-01T00:00:00Z x", "SSMTP-MOVED see=/v1/endpoints", "retry=1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, in string) {
		s, ok := ParseSignal(in)
		if s.Retry < 0 || s.Retry > longestRetry || (!ok && s != Signal{}) {
			t.Errorf("%q: %+v", in, s)
		}
	})
}
