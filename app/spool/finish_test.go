package spool

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"servicesmtp.net/companion/app/mail"
)

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
	checkDebts(t, s)

	if got := readyNow(t, s, "office", start); len(got) != 0 {
		t.Fatalf("due too early: %+v", got)
	}
	_, next, err := s.Ready(t.Context(), "office", mail.Bulk, start, 10)
	must(t, err)
	if !next.Equal(later) {
		t.Errorf("next %v, want %v", next, later)
	}
	got := readyNow(t, s, "office", later)
	if len(got) != 1 || got[0].Number != 2 || got[0].Round != 1 || got[0].Attempts != 0 || !got[0].FirstTry.Equal(start.Add(time.Second)) {
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

func TestDeferralsEndAfterFiveDays(t *testing.T) {
	s := newSpool(t)
	list := recipients(1)
	accept(t, s, jobID(1), envelope("office", list), make([]byte, inlineMax+1))
	const day = 24 * time.Hour
	// The pace held it for a month, then the relay could not be reached for
	// another: neither fails anybody.
	attempt := begin(t, s, jobID(1), 1, start.Add(30*day))
	must(t, s.Return(t.Context(), Ended{Attempt: attempt, At: start.Add(30 * day)}, time.Time{}))
	first := start.Add(60 * day)
	var times []time.Time
	for i := range leastRounds - 2 {
		times = append(times, first.Add(time.Duration(i)*time.Minute))
	}
	times = append(times, first.Add(5*day), first.Add(5*day+time.Second))
	for i, now := range times {
		attempt := begin(t, s, jobID(1), i+1, now)
		must(t, s.Finish(t.Context(), FinishRequest{Attempt: attempt, At: now, Outcomes: answers(list, mail.StatusDeferred, greylisted)}))
		checkDebts(t, s)
		if c := getJob(t, s, jobID(1)).Counts; c.Failed != 0 && i < len(times)-1 {
			t.Fatalf("given up at try %d: %+v", i+1, c)
		}
	}
	j := getJob(t, s, jobID(1))
	if j.Counts != (Counts{Failed: 1}) || j.State != JobDone || j.Batches != leastRounds {
		t.Errorf("job %+v", j)
	}
	failed, _, err := s.Failed(t.Context(), "office", "", "", 10)
	must(t, err)
	if len(failed) != 1 || failed[0].Reply != greylisted || failed[0].Batch != leastRounds {
		t.Errorf("failed %+v", failed)
	}
	must(t, putReport(t.Context(), s, jobID(2), onlyDue(t, s), start, []byte("report")))
	_, _, err = s.Body(t.Context(), jobID(1))
	wantErr(t, err, ErrNotFound)
	if left := names(t, s.dir+"/"+bodiesName); len(left) != 0 {
		t.Errorf("body left: %v", left)
	}
}

// The clock was a year ahead when a recipient was put off, and was set back.
func TestAClockThatIsSetBackHoldsNobody(t *testing.T) {
	s := newSpool(t)
	list := recipients(1)
	accept(t, s, jobID(1), envelope("office", list), []byte("x"))
	wrong := start.AddDate(1, 0, 0)
	attempt := begin(t, s, jobID(1), 1, wrong)
	must(t, s.Finish(t.Context(), FinishRequest{Attempt: attempt, At: wrong, Outcomes: answers(list, mail.StatusDeferred, greylisted), NotBefore: wrong.Add(time.Minute)}))
	if got := readyNow(t, s, "office", start); len(got) != 1 || got[0].Number != 2 {
		t.Errorf("it waits for a year: %+v", got)
	}
	if got := readyNow(t, s, "office", wrong); len(got) != 0 {
		t.Errorf("due too early: %+v", got)
	}
}

// A computer that slept for a week has not tried for a week.
func TestASleepIsNoTry(t *testing.T) {
	s := newSpool(t)
	list := recipients(1)
	accept(t, s, jobID(1), envelope("office", list), []byte("x"))
	for i := range leastRounds {
		if c := getJob(t, s, jobID(1)).Counts; c.Failed != 0 {
			t.Fatalf("given up after %d tries: %+v", i, c)
		}
		now := start.Add(time.Duration(i) * 7 * 24 * time.Hour)
		attempt := begin(t, s, jobID(1), i+1, now)
		must(t, s.Finish(t.Context(), FinishRequest{Attempt: attempt, At: now, Outcomes: answers(list, mail.StatusDeferred, greylisted)}))
	}
	if c := getJob(t, s, jobID(1)).Counts; c != (Counts{Failed: 1}) {
		t.Errorf("it never ends: %+v", c)
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

// The relay says at the check or close that it had accepted the batch in an
// earlier session: that the latest one failed before its dot stays true.
func TestAcceptedByAnEarlierAttempt(t *testing.T) {
	s := newSpool(t)
	list := recipients(1)
	accept(t, s, jobID(1), envelope("office", list), []byte("x"))
	first := begin(t, s, jobID(1), 1, start)
	must(t, s.Unknown(t.Context(), Ended{Attempt: first, LeftAt: start.Add(time.Second), At: start.Add(time.Second)}))
	must(t, s.Replay(t.Context(), jobID(1), 1, start))
	second := begin(t, s, jobID(1), 1, start)
	must(t, s.Return(t.Context(), Ended{Attempt: second, At: start}, time.Time{}))
	must(t, s.Finish(t.Context(), FinishRequest{Job: jobID(1), Number: 1, At: start, Outcomes: answers(list, mail.StatusAccepted, mail.Reply{})}))
	attempts, err := s.Attempts(t.Context(), "office", start)
	must(t, err)
	if len(attempts) != 2 || attempts[0].Result != AttemptLost || attempts[1].Result != AttemptReturned || !attempts[1].Left.IsZero() {
		t.Errorf("attempts %+v", attempts)
	}
}
