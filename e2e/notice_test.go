package e2e

import (
	"encoding/csv"
	"encoding/json"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"servicesmtp.net/companion/e2e/world"
)

// reader reads a mail with Python's email package, which knows nothing of us.
const reader = `
import email, email.policy, json, sys
m = email.message_from_bytes(sys.stdin.buffer.read(), policy=email.policy.default)
text = {p.get_content_type(): p.get_content() for p in m.walk() if not p.is_multipart()}
json.dump({"Subject": m["Subject"], "From": m["From"], "To": m["To"], "Auto": m["Auto-Submitted"], "Date": m["Date"].datetime.isoformat(), "ID": m["Message-ID"],
    "Types": [p.get_content_type() for p in m.walk()], "Files": [p.get_filename() for p in m.iter_attachments()], "Text": text,
    "Body": m.get_body(("html",)).get_content_type(), "Defects": [str(d) for p in m.walk() for d in p.defects]}, sys.stdout)
`

// readMail is what the reader makes of a mail.
type readMail struct {
	Subject, From, To, Auto, Date, ID, Body string
	Types, Files, Defects                   []string
	Text                                    map[string]string
}

func inPython(t testing.TB, data string) readMail {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "python3", "-c", reader)
	cmd.Stdin = strings.NewReader(data)
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("python3: %v, %s", err, out)
	}
	var m readMail
	if err := json.Unmarshal(out, &m); err != nil {
		t.Fatal(err)
	}
	if len(m.Defects) > 0 || m.Auto != "auto-generated" || m.Body != "text/html" || !strings.HasPrefix(m.ID, "<") {
		t.Errorf("mail %+v", m)
	}
	return m
}

// TestTheServiceWritesToItsCustomer: a hold and its end are told by mail, from
// nobody and once, and in the companion, where the end takes the hold's place.
func TestTheServiceWritesToItsCustomer(t *testing.T) {
	w := world.Relay(t, world.Options{})
	arrived := func(n int) {
		t.Helper()
		w.Far.Wait(t, 20*time.Second, "the mail", func(all []world.Transaction) bool { return len(all) >= n })
	}
	w.Relayd("account", "hold", "alice")
	arrived(1)
	w.WriteCompanionConfig()
	w.StartCompanion()
	s := w.Until(20*time.Second, "the hold is shown", func(s world.Status) bool { return len(s.Notices) > 0 })
	if n := s.Notices[0]; len(s.Notices) != 1 || n.Severity != "critical" || n.Subject != "Your mail is held" {
		t.Errorf("notices %+v", s.Notices)
	}
	w.Relayd("account", "release", "alice")
	arrived(2)
	w.Companion.Stop(t)
	w.StartCompanion()
	s = w.Until(20*time.Second, "the end of the hold is shown", func(s world.Status) bool {
		return len(s.Notices) > 0 && s.Notices[0].Subject != "Your mail is held"
	})
	if n := s.Notices[0]; len(s.Notices) != 1 || n.Severity != "info" || n.Subject != "Your mail is delivered again" {
		t.Errorf("notices %+v", s.Notices)
	}
	var subjects []string
	for _, x := range w.Far.Transactions() {
		if x.From != "" || !slices.Equal(x.Recipients, []string{"alice@example.com"}) {
			t.Errorf("from %q to %q", x.From, x.Recipients)
		}
		m := inPython(t, x.Data)
		if m.To != "alice@example.com" && m.To != "<alice@example.com>" || m.From != "postmaster@localhost" && m.From != "<postmaster@localhost>" {
			t.Errorf("from %q to %q", m.From, m.To)
		}
		if !slices.Equal(m.Types, []string{"multipart/mixed", "multipart/alternative", "text/plain", "text/html"}) {
			t.Errorf("parts %q", m.Types)
		}
		subjects = append(subjects, m.Subject)
	}
	if !slices.Equal(subjects, []string{"Your mail is held (alice)", "Your mail is delivered again (alice)"}) {
		t.Errorf("mails %q", subjects)
	}
	if usage := w.Relayd("usage", "alice"); !strings.Contains(usage, "0 of 50000") {
		t.Errorf("charged for: %s", usage)
	}
}

// TestAReportCannotBeDelivered: the operator sees it, and no other mail leaves.
func TestAReportCannotBeDelivered(t *testing.T) {
	w := world.Relay(t, world.Options{})
	w.AddAccount("refuse") // the far server refuses such addresses
	w.Relayd("account", "hold", "refuse")
	var errors string
	for end := time.Now().Add(20 * time.Second); !strings.Contains(errors, "refuse@example.com"); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not among the errors: %s", errors)
		}
		errors = w.Relayd("errors", "@service")
	}
	if got := w.Relayd("errors", "refuse"); strings.Contains(got, "refuse@example.com") {
		t.Errorf("among the customer's errors: %s", got)
	}
	if waiting := w.Relayd("queue", "list", "--json"); !strings.Contains(waiting, `"groups":[]`) && !strings.Contains(waiting, `"groups":null`) {
		t.Errorf("still waiting: %s", waiting)
	}
	if x := w.Far.Transactions(); len(x) > 0 {
		t.Errorf("sent: %+v", x)
	}
}

// TestAMonthReportIsRead: the longest mail of all, as it is in the tests of
// the package that writes it.
func TestAMonthReportIsRead(t *testing.T) {
	data, err := os.ReadFile("../server/notify/testdata/month_report.eml")
	if err != nil {
		t.Fatal(err)
	}
	m := inPython(t, string(data))
	if !slices.Equal(m.Files, []string{"addresses-in-error-2026-11.csv"}) || m.Date != "2026-11-25T23:30:00+01:00" {
		t.Errorf("mail %+v", m)
	}
	rows, err := csv.NewReader(strings.NewReader(m.Text["text/csv"])).ReadAll()
	if err != nil || len(rows) != 4 || rows[3][0] != "jürgen@müller.example" {
		t.Errorf("rows %q, %v", rows, err)
	}
	for _, words := range []string{"80,000", "EUR 35.00", "Sat 28 Nov"} {
		if !strings.Contains(m.Text["text/plain"], words) || !strings.Contains(m.Text["text/html"], words) {
			t.Errorf("%q is missing", words)
		}
	}
}
