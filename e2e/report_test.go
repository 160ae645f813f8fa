package e2e

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/mail"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"servicesmtp.net/companion/app/apptest"
	"servicesmtp.net/companion/e2e/world"
)

// judge reads a message with Python's email package, which knows nothing of us.
const judge = `
import email, email.policy, json, sys
m = email.message_from_bytes(sys.stdin.buffer.read(), policy=email.policy.default)
status, words, csv = [], "", ""
for p in m.walk():
    kind = p.get_content_type()
    if kind == "message/delivery-status":
        status = [dict(b.items()) for b in p.get_payload()]
    elif kind == "text/plain" and not words:
        words = p.get_content()
    elif kind == "text/csv":
        csv = p.get_content()
defects = [str(d) for p in m.walk() for d in p.defects]
top = m.iter_parts() if m.is_multipart() else []
json.dump({"Type": m.get_content_type(), "ReportType": m.get_param("report-type"), "Auto": m["Auto-Submitted"], "Subject": m["Subject"],
    "To": m["To"], "From": m["From"], "Parts": [p.get_content_type() for p in top], "Status": status, "Words": words, "CSV": csv, "Defects": defects}, sys.stdout)
`

// verdict is what the judge says.
type verdict struct {
	Type, ReportType, Auto, Subject, To, From, Words, CSV string
	Parts, Defects                                        []string
	Status                                                []map[string]string
}

func judged(t testing.TB, data string) verdict {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "python3", "-c", judge)
	cmd.Stdin = strings.NewReader(data)
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("python3: %v, %s", err, out)
	}
	var v verdict
	if err := json.Unmarshal(out, &v); err != nil {
		t.Fatal(err)
	}
	if v.Type != "multipart/report" || v.ReportType != "delivery-status" || v.Auto != "auto-replied" || len(v.Defects) > 0 {
		t.Errorf("no good report: %+v\n%.4000s", v, data)
	}
	return v
}

// partTypes are the types of the parts as Go's own packages read them.
func partTypes(t testing.TB, data string) (kinds []string) {
	t.Helper()
	m, err := mail.ReadMessage(strings.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	_, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil {
		t.Fatal(err)
	}
	r := multipart.NewReader(m.Body, params["boundary"])
	for {
		p, err := r.NextRawPart()
		if err != nil {
			break
		}
		kind, _, err := mime.ParseMediaType(p.Header.Get("Content-Type"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, p); err != nil {
			t.Fatal(err)
		}
		kinds = append(kinds, kind)
	}
	return kinds
}

// tooLarge is a message that the relay refuses where its limit is 1 MB.
func tooLarge(subject string) string {
	return strings.Replace(world.Message(subject, 1_100_000), "\r\n\r\n", "\r\nMessage-ID: <"+strings.Fields(subject)[0]+"@example.com>\r\n\r\n", 1)
}

// TestTheSenderIsTold: the relay refuses a message, and the sender gets one
// report by the same way; nobody answers to a null sender.
func TestTheSenderIsTold(t *testing.T) {
	t.Parallel()
	w := world.New(t, world.Options{Limits: `max_message = "1MB"`, Settings: "[window]\nlanguage = \"en\"\n"})
	w.MustSend("", []string{"bob@dst.invalid"}, tooLarge("null"))
	w.MustSend("me@example.com", []string{"bob@dst.invalid", "carol@dst.invalid"}, tooLarge("large one"))
	w.Far.WaitRecipients(t, 1, time.Minute)
	w.UntilIdle(20 * time.Second)
	w.Once([]string{"me@example.com"})
	tx := w.Far.Transactions()[0]
	v := judged(t, tx.Data)
	if tx.From != "" || v.To != "me@example.com" || v.Subject != "Not delivered: large one" || !strings.HasSuffix(v.From, "<mailer-daemon@example.com>") {
		t.Errorf("from %q, %+v", tx.From, v)
	}
	want := []string{"text/plain", "message/delivery-status", "text/rfc822-headers"}
	if !slices.Equal(v.Parts, want) || !slices.Equal(partTypes(t, tx.Data), want) {
		t.Errorf("parts %v and %v", v.Parts, partTypes(t, tx.Data))
	}
	if len(v.Status) != 3 || v.Status[1]["Final-Recipient"] != "rfc822;bob@dst.invalid" || v.Status[2]["Final-Recipient"] != "rfc822;carol@dst.invalid" ||
		v.Status[1]["Action"] != "failed" || v.Status[1]["Status"] != "5.3.4" || !strings.HasPrefix(v.Status[1]["Diagnostic-Code"], "smtp; 552 5.3.4 ") {
		t.Errorf("status %v", v.Status)
	}
	for _, part := range []string{"bob@dst.invalid", "The message is too large for the recipient's server.", "552 5.3.4", "Send it without large attachments"} {
		if !strings.Contains(v.Words, part) {
			t.Errorf("%q is missing:\n%s", part, v.Words)
		}
	}
	list := w.Must("queue", "list", "--all")
	if !strings.Contains(list, "(report to me@example.com)") {
		t.Errorf("queue:\n%s", list)
	}
	t.Logf("queue:\n%s\nthe report:\n%s", list, tx.Data)
}

// TestKilledAroundReports: killed again and again while messages fail, the
// companion tells each sender once.
func TestKilledAroundReports(t *testing.T) {
	t.Parallel()
	w := world.New(t, world.Options{Limits: `max_message = "1MB"`, RPM: 3000})
	w.Far.Set(func(f *world.Far) { f.DelayDot = 20 * time.Millisecond })
	factsKnown(w)
	var senders []string
	for i := range 24 {
		from := fmt.Sprintf("sender%d@example.com", i)
		senders = append(senders, from)
		w.MustSend(from, []string{"bob@dst.invalid"}, tooLarge("x"))
		if i%4 == 3 {
			w.Companion.Kill()
			w.StartCompanion()
		}
	}
	for range 4 {
		time.Sleep(150 * time.Millisecond)
		w.Companion.Kill()
		w.StartCompanion()
	}
	w.Far.WaitRecipients(t, len(senders), time.Minute)
	w.UntilIdle(30 * time.Second)
	w.Once(senders)
}

// TestADigestForANewsletter: of 500 recipients a relay refuses 60 as known to be
// dead; there is one digest, when all is done, with the list of 60.
func TestADigestForANewsletter(t *testing.T) {
	t.Parallel()
	relay := apptest.NewRelay(t, apptest.Options{})
	to := world.Addresses(500, "news", "dst.invalid")
	var dead []string
	for i := 0; len(dead) < 60; i += 7 {
		dead = append(dead, to[i])
		relay.ScriptRecipient(to[i], apptest.Answer(550, "5.1.1 SSMTP-SUPPRESSED bounced"))
	}
	host := func(endpoint string) string { return endpoint[strings.LastIndex(endpoint, "/")+1:] }
	w := world.Foreign(t, world.Options{Settings: "[window]\nlanguage = \"it\"\n"}, host(relay.StartTLS()), host(relay.TLS()), relay.CertPEM())
	w.MustSend("news@example.com", to, world.Message("novità", 20_000))
	var digests []apptest.Transaction
	w.Until(time.Minute, "a digest", func(s world.Status) bool {
		digests = slices.DeleteFunc(relay.Accepted(), func(tx apptest.Transaction) bool { return tx.From != "" })
		return len(digests) > 0 && s.State == "idle"
	})
	if len(digests) != 1 || !slices.Equal(digests[0].Taken, []string{"news@example.com"}) {
		t.Fatalf("%d digests", len(digests))
	}
	v := judged(t, string(digests[0].Body))
	rows, err := csv.NewReader(bytes.NewReader([]byte(v.CSV))).ReadAll()
	if err != nil || len(rows) != 61 || len(v.Status) != 61 {
		t.Fatalf("%d rows, %v, %d blocks", len(rows), err, len(v.Status))
	}
	var got []string
	for _, r := range rows[1:] {
		got = append(got, r[0])
	}
	slices.Sort(got)
	slices.Sort(dead)
	if !slices.Equal(got, dead) {
		t.Errorf("list %v", got)
	}
	for _, part := range []string{"Il messaggio non è arrivato a 60 indirizzi su 500.", "Accettati: 440", "60 × L'indirizzo non esiste.", "failed-addresses.csv"} {
		if !strings.Contains(v.Words, part) {
			t.Errorf("%q is missing:\n%s", part, v.Words)
		}
	}
	if v.Subject != "60 indirizzi non raggiunti: novità" {
		t.Errorf("subject %q", v.Subject)
	}
	t.Logf("the digest, %d bytes:\n%.3000s", digests[0].Size, v.Words)
}
