package app

import (
	"context"
	"fmt"

	"servicesmtp.net/companion/app/mail"
	"servicesmtp.net/companion/app/spool"
)

// Jobs lists a page of jobs, newest first.
func (e *Engine) Jobs(ctx context.Context, q JobQuery) (JobPage, error) {
	if q.Account != "" {
		if _, err := e.account(q.Account); err != nil {
			return JobPage{}, err
		}
	}
	jobs, next, err := e.spool.Jobs(ctx, spool.JobQuery{Account: q.Account, Open: q.Open, Cursor: q.Cursor, Limit: q.Limit})
	if err != nil {
		return JobPage{}, spoolError(err)
	}
	page := JobPage{Jobs: []JobState{}, Next: next}
	for _, j := range jobs {
		page.Jobs = append(page.Jobs, jobState(j))
	}
	return page, nil
}

// Job is one job with a page of its recipients. What the relay has reported of
// them since it took them stands in place of "accepted".
func (e *Engine) Job(ctx context.Context, id mail.JobID, cursor string, limit int) (JobDetail, error) {
	j, err := e.spool.Job(ctx, id)
	if err != nil {
		return JobDetail{}, jobError(id, err)
	}
	list, next, err := e.spool.Recipients(ctx, id, cursor, limit)
	if err != nil {
		return JobDetail{}, jobError(id, err)
	}
	refused, err := e.reports.RefusedByJob(ctx, j.Account)
	if err != nil {
		return JobDetail{}, fmt.Errorf("read job: %w", err)
	}
	d := JobDetail{JobState: jobState(j), List: recipientStates(j, list), Next: next}
	d.Refused = refused[id]
	return d, e.addDelivery(ctx, j, d.List)
}
