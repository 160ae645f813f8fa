package spool

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"servicesmtp.net/companion/app/mail"
	"servicesmtp.net/companion/internal/wire"
)

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
	wantErr(t, s.Replay(t.Context(), jobID(1), 1, start.Add(KeyLife+time.Second)), ErrOldKey)
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
