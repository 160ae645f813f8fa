package spool

import (
	"fmt"
	"slices"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"servicesmtp.net/companion/app/mail"
)

// modelDue is a report as it was listed, with what the model knew then.
type modelDue struct {
	DueReport
	job     *modelJob
	reports int
	owed    int
}

// mayReport says whether the sender is to be told now.
func (j *modelJob) mayReport() bool {
	first, later := 0, 0
	for _, b := range j.batches {
		switch {
		case !b.live(), b.State == uncertain:
		case b.Round == 0:
			first++
		default:
			later++
		}
	}
	return j.owed > 0 && first == 0 && (j.lane == mail.Personal || later == 0)
}

// checkReports compares what is due, with the number of failures.
func (m *model) checkReports(rt *rapid.T) {
	var want, got []string
	for _, j := range m.jobs {
		if j.mayReport() {
			want = append(want, fmt.Sprint(j.id, " ", j.owed))
		}
	}
	due, _, err := m.s.DueReports(rt.Context(), "", 1000)
	must(rt, err)
	for _, d := range due {
		got = append(got, fmt.Sprint(d.ID, " ", d.Failures))
	}
	if d := cmp.Diff(want, got); d != "" {
		rt.Fatalf("due reports:\n%s", d)
	}
}

// listReports remembers what is due, so that a report can come too late.
func (m *model) listReports(rt *rapid.T) {
	due, _, err := m.s.DueReports(rt.Context(), "", 1000)
	must(rt, err)
	for _, d := range due {
		n := 0
		for f, err := range m.s.ReportedFailures(rt.Context(), d) {
			must(rt, err)
			n++
			if f.Reply != greylisted || f.Recipient.Address == "" || len(f.Recipient.Notify) > 0 {
				rt.Fatalf("failure %+v", f)
			}
		}
		if n != d.Failures {
			rt.Fatalf("%d failures of %+v", n, d)
		}
		i := slices.IndexFunc(m.jobs, func(j *modelJob) bool { return j.id == d.ID })
		m.due = append(m.due, modelDue{d, m.jobs[i], m.jobs[i].reports, m.jobs[i].owed})
	}
}

// report stores one of those that were listed at some time.
func (m *model) report(rt *rapid.T) {
	if len(m.due) == 0 {
		rt.Skip("none was listed")
	}
	i := rapid.IntRange(0, len(m.due)-1).Draw(rt, "report")
	d := m.due[i]
	m.due = slices.Delete(m.due, i, i+1)
	m.next++
	r := &modelJob{id: jobID(m.next), accepted: m.now, body: []byte("report"), lane: mail.Personal, reportOf: d.ID,
		batches: []*modelBatch{{Number: 1, State: ready, Recipients: []string{d.From}}}}
	err := putReport(rt.Context(), m.s, r.id, d.DueReport, m.now, r.body)
	if !m.expect(rt, err, d.reports == d.job.reports) {
		return
	}
	d.job.owed -= d.owed
	d.job.reports++
	d.job.report = r.id
	m.jobs = append(m.jobs, r)
}
