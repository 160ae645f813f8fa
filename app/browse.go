package app

import (
	"context"

	"servicesmtp.net/companion/app/mail"
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

// BrowseJobs reads limit rows (at most 1,000) from offset on.
func (e *Engine) BrowseJobs(ctx context.Context, f JobFilter, offset, limit int) (JobList, error) {
	return JobList{}, nil
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

// BrowseRecipients reads limit rows (at most 1,000) from offset on.
func (e *Engine) BrowseRecipients(ctx context.Context, job mail.JobID, f RecipientFilter, offset, limit int) (RecipientList, error) {
	return RecipientList{}, nil
}

// MaxErrors bounds what AllErrors reads; the newest are kept.
const MaxErrors = 50_000

// AllErrors reads the errors that a query selects, newest first, at most
// MaxErrors; more says that there are older ones.
func (e *Engine) AllErrors(ctx context.Context, q ErrorQuery) (list []AddressError, more, stale bool, err error) {
	return nil, false, false, nil
}
