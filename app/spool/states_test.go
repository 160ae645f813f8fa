package spool

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"servicesmtp.net/companion/app/mail"
	"servicesmtp.net/companion/internal/wire"
)

var (
	greylisted = mail.Reply{Code: mail.Code{Basic: 451, Enhanced: [3]int{4, 7, 1}}, Text: "greylisted", Command: "RCPT"}
	noSuchUser = mail.Reply{Code: mail.Code{Basic: 550, Enhanced: [3]int{5, 1, 1}}, Text: "no such user", Command: "RCPT"}
	conflict   = mail.Reply{Code: mail.Code{Basic: 554, Enhanced: [3]int{5, 5, 4}}, Text: "SSMTP-CONFLICT other content", Command: "DATA"}
)

// Every change from every state: it does what docs/protocol.md says, or
// returns ErrState and changes nothing.
func TestStateTable(t *testing.T) {
	type situation struct {
		name string
		make func(t *testing.T, s *Spool, id mail.JobID) int64 // leads batch 1 there, returns the attempt
	}
	unknownAfter := func(t *testing.T, s *Spool, id mail.JobID) int64 {
		a := begin(t, s, id, 1, start)
		must(t, s.Unknown(t.Context(), Ended{Attempt: a, LeftAt: start, At: start}))
		return a
	}
	situations := []situation{
		{"ready", func(*testing.T, *Spool, mail.JobID) int64 { return 0 }},
		{"sending", func(t *testing.T, s *Spool, id mail.JobID) int64 { return begin(t, s, id, 1, start) }},
		{"returned", func(t *testing.T, s *Spool, id mail.JobID) int64 {
			a := begin(t, s, id, 1, start)
			must(t, s.Return(t.Context(), Ended{Attempt: a, At: start}, time.Time{}))
			return a
		}},
		{"unknown", unknownAfter},
		{"replayed", func(t *testing.T, s *Spool, id mail.JobID) int64 {
			a := unknownAfter(t, s, id)
			must(t, s.Replay(t.Context(), id, 1, start))
			return a
		}},
		{"uncertain", func(t *testing.T, s *Spool, id mail.JobID) int64 {
			a := unknownAfter(t, s, id)
			must(t, s.MarkUncertain(t.Context(), id, 1, mail.Reply{}, start))
			return a
		}},
		{"done", func(t *testing.T, s *Spool, id mail.JobID) int64 {
			a := begin(t, s, id, 1, start)
			must(t, s.Finish(t.Context(), FinishRequest{Attempt: a, At: start, Outcomes: answers(recipients(2), mail.StatusAccepted, mail.Reply{})}))
			return a
		}},
		{"cancelled before", func(t *testing.T, s *Spool, id mail.JobID) int64 {
			_, err := s.Cancel(t.Context(), id, start)
			must(t, err)
			return 0
		}},
		{"cancelling", func(t *testing.T, s *Spool, id mail.JobID) int64 {
			a := unknownAfter(t, s, id)
			_, err := s.Cancel(t.Context(), id, start)
			must(t, err)
			return a
		}},
	}
	changes := []struct {
		name    string
		allowed []string
		do      func(s *Spool, id mail.JobID, attempt int64) error
	}{
		{"Begin", []string{"ready", "returned", "replayed"}, func(s *Spool, id mail.JobID, _ int64) error {
			_, err := s.Begin(t.Context(), id, 1, "main", start)
			return err
		}},
		{"Return", []string{"sending"}, func(s *Spool, _ mail.JobID, a int64) error {
			return s.Return(t.Context(), Ended{Attempt: a, At: start}, time.Time{})
		}},
		{"Unknown", []string{"sending"}, func(s *Spool, _ mail.JobID, a int64) error {
			return s.Unknown(t.Context(), Ended{Attempt: a, At: start})
		}},
		{"Finish by attempt", []string{"sending", "unknown", "cancelling"}, func(s *Spool, _ mail.JobID, a int64) error {
			return s.Finish(t.Context(), FinishRequest{Attempt: a, At: start, Outcomes: answers(recipients(2), mail.StatusFailed, noSuchUser)})
		}},
		{"Finish by key", []string{"returned", "unknown", "replayed", "cancelling"}, func(s *Spool, id mail.JobID, _ int64) error {
			return s.Finish(t.Context(), FinishRequest{Job: id, Number: 1, At: start, Outcomes: answers(recipients(2), mail.StatusAccepted, mail.Reply{})})
		}},
		{"Replay", []string{"unknown", "cancelling"}, func(s *Spool, id mail.JobID, _ int64) error { return s.Replay(t.Context(), id, 1, start) }},
		{"MarkUncertain", []string{"unknown", "replayed", "cancelling"}, func(s *Spool, id mail.JobID, _ int64) error {
			return s.MarkUncertain(t.Context(), id, 1, greylisted, start)
		}},
		{"Resolve again", []string{"uncertain"}, func(s *Spool, id mail.JobID, _ int64) error { return s.Resolve(t.Context(), id, 1, true, start) }},
		{"Resolve", []string{"uncertain"}, func(s *Spool, id mail.JobID, _ int64) error { return s.Resolve(t.Context(), id, 1, false, start) }},
		{"FinishClosed", []string{"sending", "returned", "unknown", "replayed", "cancelling"}, func(s *Spool, id mail.JobID, _ int64) error {
			return s.FinishClosed(t.Context(), id, 1, start)
		}},
		{"Cancel", []string{"ready", "sending", "returned", "unknown", "replayed", "uncertain", "cancelling"}, func(s *Spool, id mail.JobID, _ int64) error {
			_, err := s.Cancel(t.Context(), id, start)
			return err
		}},
		{"Retry", []string{"ready", "sending", "returned", "unknown", "replayed", "uncertain", "cancelling"}, func(s *Spool, id mail.JobID, _ int64) error {
			return s.Retry(t.Context(), id)
		}},
	}
	s := newSpool(t)
	n := 0
	for _, from := range situations {
		for _, c := range changes {
			n++
			id := jobID(n)
			t.Run(c.name+" when "+from.name, func(t *testing.T) {
				accept(t, s, id, envelope("office", recipients(2)), []byte("x"))
				attempt := from.make(t, s, id)
				if attempt == 0 && (c.name == "Return" || c.name == "Unknown" || c.name == "Finish by attempt") {
					return // there is no attempt to speak of
				}
				before := dump(t, s, id)
				err := c.do(s, id, attempt)
				allowed := false
				for _, name := range c.allowed {
					allowed = allowed || name == from.name
				}
				switch {
				case allowed && err != nil:
					t.Errorf("got %v", err)
				case !allowed && !errors.Is(err, ErrState):
					t.Errorf("got %v, want ErrState", err)
				case !allowed:
					if d := cmp.Diff(before, dump(t, s, id)); d != "" {
						t.Errorf("refused, and changed:\n%s", d)
					}
				}
			})
		}
	}
	checkRows(t, s)
}

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

func TestDeferredGoIntoANewBatch(t *testing.T) {
	s := newSpool(t)
	list := recipients(4)
	accept(t, s, jobID(1), envelope("office", list), []byte("body"))
	attempt := begin(t, s, jobID(1), 1, start)
	outcomes := []mail.Outcome{ // in another order than the recipients
		{Address: "person3@EXAMPLE.com", Status: mail.StatusDeferred, Reply: greylisted},
		{Address: list[0].Address, Status: mail.StatusAccepted},
		{Address: list[2].Address, Status: mail.StatusFailed, Reply: noSuchUser},
		{Address: list[1].Address, Status: mail.StatusDeferred, Reply: greylisted},
	}
	later := start.Add(10 * time.Minute)
	must(t, s.Finish(t.Context(), FinishRequest{Attempt: attempt, At: start.Add(time.Second), QueueID: "q1", Outcomes: outcomes, NotBefore: later}))
	checkRows(t, s)

	if got := readyNow(t, s, "office", start); len(got) != 0 {
		t.Fatalf("due too early: %+v", got)
	}
	_, next, err := s.Ready(t.Context(), "office", mail.Bulk, start, 10)
	must(t, err)
	if !next.Equal(later) {
		t.Errorf("next %v, want %v", next, later)
	}
	got := readyNow(t, s, "office", later)
	if len(got) != 1 || got[0].Number != 2 || got[0].Round != 1 || got[0].Attempts != 0 || !got[0].FirstTry.Equal(start) {
		t.Fatalf("new batch: %+v", got)
	}
	if d := cmp.Diff([]mail.Recipient{list[1], list[3]}, got[0].Recipients); d != "" {
		t.Errorf("recipients:\n%s", d)
	}
	j := getJob(t, s, jobID(1))
	if want := (Counts{Accepted: 1, Deferred: 2, Failed: 1}); j.Counts != want || j.Batches != 2 || j.BatchesDone != 1 || j.State != JobSending {
		t.Errorf("job %+v", j)
	}
	if j.LastReply != greylisted { // of the recipients, in their order
		t.Errorf("last reply %+v", j.LastReply)
	}
	at := start.Add(time.Second)
	page, next1, err := s.Recipients(t.Context(), jobID(1), "", 3)
	must(t, err)
	rest, next2, err := s.Recipients(t.Context(), jobID(1), next1, 3)
	must(t, err)
	want := []RecipientState{
		{Address: list[0].Address, Batch: 1, Status: mail.StatusAccepted, QueueID: "q1", At: at},
		{Address: list[2].Address, Batch: 1, Status: mail.StatusFailed, Reply: noSuchUser, At: at},
		{Address: list[1].Address, Batch: 2, Status: mail.StatusDeferred, Reply: greylisted, At: at},
		{Address: list[3].Address, Batch: 2, Status: mail.StatusDeferred, Reply: greylisted, At: at},
	}
	if d := cmp.Diff(want, append(page, rest...)); d != "" || len(page) != 3 || next2 != "" {
		t.Errorf("recipients (%d on the first page, then %q):\n%s", len(page), next2, d)
	}

	must(t, s.Retry(t.Context(), jobID(1)))
	if got := readyNow(t, s, "office", start); len(got) != 1 {
		t.Errorf("not due after Retry")
	}
}

func TestDeferralsEndFiveDaysAfterTheFirstTry(t *testing.T) {
	s := newSpool(t)
	list := recipients(1)
	accept(t, s, jobID(1), envelope("office", list), make([]byte, inlineMax+1))
	first := start.Add(30 * 24 * time.Hour) // the pace held it that long; that alone fails nobody
	for number, now := range []time.Time{first, first.Add(4 * 24 * time.Hour), first.Add(5*24*time.Hour + time.Second)} {
		attempt := begin(t, s, jobID(1), number+1, now)
		must(t, s.Finish(t.Context(), FinishRequest{Attempt: attempt, At: now, Outcomes: answers(list, mail.StatusDeferred, greylisted)}))
		checkRows(t, s)
	}
	j := getJob(t, s, jobID(1))
	if j.Counts != (Counts{Failed: 1}) || j.State != JobDone || j.Batches != 3 {
		t.Errorf("job %+v", j)
	}
	failed, _, err := s.Failed(t.Context(), "office", "", "", 10)
	must(t, err)
	if len(failed) != 1 || failed[0].Reply != greylisted || failed[0].Batch != 3 {
		t.Errorf("failed %+v", failed)
	}
	_, _, err = s.Body(t.Context(), jobID(1))
	wantErr(t, err, ErrNotFound)
	if left := names(t, s.dir+"/"+bodiesName); len(left) != 0 {
		t.Errorf("body left: %v", left)
	}
}

func TestFinishWantsAnOutcomeForEachRecipient(t *testing.T) {
	s := newSpool(t)
	list := []mail.Recipient{{Address: "a@x"}, {Address: "b@x"}, {Address: "a@x"}}
	accept(t, s, jobID(1), envelope("office", list), []byte("x"))
	attempt := begin(t, s, jobID(1), 1, start)
	ok := func(address string) mail.Outcome { return mail.Outcome{Address: address, Status: mail.StatusAccepted} }
	for name, outcomes := range map[string][]mail.Outcome{
		"none":              nil,
		"one missing":       {ok("a@x"), ok("b@x")},
		"a stranger":        {ok("a@x"), ok("b@x"), ok("c@x")},
		"one too often":     {ok("a@x"), ok("b@x"), ok("b@x")},
		"no proper outcome": {ok("a@x"), ok("b@x"), {Address: "a@x", Status: mail.StatusQueued}},
	} {
		before := dump(t, s, jobID(1))
		if err := s.Finish(t.Context(), FinishRequest{Attempt: attempt, At: start, Outcomes: outcomes}); !errors.Is(err, errOutcomes) {
			t.Errorf("%s: %v", name, err)
		}
		if d := cmp.Diff(before, dump(t, s, jobID(1))); d != "" {
			t.Errorf("%s: changed\n%s", name, d)
		}
	}
	must(t, s.Finish(t.Context(), FinishRequest{Attempt: attempt, At: start, Outcomes: []mail.Outcome{
		{Address: "a@x", Status: mail.StatusFailed, Reply: noSuchUser}, ok("b@x"), ok("a@x")}}))
	page, _, err := s.Recipients(t.Context(), jobID(1), "", 10)
	must(t, err)
	if page[0].Status != mail.StatusFailed || page[2].Status != mail.StatusAccepted {
		t.Errorf("an address twice: %+v", page)
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

func TestAnUnknownBatchIsBoundToItsStore(t *testing.T) {
	s := newSpool(t)
	accept(t, s, jobID(1), envelope("office", recipients(1)), []byte("x"))
	attempt := begin(t, s, jobID(1), 1, start)
	must(t, s.Return(t.Context(), Ended{Attempt: attempt, At: start}, time.Time{}))
	attempt, err := s.Begin(t.Context(), jobID(1), 1, "second", start) // its dot never left: any store
	must(t, err)
	must(t, s.Unknown(t.Context(), Ended{Attempt: attempt, At: start}))
	must(t, s.Replay(t.Context(), jobID(1), 1, start))
	_, err = s.Begin(t.Context(), jobID(1), 1, "main", start)
	wantErr(t, err, ErrOtherStore)
	wantErr(t, err, ErrState)
	attempt, err = s.Begin(t.Context(), jobID(1), 1, "second", start)
	must(t, err)
	must(t, s.Return(t.Context(), Ended{Attempt: attempt, At: start}, time.Time{}))
	_, err = s.Begin(t.Context(), jobID(1), 1, "main", start) // a later failure before the dot does not undo the earlier one
	wantErr(t, err, ErrOtherStore)
	must(t, s.MarkUncertain(t.Context(), jobID(1), 1, mail.Reply{}, start))
	must(t, s.Resolve(t.Context(), jobID(1), 1, true, start))
	_, err = s.Begin(t.Context(), jobID(1), 1, "main", start)
	must(t, err)
}

func TestAnOldKeyIsNotReplayed(t *testing.T) {
	s := newSpool(t)
	accept(t, s, jobID(1), envelope("office", recipients(1)), []byte("x"))
	attempt := begin(t, s, jobID(1), 1, start)
	must(t, s.Unknown(t.Context(), Ended{Attempt: attempt, At: start}))
	wantErr(t, s.Replay(t.Context(), jobID(1), 1, start.Add(KeyLife+time.Second)), ErrState)
	must(t, s.Replay(t.Context(), jobID(1), 1, start.Add(KeyLife)))
}

func TestUncertain(t *testing.T) {
	for _, c := range []struct {
		name       string
		why        mail.Reply
		again      bool
		wantNumber int // of the batch that is ready afterwards; 0: none
	}{
		{"left alone", mail.Reply{}, false, 0},
		{"again", greylisted, true, 1},
		{"again after a conflict", conflict, true, 2},
		{"left alone after a conflict", conflict, false, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newSpool(t)
			accept(t, s, jobID(1), envelope("office", recipients(3)), []byte("x"))
			attempt := begin(t, s, jobID(1), 1, start)
			must(t, s.Unknown(t.Context(), Ended{Attempt: attempt, At: start}))
			must(t, s.MarkUncertain(t.Context(), jobID(1), 1, c.why, start))
			checkRows(t, s)
			list, err := s.Uncertains(t.Context(), "office")
			must(t, err)
			totals, err := s.Totals(t.Context(), start)
			must(t, err)
			j := getJob(t, s, jobID(1))
			if len(list) != 1 || totals.Lanes[0].Uncertain != 3 || totals.Lanes[0].Recipients != 0 || j.Counts != (Counts{Uncertain: 3}) || j.State != JobUncertain {
				t.Errorf("while uncertain: %v, %+v, %+v", list, totals, j)
			}
			must(t, s.Resolve(t.Context(), jobID(1), 1, c.again, start))
			checkRows(t, s)
			ready := readyNow(t, s, "office", start)
			j = getJob(t, s, jobID(1))
			page, _, err := s.Recipients(t.Context(), jobID(1), "", 10)
			must(t, err)
			if len(page) != 3 {
				t.Errorf("%d recipients listed", len(page))
			}
			if c.wantNumber == 0 {
				if len(ready) != 0 || j.State != JobDone || j.Counts != (Counts{Uncertain: 3}) || page[0].Status != mail.StatusUncertain || page[0].Reply != c.why {
					t.Errorf("ready %v, job %+v, first %+v", ready, j, page[0])
				}
				return
			}
			if len(ready) != 1 || ready[0].Number != c.wantNumber || j.Counts != (Counts{Queued: 3}) || page[0].Batch != c.wantNumber {
				t.Errorf("ready %v, job %+v, first %+v", ready, j, page[0])
			}
		})
	}
}

func TestCancel(t *testing.T) {
	s := newSpool(t)
	id := jobID(1)
	accept(t, s, id, envelope("office", recipients(250)), []byte("x")) // five batches
	// 1 stays ready, 2 was returned, 3 is unknown, 4 is on its way, 5 has deferred some.
	returned, lost, under, fifth := begin(t, s, id, 2, start), begin(t, s, id, 3, start), begin(t, s, id, 4, start), begin(t, s, id, 5, start)
	must(t, s.Return(t.Context(), Ended{Attempt: returned, At: start}, time.Time{}))
	must(t, s.Unknown(t.Context(), Ended{Attempt: lost, At: start}))

	toClose, err := s.Cancel(t.Context(), id, start)
	must(t, err)
	want := []wire.EnvelopeID{{Job: string(id), Number: 2}, {Job: string(id), Number: 3}}
	if d := cmp.Diff(want, toClose); d != "" {
		t.Errorf("to close:\n%s", d)
	}
	checkRows(t, s)
	if got := readyNow(t, s, "office", start); len(got) != 0 {
		t.Errorf("still ready: %v", got)
	}
	if got, err := s.Unknowns(t.Context(), "office"); err != nil || len(got) != 0 {
		t.Errorf("unknown: %v %v", got, err)
	}

	// The session of 4 fails before the dot: now 4 must be closed too, not sent.
	must(t, s.Return(t.Context(), Ended{Attempt: under, At: start}, time.Time{}))
	// The one of 5 is answered; whoever was deferred is cancelled.
	outcomes := append(answers(recipients(250)[200:240], mail.StatusAccepted, mail.Reply{}), answers(recipients(250)[240:], mail.StatusDeferred, greylisted)...)
	must(t, s.Finish(t.Context(), FinishRequest{Attempt: fifth, At: start, Outcomes: outcomes}))
	closing, err := s.Closing(t.Context(), "office")
	must(t, err)
	if len(closing) != 3 || closing[0].Number != 2 || closing[1].Number != 3 || closing[2].Number != 4 {
		t.Errorf("closing %v", closing)
	}
	again, err := s.Cancel(t.Context(), id, start)
	must(t, err)
	if len(again) != 3 {
		t.Errorf("a second cancel: %v", again)
	}

	must(t, s.FinishClosed(t.Context(), id, 2, start))
	must(t, s.Finish(t.Context(), FinishRequest{Job: id, Number: 3, At: start, Outcomes: answers(recipients(250)[100:150], mail.StatusAccepted, mail.Reply{})}))
	must(t, s.FinishClosed(t.Context(), id, 4, start))
	checkRows(t, s)
	j := getJob(t, s, id)
	if j.Counts != (Counts{Accepted: 90, Cancelled: 160}) || j.State != JobDone {
		t.Errorf("job %+v", j)
	}
	_, err = s.Cancel(t.Context(), id, start)
	wantErr(t, err, ErrState)
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
	}
	got, err := s.Attempts(ctx, "office", at(0))
	must(t, err)
	if d := cmp.Diff(all, got); d != "" {
		t.Errorf("all:\n%s", d)
	}
	// What is open counts whenever it began; the others by start or by DATA.
	got, err = s.Attempts(ctx, "office", at(7))
	must(t, err)
	if d := cmp.Diff([]Attempt{all[0], all[2], all[3]}, got); d != "" {
		t.Errorf("since 7:\n%s", d)
	}
	if got, err := s.Attempts(ctx, "home", at(0)); err != nil || len(got) != 0 {
		t.Errorf("another account: %v %v", got, err)
	}
}
