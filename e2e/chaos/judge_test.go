package chaos

import (
	"crypto/sha256"
	"database/sql"
	"encoding/json"
	"regexp"
	"slices"
	"strconv"
	"time"

	_ "modernc.org/sqlite" // to read the relay's table as an operator would

	"servicesmtp.net/companion/e2e/world"
)

// judge compares what was taken with what the relay accepted and the far server
// got, and prints the figures. mayRepeat: the relay was killed, so the far
// server may have got twice what the relay flags.
func (c *chaos) judge(mayRepeat bool) {
	c.t.Helper()
	for _, err := range c.sender.errs {
		c.t.Error(err)
	}
	relay := c.readRelay()
	known := map[string]*letter{}
	for _, l := range c.sender.offered {
		known[l.token] = l
	}
	damaged := c.damaged(known)
	lost, doubled, repeated, unflagged, strangers, halves := 0, 0, 0, 0, 0, 0
	far := c.world.Far.Counts()
	for _, l := range c.sender.offered {
		got := 0
		for _, to := range l.to {
			n := far[to]
			if n > 0 {
				got++
			}
			if n > 1 {
				repeated++
				if !relay.flagged[to] {
					unflagged++
				}
			}
			if relay.accepted[to] > 1 {
				doubled++
			}
		}
		switch {
		case l.fate == accepted:
			lost += len(l.to) - got
		case got != 0 && got != len(l.to):
			halves++ // taken or not, but never in part
		}
	}
	for to := range far {
		if l := known[tokenOf(to)]; l == nil || !slices.Contains(l.to, to) {
			strangers++
		}
	}
	dots, others := c.cuts()
	c.t.Logf("kills: companion %d, relay %d; connections cut: %d at the answer to a final dot, %d elsewhere; "+
		"batches found unknown at a start %d, replayed by the relay %d; letters in doubt %d; %v",
		c.deaths, c.relayDeaths, dots, others, c.unknownAtStart(), c.heard("replayed=true"), len(c.sender.offered)-len(c.letters), time.Since(c.began).Round(time.Second))
	c.t.Logf("%d recipients acknowledged: lost %d, doubled at acceptance %d, damaged %d; repeated at the far server %d",
		c.must(), lost, doubled, damaged, repeated)
	for what, n := range map[string]int{
		"recipients lost": lost, "recipients accepted twice": doubled, "messages damaged": damaged,
		"recipients that nobody wrote to": strangers, "letters delivered in part": halves,
	} {
		if n != 0 {
			c.t.Errorf("%s: %d", what, n)
		}
	}
	if !mayRepeat && repeated > 0 || unflagged > 0 {
		c.t.Errorf("%d recipients got more than one copy, %d of them not flagged by the relay", repeated, unflagged)
	}
	if dots == 0 {
		c.t.Error("no answer to a final dot was lost: the run proves nothing")
	}
	c.checkPace(relay.batches)
	c.checkBooks(relay)
}

// damaged counts transactions at the far server whose message is not the one
// that was handed in for each of their recipients.
func (c *chaos) damaged(known map[string]*letter) int {
	n := 0
	for _, tx := range c.world.Far.Transactions() {
		_, rest := world.Content(tx.Data)
		sum := sha256.Sum256([]byte(rest))
		if slices.ContainsFunc(tx.Recipients, func(to string) bool {
			l := known[tokenOf(to)]
			return l == nil || sum != l.sum
		}) {
			n++
		}
	}
	return n
}

// books is what the relay has written down.
type books struct {
	accepted map[string]int // recipients
	flagged  map[string]bool
	batches  []batch // in the order of acceptance
}

type batch struct {
	at         time.Time
	recipients int
}

func (c *chaos) readRelay() books {
	c.t.Helper()
	db, err := sql.Open("sqlite", "file:"+c.world.Path("relay/relay.db")+"?mode=ro&_pragma=busy_timeout(5000)")
	if err != nil {
		c.t.Fatal(err)
	}
	defer db.Close()
	b := books{accepted: map[string]int{}, flagged: map[string]bool{}}
	c.each(db, `SELECT recipient, maybe_dup FROM deliveries`, func(rows *sql.Rows) error {
		var to string
		var flagged bool
		if err := rows.Scan(&to, &flagged); err != nil {
			return err
		}
		b.accepted[to]++
		b.flagged[to] = b.flagged[to] || flagged
		return nil
	})
	c.each(db, `SELECT m.created_at, count(*) FROM messages m JOIN deliveries d ON d.message_id = m.id GROUP BY m.id ORDER BY m.created_at`, func(rows *sql.Rows) error {
		var at int64
		var n int
		err := rows.Scan(&at, &n)
		b.batches = append(b.batches, batch{time.UnixMicro(at), n})
		return err
	})
	return b
}

func (c *chaos) each(db *sql.DB, query string, scan func(*sql.Rows) error) {
	c.t.Helper()
	rows, err := db.QueryContext(c.t.Context(), query)
	if err != nil {
		c.t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		if err := scan(rows); err != nil {
			c.t.Fatal(err)
		}
	}
	if err := rows.Err(); err != nil {
		c.t.Fatal(err)
	}
}

// checkPace: over any window no more was accepted than the rate allows, with
// one batch and the burst of personal mail on top. A batch is accepted a
// moment after it leaves, so windows may seem shorter than they were.
func (c *chaos) checkPace(batches []batch) {
	c.t.Helper()
	const batchSize, personalBurst, travel = 50, 5, time.Second
	perSecond := float64(*rate) / 60
	worst := 0.0
	for i := range batches {
		n := 0
		for _, b := range batches[i:] {
			n += b.recipients
			allowed := perSecond*(b.at.Sub(batches[i].at)+travel).Seconds() + batchSize + personalBurst
			worst = max(worst, float64(n)/allowed)
		}
	}
	c.t.Logf("the fullest window had %.0f %% of what the pace allows", 100*worst)
	if worst > 1 {
		c.t.Errorf("too fast: a window with %.2f times what the pace allows", worst)
	}
}

// checkBooks: companion, relay and its meter agree about the sum.
func (c *chaos) checkBooks(relay books) {
	c.t.Helper()
	var usage struct{ Emails int }
	if err := json.Unmarshal([]byte(c.world.Relayd("usage", "alice", "--json")), &usage); err != nil {
		c.t.Fatal(err)
	}
	if usage.Emails != len(relay.accepted) {
		c.t.Errorf("the relay counts %d e-mails, and has accepted %d recipients", usage.Emails, len(relay.accepted))
	}
	sent, jobs := 0, map[string]bool{}
	for cursor := ""; ; {
		args := []string{"queue", "list", "--all", "--json"}
		if cursor != "" {
			args = append(args, "--cursor", cursor)
		}
		var page struct {
			Jobs []struct {
				ID, State  string
				Recipients int
				Counts     struct{ Accepted int }
			}
			Next string
		}
		if err := json.Unmarshal([]byte(c.world.Must(args...)), &page); err != nil {
			c.t.Fatal(err)
		}
		for _, j := range page.Jobs {
			if j.State != "done" || j.Counts.Accepted != j.Recipients || jobs[j.ID] {
				c.t.Errorf("job %+v", j)
			}
			jobs[j.ID] = true
			sent += j.Counts.Accepted
		}
		if page.Next == "" {
			break
		}
		cursor = page.Next
	}
	if sent != len(relay.accepted) {
		c.t.Errorf("the companion has %d recipients as sent, the relay has accepted %d", sent, len(relay.accepted))
	}
}

// unknownAtStart sums the batches that may have left when the companion was
// killed, as it found them at its starts.
func (c *chaos) unknownAtStart() int {
	n := 0
	for _, found := range unknownBatches.FindAllStringSubmatch(c.running.Said(), -1) {
		k, _ := strconv.Atoi(found[1]) // digits
		n += k
	}
	return n
}

var unknownBatches = regexp.MustCompile(`unknown_batches=(\d+)`)
