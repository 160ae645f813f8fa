package app

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"servicesmtp.net/companion/app/mail"
	"servicesmtp.net/companion/app/spool"
	"servicesmtp.net/companion/internal/wire"
	"servicesmtp.net/companion/relayclient"
)

// JobFilter selects jobs for a list that is scrolled; the zero value is all.
type JobFilter struct {
	Account string
	State   string // "": all; "open": not done; "uncertain", "failed" (with a failed recipient), "done"
	Search  string // part of a sender's or a recipient's address
}

// JobList is a part of a list of jobs, newest first.
type JobList struct {
	Total int // rows of the whole list
	Jobs  []JobState
}

// browseLimit is the usual number of rows of one call, and the most.
func browseLimit(limit int) int {
	if limit <= 0 {
		return 100
	}
	return min(limit, 1000)
}

// BrowseJobs reads limit rows (0: 100; at most 1,000) from offset on.
func (e *Engine) BrowseJobs(ctx context.Context, f JobFilter, offset, limit int) (JobList, error) {
	if f.Account != "" {
		if _, err := e.account(f.Account); err != nil {
			return JobList{}, err
		}
	}
	refused, err := e.reports.RefusedByJob(ctx, f.Account)
	if err != nil {
		return JobList{}, fmt.Errorf("list jobs: %w", err)
	}
	total, jobs, err := e.spool.Browse(ctx, spool.Filter{
		Account: f.Account, Show: spool.Show(f.State), Search: strings.TrimSpace(f.Search), Refused: slices.Collect(maps.Keys(refused)),
	}, offset, browseLimit(limit))
	if err != nil {
		return JobList{}, spoolError(err)
	}
	list := JobList{Total: total, Jobs: make([]JobState, 0, len(jobs))}
	for _, j := range jobs {
		st := jobState(j)
		st.Refused = refused[j.ID]
		list.Jobs = append(list.Jobs, st)
	}
	return list, nil
}

// RecipientFilter selects recipients of one job; the zero value is all.
type RecipientFilter struct {
	Status string // "": all, or as RecipientState.Status
	Search string // part of an address
}

// RecipientList is a part of a job's recipients, by batch.
type RecipientList struct {
	Total      int
	Recipients []RecipientState
}

// BrowseRecipients reads limit rows (0: 100; at most 1,000) from offset on.
func (e *Engine) BrowseRecipients(ctx context.Context, job mail.JobID, f RecipientFilter, offset, limit int) (RecipientList, error) {
	j, err := e.spool.Job(ctx, job)
	if err != nil {
		return RecipientList{}, jobError(job, err)
	}
	offset, limit = max(offset, 0), browseLimit(limit)
	f.Search = strings.ToLower(strings.TrimSpace(f.Search))
	var total int
	var list []spool.RecipientState
	if f == (RecipientFilter{}) {
		if total, list, err = e.spool.BrowseRecipients(ctx, job, offset, limit); err != nil {
			return RecipientList{}, jobError(job, err)
		}
	} else {
		if list, err = e.selected(ctx, j, f); err != nil {
			return RecipientList{}, err
		}
		total = len(list)
		list = list[min(offset, total):]
		list = list[:min(limit, len(list))]
	}
	out := RecipientList{Total: total, Recipients: recipientStates(j, list)}
	return out, e.addDelivery(ctx, j, out.Recipients)
}

// selected are all of a job's recipients that the filter selects, by the
// status that addDelivery gives them.
func (e *Engine) selected(ctx context.Context, j spool.Job, f RecipientFilter) ([]spool.RecipientState, error) {
	list, err := e.spool.AllRecipients(ctx, j.ID)
	if err != nil {
		return nil, jobError(j.ID, err)
	}
	var reported map[string]relayclient.EventStatus
	if f.Status != "" {
		if reported, err = e.reports.LatestStatus(ctx, j.Account, j.ID); err != nil {
			return nil, fmt.Errorf("select recipients: %w", err)
		}
	}
	out := list[:0]
	for _, r := range list {
		status := r.Status.String()
		if told, ok := reported[wire.LowerDomain(r.Address)]; ok && r.Status == mail.StatusAccepted {
			status = string(told)
		}
		if (f.Status == "" || status == f.Status) && (f.Search == "" || strings.Contains(strings.ToLower(r.Address), f.Search)) {
			out = append(out, r)
		}
	}
	return out, nil
}

// recipientStates are recipients as a skin shows them, without what the relay
// has reported.
func recipientStates(j spool.Job, list []spool.RecipientState) []RecipientState {
	out := make([]RecipientState, 0, len(list))
	for _, r := range list {
		st := RecipientState{Address: r.Address, Batch: r.Batch, Status: r.Status.String(), At: r.At}
		if st.At.IsZero() { // nothing has happened to it since
			st.At = j.AcceptedAt
		}
		if r.Reply.Code.Basic != 0 {
			st.Code, st.Reply = r.Reply.Code.String(), r.Reply.Text
		}
		out = append(out, st)
	}
	return out
}

// MaxErrors bounds what AllErrors reads; the newest are kept.
const MaxErrors = 50_000

// AllErrors reads the errors that a query selects, newest first, at most
// MaxErrors; more says that there are older ones. The query's Cursor and Limit
// do not matter.
func (e *Engine) AllErrors(ctx context.Context, q ErrorQuery) (list []AddressError, more, stale bool, err error) {
	return e.allErrors(ctx, q, MaxErrors)
}

func (e *Engine) allErrors(ctx context.Context, q ErrorQuery, most int) (list []AddressError, more, stale bool, err error) {
	if q.Account != "" {
		if _, err := e.account(q.Account); err != nil {
			return nil, false, false, err
		}
	}
	refused, err := allOf(ctx, q, most+1, e.refusedHere)
	if err != nil {
		return nil, false, false, err
	}
	failed, err := allOf(ctx, q, most+1, e.failedThere)
	if err != nil {
		return nil, false, false, err
	}
	list, _, _ = merge(refused.list, failed.list, most)
	return list, len(refused.list)+len(failed.list) > most, failed.stale, nil
}

// errorsPage is how many errors are read at a time.
const errorsPage = 10_000

// allOf reads the pages of one of the two lists of errors.
func allOf(ctx context.Context, q ErrorQuery, most int, read func(context.Context, ErrorQuery, string, int) (source, error)) (source, error) {
	var all source
	for {
		page, err := read(ctx, q, all.next, min(errorsPage, most-len(all.list)))
		if err != nil {
			return source{}, err
		}
		all = source{list: append(all.list, page.list...), next: page.next, stale: page.stale}
		if all.next == "" || len(all.list) >= most {
			return all, nil
		}
	}
}

// merge takes the newest of two lists, which are newest first, and says how
// many it took of each.
func merge(a, b []AddressError, most int) (list []AddressError, ofA, ofB int) {
	list = make([]AddressError, 0, min(most, len(a)+len(b)))
	for len(list) < most && (ofA < len(a) || ofB < len(b)) {
		if ofB == len(b) || ofA < len(a) && a[ofA].At.After(b[ofB].At) {
			list = append(list, a[ofA])
			ofA++
			continue
		}
		list = append(list, b[ofB])
		ofB++
	}
	return list, ofA, ofB
}
