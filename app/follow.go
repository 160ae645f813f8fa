package app

import (
	"context"
	"errors"
	"math"
	"strings"
	"sync"
	"time"

	"servicesmtp.net/companion/app/mail"
	"servicesmtp.net/companion/app/pace"
	"servicesmtp.net/companion/app/reports"
	"servicesmtp.net/companion/app/spool"
	"servicesmtp.net/companion/relayclient"
)

// refreshWait is how long a person who asks for usage or errors waits for the
// relay before what is known is shown.
const refreshWait = 5 * time.Second

// follow keeps an account's reports up to date, and tells its sender what they
// change, until ctx ends.
func (e *Engine) follow(ctx context.Context, a *account) {
	var learning sync.WaitGroup
	defer learning.Wait()
	learning.Go(func() {
		for sleepUntil(ctx, time.Time{}, a.news) == nil {
			e.learn(ctx, a)
			e.pub.changed()
		}
	})
	if err := a.follower.Run(ctx); err != nil {
		e.log.Error("the relay's reports are not followed", "account", a.settings.Name, "err", err)
	}
}

// newFollower makes what reads an account's reports.
func (e *Engine) newFollower(a *account) *reports.Follower {
	return e.reports.Follower(reports.Account{
		Name: a.settings.Name, KeepHistory: time.Duration(e.settings.Spool.KeepHistory),
		Client:  a.relay.ready,
		Waiting: func() int64 { return a.sender.couldLeave(e.stopped) },
		Changed: func() { token(a.news) },
	})
}

// learn puts into force what the relay said last: its limits, the store behind
// its endpoints, and that a plan has room again.
func (e *Engine) learn(ctx context.Context, a *account) {
	e.setLimits(ctx, a)
	if f, err := e.reports.Endpoints(ctx, a.settings.Name); err == nil {
		a.relay.setStore(storeOf(f.Value))
	}
	if f, err := e.reports.Quota(ctx, a.settings.Name); err == nil {
		a.sender.quotaTold(f.Value, f.AsOf)
	}
}

// setLimits puts the user's limits in force for an account, and the relay's as
// far as they are stricter.
func (e *Engine) setLimits(ctx context.Context, a *account) {
	a.pacing.Lock()
	defer a.pacing.Unlock()
	if f, err := e.reports.Policy(ctx, a.settings.Name); err == nil {
		p := f.Value
		a.policy = &pace.Limits{
			PerMinute: int(p.RecipientsPerMinute), PerHour: int(p.RecipientsPerHour), PerDay: int(p.RecipientsPerDay), Batch: int(p.RcptMax),
			PersonalBurst: int(p.PersonalBurst), Shared: p.AccountRecipientsPerMinute > 0,
			PerProvider: perProvider(p.PerProvider),
		}
		if p.Batch > 0 {
			a.policy.Batch = min(a.policy.Batch, int(p.Batch))
		}
	}
	a.sender.setPolicy(e.limits(a.policy))
}

// quotaTold ends a hold for quota when the relay said, after it began, that
// there is room.
func (s *sender) quotaTold(q relayclient.Quota, asOf time.Time) {
	left := func(n *int64) int64 {
		if n == nil {
			return math.MaxInt64
		}
		return *n
	}
	now := room{emails: left(q.EmailsLeft), bytes: left(q.BytesLeft)}
	s.mu.Lock()
	waits := s.held.hold.Reason == mail.HoldQuota && asOf.After(s.held.hold.Since)
	before := s.held.room
	if waits {
		s.held.room = &now
	}
	s.mu.Unlock()
	// What is left at the beginning of the hold was not enough; only more is.
	if waits && before != nil && (now.emails > before.emails || now.bytes > before.bytes) {
		s.retryNow()
	}
}

// quotaState is the plan's period as the relay told it last.
func (e *Engine) quotaState(ctx context.Context, name string) *QuotaState {
	f, err := e.reports.Quota(ctx, name)
	if err != nil {
		return nil
	}
	q := f.Value
	return &QuotaState{
		Plan: q.Plan, Emails: q.EmailsUsed, EmailsLimit: q.EmailsLimit, Bytes: mail.ByteSize(q.BytesUsed), BytesLimit: mail.ByteSize(q.BytesLimit),
		Reset: q.Reset, AsOf: f.AsOf,
	}
}

// Usage asks the relay, within a few seconds, what an account used; where it
// does not answer, what it told last, marked as stale. Without a name it is
// the only account's.
func (e *Engine) Usage(ctx context.Context, name string) (Usage, error) {
	all, err := e.chosen(name)
	if err != nil {
		return Usage{}, err
	}
	if len(all) != 1 {
		return Usage{}, &UserError{Sentence: "There is not exactly one account.", Action: "Name the account."}
	}
	a := all[0]
	stale := e.refresh(ctx, a) != nil
	f, err := e.reports.Usage(ctx, a.settings.Name)
	if errors.Is(err, reports.ErrUnknown) {
		return Usage{}, &UserError{Sentence: "The relay has not told the usage of this account yet.", Action: "Try again when the relay can be reached.", Err: err}
	}
	if err != nil {
		return Usage{}, err
	}
	v := f.Value
	u := Usage{
		Account: a.settings.Name, Plan: v.Plan, From: v.From, To: v.To, Emails: v.Emails, Bytes: mail.ByteSize(v.Bytes),
		EmailsLimit: v.EmailsLimit, BytesLimit: mail.ByteSize(v.BytesLimit), Days: []UsageDay{}, AsOf: f.AsOf, Stale: stale || f.Stale,
	}
	for _, d := range v.Days {
		u.Days = append(u.Days, UsageDay{Day: d.Day, Emails: d.Emails, Bytes: mail.ByteSize(d.Bytes)})
	}
	return u, nil
}

// refresh reads an account's reports now.
func (e *Engine) refresh(ctx context.Context, a *account) error {
	if !a.relay.known() {
		return errNoAPI
	}
	ctx, cancel := context.WithTimeout(ctx, refreshWait)
	defer cancel()
	return a.follower.Refresh(ctx)
}

// Errors lists addresses that failed for good, newest first: those that the
// relay refused, from the spool, and those that recipients' servers refused,
// from the reports.
func (e *Engine) Errors(ctx context.Context, q ErrorQuery) (ErrorPage, error) {
	if q.Account != "" {
		if _, err := e.account(q.Account); err != nil {
			return ErrorPage{}, err
		}
	}
	if q.Limit <= 0 {
		q.Limit = 1000
	}
	q.Limit = min(q.Limit, 10_000)
	here, there, err := splitCursor(q.Cursor)
	if err != nil {
		return ErrorPage{}, err
	}
	refused, err := e.refusedHere(ctx, q, here, q.Limit)
	if err != nil {
		return ErrorPage{}, err
	}
	failed, err := e.failedThere(ctx, q, there, q.Limit)
	if err != nil {
		return ErrorPage{}, err
	}
	page := ErrorPage{Stale: failed.stale}
	var i, j int
	page.Errors, i, j = merge(refused.list, failed.list, q.Limit)
	page.Next, err = e.nextErrors(ctx, q, [2]string{here, there}, [2]int{i, j}, [2]source{refused, failed})
	return page, err
}

// source is one page of one of the two lists of errors.
type source struct {
	list  []AddressError
	next  string // "" at the end
	stale bool
}

// ended marks a list that has been read to its end, inside a cursor.
const ended = "-"

// splitCursor takes the two lists' cursors out of ours.
func splitCursor(cursor string) (here, there string, err error) {
	if cursor == "" {
		return "", "", nil
	}
	here, there, ok := strings.Cut(cursor, "_")
	if !ok {
		return "", "", &UserError{Sentence: "This page of errors is not known.", Action: "Begin with the first page.", Err: ErrNotFound}
	}
	return here, there, nil
}

// nextErrors is the cursor behind so many rows of each list. A list of which
// only a part was taken is asked for the cursor behind that part.
func (e *Engine) nextErrors(ctx context.Context, q ErrorQuery, from [2]string, taken [2]int, got [2]source) (string, error) {
	var next [2]string
	for k := range next {
		switch {
		case from[k] == ended, taken[k] == len(got[k].list) && got[k].next == "":
			next[k] = ended
		case taken[k] == len(got[k].list):
			next[k] = got[k].next
		case taken[k] == 0:
			next[k] = from[k]
		default:
			read := e.refusedHere
			if k == 1 {
				read = e.failedThere
			}
			part, err := read(ctx, q, from[k], taken[k])
			if err != nil {
				return "", err
			}
			next[k] = part.next
		}
	}
	if next == [2]string{ended, ended} {
		return "", nil
	}
	return next[0] + "_" + next[1], nil
}

func (e *Engine) refusedHere(ctx context.Context, q ErrorQuery, cursor string, limit int) (source, error) {
	if cursor == ended {
		return source{}, nil
	}
	list, next, err := e.spool.Failed(ctx, q.Account, q.Search, cursor, limit)
	if err != nil {
		return source{}, spoolError(err)
	}
	s := source{next: next}
	for _, f := range list {
		s.list = append(s.list, addressError(failureWords(f.Reply.Code), f.Reply, AddressError{
			At: f.At, Account: f.Account, Address: f.Address, Source: "relay", Job: string(f.Job),
		}))
	}
	return s, nil
}

// addressError fills in what a reply says, in the server's words and in ours.
func addressError(w words, r mail.Reply, a AddressError) AddressError {
	a.Code, a.Reply, a.Reason, a.Action = r.Code.String(), r.Text, w.sentence.Key, w.action.Key
	return a
}

func (e *Engine) failedThere(ctx context.Context, q ErrorQuery, cursor string, limit int) (source, error) {
	if cursor == ended {
		return source{}, nil
	}
	list, next, stale, err := e.reports.Failed(ctx, q.Account, q.Search, cursor, limit)
	if err != nil {
		return source{}, err
	}
	s := source{next: next, stale: stale}
	for _, f := range list {
		s.list = append(s.list, addressError(refusal(f.Reply.Code), f.Reply, AddressError{
			At: f.At, Account: f.Account, Address: f.Address, Source: "recipient", Job: string(f.Job),
		}))
	}
	return s, nil
}

// addDelivery puts what the relay has reported since in place of "accepted".
func (e *Engine) addDelivery(ctx context.Context, j spool.Job, list []RecipientState) error {
	var asked []string
	for _, r := range list {
		if r.Status == mail.StatusAccepted.String() {
			asked = append(asked, r.Address)
		}
	}
	if len(asked) == 0 {
		return nil
	}
	latest, err := e.reports.Latest(ctx, j.Account, j.ID, asked)
	if err != nil {
		return err
	}
	for i := range list {
		r := &list[i]
		if ev, ok := latest[r.Address]; ok && r.Status == mail.StatusAccepted.String() {
			r.Status, r.At = string(ev.Status), ev.At
			if ev.Reply.Code.Basic != 0 {
				r.Code, r.Reply = ev.Reply.Code.String(), ev.Reply.Text
			}
		}
	}
	return nil
}
