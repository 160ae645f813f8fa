package spool

import (
	"bytes"
	"database/sql"
	"fmt"
	"slices"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"servicesmtp.net/companion/app/mail"
)

// check compares everything that can be seen.
func (m *model) check(rt *rapid.T) {
	checkRows(rt, m.s)
	var due []string
	var lane LaneTotal
	var bytesWanted mail.ByteSize
	for _, j := range m.jobs {
		m.checkJob(rt, j, &lane)
		if j.doneAt.IsZero() {
			lane.Messages++
			bytesWanted += mail.ByteSize(len(j.body))
		}
		for _, b := range j.batches {
			if b.State == ready && b.Held == heldNot && !b.NotBefore.After(m.now) {
				due = append(due, fmt.Sprint(j.id, ".", b.Number))
			}
		}
	}
	var got []string
	for _, b := range readyNow(rt, m.s, "office", m.now) {
		got = append(got, fmt.Sprint(b.Job, ".", b.Number))
	}
	if d := cmp.Diff(due, got); d != "" {
		rt.Fatalf("ready:\n%s", d)
	}
	totals, err := m.s.Totals(rt.Context(), m.now)
	must(rt, err)
	if lane.Messages == 0 {
		if len(totals.Lanes) != 0 || totals.Bytes != 0 {
			rt.Fatalf("totals of an empty spool: %+v", totals)
		}
		return
	}
	t := totals.Lanes[0]
	if len(totals.Lanes) != 1 || t.Messages != lane.Messages || t.Recipients != lane.Recipients || t.Uncertain != lane.Uncertain || totals.Bytes <= bytesWanted {
		rt.Fatalf("totals %+v, want %+v and more than %d bytes", totals, lane, bytesWanted)
	}
}

func (m *model) checkJob(rt *rapid.T, j *modelJob, lane *LaneTotal) {
	got := m.stored(rt, j.id)
	if d := cmp.Diff(j.batches, got, cmp.FilterPath(func(p cmp.Path) bool {
		return slices.Contains([]string{"attempt", "conflict"}, p.Last().String()[min(1, len(p.Last().String())):])
	}, cmp.Ignore())); d != "" {
		rt.Fatalf("job %s:\n%s", j.id, d)
	}
	var want Counts
	for _, b := range j.batches {
		n := len(b.Recipients)
		switch {
		case b.State == uncertain:
			want.Uncertain += n
			lane.Uncertain += n
		case b.live() && b.Round == 0:
			want.Queued += n
			lane.Recipients += n
		case b.live():
			want.Deferred += n
			lane.Recipients += n
		}
		for _, s := range b.Status {
			switch s {
			case mail.StatusAccepted:
				want.Accepted++
			case mail.StatusFailed:
				want.Failed++
			case mail.StatusCancelled:
				want.Cancelled++
			case mail.StatusUncertain:
				want.Uncertain++
			}
		}
	}
	job := getJob(rt, m.s, j.id)
	if job.Counts != want || !job.DoneAt.Equal(j.doneAt) || job.Batches != len(j.batches) {
		rt.Fatalf("job %+v, want %+v, done %v", job, want, j.doneAt)
	}
	if j.doneAt.IsZero() {
		if !bytes.Equal(readBody(rt, m.s, j.id), j.body) {
			rt.Fatalf("job %s: the body changed", j.id)
		}
	}
}

// stored reads a job's batches, with what became of each recipient.
func (m *model) stored(rt *rapid.T, id mail.JobID) (out []*modelBatch) {
	var ids []int64
	must(rt, m.s.rows(rt.Context(), `SELECT b.id, number, state, held, bound, store, not_before, attempts, round, first_try, b.recipients, result
		FROM batches b JOIN jobs j ON j.seq = b.job WHERE j.id = ? ORDER BY number`, []any{id}, nil, func(rows *sql.Rows) error {
		var b modelBatch
		var key, notBefore, firstTry int64
		var blob []byte
		var result mail.Status
		must(rt, rows.Scan(&key, &b.Number, &b.State, &b.Held, &b.Bound, &b.Store, &notBefore, &b.Attempts, &b.Round, &firstTry, &blob, &result))
		list, err := decodeRecipients(blob)
		must(rt, err)
		for _, r := range list {
			b.Recipients = append(b.Recipients, r.Address)
		}
		b.NotBefore, b.FirstTry = moment(notBefore), moment(firstTry)
		if b.State == done {
			b.Status = slices.Repeat([]mail.Status{result}, len(list))
		}
		out, ids = append(out, &b), append(ids, key)
		return nil
	}))
	for i, key := range ids {
		must(rt, m.s.outcomes(rt.Context(), key, func(place int, o mail.Outcome) {
			if o.Address != out[i].Recipients[place] {
				rt.Fatalf("outcome of %s at the place of %s", o.Address, out[i].Recipients[place])
			}
			out[i].Status[place] = o.Status
		}))
	}
	return out
}
