package dsn

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"servicesmtp.net/companion/app/mail"
	"servicesmtp.net/companion/app/say"
)

var (
	arrived    = time.Date(2026, 11, 25, 9, 0, 0, 0, time.UTC)
	noSuchUser = mail.Reply{Code: mail.Code{Basic: 550, Enhanced: [3]int{5, 1, 1}}, Text: "SSMTP-SUPPRESSED bounced", Command: "RCPT"}
	greylisted = mail.Reply{Code: mail.Code{Basic: 451, Enhanced: [3]int{4, 7, 1}}, Text: "come back\nlater", Command: "RCPT"}
)

const original = "Received: from localhost\r\n\tby localhost\r\nFrom: Alice <alice@example.com>\r\nTo: bob@example.net\r\n" +
	"Subject: Meeting on Tuesday\r\nMessage-ID: <1234@example.com>\r\n\r\nSee you there.\r\n.\r\n"

func failures(list ...Failure) Failures {
	return func(yield func(Failure, error) bool) {
		for _, f := range list {
			if !yield(f, nil) {
				return
			}
		}
	}
}

func failure(address string, reply mail.Reply) Failure {
	return Failure{Recipient: mail.Recipient{Address: address}, Reply: reply, At: arrived.Add(time.Second), Reason: say.T("The address does not exist."), Advice: say.T("Ask.")}
}

func readOriginal(t testing.TB, text string, full bool) Original {
	t.Helper()
	o, err := ReadOriginal(strings.NewReader(text), full)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// personal is a report on a message to three, of whom some failed.
func personal(t testing.TB, list ...Failure) Report {
	return Report{
		Say: say.English, ID: "01K00000000000000000000001", Now: arrived.Add(time.Minute), To: "alice@example.com", Hostname: "localhost",
		RemoteMTA: "relay.example", Arrived: arrived, Original: readOriginal(t, original, false), Failures: failures(list...), Failed: len(list), Recipients: 3,
	}
}

func write(t testing.TB, r Report) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := r.Write(&out); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestPersonalReport(t *testing.T) {
	f := failure("bob@example.net", noSuchUser)
	f.Recipient.Original = "RFC822;bob@lists.example.net"
	late := failure("carol@example.org", greylisted)
	late.Advice = say.Text{}
	r := personal(t, f, late)
	r.EnvelopeID = "QQ314159"
	got := parse(t, write(t, r))
	for name, want := range map[string]string{
		"From": `"Mail delivery report" <mailer-daemon@example.com>`, "To": "<alice@example.com>", "Subject": "Not delivered: Meeting on Tuesday",
		"Auto-Submitted": "auto-replied", "In-Reply-To": "<1234@example.com>", "References": "<1234@example.com>", "Mime-Version": "1.0",
		"Message-Id": "<report.01K00000000000000000000001@example.com>", "Date": "Wed, 25 Nov 2026 09:01:00 +0000", "Content-Transfer-Encoding": "",
	} {
		if got.header.Get(name) != want {
			t.Errorf("%s: %q, want %q", name, got.header.Get(name), want)
		}
	}
	want := "Your message could not be delivered to 2 recipients:\r\n\r\nbob@example.net\r\n    The address does not exist.\r\n    What to do: Ask.\r\n" +
		"    The server's words: 550 5.1.1 SSMTP-SUPPRESSED bounced\r\n\r\ncarol@example.org\r\n    The address does not exist.\r\n" +
		"    The server's words: 451 4.7.1 come back later\r\n\r\nSubject: Meeting on Tuesday\r\nHanded in: 09:00\r\n\r\n" +
		"This report is not about 1 other recipient.\r\nNobody reads answers to this report.\r\n"
	if got.text != want {
		t.Errorf("text\n%s\nwant\n%s", got.text, want)
	}
	wantStatus := []map[string]string{
		{"Original-Envelope-Id": "QQ314159", "Reporting-Mta": "dns;localhost", "Arrival-Date": "Wed, 25 Nov 2026 09:00:00 +0000"},
		{"Original-Recipient": "rfc822;bob@lists.example.net", "Final-Recipient": "rfc822;bob@example.net", "Action": "failed", "Status": "5.1.1",
			"Remote-Mta": "dns;relay.example", "Diagnostic-Code": "smtp; 550 5.1.1 SSMTP-SUPPRESSED bounced", "Last-Attempt-Date": "Wed, 25 Nov 2026 09:00:01 +0000"},
		{"Final-Recipient": "rfc822;carol@example.org", "Action": "failed", "Status": "4.4.7",
			"Remote-Mta": "dns;relay.example", "Diagnostic-Code": "smtp; 451 4.7.1 come back later", "Last-Attempt-Date": "Wed, 25 Nov 2026 09:00:01 +0000"},
	}
	if len(got.status) != len(wantStatus) {
		t.Fatalf("status %v", got.status)
	}
	for i, want := range wantStatus {
		for name, value := range want {
			if got.status[i].Get(name) != value {
				t.Errorf("block %d, %s: %q, want %q", i, name, got.status[i].Get(name), value)
			}
		}
		if len(got.status[i]) != len(want) {
			t.Errorf("block %d: %v", i, got.status[i])
		}
	}
	if head, _, _ := strings.Cut(original, "\r\n\r\n"); got.parts[2] != "text/rfc822-headers" || got.last != head+"\r\n" {
		t.Errorf("third part %s %q", got.parts[2], got.last)
	}
}

func TestReturnedMessage(t *testing.T) {
	long := strings.Repeat("x", 999)
	for _, c := range []struct {
		name, text string
		full       bool
		kind       string // of the third part; "": there is none
		eight      bool
		want       string // its content; "": not compared
	}{
		{"header", original, false, "text/rfc822-headers", false, ""},
		{"whole", original, true, "message/rfc822", false, original},
		{"whole with 8-bit content", original + "Grüße\r\n", true, "message/rfc822", true, original + "Grüße\r\n"},
		{"whole with UTF-8 in its header", "Subject: Grüße\r\n\r\nx\r\n", true, "message/global", true, "Subject: Grüße\r\n\r\nx\r\n"},
		{"whole but too large", original + strings.Repeat("0123456789\r\n", MaxReturned/12), true, "text/rfc822-headers", false, ""},
		{"whole with a long line", original + long + "\r\n", true, "text/rfc822-headers", false, ""},
		{"whole with NUL", original + "\x00\r\n", true, "text/rfc822-headers", false, ""},
		{"whole with bare LF", original + "\n\r\n", true, "text/rfc822-headers", false, ""},
		{"header with UTF-8", "Subject: Grüße\r\nFrom: ü@example.com\r\n\r\nx\r\n", false, "message/global-headers", false, "Subject: Grüße\r\nFrom: ü@example.com\r\n"},
		{"header with Latin-1", "Subject: Gr\xfc\xdfe\r\n\r\nx\r\n", false, "text/rfc822-headers", false, "Subject: Gr\xfc\xdfe\r\n"},
		{"header with a long line", "Subject: " + long + "\r\n\r\nx\r\n", false, "text/rfc822-headers", false, "Subject: " + long + "\r\n"},
		{"header only", "Subject: x\r\n", false, "text/rfc822-headers", false, "Subject: x\r\n"},
		{"no header", "\r\nbody\r\n\r\nmore\r\n", false, "", false, ""},
		{"nothing", "", true, "", false, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := personal(t, failure("bob@example.net", noSuchUser))
			r.Original = readOriginal(t, c.text, c.full)
			data := write(t, r)
			got := parse(t, data)
			kind := ""
			if len(got.parts) == 3 {
				kind = got.parts[2]
			}
			if kind != c.kind || r.EightBit() != c.eight || c.want != "" && got.last != c.want {
				t.Errorf("got %q, 8-bit %v, %q", kind, r.EightBit(), got.last)
			}
			if isASCII(string(data)) == c.eight || (got.header.Get("Content-Transfer-Encoding") == "8bit") != c.eight {
				t.Errorf("8-bit bytes, or the header about them, are wrong: %v", got.header)
			}
		})
	}
}

// A header that is too large ends with a whole field.
func TestHugeHeader(t *testing.T) {
	field := "X-Field: " + strings.Repeat("y", 60) + "\r\n\tfolded\r\n"
	o := readOriginal(t, "Subject: x\r\n"+strings.Repeat(field, 2*MaxReturned/len(field))+"\r\nbody\r\n", false)
	if rest, ok := strings.CutPrefix(string(o.header), "Subject: x\r\n"); !ok || strings.Trim(strings.ReplaceAll(rest, field, ""), "") != "" || len(o.header) < MaxReturned-2*len(field) {
		t.Errorf("%d bytes, end %q", len(o.header), o.header[len(o.header)-100:])
	}
}

func TestWhatTheOriginalTells(t *testing.T) {
	for _, c := range []struct{ header, subject, id string }{
		{"Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\nMessage-Id: <a@b>\r\n", "Grüße", "<a@b>"},
		{"Subject: folded\r\n subject\r\nMessage-ID:\r\n\t<a@b>\r\n", "folded subject", "<a@b>"},
		{"Subject: =?utf-8?q?a=0D=0ABcc:_x?=\r\n", "a Bcc: x", ""},
		{"Subject: =?klingon?q?x?=\r\n", "", ""},
		{"Subject: Gr\xfc\xdfe\r\n", "", ""},
		{"Subject: " + strings.Repeat("w ", 200) + "\r\n", strings.Repeat("w ", 49) + "w…", ""},
		{"Message-ID: <a@b> <c@d>\r\n", "", ""},
		{"Message-ID: <a b@c>\r\n", "", ""},
		{"Message-ID: a@b\r\n", "", ""},
		{"Message-ID: <" + strings.Repeat("a", 300) + "@b>\r\n", "", ""},
		{"no header at all\r\n", "", ""},
	} {
		o := readOriginal(t, c.header+"\r\nbody\r\n", false)
		if o.Subject != c.subject || o.MessageID != c.id {
			t.Errorf("%q: subject %q, id %q", c.header, o.Subject, o.MessageID)
		}
	}
}

func TestAddressesOutsideASCII(t *testing.T) {
	f := failure("jürgen@bücher.example", noSuchUser)
	f.Recipient.Original = "utf-8;jürgen@bücher.example"
	r := personal(t, f)
	r.To = "grete@bücher.example"
	got := parse(t, write(t, r))
	if !r.UTF8() || got.header.Get("To") != "<grete@bücher.example>" || !strings.HasSuffix(got.header.Get("From"), "<mailer-daemon@xn--bcher-kva.example>") {
		t.Errorf("header %v", got.header)
	}
	if b := got.status[1]; b.Get("Final-Recipient") != `utf-8;j\x{FC}rgen@b\x{FC}cher.example` || b.Get("Original-Recipient") != b.Get("Final-Recipient") {
		t.Errorf("status %v", b)
	}
	if !strings.Contains(got.text, "jürgen@bücher.example") {
		t.Errorf("text %q", got.text)
	}
	r.To = "alice@example.com"
	if data := write(t, r); r.UTF8() || !isASCII(string(data)) {
		t.Errorf("not 7-bit:\n%s", data)
	}
}

// What cannot stand in a field is left out of it, and is not made another
// address.
func TestAddressesThatDoNotFit(t *testing.T) {
	long := strings.Repeat("a", 1500)
	for name, to := range map[string]string{"too long": long + "@example.com", "steering": "alice\u202e@example.com", "two": "a>, <b@c", "none": "alice", "line": "a\r\nb@c"} {
		r := personal(t, failure("bob@example.net", noSuchUser))
		r.To = to
		got := parse(t, write(t, r))
		if got.header.Get("To") != "undisclosed-recipients:;" || r.UTF8() {
			t.Errorf("%s: To %q", name, got.header.Get("To"))
		}
	}
	for _, address := range []string{long + "@example.com", strings.Repeat("ü", 200) + "@example.com"} {
		f := failure(address, noSuchUser)
		f.Recipient.Original = "rfc822;" + address
		got := parse(t, write(t, personal(t, f)))
		for _, name := range []string{"Final-Recipient", "Original-Recipient"} {
			if value := got.status[1].Get(name); !strings.HasPrefix(value, "x-too-long;") || strings.Contains(value, "@") {
				t.Errorf("%s: %q", name, value)
			}
		}
	}
}

func TestStatusCodes(t *testing.T) {
	for _, c := range []struct {
		code mail.Code
		want string
	}{
		{mail.Code{Basic: 550, Enhanced: [3]int{5, 1, 1}}, "5.1.1"},
		{mail.Code{Basic: 552}, "5.0.0"},
		{mail.Code{Basic: 550, Enhanced: [3]int{4, 1, 1}}, "5.0.0"},
		{mail.Code{Basic: 451, Enhanced: [3]int{4, 7, 1}}, "4.4.7"},
		{mail.Code{Basic: 421}, "4.4.7"},
		{mail.Code{}, "5.3.0"},
	} {
		if got := status(c.code); got != c.want {
			t.Errorf("%v: %s, want %s", c.code, got, c.want)
		}
	}
}

// digest is a report on a newsletter to n, all of whom failed.
func digest(t testing.TB, n int) Report {
	r := personal(t)
	r.Digest, r.Recipients, r.Accepted, r.Failed = true, n+10, 9, n
	r.Uncertain = 1
	r.Failures = func(yield func(Failure, error) bool) {
		for i := range n {
			f := failure(fmt.Sprintf("person%d@example.com", i), noSuchUser)
			if i%3 == 0 {
				f.Reply, f.Reason = greylisted, say.T("The mailbox is full.")
			}
			if !yield(f, nil) {
				return
			}
		}
	}
	r.List = func(w io.Writer) error {
		c := csv.NewWriter(w)
		for f, err := range r.Failures {
			if err != nil {
				return err
			}
			if err := c.Write([]string{f.Recipient.Address, f.Reply.String()}); err != nil {
				return err
			}
		}
		c.Flush()
		return c.Error()
	}
	return r
}

func TestDigest(t *testing.T) {
	r := digest(t, 60)
	r.Original = readOriginal(t, strings.Replace(original, "Meeting on Tuesday", "News", 1), false)
	got := parse(t, write(t, r))
	if s := got.header.Get("Subject"); s != "60 addresses failed: News" {
		t.Errorf("subject %q", s)
	}
	for _, want := range []string{"60 of 70 addresses did not get your message.", "Accepted: 9\r\n", "Failed: 60\r\n", "In doubt: 1\r\n", "  40 × The address does not exist.\r\n  20 × The mailbox is full.\r\n",
		"The first 20 addresses:\r\n  person0@example.com\r\n", "  person19@example.com\r\n\r\n"} {
		if !strings.Contains(got.text, want) {
			t.Errorf("%q is missing:\n%s", want, got.text)
		}
	}
	rows, err := csv.NewReader(strings.NewReader(got.csv)).ReadAll()
	if err != nil || len(rows) != 60 || rows[59][0] != "person59@example.com" || !slices.Contains(rows[1], "550 5.1.1 SSMTP-SUPPRESSED bounced") {
		t.Errorf("%d rows, %v", len(rows), err)
	}
	if len(got.status) != 61 || got.parts[0] != "multipart/mixed" {
		t.Errorf("%d blocks, parts %v", len(got.status), got.parts)
	}
}

// largest remembers the largest write and how much there was.
type largest struct{ most, all int }

func (l *largest) Write(p []byte) (int, error) {
	l.most, l.all = max(l.most, len(p)), l.all+len(p)
	return len(p), nil
}

// A list of any length goes through in pieces, and its status is bounded.
func TestALargeDigestIsStreamed(t *testing.T) {
	var out largest
	if err := digest(t, 50_000).Write(&out); err != nil {
		t.Fatal(err)
	}
	if out.most > 64<<10 || out.all < 50_000*40 {
		t.Errorf("wrote %d bytes, at most %d at once", out.all, out.most)
	}
	got := parse(t, write(t, digest(t, 3*maxStatuses)))
	rows, err := csv.NewReader(strings.NewReader(got.csv)).ReadAll()
	if err != nil || len(got.status) != 1+maxStatuses || len(rows) != 3*maxStatuses {
		t.Errorf("%d blocks, %d rows, %v", len(got.status), len(rows), err)
	}
}

// An error on either side ends the writing; nothing is made up.
func TestErrorsArePassedOn(t *testing.T) {
	cause := errors.New("read")
	for _, r := range []Report{personal(t), digest(t, 1)} {
		r.Failures = func(yield func(Failure, error) bool) { yield(Failure{}, cause) }
		if err := r.Write(io.Discard); !errors.Is(err, cause) {
			t.Errorf("got %v", err)
		}
	}
	r := digest(t, 1)
	r.List = func(io.Writer) error { return cause }
	if err := r.Write(io.Discard); !errors.Is(err, cause) {
		t.Errorf("got %v", err)
	}
	broken, w := io.Pipe()
	broken.CloseWithError(cause)
	if err := digest(t, 1000).Write(w); !errors.Is(err, cause) {
		t.Errorf("got %v", err)
	}
	if _, err := ReadOriginal(io.MultiReader(strings.NewReader("Subject: x\r\n"), broken), false); err == nil {
		t.Error("a broken body was taken")
	}
}
