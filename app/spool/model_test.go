package spool

import (
	"bytes"
	"errors"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"servicesmtp.net/companion/app/mail"
)

// TestModel does random things to a spool and to a simple picture of it in
// memory, and compares them after every step: each recipient in exactly one
// live batch or with one final outcome, numbers and recipients frozen, counts
// right, and whatever is refused changes nothing. Crashes are among the steps.
func TestModel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		m := &model{t: t, now: start, dir: memoryDir(t)}
		m.open(rt)
		defer func() { must(rt, m.s.Close()) }()
		rt.Repeat(map[string]func(*rapid.T){
			"":              m.check,
			"accept":        m.accept,
			"begin":         m.begin,
			"return":        m.giveBack,
			"unknown":       m.unknown,
			"finish":        m.finish,
			"finishByKey":   m.finishByKey,
			"replay":        m.replay,
			"markUncertain": m.markUncertain,
			"resolve":       m.resolve,
			"cancel":        m.cancel,
			"finishClosed":  m.finishClosed,
			"retry":         m.retry,
			"reopen":        m.reopen,
			"crash":         m.crash,
			"wait":          m.wait,
			"prune":         m.prune,
			"listReports":   m.listReports,
			"report":        m.report,
		})
	})
}

type model struct {
	t    *testing.T
	s    *Spool
	dir  string
	now  time.Time
	jobs []*modelJob
	next int        // number of the next job
	due  []modelDue // as once listed
}

type modelJob struct {
	id       mail.JobID
	accepted time.Time
	body     []byte
	batches  []*modelBatch
	doneAt   time.Time
	lane     mail.Lane
	never    map[string]bool // recipients with NOTIFY=NEVER
	owed     int             // failures of which the sender is to be told
	reports  int             // that he got
	report   mail.JobID
	reportOf mail.JobID
}

type modelBatch struct {
	Number     int
	State      int
	Held       int
	Bound      bool
	Store      string
	NotBefore  time.Time
	Attempts   int
	Round      int
	FirstTry   time.Time
	Recipients []string
	Status     []mail.Status // of each, once the batch is done; deferred: moved on

	attempt  int64
	conflict bool
}

func (b *modelBatch) live() bool { return b.State != done }

func (b *modelBatch) end(status mail.Status) {
	b.State, b.Held = done, heldNot
	b.Status = slices.Repeat([]mail.Status{status}, len(b.Recipients))
}

// inThrees keeps the batches small, so that a run has time for many steps.
func inThrees(list []mail.Recipient) [][]mail.Recipient { return slices.Collect(slices.Chunk(list, 3)) }

func (m *model) open(rt *rapid.T) {
	o := options(m.dir)
	o.Split = inThrees
	s, err := Open(rt.Context(), o)
	must(rt, err)
	m.s = s
}

// pick chooses a batch that fits often, and any batch sometimes, so that both
// the way through and the refusals are walked.
func (m *model) pick(rt *rapid.T, fits func(*modelBatch) bool) (*modelJob, *modelBatch) {
	type place struct {
		j *modelJob
		b *modelBatch
	}
	var all, fitting []place
	for _, j := range m.jobs {
		for _, b := range j.batches {
			all = append(all, place{j, b})
			if fits(b) {
				fitting = append(fitting, place{j, b})
			}
		}
	}
	if len(all) == 0 {
		rt.Skip("no batches")
	}
	if len(fitting) > 0 && rapid.IntRange(0, 9).Draw(rt, "stray") > 0 {
		all = fitting
	}
	p := all[rapid.IntRange(0, len(all)-1).Draw(rt, "batch")]
	return p.j, p.b
}

func inState(states ...int) func(*modelBatch) bool {
	return func(b *modelBatch) bool { return slices.Contains(states, b.State) }
}

// expect compares an error with what the model says, and returns whether the
// change was made.
func (m *model) expect(rt *rapid.T, err error, allowed bool) bool {
	switch {
	case allowed && err != nil:
		rt.Fatalf("refused: %v", err)
	case !allowed && !errors.Is(err, ErrState):
		rt.Fatalf("got %v, want ErrState", err)
	}
	return allowed
}

func (m *model) accept(rt *rapid.T) {
	m.next++
	n := rapid.IntRange(1, 8).Draw(rt, "recipients")
	size := rapid.SampledFrom([]int{0, 1, 500, 500, 500, inlineMax + 1}).Draw(rt, "size")
	j := &modelJob{id: jobID(m.next), accepted: m.now, body: bytes.Repeat([]byte{byte(m.next)}, size), never: make(map[string]bool)}
	env := envelope("office", recipients(n))
	env.AcceptedAt = m.now
	env.Lane = rapid.SampledFrom([]mail.Lane{mail.Bulk, mail.Personal}).Draw(rt, "lane")
	j.lane = env.Lane
	for never := rapid.IntRange(0, n).Draw(rt, "never"); never > 0; never-- {
		env.Recipients[never-1].Notify = []string{"NEVER"}
		j.never[env.Recipients[never-1].Address] = true
	}
	must(rt, put(rt.Context(), m.s, j.id, env, j.body))
	for i, list := range inThrees(env.Recipients) {
		b := &modelBatch{Number: i + 1, State: ready}
		for _, r := range list {
			b.Recipients = append(b.Recipients, r.Address)
		}
		j.batches = append(j.batches, b)
	}
	m.jobs = append(m.jobs, j)
}

func (m *model) begin(rt *rapid.T) {
	j, b := m.pick(rt, inState(ready))
	store := rapid.SampledFrom([]string{"main", "main", "main", "second"}).Draw(rt, "store")
	attempt, err := m.s.Begin(rt.Context(), j.id, b.Number, store, m.now)
	if !m.expect(rt, err, b.State == ready && b.Held == heldNot && (!b.Bound || b.Store == store)) {
		return
	}
	b.State, b.Store, b.attempt = sending, store, attempt
	b.Attempts++
	if b.FirstTry.IsZero() {
		b.FirstTry = m.now
	}
}

func (m *model) giveBack(rt *rapid.T) {
	_, b := m.pick(rt, inState(sending))
	if b.attempt == 0 {
		rt.Skip("never dialled")
	}
	notBefore := m.now.Add(time.Duration(rapid.IntRange(-60, 60).Draw(rt, "delay")) * time.Second)
	err := m.s.Return(rt.Context(), Ended{Attempt: b.attempt, At: m.now}, notBefore)
	if m.expect(rt, err, b.State == sending) {
		b.State, b.NotBefore = ready, notBefore
	}
}

func (m *model) unknown(rt *rapid.T) {
	_, b := m.pick(rt, inState(sending))
	if b.attempt == 0 {
		rt.Skip("never dialled")
	}
	err := m.s.Unknown(rt.Context(), Ended{Attempt: b.attempt, LeftAt: m.now, At: m.now})
	if m.expect(rt, err, b.State == sending) {
		b.State, b.Bound = unknown, true
	}
}

func (m *model) finish(rt *rapid.T) {
	j, b := m.pick(rt, inState(sending, unknown))
	if b.attempt == 0 {
		rt.Skip("never dialled")
	}
	m.finishWith(rt, j, b, FinishRequest{Attempt: b.attempt}, b.State == sending || b.State == unknown)
}

func (m *model) finishByKey(rt *rapid.T) {
	j, b := m.pick(rt, inState(unknown))
	m.finishWith(rt, j, b, FinishRequest{Job: j.id, Number: b.Number}, b.State == unknown || b.State == ready && b.Attempts > 0)
}

func (m *model) finishWith(rt *rapid.T, j *modelJob, b *modelBatch, f FinishRequest, allowed bool) {
	f.At, f.NotBefore = m.now, m.now.Add(time.Minute)
	mix := rapid.SampledFrom([][]mail.Status{
		{mail.StatusAccepted}, {mail.StatusFailed}, {mail.StatusDeferred},
		{mail.StatusAccepted, mail.StatusDeferred, mail.StatusFailed, mail.StatusCancelled},
	}).Draw(rt, "answers")
	status := make([]mail.Status, len(b.Recipients))
	for i, address := range b.Recipients {
		status[i] = mix[(i*7+j.batchCount())%len(mix)]
		f.Outcomes = append(f.Outcomes, mail.Outcome{Address: address, Status: status[i], Reply: greylisted})
	}
	if !m.expect(rt, m.s.Finish(rt.Context(), f), allowed) {
		return
	}
	var later []string
	for i := range status {
		switch {
		case status[i] != mail.StatusDeferred:
		case b.Held == heldCancelling:
			status[i] = mail.StatusCancelled
		case b.Round+1 >= leastRounds && m.now.Sub(b.FirstTry) > retryFor:
			status[i] = mail.StatusFailed
		default:
			later = append(later, b.Recipients[i])
		}
	}
	b.end(mail.StatusAccepted)
	b.Status = status
	for i, to := range b.Recipients {
		if status[i] == mail.StatusFailed && !j.never[to] && j.reportOf == "" {
			j.owed++
		}
	}
	if len(later) > 0 {
		first := b.FirstTry
		if b.Round == 0 {
			first = m.now // the first "later"
		}
		j.batches = append(j.batches, &modelBatch{Number: len(j.batches) + 1, State: ready, Round: b.Round + 1, NotBefore: f.NotBefore,
			FirstTry: first, Recipients: later})
	}
	j.settle(m.now)
}

func (j *modelJob) batchCount() int { return len(j.batches) }

func (j *modelJob) settle(now time.Time) {
	if j.doneAt.IsZero() && !slices.ContainsFunc(j.batches, (*modelBatch).live) {
		j.doneAt = now
	}
}

func (m *model) replay(rt *rapid.T) {
	j, b := m.pick(rt, inState(unknown))
	err := m.s.Replay(rt.Context(), j.id, b.Number, m.now)
	if m.expect(rt, err, b.State == unknown && m.now.Sub(j.accepted) <= KeyLife) {
		b.State, b.NotBefore = ready, time.Time{}
	}
}

func (m *model) markUncertain(rt *rapid.T) {
	j, b := m.pick(rt, inState(unknown))
	why := rapid.SampledFrom([]mail.Reply{{}, conflict}).Draw(rt, "why")
	err := m.s.MarkUncertain(rt.Context(), j.id, b.Number, why, m.now)
	if m.expect(rt, err, b.State == unknown || b.State == ready && b.Bound) {
		b.State, b.conflict = uncertain, why == conflict
	}
}

func (m *model) resolve(rt *rapid.T) {
	j, b := m.pick(rt, inState(uncertain))
	again := rapid.Bool().Draw(rt, "again")
	if !m.expect(rt, m.s.Resolve(rt.Context(), j.id, b.Number, again, m.now), b.State == uncertain) {
		return
	}
	switch {
	case !again:
		b.end(mail.StatusUncertain)
	case b.conflict:
		j.batches = append(j.batches, &modelBatch{Number: len(j.batches) + 1, State: ready, Round: b.Round, FirstTry: b.FirstTry, Recipients: b.Recipients})
		b.end(mail.StatusDeferred)
	default:
		b.State, b.Bound, b.Held, b.NotBefore = ready, false, heldNot, time.Time{}
	}
	j.settle(m.now)
}

func (m *model) cancel(rt *rapid.T) {
	j, _ := m.pick(rt, (*modelBatch).live)
	toClose, err := m.s.Cancel(rt.Context(), j.id, m.now)
	if !m.expect(rt, err, j.doneAt.IsZero()) {
		return
	}
	var want []int
	for _, b := range j.batches {
		switch {
		case b.State == ready && b.Attempts == 0:
			b.end(mail.StatusCancelled)
		case b.State == ready, b.State == unknown:
			want = append(want, b.Number)
			b.Held = heldCancelling
		case b.State == sending:
			b.Held = heldCancelling
		}
	}
	var got []int
	for _, e := range toClose {
		got = append(got, e.Number)
	}
	if !slices.Equal(got, want) {
		rt.Fatalf("to close: %v, want %v", got, want)
	}
	j.settle(m.now)
}

func (m *model) finishClosed(rt *rapid.T) {
	j, b := m.pick(rt, func(b *modelBatch) bool { return b.Held == heldCancelling })
	err := m.s.FinishClosed(rt.Context(), j.id, b.Number, m.now)
	if m.expect(rt, err, b.live() && b.State != uncertain && b.Attempts > 0) {
		b.end(mail.StatusCancelled)
		j.settle(m.now)
	}
}

func (m *model) retry(rt *rapid.T) {
	j, _ := m.pick(rt, (*modelBatch).live)
	if m.expect(rt, m.s.Retry(rt.Context(), j.id), j.doneAt.IsZero()) {
		for _, b := range j.batches {
			if b.State == ready {
				b.NotBefore = time.Time{}
			}
		}
	}
}

func (m *model) reopen(rt *rapid.T) {
	must(rt, m.s.Close())
	m.open(rt)
	m.ended()
}

// crash goes on with what the disk would hold after a power cut.
func (m *model) crash(rt *rapid.T) {
	dir := filepath.Join(memoryDir(m.t), "copy")
	snapshot(m.t, m.dir, dir)
	must(rt, m.s.Close())
	m.dir = dir
	m.open(rt)
	m.ended()
}

func (m *model) ended() {
	for _, j := range m.jobs {
		for _, b := range j.batches {
			if b.State == sending {
				b.State, b.Bound = unknown, true
			}
		}
	}
}

func (m *model) wait(rt *rapid.T) {
	m.now = m.now.Add(rapid.SampledFrom([]time.Duration{time.Second, 30 * time.Second, 6 * 24 * time.Hour, 401 * 24 * time.Hour}).Draw(rt, "wait"))
}

func (m *model) prune(rt *rapid.T) {
	before := m.now.Add(-time.Duration(rapid.IntRange(0, 48).Draw(rt, "hours")) * time.Hour)
	n, err := m.s.Prune(rt.Context(), before)
	must(rt, err)
	kept := slices.DeleteFunc(slices.Clone(m.jobs), func(j *modelJob) bool { return !j.doneAt.IsZero() && j.doneAt.Before(before) && j.owed == 0 })
	if n != len(m.jobs)-len(kept) {
		rt.Fatalf("pruned %d, want %d", n, len(m.jobs)-len(kept))
	}
	m.jobs = kept
}
