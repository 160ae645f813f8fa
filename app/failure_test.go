package app

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	netmail "net/mail"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"servicesmtp.net/companion/app/apptest"
	"servicesmtp.net/companion/app/batch"
	"servicesmtp.net/companion/app/mail"
	"servicesmtp.net/companion/app/settings"
	"servicesmtp.net/companion/app/spool"
)

// mailed is what a mail program sends.
type mailed struct {
	from, params string   // of MAIL
	to           []string // with RCPT's parameters
	text         string
}

// hand hands a message in, and gives its job.
func (e *engineTest) hand(m mailed) mail.JobID {
	e.t.Helper()
	c := dial(e.t, e.SMTPAddrs()[0])
	c.say("MAIL FROM:<"+m.from+">"+m.params, "250")
	for _, to := range m.to {
		c.say("RCPT TO:"+to, "250")
	}
	c.say("DATA", "354")
	if m.text == "" {
		m.text = "Subject: Meeting\r\nMessage-ID: <1@example.com>\r\n\r\nhello\r\n"
	}
	if _, err := io.WriteString(c.Conn, m.text+".\r\n"); err != nil {
		e.t.Fatal(err)
	}
	line, err := c.r.ReadString('\n')
	_, id, ok := strings.Cut(strings.TrimSpace(line), "queued as ")
	if err != nil || !ok {
		e.t.Fatalf("got %q, %v", line, err)
	}
	return mail.JobID(id)
}

// told waits until a job's report has reached the relay, and gives what the
// relay got.
func (e *engineTest) told(id mail.JobID) apptest.Transaction {
	e.t.Helper()
	e.until("report on "+string(id), func(State) bool {
		j, err := e.spool.Job(e.t.Context(), id)
		if err != nil || j.Report == "" {
			return false
		}
		r, err := e.spool.Job(e.t.Context(), j.Report)
		return err == nil && r.State == spool.JobDone
	})
	j, err := e.spool.Job(e.t.Context(), id)
	if err != nil {
		e.t.Fatal(err)
	}
	for _, tx := range e.relay.Accepted() {
		if strings.Contains(string(tx.Body), "report."+string(j.Report)) {
			return tx
		}
	}
	e.t.Fatalf("the relay never got report %s", j.Report)
	return apptest.Transaction{}
}

// reports are those that the relay has.
func (e *engineTest) reports() (n int) {
	for _, tx := range e.relay.Accepted() {
		if bytes.Contains(tx.Body, []byte("multipart/report")) {
			n++
		}
	}
	return n
}

func (e *engineTest) refuse(addresses ...string) {
	for _, a := range addresses {
		e.relay.ScriptRecipient(a, apptest.Answer(550, "5.1.1 SSMTP-SUPPRESSED bounced"))
	}
}

const authOff = "[listen]\nauth = \"off\"\n"

func TestTheSenderIsToldOfAFailure(t *testing.T) {
	e := newEngineTest(t, engineOptions{settings: authOff})
	e.refuse("nobody@example.net")
	e.run()
	id := e.hand(mailed{from: "alice@example.com", params: " ENVID=QQ+2B1", to: []string{"<bob@example.net>", "<nobody@example.net> ORCPT=rfc822;no+2Bbody@example.net"}})
	tx := e.told(id)
	if tx.From != "" || !slices.Equal(tx.Taken, []string{"alice@example.com"}) || !strings.Contains(tx.RcptLines[0], "NOTIFY=NEVER") || strings.Contains(tx.MailLine, "RET=") {
		t.Errorf("envelope %q %q", tx.MailLine, tx.RcptLines)
	}
	for _, want := range []string{"To: <alice@example.com>\r\n", "Subject: Not delivered: Meeting\r\n", "Auto-Submitted: auto-replied\r\n", "In-Reply-To: <1@example.com>\r\n",
		"Original-Envelope-Id: QQ+1\r\n", "Original-Recipient: rfc822;no+body@example.net\r\n", "Final-Recipient: rfc822;nobody@example.net\r\n", "Status: 5.1.1\r\n",
		"Diagnostic-Code: smtp; 550 5.1.1 SSMTP-SUPPRESSED bounced\r\n", "Remote-MTA: dns;127.0.0.1\r\n", "    The address does not exist.\r\n", "text/rfc822-headers"} {
		if !strings.Contains(string(tx.Body), want) {
			t.Errorf("%q is missing in\n%s", want, tx.Body)
		}
	}
	if strings.Contains(string(tx.Body), "bob@") {
		t.Error("it tells of somebody who got the message")
	}

	d, err := e.Job(t.Context(), id, "", 0)
	if err != nil || d.Report == nil || d.Report.At.IsZero() {
		t.Fatalf("job %+v, %v", d, err)
	}
	r, err := e.Job(t.Context(), d.Report.Job, "", 0)
	if err != nil || r.ReportTo != "alice@example.com" || r.ReportOf != id || r.Lane != "personal" || r.Account != "office" {
		t.Errorf("report %+v, %v", r, err)
	}
}

// Nobody is told who must not be, and a report that fails has no report.
func TestNobodyElseIsTold(t *testing.T) {
	e := newEngineTest(t, engineOptions{settings: authOff})
	e.refuse("nobody@example.net", "gone@example.com")
	e.run()
	null := e.hand(mailed{from: "", to: []string{"<nobody@example.net>"}})
	never := e.hand(mailed{from: "alice@example.com", to: []string{"<nobody@example.net> NOTIFY=NEVER"}})
	e.until("both refused", func(State) bool {
		return e.done(null) && e.done(never)
	})
	lost := e.hand(mailed{from: "gone@example.com", to: []string{"<nobody@example.net>"}})
	var report spool.Job
	e.until("a refused report", func(State) bool {
		j, err := e.spool.Job(t.Context(), lost)
		if err == nil && j.Report != "" {
			report, err = e.spool.Job(t.Context(), j.Report)
		}
		return err == nil && report.Counts.Failed == 1
	})
	last := e.hand(mailed{from: "alice@example.com", to: []string{"<nobody@example.net>"}})
	e.told(last)
	if e.reports() != 1 || report.Report != "" {
		t.Errorf("%d reports; the refused one has %q", e.reports(), report.Report)
	}
	for _, id := range []mail.JobID{null, never} {
		if j, err := e.spool.Job(t.Context(), id); err != nil || j.Report != "" {
			t.Errorf("job %+v, %v", j, err)
		}
	}
}

func (e *engineTest) done(id mail.JobID) bool {
	j, err := e.spool.Job(e.t.Context(), id)
	return err == nil && j.State == spool.JobDone
}

// Somebody who was put off for days keeps nobody from learning of the others.
func TestTheSenderIsToldBeforeTheDeferredAreDone(t *testing.T) {
	e := newEngineTest(t, engineOptions{settings: authOff})
	e.refuse("nobody@example.net")
	e.relay.ScriptRecipient("slow@example.net", apptest.Answer(451, "4.7.1 later"))
	e.run()
	id := e.hand(mailed{from: "alice@example.com", to: []string{"<slow@example.net>", "<nobody@example.net>"}})
	if tx := e.told(id); strings.Contains(string(tx.Body), "slow@") || e.done(id) {
		t.Errorf("job done %v, report\n%s", e.done(id), tx.Body)
	}
}

func TestTheWholeMessageWhereRETAsksForIt(t *testing.T) {
	e := newEngineTest(t, engineOptions{settings: authOff})
	e.refuse("nobody@example.net")
	e.run()
	id := e.hand(mailed{from: "alice@example.com", params: " RET=FULL", to: []string{"<nobody@example.net>"}, text: "Subject: x\r\nBcc: eve@example.net\r\n\r\nGrüße\r\n"})
	tx := e.told(id)
	if body := string(tx.Body); !strings.Contains(body, "message/rfc822") || !strings.Contains(body, "\r\n\r\nGrüße\r\n") || strings.Contains(body, "eve@") ||
		!strings.Contains(body, "Content-Transfer-Encoding: 8bit\r\n") {
		t.Errorf("report\n%s", body)
	}
}

func TestOneDigestForANewsletter(t *testing.T) {
	e := newEngineTest(t, engineOptions{settings: authOff + "[pace]\nrecipients_per_minute = 600000\nbatch = 50\n"})
	var to, bad []string
	for i := range 120 {
		address := fmt.Sprintf("person%d@example.net", i)
		to = append(to, "<"+address+">")
		if i%4 == 0 {
			bad = append(bad, address)
		}
	}
	e.refuse(bad...)
	e.run()
	id := e.hand(mailed{from: "news@example.com", to: to})
	tx := e.told(id)
	if !e.done(id) || e.reports() != 1 {
		t.Errorf("done %v, %d reports", e.done(id), e.reports())
	}
	m, err := netmail.ReadMessage(bytes.NewReader(tx.Body))
	if err != nil {
		t.Fatal(err)
	}
	if s := m.Header.Get("Subject"); s != "30 addresses failed: Meeting" {
		t.Errorf("subject %q", s)
	}
	rows := listOf(t, m)
	if len(rows) != 31 || strings.Join(rows[0], ",") != "address,reason,code,reply,at,account,source" || rows[1][2] != "550 5.1.1" || rows[1][5] != "office" || rows[1][6] != "relay" {
		t.Fatalf("list %q", rows)
	}
	var got []string
	for _, r := range rows[1:] {
		got = append(got, r[0])
	}
	slices.Sort(got)
	slices.Sort(bad)
	if !slices.Equal(got, bad) {
		t.Errorf("listed %v", got)
	}
}

// listOf is the CSV file of a digest.
func listOf(t *testing.T, m *netmail.Message) [][]string {
	t.Helper()
	inside := func(contentType string, body io.Reader) *multipart.Reader {
		_, params, err := mime.ParseMediaType(contentType)
		if err != nil {
			t.Fatal(err)
		}
		return multipart.NewReader(body, params["boundary"])
	}
	words, err := inside(m.Header.Get("Content-Type"), m.Body).NextRawPart()
	if err != nil {
		t.Fatal(err)
	}
	r := inside(words.Header.Get("Content-Type"), words)
	if _, err := r.NextRawPart(); err != nil {
		t.Fatal(err)
	}
	list, err := r.NextRawPart()
	if err != nil || list.FileName() != "failed-addresses.csv" {
		t.Fatalf("%v, %v", list, err)
	}
	rows, err := csv.NewReader(quotedprintable.NewReader(list)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

// The program ended between the failure and its report: the next start tells.
func TestAReportIsMadeAtTheNextStart(t *testing.T) {
	e := newEngineTest(t, engineOptions{settings: authOff + "[window]\nlanguage = \"it\"\n"})
	const id = mail.JobID("01ARZ3NDEKTSV4RRFFQ69G5F01")
	e.store(id, "alice@example.com", time.Now(), "nobody@example.net")
	e.refused(id, "nobody@example.net", mail.Reply{Code: mail.Code{Basic: 552}, Text: "too large", Command: "DATA"})
	<-e.spool.ReportsDue() // as if another process had written it
	e.run()
	tx := e.told(id)
	for _, want := range []string{"From: \"Rapporto di consegna\" <mailer-daemon@example.com>", "Subject: 1 indirizzo non raggiunto: x", "Status: 5.0.0\r\n"} {
		if !strings.Contains(string(tx.Body), want) {
			t.Errorf("%q is missing in\n%s", want, tx.Body)
		}
	}
	if e.reports() != 1 {
		t.Errorf("%d reports", e.reports())
	}
}

// A report that does not fit waits, and is not lost.
func TestAReportWaitsForRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, err := spool.Open(t.Context(), spool.Options{Dir: t.TempDir(), MaxSize: 10_000, Log: slog.New(slog.DiscardHandler),
			Split: func(r []mail.Recipient) [][]mail.Recipient { return batch.Split(r, 50) }})
		if err != nil {
			t.Fatal(err)
		}
		e := &Engine{log: slog.New(slog.DiscardHandler), spool: s, pub: newPublisher(func(context.Context) State { return State{} }), troubled: make(chan struct{}, 1),
			accounts: map[string]*account{"office": {settings: settings.Account{Name: "office"}, sender: &sender{wake: make(chan struct{}, 1)}}}}
		w := &engineTest{Engine: e, t: t}
		const id = mail.JobID("01ARZ3NDEKTSV4RRFFQ69G5F01")
		w.store(id, "alice@example.com", time.Now(), "nobody@example.net")
		w.refused(id, "nobody@example.net", mail.Reply{})
		filler, err := s.Create(t.Context(), "01ARZ3NDEKTSV4RRFFQ69G5F02", 9990)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); e.reportFailures(ctx) }()
		time.Sleep(time.Hour)
		synctest.Wait()
		if j, err := s.Job(t.Context(), id); err != nil || j.Report != "" || !errors.Is(e.problem, spool.ErrFull) {
			t.Errorf("job %+v, %v, problem %v", j, err, e.problem)
		}
		filler.Discard()
		time.Sleep(tellAtMost)
		synctest.Wait()
		if j, err := s.Job(t.Context(), id); err != nil || j.Report == "" {
			t.Errorf("not told although there is room: %+v, %v", j, err)
		}
		cancel()
		<-done
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
}

// refused stores that the relay refused a job's only recipient.
func (e *engineTest) refused(id mail.JobID, address string, reply mail.Reply) {
	e.t.Helper()
	attempt, err := e.spool.Begin(e.t.Context(), id, 1, "", time.Now())
	if err == nil {
		err = e.spool.Finish(e.t.Context(), spool.FinishRequest{Attempt: attempt, At: time.Now(),
			Outcomes: []mail.Outcome{{Address: address, Status: mail.StatusFailed, Reply: reply}}})
	}
	if err != nil {
		e.t.Fatal(err)
	}
}

// An account whose senders are still to be told cannot be taken away: only it
// can send the reports.
func TestAnAccountThatOwesAReportStays(t *testing.T) {
	e := newEngineTest(t, engineOptions{})
	e.closed()
	const id = mail.JobID("01ARZ3NDEKTSV4RRFFQ69G5F01")
	e.store(id, "alice@example.com", time.Now(), "nobody@example.net")
	e.refused(id, "nobody@example.net", mail.Reply{})
	var u *UserError
	if err := e.ForgetAccount(t.Context(), "office"); !errors.As(err, &u) || u.Sentence != "Mail of this account still waits." {
		t.Errorf("got %v", err)
	}

	// Taken out of the settings file by hand, it is waited for.
	a := e.accounts["office"]
	delete(e.accounts, "office")
	if !e.tellSenders(t.Context()) {
		t.Error("it would be tried again and again")
	}
	if j, err := e.spool.Job(t.Context(), id); err != nil || j.Report != "" {
		t.Errorf("job %+v, %v", j, err)
	}
	e.accounts["office"] = a
	if !e.tellSenders(t.Context()) {
		t.Error("not told with the account back")
	}
	if owes, err := e.spool.Owes(t.Context(), "office"); owes || err != nil {
		t.Errorf("still owes: %v, %v", owes, err)
	}
}
