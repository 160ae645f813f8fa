package spool

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"servicesmtp.net/companion/app/mail"
)

func TestJobsArePaged(t *testing.T) {
	s := newSpool(t)
	for n := 1; n <= 7; n++ {
		accept(t, s, jobID(n), envelope([]string{"home", "office"}[n%2], recipients(1)), []byte("x"))
	}
	_, err := s.Cancel(t.Context(), jobID(5), start)
	must(t, err)
	for _, c := range []struct {
		name  string
		query JobQuery
		want  string
	}{
		{"all", JobQuery{Limit: 3}, "765 432 1"},
		{"exactly full pages", JobQuery{Limit: 7}, "7654321"},
		{"open only", JobQuery{Open: true, Limit: 4}, "7643 21"},
		{"one account", JobQuery{Account: "office", Limit: 3}, "753 1"},
		{"oldest first", JobQuery{Oldest: true, Open: true, Limit: 4}, "1234 67"},
		{"nobody", JobQuery{Account: "nobody"}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			var pages []string
			for q := c.query; ; {
				jobs, next, err := s.Jobs(t.Context(), q)
				must(t, err)
				var page strings.Builder
				for _, j := range jobs {
					page.WriteString(string(j.ID[25:]))
				}
				pages = append(pages, page.String())
				if q.Cursor = next; next == "" {
					break
				}
			}
			if got := strings.Join(pages, " "); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
	for _, bad := range []string{"x", "-1", "1.2"} {
		if _, _, err := s.Jobs(t.Context(), JobQuery{Cursor: bad}); err == nil {
			t.Errorf("cursor %q: accepted", bad)
		}
	}
}

func TestFailedIsSearched(t *testing.T) {
	s := newSpool(t)
	list := []mail.Recipient{{Address: "full_box@example.com"}, {Address: "fullxbox@example.com"}, {Address: "gone@example.org"}, {Address: "fine@example.org"}}
	for n, account := range []string{"office", "home"} {
		accept(t, s, jobID(n), envelope(account, list), []byte("x"))
		attempt := begin(t, s, jobID(n), 1, start)
		must(t, s.Finish(t.Context(), FinishRequest{Attempt: attempt, At: start.Add(time.Duration(n) * time.Hour), Outcomes: []mail.Outcome{
			{Address: list[0].Address, Status: mail.StatusFailed, Reply: mail.Reply{Code: mail.Code{Basic: 552, Enhanced: [3]int{5, 2, 2}}, Text: "100% full"}},
			{Address: list[1].Address, Status: mail.StatusFailed, Reply: noSuchUser},
			{Address: list[2].Address, Status: mail.StatusFailed, Reply: noSuchUser},
			{Address: list[3].Address, Status: mail.StatusAccepted},
		}}))
	}
	for _, c := range []struct {
		name, account, search string
		limit                 int
		want                  string
	}{
		{"all, newest first", "", "", 0, "1:gone 1:fullxbox 1:full_box 0:gone 0:fullxbox 0:full_box"},
		{"paged", "", "", 4, "1:gone 1:fullxbox 1:full_box 0:gone | 0:fullxbox 0:full_box"},
		{"an account", "office", "", 0, "0:gone 0:fullxbox 0:full_box"},
		{"part of an address", "", "EXAMPLE.ORG", 0, "1:gone 0:gone"},
		{"a sign that SQL knows", "home", "l_b", 0, "1:full_box"},
		{"part of a reply", "home", "100% f", 0, "1:full_box"},
		{"nothing", "", "nowhere", 0, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got []string
			for cursor := ""; ; {
				page, next, err := s.Failed(t.Context(), c.account, c.search, cursor, c.limit)
				must(t, err)
				for _, f := range page {
					local, _, _ := strings.Cut(f.Address, "@")
					got = append(got, fmt.Sprintf("%s:%s", f.Job[25:], local))
					if f.Batch != 1 || f.Reply.Code.Basic/100 != 5 || f.At.Before(start) {
						t.Errorf("failure %+v", f)
					}
				}
				if cursor = next; next == "" {
					break
				}
				got = append(got, "|")
			}
			if got := strings.Join(got, " "); got != c.want {
				t.Errorf("got  %q\nwant %q", got, c.want)
			}
		})
	}
}

func TestPrune(t *testing.T) {
	s := newSpool(t)
	const jobs = pruneStep + 30
	env := envelope("office", recipients(2))
	env.From = "" // owes nobody a report
	for n := range jobs {
		accept(t, s, jobID(n), env, []byte("x"))
		attempt := begin(t, s, jobID(n), 1, start)
		must(t, s.Finish(t.Context(), FinishRequest{Attempt: attempt, At: start.Add(time.Duration(n) * time.Second), LeftAt: start,
			Outcomes: answers(recipients(2), mail.StatusFailed, noSuchUser)}))
	}
	accept(t, s, jobID(jobs), envelope("office", recipients(2)), []byte("x"))
	n, err := s.Prune(t.Context(), start.Add((jobs-10)*time.Second))
	must(t, err)
	left, _, err := s.Jobs(t.Context(), JobQuery{})
	must(t, err)
	if n != jobs-10 || len(left) != 11 {
		t.Errorf("pruned %d, left %d", n, len(left))
	}
	attempts, err := s.Attempts(t.Context(), "office", start)
	must(t, err)
	if len(attempts) != jobs { // the pace counts them for a day
		t.Errorf("%d attempts, want %d", len(attempts), jobs)
	}
	if a := attempts[0]; a.Job != "" || a.Number != 0 || a.Recipients != 2 || !a.Left.Equal(start) {
		t.Errorf("attempt without a job: %+v", a)
	}
	n, err = s.Prune(t.Context(), start.Add(25*time.Hour))
	must(t, err)
	attempts, err = s.Attempts(t.Context(), "office", start)
	must(t, err)
	if n != 10 || len(attempts) != 0 {
		t.Errorf("pruned %d, %d attempts left", n, len(attempts))
	}
	var rows int
	must(t, s.pool.QueryRow(`SELECT (SELECT count(*) FROM outcomes) + (SELECT count(*) FROM batches) + (SELECT count(*) FROM jobs)`).Scan(&rows))
	if rows != 2 { // the job that waits, and its batch
		t.Errorf("%d rows left", rows)
	}
}

// The queries that run for every batch or every look at the state use their
// indexes, and do not sort what waits.
func TestQueryPlans(t *testing.T) {
	s := newSpool(t)
	for query, want := range map[string]string{
		`SELECT b.id FROM batches b INDEXED BY batches_ready JOIN jobs j ON j.seq = b.job WHERE b.state = 1 AND b.held = 0 AND b.account = ? AND b.lane = ?
			AND b.not_before = 0 ORDER BY b.job, b.number LIMIT 5`: "batches_ready (account=? AND lane=? AND not_before=?)",
		`SELECT not_before FROM batches INDEXED BY batches_ready WHERE state = 1 AND held = 0 AND account = ? AND lane = ? AND not_before > ?
			ORDER BY not_before LIMIT 1`: "batches_ready (account=? AND lane=? AND not_before>?)",
		`UPDATE batches SET state = 3 WHERE state IN (2, 3, 4) AND state = 2`:                                   "batches_busy",
		jobColumns + `WHERE j.done_at = 0 AND j.seq > 0 ORDER BY j.seq DESC`:                                    "batches_busy (job=?)",
		`SELECT seq FROM jobs INDEXED BY jobs_owing WHERE ` + reportDue + ` AND seq > ? ORDER BY seq LIMIT 100`: "jobs_owing",
		recordByKey: "sqlite_autoindex_batches_1 (job=? AND number=?)",
	} {
		rows, err := s.pool.Query("EXPLAIN QUERY PLAN "+query, make([]any, strings.Count(query, "?"))...)
		must(t, err)
		var plan strings.Builder
		for rows.Next() {
			var a, b, c int
			var detail string
			must(t, rows.Scan(&a, &b, &c, &detail))
			plan.WriteString(detail + "\n")
		}
		must(t, rows.Close())
		if !strings.Contains(plan.String(), want) || strings.Contains(plan.String(), "TEMP B-TREE") {
			t.Errorf("%s\nplan:\n%s", query, plan.String())
		}
	}
}
