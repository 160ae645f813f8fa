package spool

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"servicesmtp.net/companion/app/mail"
)

// situation leads batch 1 of a job somewhere, and returns its attempt.
type situation struct {
	name string
	make func(s *Spool, id mail.JobID) int64
}

func situations(t *testing.T) []situation {
	ctx := t.Context()
	sent := func(s *Spool, id mail.JobID) int64 { return begin(t, s, id, 1, start) }
	returned := func(s *Spool, id mail.JobID) int64 {
		a := sent(s, id)
		must(t, s.Return(ctx, Ended{Attempt: a, At: start}, time.Time{}))
		return a
	}
	lost := func(s *Spool, id mail.JobID) int64 {
		a := sent(s, id)
		must(t, s.Unknown(ctx, Ended{Attempt: a, LeftAt: start, At: start}))
		return a
	}
	doubted := func(s *Spool, id mail.JobID) int64 {
		a := lost(s, id)
		must(t, s.MarkUncertain(ctx, id, 1, mail.Reply{}, start))
		return a
	}
	then := func(before func(*Spool, mail.JobID) int64, after func(s *Spool, id mail.JobID) error) func(*Spool, mail.JobID) int64 {
		return func(s *Spool, id mail.JobID) int64 {
			a := before(s, id)
			must(t, after(s, id))
			return a
		}
	}
	untouched := func(*Spool, mail.JobID) int64 { return 0 }
	cancel := func(s *Spool, id mail.JobID) error { _, err := s.Cancel(ctx, id, start); return err }
	damage := func(s *Spool, id mail.JobID) error {
		return s.write(ctx, func(tx *tx) error { return tx.setDamaged(id, true) })
	}
	return []situation{
		{"ready", untouched},
		{"sending", sent},
		{"returned", returned},
		{"unknown", lost},
		{"replayed", then(lost, func(s *Spool, id mail.JobID) error { return s.Replay(ctx, id, 1, start) })},
		{"uncertain", doubted},
		{"conflict", func(s *Spool, id mail.JobID) int64 {
			a := lost(s, id)
			must(t, s.MarkUncertain(ctx, id, 1, conflict, start))
			return a
		}},
		{"again", then(doubted, func(s *Spool, id mail.JobID) error { return s.Resolve(ctx, id, 1, true, start) })},
		{"accepted", func(s *Spool, id mail.JobID) int64 {
			a := sent(s, id)
			must(t, s.Finish(ctx, FinishRequest{Attempt: a, At: start, Outcomes: answers(recipients(2), mail.StatusAccepted, mail.Reply{})}))
			return a
		}},
		{"given up", then(doubted, func(s *Spool, id mail.JobID) error { return s.Resolve(ctx, id, 1, false, start) })},
		{"cancelled", then(untouched, cancel)},
		{"cancelling ready", then(returned, cancel)},
		{"cancelling sending", then(sent, cancel)},
		{"cancelling unknown", then(lost, cancel)},
		{"damaged ready", then(untouched, damage)},
		{"damaged sending", then(sent, damage)},
		{"damaged unknown", then(lost, damage)},
		{"damaged uncertain", then(doubted, damage)},
	}
}

// change is one method with all that it may be told.
type change struct {
	name string
	do   func(s *Spool, id mail.JobID, attempt int64) error
}

func changes(t *testing.T) []change {
	ctx := t.Context()
	began := func(store string) func(*Spool, mail.JobID, int64) error {
		return func(s *Spool, id mail.JobID, _ int64) error { _, err := s.Begin(ctx, id, 1, store, start); return err }
	}
	finish := func(byKey bool, status mail.Status, reply mail.Reply) func(*Spool, mail.JobID, int64) error {
		return func(s *Spool, id mail.JobID, a int64) error {
			f := FinishRequest{Attempt: a, At: start, Outcomes: answers(recipients(2), status, reply)}
			if byKey {
				f.Attempt, f.Job, f.Number = 0, id, 1
			}
			return s.Finish(ctx, f)
		}
	}
	resolve := func(again bool) func(*Spool, mail.JobID, int64) error {
		return func(s *Spool, id mail.JobID, _ int64) error { return s.Resolve(ctx, id, 1, again, start) }
	}
	return []change{
		{"Begin", began("main")},
		{"Begin elsewhere", began("other")},
		{"Return", func(s *Spool, _ mail.JobID, a int64) error {
			return s.Return(ctx, Ended{Attempt: a, At: start}, time.Time{})
		}},
		{"Keyless", func(s *Spool, _ mail.JobID, a int64) error { return s.Keyless(ctx, a) }},
		{"Unknown", func(s *Spool, _ mail.JobID, a int64) error { return s.Unknown(ctx, Ended{Attempt: a, At: start}) }},
		{"Finish accepted", finish(false, mail.StatusAccepted, mail.Reply{})},
		{"Finish failed", finish(false, mail.StatusFailed, noSuchUser)},
		{"Finish deferred", finish(false, mail.StatusDeferred, greylisted)},
		{"Finish by key", finish(true, mail.StatusAccepted, mail.Reply{})},
		{"Replay", func(s *Spool, id mail.JobID, _ int64) error { return s.Replay(ctx, id, 1, start) }},
		{"MarkUncertain", func(s *Spool, id mail.JobID, _ int64) error { return s.MarkUncertain(ctx, id, 1, greylisted, start) }},
		{"Resolve again", resolve(true)},
		{"Resolve", resolve(false)},
		{"FinishClosed", func(s *Spool, id mail.JobID, _ int64) error { return s.FinishClosed(ctx, id, 1, start) }},
		{"Cancel", func(s *Spool, id mail.JobID, _ int64) error { _, err := s.Cancel(ctx, id, start); return err }},
		{"Retry", func(s *Spool, id mail.JobID, _ int64) error { return s.Retry(ctx, id) }},
	}
}

// TestStateMatrix makes every change from every situation. testdata/states.txt
// says of each what the batch is afterwards, held or bound in brackets, and what
// its recipients are; or "-", where the change is refused with ErrState and
// nothing is different; or "none", where there is no attempt to speak of
// (ErrNotFound). A plus is one more batch.
func TestStateMatrix(t *testing.T) {
	want, err := os.ReadFile(filepath.Join("testdata", "states.txt"))
	must(t, err)
	s := openAt(t, options(memoryDir(t)))
	var got strings.Builder
	n := 0
	for _, from := range situations(t) {
		for _, c := range changes(t) {
			n++
			id := jobID(n)
			accept(t, s, id, envelope("office", recipients(2)), []byte("x"))
			attempt := from.make(s, id)
			if attempt == 0 {
				attempt = 1 << 40
			}
			before := dump(t, s, id)
			err := c.do(s, id, attempt)
			cell := standing(t, s, id)
			if err != nil {
				cell = map[bool]string{true: "-", false: fmt.Sprint(err)}[errors.Is(err, ErrState)]
				if errors.Is(err, ErrNotFound) {
					cell = "none"
				}
				if d := cmp.Diff(before, dump(t, s, id)); d != "" {
					t.Errorf("%s when %s is refused, and changed:\n%s", c.name, from.name, d)
				}
			}
			fmt.Fprintf(&got, "%s: %s: %s\n", from.name, c.name, cell)
		}
		checkRows(t, s)
	}
	if d := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(got.String(), "\n")); d != "" {
		t.Errorf("want -, got +\n%s", d)
	}
}

// standing is batch 1 and its recipients in words.
func standing(t *testing.T, s *Spool, id mail.JobID) string {
	t.Helper()
	var state, held, batches int
	var bound bool
	must(t, s.row(t.Context(), `SELECT b.state, b.held, b.bound, j.batches FROM jobs j JOIN batches b ON b.job = j.seq WHERE j.id = ? AND b.number = 1`,
		[]any{id}, &state, &held, &bound, &batches))
	out := map[int]string{ready: "ready", sending: "sending", unknown: "unknown", uncertain: "uncertain", done: "done"}[state]
	var notes []string
	if held != heldNot {
		notes = append(notes, map[int]string{heldCancelling: "cancelling", heldDamaged: "damaged"}[held])
	}
	if bound && state != done {
		notes = append(notes, "bound")
	}
	if len(notes) > 0 {
		out += " (" + strings.Join(notes, ", ") + ")"
	}
	out += strings.Repeat(" +", batches-1)
	c := getJob(t, s, id).Counts
	for _, x := range []struct {
		n    int
		what string
	}{{c.Queued, "queued"}, {c.Deferred, "deferred"}, {c.Accepted, "accepted"}, {c.Failed, "failed"}, {c.Uncertain, "uncertain"}, {c.Cancelled, "cancelled"}} {
		if x.n > 0 {
			out += ", " + x.what
		}
	}
	return out
}
