package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"servicesmtp.net/companion/server/store/storetest"
)

// queued adds a message with recipients "r0@<domain>" …, due at next.
func queued(t *testing.T, s *Store, id, lane, domain string, n int, next time.Time) {
	t.Helper()
	err := s.Tx(context.Background(), func(tx *sql.Tx) error {
		if _, err := tx.Exec(`INSERT INTO accounts (id, name, email, password_hash, created_at) VALUES ('acc', 'alice', '', '', 0) ON CONFLICT DO NOTHING`); err != nil {
			return err
		}
		if _, err := tx.Exec(`INSERT INTO bodies (account_id, sha256, size, inline, created_at) VALUES ('acc', 's', 1, $1, 0) ON CONFLICT DO NOTHING`, []byte("x")); err != nil {
			return err
		}
		if _, err := tx.Exec(`INSERT INTO messages (id, account_id, envid, mail_from, sha256, size, received, created_at) VALUES ($1, 'acc', 'env-' || $1, 'a@x', 's', 1, 'R', 0)`, id); err != nil {
			return err
		}
		for i := range n {
			if _, err := tx.Exec(`INSERT INTO deliveries (message_id, account_id, recipient, lane, status, next_at, created_at) VALUES ($1, 'acc', $2, $3, 'queued', $4, $5)`,
				id, fmt.Sprintf("r%d@%s", i, domain), lane, Micros(next), Micros(next)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func inTx(t *testing.T, s *Store, fn func(context.Context, *sql.Tx) error) {
	t.Helper()
	if err := s.Tx(context.Background(), func(tx *sql.Tx) error { return fn(context.Background(), tx) }); err != nil {
		t.Fatal(err)
	}
}

var noon = time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)

func TestNextDue(t *testing.T) { storetest.Each(t, testNextDue) }

func testNextDue(t *testing.T, dsn string) {
	s := openTest(t, dsn, t.TempDir())
	ctx := context.Background()
	queued(t, s, "m2", "l", "x.example", 3, noon.Add(time.Second))
	queued(t, s, "m1", "l", "x.example", 2, noon)
	queued(t, s, "m3", "l", "x.example", 1, noon.Add(time.Hour))
	queued(t, s, "m4", "other", "x.example", 1, noon)
	at := noon.Add(time.Minute)
	for _, c := range []struct {
		name string
		q    DueQuery
		want string // message and number of recipients
	}{
		{"oldest first", DueQuery{Lane: "l", Now: at}, "m1 2"},
		{"skipping messages", DueQuery{Lane: "l", Now: at, SkipMessages: []string{"m1"}}, "m2 3"},
		{"all in other hands", DueQuery{Lane: "l", Now: at, SkipMessages: []string{"m1", "m2"}}, ""},
		{"single", DueQuery{Lane: "l", Now: at, Single: true}, "m1 1"},
		{"single, skipping", DueQuery{Lane: "l", Now: at, Single: true, SkipIDs: []int64{4, 5}}, "m2 1"},
		{"too early", DueQuery{Lane: "l", Now: noon.Add(-1)}, ""},
		{"another lane", DueQuery{Lane: "other", Now: at}, "m4 1"},
		{"no such lane", DueQuery{Lane: "none", Now: at}, ""},
	} {
		d, err := s.NextDue(ctx, c.q)
		got := ""
		if err == nil {
			got = fmt.Sprintf("%s %d", d.MessageID, len(d.Recipients))
		} else if !errors.Is(err, ErrNotFound) {
			t.Fatal(err)
		}
		if got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
		inTx(t, s, func(ctx context.Context, tx *sql.Tx) error {
			any, err := s.AnyDue(ctx, tx, c.q)
			if any != (c.want != "") {
				t.Errorf("%s: AnyDue says %v", c.name, any)
			}
			return err
		})
	}
}

func TestLanesHop(t *testing.T) { storetest.Each(t, testLanesHop) }

func testLanesHop(t *testing.T, dsn string) {
	s := openTest(t, dsn, t.TempDir())
	if all, err := s.Lanes(context.Background(), noon, 4); err != nil || len(all) != 0 {
		t.Errorf("empty queue: %v %v", all, err)
	}
	queued(t, s, "m1", "a", "x.example", 9, noon)
	queued(t, s, "m2", "b", "x.example", 1, noon.Add(time.Hour))
	queued(t, s, "m3", "a", "x.example", 1, noon.Add(time.Minute))
	queued(t, s, "m4", "c", "x.example", 1, Parked)
	got, err := s.Lanes(context.Background(), noon, 4)
	want := []Lane{{"a", 4, noon.Add(time.Minute)}, {"b", 0, noon.Add(time.Hour)}, {"c", 0, time.Time{}}}
	if d := cmp.Diff(want, got); d != "" || err != nil {
		t.Error(d, err)
	}
}

// The step to in_data is all or nothing, and only one can make it.
func TestMarkInData(t *testing.T) { storetest.Each(t, testMarkInData) }

func testMarkInData(t *testing.T, dsn string) {
	s := openTest(t, dsn, t.TempDir())
	queued(t, s, "m1", "l", "x.example", 3, noon)
	count := func(status string) (n int) {
		if err := s.Writer().QueryRow(`SELECT count(*) FROM deliveries WHERE status = $1`, status).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	mark := func(want bool, ids ...int64) {
		t.Helper()
		taken := errors.New("taken")
		err := s.Tx(context.Background(), func(tx *sql.Tx) error {
			ok, err := s.MarkInData(context.Background(), tx, ids, noon)
			if err == nil && !ok {
				return taken
			}
			return err
		})
		if (err == nil) != want || (err != nil && !errors.Is(err, taken)) {
			t.Errorf("mark %v: %v, want %v", ids, err, want)
		}
	}
	mark(true, 1)
	mark(false, 1)
	mark(false, 1, 2)
	if count("in_data") != 1 || count("queued") != 2 {
		t.Errorf("%d in data, %d queued: half a step was made", count("in_data"), count("queued"))
	}
	if _, err := s.Writer().Exec(`UPDATE messages SET held = 1`); err != nil {
		t.Fatal(err)
	}
	mark(false, 2)
	if n, err := s.RecoverInData(context.Background(), noon.Add(time.Second)); n != 1 || err != nil || count("queued") != 3 {
		t.Errorf("recovered %d %v", n, err)
	}
	if _, err := s.Writer().Exec(`UPDATE messages SET held = 0`); err != nil {
		t.Fatal(err)
	}
	mark(false, 1, 2) // the first is not due: somebody put it off since it was claimed
	mark(true, 2)
}

func TestWriteOutcomeAndEvents(t *testing.T) { storetest.Each(t, testWriteOutcomeAndEvents) }

func testWriteOutcomeAndEvents(t *testing.T, dsn string) {
	s := openTest(t, dsn, t.TempDir())
	queued(t, s, "m1", "l", "x.example", 2, noon)
	later := func(code int) Outcome {
		return Outcome{IDs: []int64{1}, Status: "queued", Code: code, Reply: "later", NextAt: noon.Add(time.Minute), At: noon}
	}
	for _, o := range []Outcome{later(450), later(450), later(451), {IDs: []int64{1, 2}, Status: "delivered", Code: 250, Enhanced: "2.0.0", Reply: "ok", At: noon},
		later(450), {IDs: []int64{2}, Status: "failed", Code: 550, At: noon}, {}} {
		inTx(t, s, func(ctx context.Context, tx *sql.Tx) error {
			_, err := s.WriteOutcome(ctx, tx, o)
			return err
		})
	}
	all, err := s.Events(context.Background(), "acc", 0, 10)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range all {
		got = append(got, fmt.Sprint(e.ID, " ", e.EnvID, " ", e.Recipient, " ", e.Status, " ", e.Code, " ", e.At.Equal(noon)))
	}
	want := []string{"1 env-m1 r0@x.example deferred 450 true", "2 env-m1 r0@x.example deferred 451 true",
		"3 env-m1 r0@x.example delivered 250 true", "4 env-m1 r1@x.example delivered 250 true"}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if page, err := s.Events(context.Background(), "acc", 2, 1); err != nil || len(page) != 1 || page[0].ID != 3 {
		t.Errorf("page %+v %v", page, err)
	}
	if none, err := s.Events(context.Background(), "other", 0, 10); err != nil || len(none) != 0 {
		t.Errorf("another account sees %+v", none)
	}
	if none, err := s.Failures(context.Background(), "acc", 0, 10); err != nil || len(none) != 0 {
		t.Errorf("failures %+v %v", none, err)
	}
}

func TestDeferLane(t *testing.T) { storetest.Each(t, testDeferLane) }

func testDeferLane(t *testing.T, dsn string) {
	s := openTest(t, dsn, t.TempDir())
	queued(t, s, "old", "l", "x.example", 1, noon.Add(-48*time.Hour))
	queued(t, s, "new", "l", "x.example", 2, noon)
	queued(t, s, "hand", "l", "x.example", 1, noon)
	queued(t, s, "held", "l", "x.example", 1, noon)
	queued(t, s, "far", "l", "x.example", 1, noon.Add(time.Hour))
	queued(t, s, "else", "k", "x.example", 1, noon)
	if _, err := s.Writer().Exec(`UPDATE messages SET held = 1 WHERE id = 'held'`); err != nil {
		t.Fatal(err)
	}
	l := LaneDeferral{DueQuery: DueQuery{Lane: "l", Now: noon, SkipMessages: []string{"hand"}}, Code: 451, Enhanced: "4.4.1", Reply: "dead", Remote: "h",
		At: noon, Steps: []time.Duration{10 * time.Second, time.Minute}, MaxAge: 24 * time.Hour}
	inTx(t, s, func(ctx context.Context, tx *sql.Tx) error { return s.DeferLane(ctx, tx, l) })
	l.At, l.Now = noon.Add(15*time.Second), noon.Add(15*time.Second)
	inTx(t, s, func(ctx context.Context, tx *sql.Tx) error { return s.DeferLane(ctx, tx, l) })
	rows, err := s.Writer().Query(`SELECT message_id, status, attempts, code, remote, next_at FROM deliveries ORDER BY id`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	got := make(map[string]string)
	for rows.Next() {
		var id, status, remote string
		var attempts, code int
		var next int64
		if err := rows.Scan(&id, &status, &attempts, &code, &remote, &next); err != nil {
			t.Fatal(err)
		}
		got[id] = fmt.Sprint(status, " ", attempts, " ", code, " ", remote)
		if wait := Time(next).Sub(l.At); id == "new" && (wait < time.Minute || wait > 66*time.Second) {
			t.Errorf("second attempt after %v", wait)
		}
	}
	want := map[string]string{"old": "failed 1 451 h", "new": "queued 2 451 h", "hand": "queued 0 0 ", "held": "queued 0 0 ", "far": "queued 0 0 ", "else": "queued 0 0 "}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	all, err := s.Events(context.Background(), "acc", 0, 10)
	var said []string
	for _, e := range all {
		said = append(said, e.EnvID+" "+e.Status)
	}
	if d := cmp.Diff([]string{"env-old failed", "env-new deferred", "env-new deferred"}, said); d != "" || err != nil {
		t.Error(d, err)
	}
}

// What runs for every message finds its rows by index, also in a long queue.
func TestQueriesUseIndexes(t *testing.T) {
	s := openTest(t, "", t.TempDir())
	queued(t, s, "m1", "l", "x.example", 50, noon)
	cond, args := DueQuery{Lane: "l", Now: noon, SkipMessages: []string{"a"}}.where()
	for _, c := range []struct {
		name, query string
		args        []any
		want        string
	}{
		{"next due", `SELECT d.id, m.id FROM deliveries d JOIN messages m ON m.id = d.message_id WHERE ` + cond + ` ORDER BY d.next_at LIMIT 1`, args, "deliveries_due"},
		{"recipients", `SELECT id FROM deliveries WHERE message_id = $1 ORDER BY id`, []any{"m1"}, "deliveries_message"},
		{"in data", `UPDATE deliveries SET attempts = 1 WHERE ` + inData, nil, "deliveries_open"},
	} {
		rows, err := s.Writer().Query(`EXPLAIN QUERY PLAN `+c.query, c.args...)
		if err != nil {
			t.Fatal(err)
		}
		var plan []string
		for rows.Next() {
			var a, b, n int
			var step string
			if err := rows.Scan(&a, &b, &n, &step); err != nil {
				t.Fatal(err)
			}
			plan = append(plan, step)
		}
		rows.Close()
		all := strings.Join(plan, "; ")
		if !strings.Contains(all, c.want) || slices.ContainsFunc(plan, func(p string) bool { return strings.HasPrefix(p, "SCAN") || strings.Contains(p, "TEMP B-TREE") }) {
			t.Errorf("%s: plan %q, want index %s", c.name, all, c.want)
		}
	}
}
