package spool

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"servicesmtp.net/companion/app/mail"
)

var (
	greylisted = mail.Reply{Code: mail.Code{Basic: 451, Enhanced: [3]int{4, 7, 1}}, Text: "greylisted", Command: "RCPT"}
	noSuchUser = mail.Reply{Code: mail.Code{Basic: 550, Enhanced: [3]int{5, 1, 1}}, Text: "no such user", Command: "RCPT"}
	conflict   = mail.Reply{Code: mail.Code{Basic: 554, Enhanced: [3]int{5, 5, 4}}, Text: "SSMTP-CONFLICT other content", Command: "DATA"}
)

// dump is everything stored of a job, as text.
func dump(t *testing.T, s *Spool, id mail.JobID) (out []string) {
	t.Helper()
	for _, query := range []string{
		`SELECT * FROM jobs WHERE id = ?`,
		`SELECT * FROM batches WHERE job = (SELECT seq FROM jobs WHERE id = ?)`,
		`SELECT * FROM outcomes WHERE batch IN (SELECT id FROM batches WHERE job = (SELECT seq FROM jobs WHERE id = ?))`,
		`SELECT * FROM attempts WHERE batch IN (SELECT id FROM batches WHERE job = (SELECT seq FROM jobs WHERE id = ?))`,
	} {
		rows, err := s.pool.Query(query, id)
		must(t, err)
		columns, err := rows.Columns()
		must(t, err)
		for rows.Next() {
			values := make([]any, len(columns))
			into := make([]any, len(columns))
			for i := range values {
				into[i] = &values[i]
			}
			must(t, rows.Scan(into...))
			out = append(out, fmt.Sprint(values))
		}
		must(t, errors.Join(rows.Err(), rows.Close()))
	}
	totals, err := s.Totals(t.Context(), start)
	must(t, err)
	return append(out, fmt.Sprint(totals))
}

func TestUnknownJobsAndAttempts(t *testing.T) {
	s := newSpool(t)
	accept(t, s, jobID(1), envelope("office", recipients(2)), []byte("x"))
	ctx := t.Context()
	_, beginErr := s.Begin(ctx, jobID(1), 2, "main", start)
	_, cancelErr := s.Cancel(ctx, jobID(2), start)
	_, _, bodyErr := s.Body(ctx, jobID(2))
	_, jobErr := s.Job(ctx, jobID(2))
	_, _, listErr := s.Recipients(ctx, jobID(2), "", 10)
	_, _, cursorErr := s.Recipients(ctx, jobID(1), "1.2.3", 10)
	for name, err := range map[string]error{
		"begin": beginErr, "cancel": cancelErr, "body": bodyErr, "job": jobErr, "recipients": listErr, "cursor": cursorErr,
		"return": s.Return(ctx, Ended{Attempt: 77, At: start}, time.Time{}),
		"replay": s.Replay(ctx, jobID(2), 1, start),
		"retry":  s.Retry(ctx, jobID(2)),
	} {
		if !errors.Is(err, ErrNotFound) {
			t.Errorf("%s: got %v, want ErrNotFound", name, err)
		}
	}
}

func TestAnOldAttemptChangesNothing(t *testing.T) {
	s := newSpool(t)
	accept(t, s, jobID(1), envelope("office", recipients(1)), []byte("x"))
	old := begin(t, s, jobID(1), 1, start)
	must(t, s.Return(t.Context(), Ended{Attempt: old, At: start}, time.Time{}))
	latest := begin(t, s, jobID(1), 1, start)
	wantErr(t, s.Return(t.Context(), Ended{Attempt: old, At: start}, time.Time{}), ErrState)
	wantErr(t, s.Unknown(t.Context(), Ended{Attempt: old, At: start}), ErrState)
	wantErr(t, s.Finish(t.Context(), FinishRequest{Attempt: old, At: start, Outcomes: answers(recipients(1), mail.StatusAccepted, mail.Reply{})}), ErrState)
	must(t, s.Unknown(t.Context(), Ended{Attempt: latest, At: start}))
}

func TestReadyIsOldestJobFirst(t *testing.T) {
	s := newSpool(t)
	for n := 1; n <= 3; n++ {
		accept(t, s, jobID(n), envelope("office", recipients(100)), []byte("x"))
	}
	accept(t, s, jobID(4), envelope("home", recipients(1)), []byte("x"))
	personal := envelope("office", recipients(1))
	personal.Lane = mail.Personal
	accept(t, s, jobID(5), personal, []byte("x"))
	// Job 1, batch 1 comes back later, and is then first again.
	attempt := begin(t, s, jobID(1), 1, start)
	must(t, s.Return(t.Context(), Ended{Attempt: attempt, At: start}, start.Add(time.Minute)))

	order := func(now time.Time, limit int) (out []string, next time.Time) {
		list, next, err := s.Ready(t.Context(), "office", mail.Bulk, now, limit)
		must(t, err)
		for _, b := range list {
			out = append(out, fmt.Sprintf("%s.%d", b.Job[25:], b.Number))
		}
		return out, next
	}
	got, next := order(start, 10)
	if d := cmp.Diff([]string{"1.2", "2.1", "2.2", "3.1", "3.2"}, got); d != "" || !next.Equal(start.Add(time.Minute)) {
		t.Errorf("before: next %v\n%s", next, d)
	}
	got, next = order(start.Add(time.Minute), 3)
	if d := cmp.Diff([]string{"1.1", "1.2", "2.1"}, got); d != "" || !next.IsZero() {
		t.Errorf("after: next %v\n%s", next, d)
	}
	totals, err := s.Totals(t.Context(), start.Add(time.Hour))
	must(t, err)
	var lanes []string
	for _, l := range totals.Lanes {
		lanes = append(lanes, fmt.Sprintf("%s %s %d/%d %v", l.Account, l.Lane, l.Messages, l.Recipients, l.Next.Equal(start.Add(time.Hour))))
	}
	if d := cmp.Diff([]string{"home bulk 1/1 true", "office personal 1/1 true", "office bulk 3/300 true"}, lanes); d != "" {
		t.Errorf("totals:\n%s", d)
	}
}

func TestAttempts(t *testing.T) {
	s := newSpool(t)
	accept(t, s, jobID(1), envelope("office", recipients(250)), []byte("x"))
	ctx, at := t.Context(), func(seconds int) time.Time { return start.Add(time.Duration(seconds) * time.Second) }
	open, returned, lost, done := begin(t, s, jobID(1), 1, at(1)), begin(t, s, jobID(1), 2, at(2)), begin(t, s, jobID(1), 3, at(3)), begin(t, s, jobID(1), 4, at(4))
	must(t, s.Return(ctx, Ended{Attempt: returned, LeftAt: at(5), At: at(6)}, time.Time{})) // cut off inside DATA: it counts for the pace
	must(t, s.Unknown(ctx, Ended{Attempt: lost, LeftAt: at(7), At: at(8)}))
	answered := begin(t, s, jobID(1), 5, at(5))
	must(t, s.Unknown(ctx, Ended{Attempt: answered, LeftAt: at(11), At: at(12)}))
	must(t, s.Finish(ctx, FinishRequest{Job: jobID(1), Number: 5, At: at(13), Outcomes: answers(recipients(250)[200:], mail.StatusAccepted, mail.Reply{})}))
	list := recipients(250)[150:200]
	must(t, s.Finish(ctx, FinishRequest{Attempt: done, LeftAt: at(9), At: at(10), Outcomes: answers(list, mail.StatusAccepted, mail.Reply{})}))
	attempt := func(id int64, number, started, left, ended int, result AttemptResult) Attempt {
		a := Attempt{ID: id, Job: jobID(1), Number: number, Account: "office", Lane: mail.Bulk, Recipients: 50, Started: at(started), Result: result}
		if left > 0 {
			a.Left = at(left)
		}
		if ended > 0 {
			a.Ended = at(ended)
		}
		return a
	}
	all := []Attempt{
		attempt(open, 1, 1, 0, 0, AttemptOpen), attempt(returned, 2, 2, 5, 6, AttemptReturned),
		attempt(lost, 3, 3, 7, 8, AttemptLost), attempt(done, 4, 4, 9, 10, AttemptDone),
		attempt(answered, 5, 5, 11, 13, AttemptDone), // a check says nothing of when it left: that stays known
	}
	got, err := s.Attempts(ctx, "office", at(0))
	must(t, err)
	if d := cmp.Diff(all, got); d != "" {
		t.Errorf("all:\n%s", d)
	}
	// What is open counts whenever it began; the others by start or by DATA.
	got, err = s.Attempts(ctx, "office", at(7))
	must(t, err)
	if d := cmp.Diff([]Attempt{all[0], all[2], all[3], all[4]}, got); d != "" {
		t.Errorf("since 7:\n%s", d)
	}
	if got, err := s.Attempts(ctx, "home", at(0)); err != nil || len(got) != 0 {
		t.Errorf("another account: %v %v", got, err)
	}
}
