package spool

import (
	"bytes"
	"database/sql"
	"fmt"
	"slices"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"servicesmtp.net/companion/app/mail"
)

// check compares everything that can be seen.
func (m *model) check(rt *rapid.T) {
	checkDebts(rt, m.s)
	m.checkReports(rt)
	totals, err := m.s.Totals(rt.Context(), m.now)
	must(rt, err)
	var bytesWanted mail.ByteSize
	for _, j := range m.jobs {
		if j.doneAt.IsZero() {
			bytesWanted += mail.ByteSize(len(j.body))
		}
	}
	lanes := 0
	for _, lane := range []mail.Lane{mail.Personal, mail.Bulk} {
		want := m.checkLane(rt, lane)
		if want.Messages == 0 {
			continue
		}
		if lanes == len(totals.Lanes) {
			rt.Fatalf("totals %+v, want %+v too", totals, want)
		}
		got := totals.Lanes[lanes]
		if got.Next = (time.Time{}); got != want {
			rt.Fatalf("totals %+v, want %+v", got, want)
		}
		lanes++
	}
	if len(totals.Lanes) != lanes || (lanes == 0) != (totals.Bytes == 0) || lanes > 0 && totals.Bytes <= bytesWanted {
		rt.Fatalf("totals %+v, want %d lanes and more than %d bytes", totals, lanes, bytesWanted)
	}
}

// checkLane compares the jobs of a lane, and counts what waits in it.
func (m *model) checkLane(rt *rapid.T, lane mail.Lane) LaneTotal {
	total := LaneTotal{Account: "office", Lane: lane}
	var due, got []string
	for _, j := range m.jobs {
		if j.lane != lane {
			continue
		}
		m.checkJob(rt, j, &total)
		if j.doneAt.IsZero() {
			total.Messages++
		}
		for _, b := range j.batches {
			if b.State == ready && b.Held == heldNot && !b.NotBefore.After(m.now) {
				due = append(due, fmt.Sprint(j.id, ".", b.Number))
			}
		}
	}
	for _, b := range readyIn(rt, m.s, "office", lane, m.now) {
		got = append(got, fmt.Sprint(b.Job, ".", b.Number))
	}
	if d := cmp.Diff(due, got); d != "" {
		rt.Fatalf("ready:\n%s", d)
	}
	return total
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
	if job.Report != j.report || job.ReportOf != j.reportOf {
		rt.Fatalf("job %+v, want report %q, report of %q", job, j.report, j.reportOf)
	}
	if j.doneAt.IsZero() || j.owed > 0 {
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
