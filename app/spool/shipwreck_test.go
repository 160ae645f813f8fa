package spool

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"servicesmtp.net/companion/app/mail"
)

// shipwreck is a spool with a batch in every state, and what the relay knows of
// it. Copies of its folder are damaged.
type shipwreck struct {
	dir    string
	killed string             // a copy of dir as kill -9 leaves it
	total  map[mail.JobID]int // recipients of jobs that are not done
	bodies map[mail.JobID][]byte
	had    map[string][]string // by key, what the relay has accepted
	failed map[mail.JobID]int  // refused before the damage
}

func key(job mail.JobID, number int) string { return fmt.Sprintf("%s.%d", job, number) }

// addressesOf makes recipients of a job that no other has.
func addressesOf(n, job int) []mail.Recipient {
	list := make([]mail.Recipient, n)
	for i := range list {
		list[i].Address = fmt.Sprintf("person%d.of%d@example.com", i, job)
	}
	return list
}

func newShipwreck(t *testing.T) *shipwreck {
	t.Helper()
	w := &shipwreck{dir: memoryDir(t), total: map[mail.JobID]int{}, bodies: map[mail.JobID][]byte{}, had: map[string][]string{}, failed: map[mail.JobID]int{}}
	now := time.Now().UTC().Truncate(time.Microsecond)
	s, err := Open(t.Context(), options(w.dir))
	must(t, err)
	ctx := t.Context()
	offer := func(n, recipients, size int) []mail.Recipient {
		list := addressesOf(recipients, n)
		body := bytes.Repeat([]byte{byte('a' + n)}, size)
		env := envelope("office", list)
		env.AcceptedAt = now
		accept(t, s, jobID(n), env, body)
		w.total[jobID(n)], w.bodies[jobID(n)] = recipients, body
		return list
	}
	answered := func(n, number int, list []mail.Recipient, outcomes []mail.Outcome) {
		a := begin(t, s, jobID(n), number, now)
		must(t, s.Finish(ctx, FinishRequest{Attempt: a, LeftAt: now, At: now, Outcomes: outcomes, NotBefore: now.Add(time.Second)}))
		for i, o := range outcomes {
			if o.Status == mail.StatusAccepted {
				w.had[key(jobID(n), number)] = append(w.had[key(jobID(n), number)], list[i].Address)
			}
		}
	}
	// History that is pruned leaves free pages with rows of old states in them.
	for n := 20; n < 60; n++ {
		list := offer(n, 50, 2000)
		answered(n, 1, list, answers(list, mail.StatusFailed, noSuchUser))
		delete(w.total, jobID(n))
	}
	_, err = s.Prune(ctx, now.Add(time.Hour))
	must(t, err)
	for n := 70; n < 75; n++ {
		list := offer(n, 2, 100)
		answered(n, 1, list, answers(list, mail.StatusAccepted, mail.Reply{}))
		delete(w.total, jobID(n))
	}

	list := offer(1, 170, inlineMax+1) // 1 partly deferred, 2 on its way and at the relay, 3 untouched, 4 on its way and not at the relay, 5 the deferred
	first := answers(list[:50], mail.StatusAccepted, mail.Reply{})
	first[3] = mail.Outcome{Address: list[3].Address, Status: mail.StatusFailed, Reply: noSuchUser}
	first[7] = mail.Outcome{Address: list[7].Address, Status: mail.StatusDeferred, Reply: greylisted}
	answered(1, 1, list[:50], first)
	w.failed[jobID(1)] = 1
	begin(t, s, jobID(1), 2, now)
	for _, r := range list[50:100] {
		w.had[key(jobID(1), 2)] = append(w.had[key(jobID(1), 2)], r.Address)
	}
	a := begin(t, s, jobID(1), 4, now)
	must(t, s.Unknown(ctx, Ended{Attempt: a, LeftAt: now, At: now}))
	offer(2, 60, 50_000) // pages of its own for the text
	offer(3, 1, 100)
	list = offer(4, 55, 9000) // 1 uncertain, and the relay had it; 2 taken back after a dial
	a = begin(t, s, jobID(4), 1, now)
	must(t, s.Unknown(ctx, Ended{Attempt: a, LeftAt: now, At: now}))
	must(t, s.MarkUncertain(ctx, jobID(4), 1, greylisted, now))
	for _, r := range list[:50] {
		w.had[key(jobID(4), 1)] = append(w.had[key(jobID(4), 1)], r.Address)
	}
	a = begin(t, s, jobID(4), 2, now)
	must(t, s.Return(ctx, Ended{Attempt: a, At: now}, time.Time{}))
	_, err = s.Cancel(ctx, jobID(4), now)
	must(t, err)
	for n := 5; n < 10; n++ {
		offer(n, 40, 3000)
	}
	checkRows(t, s)
	w.killed = memoryDir(t)
	snapshot(t, w.dir, w.killed)
	must(t, s.Close())
	return w
}

// relay is what a relay keeps: it accepts a key once.
type relay struct {
	t         *testing.T
	had       map[string][]string
	delivered map[mail.JobID]map[string]bool
}

func (w *shipwreck) relay(t *testing.T) *relay {
	r := &relay{t: t, had: maps.Clone(w.had), delivered: map[mail.JobID]map[string]bool{}}
	for k, list := range w.had {
		job := mail.JobID(k[:26])
		for _, address := range list {
			r.deliver(job, address)
		}
	}
	return r
}

func (r *relay) deliver(job mail.JobID, address string) {
	r.t.Helper()
	if r.delivered[job] == nil {
		r.delivered[job] = map[string]bool{}
	}
	if r.delivered[job][address] {
		r.t.Fatalf("%s got message %s twice", address, job)
	}
	r.delivered[job][address] = true
}

// offered is one batch handed over; a key that the relay has is only answered.
func (r *relay) offered(b mail.Batch) []mail.Outcome {
	r.t.Helper()
	k := key(b.Job, b.Number)
	_, had := r.had[k]
	for _, x := range b.Recipients {
		if !had {
			r.had[k] = append(r.had[k], x.Address)
			r.deliver(b.Job, x.Address)
		}
	}
	return answers(b.Recipients, mail.StatusAccepted, mail.Reply{})
}

// drain sends all that goes, as the engine would, and reads everything.
func (r *relay) drain(s *Spool, w *shipwreck) {
	t := r.t
	t.Helper()
	now := time.Now().Add(time.Hour)
	for range 10 {
		unknowns, err := s.Unknowns(t.Context(), "office")
		must(t, err)
		for _, b := range unknowns {
			if _, had := r.had[key(b.Job, b.Number)]; had {
				must(t, s.Finish(t.Context(), FinishRequest{Job: b.Job, Number: b.Number, At: now, Outcomes: answers(b.Recipients, mail.StatusAccepted, mail.Reply{})}))
				continue
			}
			must(t, s.Replay(t.Context(), b.Job, b.Number, now))
		}
		list := readyNow(t, s, "office", now)
		if len(list)+len(unknowns) == 0 {
			break
		}
		for _, b := range list {
			attempt, err := s.Begin(t.Context(), b.Job, b.Number, "main", now)
			if errors.Is(err, ErrState) { // held since it was listed
				continue
			}
			must(t, err)
			body, _, err := s.Body(t.Context(), b.Job)
			if errors.Is(err, ErrDamaged) { // held from now on
				must(t, s.Return(t.Context(), Ended{Attempt: attempt, At: now}, time.Time{}))
				continue
			}
			must(t, err)
			must(t, body.Close())
			if got := readBody(t, s, b.Job); !bytes.Equal(got, w.bodies[b.Job]) {
				t.Fatalf("message %s leaves changed", b.Job)
			}
			must(t, s.Finish(t.Context(), FinishRequest{Attempt: attempt, LeftAt: now, At: now, Outcomes: r.offered(b)}))
		}
	}
	r.look(s)
}

// look asks every question.
func (r *relay) look(s *Spool) {
	t := r.t
	t.Helper()
	ctx := t.Context()
	jobs, _, err := s.Jobs(ctx, JobQuery{})
	must(t, err)
	for _, j := range jobs {
		_, _, err := s.Recipients(ctx, j.ID, "", 0)
		must(t, err)
		_, _, err = s.BrowseRecipients(ctx, j.ID, 0, 0)
		must(t, err)
		_, err = s.AllRecipients(ctx, j.ID)
		must(t, err)
	}
	for _, show := range []Show{ShowAll, ShowOpen, ShowUncertain, ShowFailed, ShowDone} {
		_, _, err := s.Browse(ctx, Filter{Show: show, Search: "person1"}, 0, 0)
		must(t, err)
	}
	for _, list := range []func() error{
		func() error { _, err := s.Uncertains(ctx, "office"); return err },
		func() error { _, err := s.Closing(ctx, "office"); return err },
		func() error { _, err := s.Attempts(ctx, "office", time.Time{}); return err },
		func() error { _, _, err := s.Failed(ctx, "", "", "", 0); return err },
		func() error { _, err := s.Sent(ctx, "", time.Time{}, time.Hour); return err },
		func() error { _, err := s.Totals(ctx, time.Now()); return err },
	} {
		must(t, list())
	}
}

// account holds that nobody has disappeared unreported.
func (w *shipwreck) account(t *testing.T, s *Spool, r *relay) {
	t.Helper()
	checkRows(t, s)
	damages, err := s.Damages()
	must(t, err)
	var reported []mail.JobID
	nameless, log := 0, false
	said, lost := int64(0), 0 // recipients that failed for the damage, as reported and as counted
	for _, d := range damages {
		reported = append(reported, d.Lost...)
		nameless += d.Nameless
		said += d.FailedRecipients
		log = log || d.Log || d.Short
	}
	for id, total := range w.total {
		sent := len(r.delivered[id])
		j, err := s.Job(t.Context(), id)
		switch {
		case errors.Is(err, ErrNotFound):
			inFile := len(w.bodies[id]) > inlineMax // what was in the log alone has left no trace, and the report says so
			if !slices.Contains(reported, id) && nameless == 0 && (!log || inFile) {
				t.Errorf("message %s has disappeared unreported", id)
			}
			continue
		case err != nil:
			t.Fatal(err)
		case slices.Contains(reported, id):
			continue
		}
		c := j.Counts
		if j.Recipients != total {
			t.Errorf("message %s has %d recipients, had %d", id, j.Recipients, total)
		}
		left := c.Failed + c.Uncertain + c.Cancelled
		if j.Damaged || j.ID == jobID(4) {
			left += c.Queued + c.Deferred
		} else if c.Queued+c.Deferred > 0 {
			t.Errorf("message %s waits for ever: %+v", id, c)
		}
		if sent+left < total {
			t.Errorf("message %s: %d of %d were sent, %d stand as anything else: %+v", id, sent, total, left, c)
		}
		lost += c.Failed - w.failed[id]
	}
	if int64(lost) > said {
		t.Errorf("%d recipients have failed for the damage, %d are reported", lost, said)
	}
}

// copyOf copies a folder to one that may be damaged.
func copyOf(t *testing.T, from string) string {
	t.Helper()
	dir := memoryDir(t)
	snapshot(t, from, dir)
	return dir
}
