package dsn

import (
	"bytes"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	netmail "net/mail"
	"net/textproto"
	"strings"
	"testing"
)

// read is a report taken apart by the standard library.
type read struct {
	header netmail.Header
	text   string
	csv    string
	parts  []string // content types
	status []textproto.MIMEHeader
	last   string // content of the third part
}

// parse fails the test unless the bytes are a report as the standards want it.
func parse(t testing.TB, data []byte) read {
	t.Helper()
	checkLines(t, data)
	m, err := netmail.ReadMessage(bytes.NewReader(data))
	if err != nil {
		t.Fatalf("%v\n%s", err, data)
	}
	r := read{header: m.Header}
	kind, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/report" || params["report-type"] != "delivery-status" {
		t.Fatalf("type %q %v, %v", kind, params, err)
	}
	for i, p := range partsOf(t, m.Body, params["boundary"]) {
		kind, params, err := mime.ParseMediaType(p.header.Get("Content-Type"))
		if err != nil {
			t.Fatal(err)
		}
		r.parts = append(r.parts, kind)
		switch {
		case i == 0 && kind == "multipart/mixed":
			inner := partsOf(t, strings.NewReader(p.body), params["boundary"])
			if len(inner) != 2 {
				t.Fatalf("%d parts in the first", len(inner))
			}
			r.text, r.csv = inner[0].body, inner[1].body
		case i == 0:
			r.text = p.body
		case i == 1:
			r.status = statusOf(t, p.body)
		default:
			r.last = p.body
		}
	}
	if len(r.parts) < 2 || len(r.parts) > 3 || r.parts[1] != "message/delivery-status" {
		t.Fatalf("parts %v", r.parts)
	}
	return r
}

type part struct {
	header textproto.MIMEHeader
	body   string
}

func partsOf(t testing.TB, body io.Reader, boundary string) (list []part) {
	t.Helper()
	m := multipart.NewReader(body, boundary)
	for {
		p, err := m.NextRawPart()
		if errors.Is(err, io.EOF) {
			return list
		}
		if err != nil {
			t.Fatal(err)
		}
		var content io.Reader = p
		if p.Header.Get("Content-Transfer-Encoding") == "quoted-printable" {
			content = quotedprintable.NewReader(p)
		}
		text, err := io.ReadAll(content)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, part{p.Header, string(text)})
	}
}

// statusOf reads the blocks of a delivery status.
func statusOf(t testing.TB, text string) (blocks []textproto.MIMEHeader) {
	t.Helper()
	for block := range strings.SplitSeq(strings.TrimSuffix(text, "\r\n"), "\r\n\r\n") {
		m, err := netmail.ReadMessage(strings.NewReader(block + "\r\n\r\n"))
		if err != nil {
			t.Fatalf("block %q: %v", block, err)
		}
		blocks = append(blocks, textproto.MIMEHeader(m.Header))
	}
	return blocks
}

func checkLines(t testing.TB, data []byte) {
	t.Helper()
	for line := range bytes.Lines(data) {
		text, ok := bytes.CutSuffix(line, []byte("\r\n"))
		if !ok || len(text) > maxLine || bytes.ContainsAny(text, "\r\x00") {
			t.Fatalf("line %.200q of %d octets", line, len(line))
		}
	}
}
