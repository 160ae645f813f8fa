package e2e

import (
	"database/sql"
	"fmt"
	"strings"
	"testing"
	"time"

	"servicesmtp.net/companion/e2e/world"
)

// TestComputersShareAPace: four computers of one account, each without a limit
// of its own, send a newsletter at once. Together they never pass the account's
// rate, and each gets on.
func TestComputersShareAPace(t *testing.T) {
	t.Parallel()
	const rate, computers, each, span = 600, 4, 400, 85 * time.Second
	w := world.New(t, world.Options{})
	all := []*world.World{w}
	w.Relayd("account", "set-pace", "alice", "--per-minute", fmt.Sprint(rate))
	for range computers - 1 {
		all = append(all, w.Beside(t))
	}
	for i, o := range all {
		o.MustSend(fmt.Sprintf("pc%d@example.com", i), world.Addresses(each, fmt.Sprintf("pc%d-", i), "dst.invalid"), world.Message(fmt.Sprint("news", i), 2000))
	}
	time.Sleep(span) // how fast they are is what is measured

	got := accepted(t, w)
	sums := map[string]int{}
	total := 0
	for i, from := range got {
		n := 0
		for _, to := range got[i:] {
			n += to.recipients
			if us := to.at - from.at; us <= time.Minute.Microseconds() && int64(n)*60_000_000 > us*rate+55*60_000_000 {
				t.Fatalf("%d recipients within %v", n, time.Duration(us)*time.Microsecond)
			}
		}
		sums[from.sender] += from.recipients
		total += from.recipients
	}
	paces := strings.Count(w.Relay.Said(), "message refused for now")
	t.Logf("%d recipients in %v: %v; %d refusals for now", total, span, sums, paces)
	if least := rate * int(span.Seconds()) / 60 * 8 / 10; total < least {
		t.Errorf("%d recipients, want %d at least: the rate is not used", total, least)
	}
	for i := range all {
		if n := sums[fmt.Sprintf("pc%d@example.com", i)]; n < total/computers/2 {
			t.Errorf("computer %d sent %d of %d", i, n, total)
		}
	}
	if paces > 10 {
		t.Errorf("the relay said %d times that it is too fast", paces)
	}
}

// acceptance is one message as the relay has it.
type acceptance struct {
	at         int64 // microseconds
	sender     string
	recipients int
}

// accepted reads what the relay accepted, in order.
func accepted(t *testing.T, w *world.World) (all []acceptance) {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+w.Path("relay/relay.db")+"?mode=ro&_pragma=busy_timeout(5000)")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	rows, err := db.QueryContext(t.Context(), `SELECT m.created_at, m.mail_from, count(*) FROM messages m JOIN deliveries d ON d.message_id = m.id
		GROUP BY m.id, m.created_at, m.mail_from ORDER BY m.created_at`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var a acceptance
		if err := rows.Scan(&a.at, &a.sender, &a.recipients); err != nil {
			t.Fatal(err)
		}
		all = append(all, a)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}
