package e2e

import (
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"servicesmtp.net/companion/e2e/world"
	"servicesmtp.net/companion/server/store/storetest"
)

// tinyPlans is a catalogue in which two e-mails are 20 % of the plan.
const tinyPlans = `currency = "EUR"
renewal_link = "https://example.com/renew?account={account}"
[[plan]]
name = "ten"
title = "Ten"
kind = "unlimited"
emails = 10
price = 100
`

// TestKillTheNodeThatReports: one of two nodes is killed in the transaction
// that tells a customer how much was used. The other begins anew once the lease
// is over, and everybody is told exactly once.
func TestKillTheNodeThatReports(t *testing.T) {
	t.Parallel()
	const lease, customers = 15 * time.Second, 12 // while it lasts, a pass that waits is known to be under way
	catalogue := filepath.Join(t.TempDir(), "plans.toml")
	if err := os.WriteFile(catalogue, []byte(tinyPlans), 0o600); err != nil {
		t.Fatal(err)
	}
	dsn := storetest.Database(t)
	nodes := world.Cluster(t, 2, dsn, lease, world.Options{Plan: "ten", Relay: fmt.Sprintf("[plans]\ncatalogue = %q\n", catalogue)})
	victim, other := nodes[0], nodes[1]
	far := victim.Far
	db, err := sql.Open("pgx", dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var told []string
	for i := range customers {
		name := fmt.Sprintf("c%02d", i)
		told = append(told, name+"@example.com")
		password := other.OpenAccount(name)
		if _, err := nodes[i%2].SubmitAs(name, password, fmt.Sprintf("sb1.01JE%022d.1", i), world.Addresses(2, name, "dst.invalid"), world.Message(name, 2000)); err != nil {
			t.Fatal(err)
		}
	}
	far.WaitRecipients(t, 2*customers, time.Minute)

	// The pass goes by the accounts' ids, which grow with time; the seventh waits.
	lock, err := db.Begin()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := lock.Exec(`SELECT 1 FROM accounts WHERE name = 'c06' FOR UPDATE`); err != nil {
		t.Fatal(err)
	}
	run := make(chan int, 1)
	go func() {
		_, code := report(t, victim)
		run <- code
	}()
	until(t, "the pass waits for the seventh account", func() bool {
		return counted(t, db, `SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`) > 0
	})
	if out, code := report(t, other); code == 0 || !strings.Contains(out, "at this moment") {
		t.Errorf("a pass beside another: exit code %d, %q", code, out)
	}
	victim.Relay.Kill()
	if code := <-run; code == 0 {
		t.Error("a pass that was killed says that it was made")
	}
	if err := lock.Rollback(); err != nil {
		t.Fatal(err)
	}
	until(t, "the lease is over", func() bool { _, code := report(t, other); return code == 0 })
	until(t, "everybody is told", func() bool { return counted(t, db, `SELECT count(*) FROM deliveries`) >= 3*customers })

	victim.StartRelay()
	both := make(chan string, len(nodes))
	for _, w := range nodes {
		go func() {
			out, _ := report(t, w)
			both <- out
		}()
	}
	for range nodes {
		if out := <-both; strings.Contains(out, "ACCOUNT") {
			t.Errorf("told again: %s", out)
		}
	}
	until(t, "nothing waits", func() bool { return counted(t, db, `SELECT count(*) FROM deliveries WHERE status <> 'delivered'`) == 0 })
	for _, who := range told {
		rows := fmt.Sprintf(`SELECT count(*) FROM deliveries WHERE recipient = '%s'`, who)
		if n := counted(t, db, rows); n != 1 {
			t.Errorf("%s was written %d reports", who, n)
		}
		// While it waited for the lock the node could write nothing down: what it
		// had in hand then may have come twice, and says so.
		if n := far.Counts()[who]; n == 0 || n > 1 && counted(t, db, rows+` AND maybe_dup = 1`) == 0 {
			t.Errorf("%s got %d reports", who, n)
		}
	}
	if n := counted(t, db, `SELECT count(*) FROM notices WHERE kind = 'usage'`); n != customers {
		t.Errorf("%d notices for %d customers", n, customers)
	}
	if n := counted(t, db, `SELECT sum(emails) FROM usage_periods`); n != 2*customers {
		t.Errorf("%d e-mails counted, want %d: reports cost nothing", n, 2*customers)
	}
}

// report makes a pass now and gives what it says.
func report(t *testing.T, w *world.World) (said string, code int) {
	out, errs, code := world.Command(t.Context(), "relayd", "--data", w.Path("relay"), "--config", w.Path("relay.toml"), "report", "run")
	return out + errs, code
}
