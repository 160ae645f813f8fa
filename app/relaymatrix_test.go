package app

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"servicesmtp.net/companion/app/apptest"
	"servicesmtp.net/companion/app/mail"
	"servicesmtp.net/companion/app/spool"
)

var update = flag.Bool("update", false, "write docs/relay-failures.md anew")

const matrixFile = "../docs/relay-failures.md"

// How long the relay misbehaves, and how long the queue then has to recover by
// itself. The longest wait is that for the final dot's answer, 10 minutes.
const (
	troubleTime = 12 * time.Minute
	recoverTime = 3 * time.Hour
)

// A cell is one misbehaviour at one step of the protocol.
type cell struct {
	step, does string
	foreign    bool // a server without keys and API
	options    apptest.Options
	first      bool // a message was sent before over the connection that is kept
	big        bool // the message is larger than what the connection holds
	trouble    func(m *matrixTest)
	end        string // allowed ends beside "accepted": of "failed", "uncertain", "cancelled"
}

// matrixTest is one cell at work.
type matrixTest struct {
	*senderTest
	api *batchesAPI
	job mail.JobID

	mu    sync.Mutex // guards what follows
	holds []string   // in the order in which they were first seen
}

// seen is what a cell did, as a row of the table says it.
type seen struct{ holds, deeds, end string }

// TestRelayFailures sends one message to three recipients through spool, sender
// and uplink to a relay that misbehaves, then behaves. Every recipient must be
// accepted exactly once in the end, or be reported; the table of what happens
// on the way is docs/relay-failures.md.
func TestRelayFailures(t *testing.T) {
	cells := matrixCells()
	rows := make([]seen, len(cells))
	for i, c := range cells {
		t.Run(fmt.Sprintf("%s/%s/foreign %v", c.step, c.does, c.foreign), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { rows[i] = runCell(t, c) })
		})
	}
	t.Cleanup(func() { // when the parallel tests have ended
		text := matrixText(cells, rows)
		if *update {
			if err := os.WriteFile(matrixFile, []byte(text), 0o644); err != nil {
				t.Error(err)
			}
			return
		}
		want, err := os.ReadFile(matrixFile)
		if err != nil {
			t.Fatal(err)
		}
		if text != strings.ReplaceAll(string(want), "\r\n", "\n") {
			t.Errorf("%s differs from what happens; write it with: go test ./app -run TestRelayFailures -update\n%s", matrixFile, firstDifference(string(want), text))
		}
	})
}

func firstDifference(want, got string) string {
	w, g := strings.Split(want, "\n"), strings.Split(got, "\n")
	for i := range min(len(w), len(g)) {
		if w[i] != g[i] {
			return "written: " + w[i] + "\nhappens: " + g[i]
		}
	}
	return fmt.Sprintf("%d lines are written, %d happen", len(w), len(g))
}

func runCell(t *testing.T, c cell) seen {
	o := c.options
	o.Keys = !c.foreign
	m := &matrixTest{senderTest: prepareSenderTest(t, apptest.NewPipeRelay(t, o), quick)}
	if c.foreign {
		m.api = &batchesAPI{}
	} else {
		m.api = m.withAPI()
	}
	m.sender.changed = m.note
	m.start()
	defer m.end()
	if c.first {
		m.accept(1, "first.invalid")
		m.settleFor(10 * time.Second)
	}
	if c.big {
		m.body = strings.Repeat(strings.Repeat("x", 62)+"\r\n", 4096)
	}
	c.trouble(m)
	before := len(m.relay.Transactions())
	m.job = m.accept(3, "dst.invalid")
	m.settleFor(troubleTime)
	if len(m.relay.Transactions()) == before && m.relay.Logins() > 0 && c.options.Certificate != apptest.GoodCertificate {
		t.Error("the password was sent over a connection that is not trusted")
	}
	m.mend()
	m.settleFor(recoverTime)
	return m.result(c, before)
}

// note notes what holds the queue.
func (m *matrixTest) note() {
	h := m.sender.holdState()
	if h == nil {
		return
	}
	text := string(h.Reason) + ": " + h.Detail
	if h.Reply != "" {
		reply, _, _ := strings.Cut(h.Reply, " reset=")
		text = string(h.Reason) + ": `" + reply + "`"
	}
	if h.Until != nil {
		text += ", until the time that it says"
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if !slices.Contains(m.holds, text) {
		m.holds = append(m.holds, text)
	}
}

// mend makes the relay a good one.
func (m *matrixTest) mend() {
	for _, s := range []apptest.Step{apptest.Banner, apptest.EHLO, apptest.StartTLS, apptest.TLS, apptest.Auth, apptest.Mail, apptest.Rcpt,
		apptest.Data, apptest.Body, apptest.Dot, apptest.Rset, apptest.Noop, apptest.Quit} {
		m.relay.Script(s)
	}
	m.relay.Reissue(m.t, apptest.GoodCertificate)
	m.relay.Change(func(o *apptest.Options) {
		*o = apptest.Options{Keys: o.Keys, Mechanisms: []string{"PLAIN"}, RecipientLimit: 50, SizeLimit: 100_000_000}
	})
}

// result holds what must be true of every cell, and says what happened.
func (m *matrixTest) result(c cell, before int) seen {
	m.t.Helper()
	if m.relay.ClearAuth() != 0 {
		m.t.Error("AUTH without TLS")
	}
	if h := m.sender.holdState(); h != nil {
		m.t.Errorf("still held: %+v", h)
	}
	checkFrozen(m.t, m.relay.Transactions())
	accepted := map[string]int{}
	for _, tx := range m.relay.Accepted() {
		for _, r := range tx.Taken {
			accepted[r]++
		}
	}
	list, _, err := m.spool.Recipients(m.t.Context(), m.job, "", 10)
	if err != nil || len(list) != 3 {
		m.t.Fatalf("%d recipients, %v", len(list), err)
	}
	count, has := map[string]int{}, 0
	for _, r := range list {
		status, n := r.Status.String(), accepted[r.Address]
		count[status]++
		has += n
		switch {
		case n > 1:
			m.t.Errorf("%s was accepted %d times", r.Address, n)
		case status != "accepted" && !strings.Contains(c.end, status):
			m.t.Errorf("%s is %s in the end: %s", r.Address, status, r.Reply)
		case (status == "accepted") != (n == 1) && status != "uncertain":
			m.t.Errorf("%s is %s, and the relay accepted it %d times", r.Address, status, n)
		}
	}
	return seen{holds: m.saidHolds(), deeds: m.deeds(before), end: ends(count, has, list)}
}

// checkFrozen holds that whatever is offered under one key is the same every
// time: no number stands for two batches.
func checkFrozen(t *testing.T, list []apptest.Transaction) {
	t.Helper()
	first := map[string]apptest.Transaction{}
	for _, tx := range list {
		f, ok := first[tx.EnvelopeID]
		if !ok || len(f.Offered) < len(tx.Offered) {
			first[tx.EnvelopeID] = tx
		}
		if !ok {
			continue
		}
		n := min(len(f.Offered), len(tx.Offered))
		if tx.From != f.From || tx.MailLine != f.MailLine || !slices.Equal(tx.Offered[:n], f.Offered[:n]) {
			t.Errorf("%s was offered as %q to %v, then as %q to %v", tx.EnvelopeID, f.MailLine, f.Offered, tx.MailLine, tx.Offered)
		}
		if tx.Size > 0 && f.Size > 0 && tx.BodySum != f.BodySum {
			t.Errorf("%s was offered with another body", tx.EnvelopeID)
		}
	}
}

func (m *matrixTest) saidHolds() string {
	if len(m.holds) == 0 {
		return "no"
	}
	return strings.Join(m.holds, "; then ")
}

// deeds is what the sender did about the message.
func (m *matrixTest) deeds(before int) string {
	var out []string
	add := func(s string) {
		if !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	list := m.relay.Transactions()[before:]
	if len(list) > 0 {
		for _, tx := range list[1:] {
			switch {
			case tx.EnvelopeID != list[0].EnvelopeID && tx.EnvelopeID != "":
				add("offers those that were deferred in a new batch")
			case tx.Replayed:
				add("replays it under its key, which the relay had accepted")
			case len(m.api.questions()) > 0:
				add("replays it under its key")
			default:
				add("offers the same batch again")
			}
		}
	}
	var asked []string
	for _, q := range m.api.questions() {
		if what, _, _ := strings.Cut(q, " "); !slices.Contains(asked, what) {
			asked = append(asked, what)
			out = slices.Insert(out, 0, "asks the relay")
		}
	}
	if len(out) == 0 && m.relay.Connections() > 1 {
		out = append(out, "connects anew")
	}
	if len(out) == 0 {
		return "nothing special"
	}
	return strings.Join(out, ", ")
}

// ends says what became of the three recipients.
func ends(count map[string]int, has int, list []spool.RecipientState) string {
	var out []string
	for _, status := range []string{"accepted", "failed", "uncertain", "cancelled", "queued", "deferred"} {
		n := count[status]
		if n == 0 {
			continue
		}
		text := fmt.Sprintf("%d %s", n, status)
		for _, r := range list {
			if r.Status.String() == status && status == "failed" {
				text += fmt.Sprintf(", `%s`", r.Reply)
				break
			}
		}
		if status == "uncertain" {
			text += fmt.Sprintf(": a person decides (the server had %d)", has)
		}
		out = append(out, text)
	}
	return strings.Join(out, "; ")
}

// matrixText is the page.
func matrixText(cells []cell, rows []seen) string {
	var out strings.Builder
	out.WriteString(matrixHead)
	step := ""
	for i, c := range cells {
		if c.step != step {
			step = c.step
			fmt.Fprintf(&out, "\n## %s\n\n| the server | the queue waits | the companion | in the end |\n|---|---|---|---|\n", step)
		}
		does := c.does
		if c.foreign {
			does += " (a foreign server)"
		}
		fmt.Fprintf(&out, "| %s | %s | %s | %s |\n", does, rows[i].holds, rows[i].deeds, rows[i].end)
	}
	return out.String()
}

const matrixHead = `# When the relay misbehaves

One message to three recipients, sent to a relay that does what the first column says for 12 minutes
and behaves well afterwards. The test TestRelayFailures of package app plays every row through spool,
sender and uplink, holds that no recipient is ever accepted twice, and writes this page: it fails
where the page differs from what happens.

*The queue waits* gives the reasons for which the account was held, with the server's reply or the
detail that people see. *No* means that the other mail of the account goes on.
`
