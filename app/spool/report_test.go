package spool

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"servicesmtp.net/companion/app/mail"
)

// putReport stores a report as the engine does.
func putReport(ctx context.Context, s *Spool, id mail.JobID, d DueReport, now time.Time, body []byte) error {
	in, err := s.Create(ctx, id, 0)
	if err != nil {
		return err
	}
	defer in.Discard()
	if _, err := in.Write(body); err != nil {
		return err
	}
	env := mail.Envelope{Account: d.Account, Lane: mail.Personal, Recipients: []mail.Recipient{{Address: d.From}}, AcceptedAt: now}
	return in.CommitReport(ctx, env, d)
}

// checkDebts is checkRows, and holds what is owed against its invariants. Damage
// may break them until the next Open.
func checkDebts(t tb, s *Spool) {
	t.Helper()
	checkRows(t, s)
	for _, c := range []struct{ what, query string }{
		{"debts are miscounted", `SELECT count(*) FROM jobs j WHERE owing <>
			(SELECT count(*) FROM batches b JOIN outcomes o ON o.batch = b.id WHERE b.job = j.seq AND o.owed = 1 AND o.id > j.reported)`},
		{"something is owed that did not fail, or to nobody", `SELECT count(*) FROM outcomes o JOIN batches b ON b.id = o.batch JOIN jobs j ON j.seq = b.job
			WHERE o.owed = 1 AND (o.status <> 4 OR j.sender = '')`},
		{"a report owes one itself", `SELECT count(*) FROM jobs r WHERE report_of <> '' AND (sender <> '' OR owing <> 0 OR recipients <> 1)`},
		{"a job that owes a report has no body", `SELECT count(*) FROM jobs j WHERE owing > 0 AND (body = 3 OR (body = 1) <> EXISTS (SELECT 1 FROM bodies b WHERE b.job = j.seq))`},
	} {
		var n int
		must(t, s.row(t.Context(), c.query, nil, &n))
		if n != 0 {
			t.Fatalf("%s: %d rows", c.what, n)
		}
	}
}

// onlyDue is the one report that is due.
func onlyDue(t testing.TB, s *Spool) DueReport {
	t.Helper()
	list, next, err := s.DueReports(t.Context(), "", 10)
	must(t, err)
	if len(list) != 1 || next != "" {
		t.Fatalf("due %+v, then %q, want one", list, next)
	}
	return list[0]
}

func wantNoneDue(t testing.TB, s *Spool) {
	t.Helper()
	if list, _, err := s.DueReports(t.Context(), "", 10); err != nil || len(list) != 0 {
		t.Fatalf("due %+v, %v, want none", list, err)
	}
}

// fail accepts a message and lets the relay refuse all its recipients.
func fail(t testing.TB, s *Spool, id mail.JobID, env mail.Envelope, body []byte) {
	t.Helper()
	accept(t, s, id, env, body)
	finish(t, s, id, 1, answers(env.Recipients, mail.StatusFailed, noSuchUser))
}

func finish(t testing.TB, s *Spool, id mail.JobID, number int, outcomes []mail.Outcome) {
	t.Helper()
	attempt := begin(t, s, id, number, start)
	must(t, s.Finish(t.Context(), FinishRequest{Attempt: attempt, At: start, Outcomes: outcomes}))
}

func TestWhatTheSenderIsToldAndWhen(t *testing.T) {
	const a, f, d = mail.StatusAccepted, mail.StatusFailed, mail.StatusDeferred
	for _, c := range []struct {
		name    string
		lane    mail.Lane
		from    string
		notify  []string
		answers []mail.Status // to each recipient, in the one batch
		want    int           // failures of the report that is due; 0: none is
	}{
		{"all accepted", mail.Personal, "alice@example.com", nil, []mail.Status{a, a}, 0},
		{"one refused", mail.Personal, "alice@example.com", nil, []mail.Status{a, f}, 1},
		{"one put off, one refused", mail.Personal, "alice@example.com", nil, []mail.Status{d, f}, 1},
		{"newsletter with some put off", mail.Bulk, "alice@example.com", nil, []mail.Status{d, f}, 0},
		{"newsletter that is done", mail.Bulk, "alice@example.com", nil, []mail.Status{a, f, f}, 2},
		{"from the null sender", mail.Personal, "", nil, []mail.Status{f}, 0},
		{"NOTIFY=NEVER", mail.Personal, "alice@example.com", []string{"NEVER"}, []mail.Status{f}, 0},
		{"NOTIFY=SUCCESS", mail.Personal, "alice@example.com", []string{"SUCCESS"}, []mail.Status{f}, 0},
		{"NOTIFY=SUCCESS,failure", mail.Personal, "alice@example.com", []string{"SUCCESS", "failure"}, []mail.Status{f}, 1},
		{"taken back", mail.Personal, "alice@example.com", nil, []mail.Status{mail.StatusCancelled}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := openAt(t, options(memoryDir(t)))
			env := envelope("office", recipients(len(c.answers)))
			env.Lane, env.From = c.lane, c.from
			for i := range env.Recipients {
				env.Recipients[i].Notify = c.notify
			}
			accept(t, s, jobID(1), env, []byte("x"))
			var outcomes []mail.Outcome
			for i, status := range c.answers {
				outcomes = append(outcomes, mail.Outcome{Address: env.Recipients[i].Address, Status: status, Reply: noSuchUser})
			}
			finish(t, s, jobID(1), 1, outcomes)
			checkDebts(t, s)
			if c.want == 0 {
				wantNoneDue(t, s)
				return
			}
			if got := onlyDue(t, s); got.Failures != c.want || got.ID != jobID(1) || got.From != c.from {
				t.Errorf("due %+v, want %d failures", got, c.want)
			}
			<-s.ReportsDue() // somebody was woken
		})
	}
}

// A recipient who was put off is told of when he fails, and nobody twice.
func TestEachFailureIsToldOnce(t *testing.T) {
	s := newSpool(t)
	env := envelope("office", recipients(2))
	env.Lane = mail.Personal
	accept(t, s, jobID(1), env, []byte("x"))
	finish(t, s, jobID(1), 1, []mail.Outcome{{Address: "person0@example.com", Status: mail.StatusFailed}, {Address: "person1@example.com", Status: mail.StatusDeferred}})
	told := func(d DueReport) (out []string) {
		for f, err := range s.ReportedFailures(t.Context(), d) {
			must(t, err)
			out = append(out, f.Recipient.Address)
		}
		return out
	}
	first := onlyDue(t, s)
	if got := told(first); !slices.Equal(got, []string{"person0@example.com"}) {
		t.Errorf("first report tells of %v", got)
	}
	must(t, putReport(t.Context(), s, jobID(2), first, start, []byte("report")))
	wantNoneDue(t, s)
	finish(t, s, jobID(1), 2, answers(env.Recipients[1:], mail.StatusFailed, noSuchUser))
	if got := told(first); !slices.Equal(got, []string{"person0@example.com"}) {
		t.Errorf("read again, the first report tells of %v", got)
	}
	second := onlyDue(t, s)
	if got := told(second); !slices.Equal(got, []string{"person1@example.com"}) {
		t.Errorf("second report tells of %v", got)
	}
	must(t, putReport(t.Context(), s, jobID(3), second, start.Add(time.Hour), []byte("report")))
	wantNoneDue(t, s)
	checkDebts(t, s)
	j, r := getJob(t, s, jobID(1)), getJob(t, s, jobID(3))
	if j.Report != r.ID || !j.ReportedAt.Equal(start.Add(time.Hour)) || r.ReportOf != j.ID || r.ReportTo != env.From || r.From != "" {
		t.Errorf("job %+v\nreport %+v", j, r)
	}
}

// Two that want to tell the same: one does, and the other leaves nothing.
func TestAReportIsStoredOnce(t *testing.T) {
	s := newSpool(t)
	fail(t, s, jobID(1), envelope("office", recipients(3)), make([]byte, inlineMax+1))
	d := onlyDue(t, s)
	errs := make([]error, 8)
	var group sync.WaitGroup
	for i := range errs {
		group.Go(func() { errs[i] = putReport(t.Context(), s, jobID(10+i), d, start, make([]byte, inlineMax+1+i)) })
	}
	group.Wait()
	stored := 0
	for _, err := range errs {
		if err == nil {
			stored++
		} else if !errors.Is(err, ErrState) {
			t.Errorf("got %v, want ErrState", err)
		}
	}
	jobs, _, err := s.Jobs(t.Context(), JobQuery{})
	must(t, err)
	if left := names(t, filepath.Join(s.dir, bodiesName)); stored != 1 || len(jobs) != 2 || len(left) != 1 {
		t.Errorf("%d stored, %d jobs, files %v", stored, len(jobs), left)
	}
	checkDebts(t, s)
}

func TestAReportWithASenderIsRefused(t *testing.T) {
	s := newSpool(t)
	fail(t, s, jobID(1), envelope("office", recipients(1)), []byte("x"))
	in, err := s.Create(t.Context(), jobID(2), 0)
	must(t, err)
	defer in.Discard()
	wantErr(t, in.CommitReport(t.Context(), envelope("office", recipients(1)), onlyDue(t, s)), ErrState)
}

// The message is there for its report, whatever happens, and gone after it.
func TestBodyWaitsForItsReport(t *testing.T) {
	for name, size := range map[string]int{"inline": 100, "file": inlineMax + 1} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			s := openAt(t, options(dir))
			fail(t, s, jobID(1), envelope("office", recipients(1)), make([]byte, size))
			for account, want := range map[string]bool{"office": true, "home": false} {
				if owes, err := s.Owes(t.Context(), account); owes != want || err != nil {
					t.Errorf("%s owes %v, %v", account, owes, err)
				}
			}
			totals, err := s.Totals(t.Context(), start)
			must(t, err)
			if totals.Bytes != 0 || len(totals.Lanes) != 0 {
				t.Errorf("what is done counts: %+v", totals)
			}
			if n, err := s.Prune(t.Context(), start.AddDate(1, 0, 0)); n != 0 || err != nil {
				t.Errorf("pruned %d, %v", n, err)
			}
			must(t, s.Close())
			s = openAt(t, options(dir))
			if got := readBody(t, s, jobID(1)); len(got) != size {
				t.Errorf("%d bytes after the restart", len(got))
			}
			must(t, putReport(t.Context(), s, jobID(2), onlyDue(t, s), start, []byte("report")))
			_, _, err = s.Body(t.Context(), jobID(1))
			wantErr(t, err, ErrNotFound)
			if left := names(t, filepath.Join(dir, bodiesName)); len(left) != 0 {
				t.Errorf("left: %v", left)
			}
			checkDebts(t, s)
			if owes, err := s.Owes(t.Context(), "office"); owes || err != nil {
				t.Errorf("still owes %v, %v", owes, err)
			}
			if n, err := s.Prune(t.Context(), start.AddDate(1, 0, 0)); n != 1 || err != nil {
				t.Errorf("pruned %d, %v", n, err)
			}
		})
	}
}

// Without its body the report goes all the same, and nobody is alarmed.
func TestReportWithoutTheBody(t *testing.T) {
	o := options(t.TempDir())
	s := openAt(t, o)
	fail(t, s, jobID(1), envelope("office", recipients(1)), make([]byte, inlineMax+1))
	must(t, s.Close())
	must(t, os.Remove(filepath.Join(o.Dir, bodiesName, string(jobID(1)))))
	var heard problems
	o.OnProblem = heard.add
	s = openAt(t, o)
	_, _, err := s.Body(t.Context(), jobID(1))
	wantErr(t, err, ErrNotFound)
	must(t, putReport(t.Context(), s, jobID(2), onlyDue(t, s), start, []byte("report")))
	if len(heard.all()) != 0 {
		t.Errorf("heard %v", heard.all())
	}
}

// In doubt nothing holds up what is known.
func TestADoubtHoldsUpNoReport(t *testing.T) {
	s := newSpool(t)
	accept(t, s, jobID(1), envelope("office", recipients(60)), []byte("x"))
	finish(t, s, jobID(1), 1, answers(recipients(60)[:50], mail.StatusFailed, noSuchUser))
	wantNoneDue(t, s)
	attempt := begin(t, s, jobID(1), 2, start)
	must(t, s.Unknown(t.Context(), Ended{Attempt: attempt, At: start}))
	wantNoneDue(t, s) // the relay is asked
	must(t, s.MarkUncertain(t.Context(), jobID(1), 2, mail.Reply{}, start))
	must(t, putReport(t.Context(), s, jobID(2), onlyDue(t, s), start, []byte("report")))
	must(t, s.Resolve(t.Context(), jobID(1), 2, true, start))
	finish(t, s, jobID(1), 2, answers(recipients(60)[50:], mail.StatusFailed, noSuchUser))
	if got := onlyDue(t, s); got.Failures != 10 {
		t.Errorf("due %+v", got)
	}
}

func TestDueReportsInPages(t *testing.T) {
	s := openAt(t, options(memoryDir(t)))
	for n := range 5 {
		fail(t, s, jobID(n), envelope("office", recipients(n+1)), []byte("x"))
	}
	var got []int
	for cursor := ""; ; {
		list, next, err := s.DueReports(t.Context(), cursor, 2)
		must(t, err)
		for _, d := range list {
			got = append(got, d.Failures)
		}
		if cursor = next; next == "" {
			break
		}
	}
	if !slices.Equal(got, []int{1, 2, 3, 4, 5}) {
		t.Errorf("due %v", got)
	}
}
