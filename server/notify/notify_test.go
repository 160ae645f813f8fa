package notify

import (
	"bytes"
	"encoding/base64"
	"encoding/csv"
	"errors"
	"flag"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/mail"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/html"

	"servicesmtp.net/companion/internal/money"
)

var update = flag.Bool("update", false, "write the files in testdata anew")

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s: %s\nif that is right, run with -update", name, diff)
	}
}

// TestGolden holds the words of every kind.
func TestGolden(t *testing.T) {
	for name, n := range samples() {
		t.Run(name, func(t *testing.T) {
			w, err := Write(n, letter(t))
			if err != nil {
				t.Fatal(err)
			}
			head := fmt.Sprintf("%s, %s, key %q\n%s\n%s\n\n", w.Kind, w.Severity, w.Key, w.Subject, w.Short)
			golden(t, name+".txt", []byte(head+w.Text))
			golden(t, name+".html", []byte(w.HTML))
			m, err := w.Message(letter(t))
			if err != nil {
				t.Fatal(err)
			}
			checkMessage(t, w, m)
			if name == "month_report" {
				golden(t, name+".eml", m.Content)
			}
		})
	}
}

// TestEveryKindHasASample: a kind that is added is looked at.
func TestEveryKindHasASample(t *testing.T) {
	seen := make(map[string]bool)
	for _, n := range samples() {
		seen[n.heading().kind] = true
	}
	for _, s := range english.sentences.Templates() {
		if kind, ok := strings.CutSuffix(s.Name(), ".body"); ok && !seen[kind] {
			t.Errorf("no sample of %q", kind)
		}
	}
	if len(seen) != 17 {
		t.Errorf("%d kinds, want 17: count them anew", len(seen))
	}
}

// checkMessage reads a mail back with the standard library and checks every
// rule that the package promises.
func checkMessage(t *testing.T, w Written, m Message) {
	t.Helper()
	for l := range strings.SplitSeq(strings.TrimSuffix(string(m.Content), "\r\n"), "\r\n") {
		if len(l) > 78 || strings.ContainsFunc(l, func(r rune) bool { return r >= 0x7f || r < ' ' && r != '\t' }) {
			t.Errorf("line of %d octets, or not 7-bit: %q", len(l), l)
		}
	}
	got, err := mail.ReadMessage(bytes.NewReader(m.Content))
	if err != nil {
		t.Fatal(err)
	}
	head := make(map[string]string)
	for k, v := range got.Header {
		if len(v) != 1 {
			t.Errorf("%d times %s", len(v), k)
		}
		head[k] = v[0]
	}
	if s, err := new(mime.WordDecoder).DecodeHeader(head["Subject"]); err != nil || s != w.mailSubject {
		t.Errorf("subject %q, %v, want %q", s, err, w.mailSubject)
	}
	for k, want := range map[string]string{"Date": "Wed, 25 Nov 2026 23:30:00 +0100", "Message-Id": "<01ARZ3NDEKTSV4RRFFQ69G5FAV@relay.example>",
		"Auto-Submitted": "auto-generated", "Mime-Version": "1.0", "To": "<anna@kunde.example>", "From": `"ServiceSMTP" <postmaster@relay.example>`} {
		if head[k] != want {
			t.Errorf("%s: %q, want %q", k, head[k], want)
		}
	}
	if len(head) != 8 {
		t.Errorf("fields %v", head)
	}
	want := []leaf{{"text/plain", w.Text}, {"text/html", w.HTML}}
	for _, a := range w.Attachments {
		want = append(want, leaf{"text/csv " + a.Name, string(a.Data)})
	}
	if diff := cmp.Diff(want, leaves(t, head["Content-Type"], got.Body)); diff != "" {
		t.Error(diff)
	}
}

type leaf struct{ Name, Text string }

// leaves walks a message.
func leaves(t *testing.T, contentType string, r io.Reader) (all []leaf) {
	t.Helper()
	kind, params, err := mime.ParseMediaType(contentType)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(kind, "multipart/") {
		text, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		return []leaf{{kind, strings.ReplaceAll(string(text), "\r\n", "\n")}}
	}
	parts := multipart.NewReader(r, params["boundary"])
	for {
		p, err := parts.NextRawPart()
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		body := io.Reader(p)
		switch p.Header.Get("Content-Transfer-Encoding") {
		case "quoted-printable":
			body = quotedprintable.NewReader(p)
		case "base64":
			body = base64Reader(p)
		}
		for _, l := range leaves(t, p.Header.Get("Content-Type"), body) {
			if p.FileName() != "" {
				l.Name += " " + p.FileName()
			}
			all = append(all, l)
		}
	}
}

// TestNothingFromOutsideMakesABlock: the strangest names change words, never
// the form of a mail.
func TestNothingFromOutsideMakesABlock(t *testing.T) {
	for _, evil := range []string{"\n\n# x\n\n│ a │ b │\n\n- i", "- x", "# y", "> https://evil.example/ z", "│ z", "║ z", "a\r\nBcc: x@evil.example\r\n\r\n", "<img src=x>", strings.Repeat("größe ", 60), strings.Repeat("x", 300), "日本語の名前", "\xff\x00\u202e", "{{.}}"} {
		for name, n := range samples() {
			l := letter(t)
			want, err := Write(n, l)
			if err != nil {
				t.Fatal(err)
			}
			v := reflect.New(reflect.TypeOf(n)).Elem()
			v.Set(reflect.ValueOf(cleaned(n))) // cleaned copied what it points to
			poison(v, evil)
			l.Account = evil
			got, err := Write(v.Interface().(Notice), l)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if diff := cmp.Diff(outline(t, want.HTML), outline(t, got.HTML)); diff != "" {
				t.Errorf("%s with %q: %s", name, evil, diff)
			}
			m, err := got.Message(l)
			if err != nil {
				t.Fatal(err)
			}
			checkMessage(t, got, m)
		}
	}
}

// poison puts evil into every string that has a value and no form of its own.
func poison(v reflect.Value, evil string) {
	switch v.Kind() {
	case reflect.String:
		if v.Type() == reflect.TypeFor[string]() && v.String() != "" {
			v.SetString(evil)
		}
	case reflect.Pointer:
		if !v.IsNil() {
			poison(v.Elem(), evil)
		}
	case reflect.Slice:
		for i := range v.Len() {
			poison(v.Index(i), evil)
		}
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			return
		}
		for i := range v.NumField() {
			switch v.Type().Field(i).Name {
			case "Policy", "Currency", "Day", "Link":
			default:
				poison(v.Field(i), evil)
			}
		}
	}
}

// outline is the elements of a page without its words.
func outline(t *testing.T, text string) (all []string) {
	t.Helper()
	z := html.NewTokenizer(strings.NewReader(text))
	for {
		switch z.Next() {
		case html.ErrorToken:
			return all
		case html.StartTagToken, html.EndTagToken, html.SelfClosingTagToken:
			name, _ := z.TagName()
			all = append(all, string(name))
		}
	}
}

// TestLinks: only the web can be linked to.
func TestLinks(t *testing.T) {
	for link, linked := range map[string]bool{"https://buy.example/x": true, "http://buy.example": true, "javascript:alert(1)": false, "https://": false, "data:text/html,x": false, "//x.example": false} {
		w, err := Write(Ended{"Standard", december, link}, letter(t))
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Contains(w.HTML, "<a href"); got != linked {
			t.Errorf("%s: linked %v, want %v", link, got, linked)
		}
	}
}

// TestNothingIsLoaded: no picture, style or script from anywhere, and no
// colour that is lost on a dark page.
func TestNothingIsLoaded(t *testing.T) {
	for name, n := range samples() {
		w, err := Write(n, letter(t))
		if err != nil {
			t.Fatal(err)
		}
		for _, not := range []string{"<img", "<link", "<script", "url(", "src=", "background", ";color:", `"color:`, "@import"} {
			if strings.Contains(w.HTML, not) {
				t.Errorf("%s has %q", name, not)
			}
		}
	}
}

func TestDaysAreThoseOfTheZone(t *testing.T) {
	n := Blocked{Use: use(100), Until: december}
	for zone, want := range map[string]string{"Europe/Rome": "1 December 2026, 00:00", "UTC": "30 November 2026, 23:00", "Asia/Kolkata": "1 December 2026, 04:30"} {
		l := letter(t)
		var err error
		if l.Zone, err = time.LoadLocation(zone); err != nil {
			t.Fatal(err)
		}
		w, err := Write(n, l)
		if err != nil || !strings.Contains(w.Short, want) || !strings.Contains(w.Text, zone) {
			t.Errorf("%s: %q, %v, want %q", zone, w.Short, err, want)
		}
	}
}

func TestTheListHoldsNoFormula(t *testing.T) {
	files, err := monthReport().attachments(letter(t))
	if err != nil || len(files) != 1 || files[0].Name != "addresses-in-error-2026-11.csv" {
		t.Fatalf("%+v, %v", files, err)
	}
	rows, err := csv.NewReader(bytes.NewReader(files[0].Data)).ReadAll()
	if err != nil || len(rows) != 4 {
		t.Fatalf("%q, %v", rows, err)
	}
	for _, row := range rows {
		for _, cell := range row {
			if strings.HasPrefix(cell, "=") {
				t.Errorf("a formula: %q", cell)
			}
		}
	}
}

func TestAddresses(t *testing.T) {
	for _, c := range []struct {
		to, recipient string
		utf8, ok      bool
	}{
		{"anna@kunde.example", "anna@kunde.example", false, true},
		{"anna@müller.example", "anna@xn--mller-kva.example", false, true},
		{"jürgen@kunde.example", "jürgen@kunde.example", true, true},
		{"anna@[192.0.2.1]", "anna@[192.0.2.1]", false, true},
		{"anna", "", false, false},
		{"a@b.example, c@d.example", "", false, false},
		{"a@b.example\r\nBcc: x@y.example", "", false, false},
	} {
		l := letter(t)
		l.To = c.to
		w, err := Write(Released{}, l)
		if err != nil {
			t.Fatal(err)
		}
		m, err := w.Message(l)
		if (err == nil) != c.ok || m.Recipient != c.recipient || m.UTF8 != c.utf8 {
			t.Errorf("%q: %q, UTF-8 %v, %v", c.to, m.Recipient, m.UTF8, err)
		}
	}
}

func TestIncomplete(t *testing.T) {
	for name, n := range map[string]Notice{
		"no reference": PaymentRequest{Item: "x", Amount: money.Amount{Minor: 1, Currency: "EUR"}, Due: december},
		"no amount":    PaymentRequest{Reference: "1", Item: "x", Due: december},
		"odd currency": PaymentRequest{Reference: "1", Item: "x", Amount: money.Amount{Minor: 1, Currency: "euro"}, Due: december},
	} {
		if w, err := Write(n, letter(t)); err == nil {
			t.Errorf("%s: written: %q", name, w.Text)
		}
	}
	for name, change := range map[string]func(*Letter){
		"no id":     func(l *Letter) { l.ID = "" },
		"odd id":    func(l *Letter) { l.ID = "a>\r\nX: y" },
		"no sender": func(l *Letter) { l.From = "postmaster" },
	} {
		l := letter(t)
		change(&l)
		w, err := Write(Released{}, l)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Message(l); err == nil {
			t.Errorf("%s: made", name)
		}
	}
	if _, err := Write(Released{}, Letter{}); err == nil {
		t.Error("no zone: written")
	}
}

func base64Reader(r io.Reader) io.Reader { return base64.NewDecoder(base64.StdEncoding, r) }
