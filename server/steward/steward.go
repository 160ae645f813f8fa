// Package steward looks after the accounts: it closes periods that are over,
// sends their reports, tells customers what the rules say they must be told,
// and calls the operator for orders that were paid and wait.
//
// It promises that each thing is told once, whichever nodes run at the same
// time and wherever one is killed: what was told is written down in the
// transaction that tells it (package tell), and what was not told is due in
// the next pass. An account's daily review is remembered with what it told, so
// that there is one report for it, of the highest step. A failure of one
// account is logged and leaves the others alone. Closing is billing's, what is
// due the rules' (server/account), the words notify's: it decides nothing.
//
// One pass runs at a time over all nodes, by a lease in the store; that only
// saves work. Run owns its loop and starts no goroutine.
package steward

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"servicesmtp.net/companion/server/account"
	"servicesmtp.net/companion/server/billing"
	"servicesmtp.net/companion/server/monthly"
	"servicesmtp.net/companion/server/store"
	"servicesmtp.net/companion/server/tell"
)

var (
	// ErrBusy says that another pass is under way.
	ErrBusy = errors.New("another pass is under way")
	// ErrAgain says that nobody may be told again by the dozen.
	ErrAgain = errors.New("a report is sent again for one account and one month")

	// errLost says that the lease ran out, and another node may have it.
	errLost = errors.New("the lease of the pass ran out")
)

const (
	first    = time.Minute // after the start: a relay that begins has other work
	interval = 15 * time.Minute

	leaseName = "steward"
	page      = 100 // accounts read at once
)

// Options are what a Steward needs.
type Options struct {
	Store  *store.Store
	Plans  account.Catalogue
	Teller *tell.Teller
	Log    *slog.Logger

	Operator string                                         // address for alarms; "": the log alone
	Pay      func(order, account string) (how, link string) // nil: the request says neither
	Now      func() time.Time                               // nil: time.Now
	Lease    time.Duration                                  // how long a pass that is not heard of keeps others waiting; 0: 30 s

	Passed func(at time.Time, failed int) // a pass ended; nil: nobody counts
	Told   func(kind string)              // somebody was told; nil: nobody counts
}

// Steward makes passes. Its methods may be called from any goroutine.
type Steward struct {
	Options
	billing *billing.Billing
	alarms  *tell.Teller
	run     func(ctx context.Context) error // one pass of the loop
}

// New makes a steward.
func New(o Options) *Steward {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Lease == 0 {
		o.Lease = 30 * time.Second
	}
	if o.Pay == nil {
		o.Pay = func(string, string) (string, string) { return "", "" }
	}
	if o.Passed == nil {
		o.Passed = func(time.Time, int) {}
	}
	if o.Told == nil {
		o.Told = func(string) {}
	}
	alarms := o.Teller.Options
	alarms.Mail = alarms.Mail && o.Operator != ""
	s := &Steward{Options: o, billing: &billing.Billing{Store: o.Store, Plans: o.Plans, Now: o.Now}, alarms: tell.New(alarms)}
	s.run = func(ctx context.Context) error { _, err := s.Pass(ctx, Request{}); return err }
	return s
}

// Run makes a pass soon and then every quarter of an hour, until ctx ends. A
// pass that fails is logged, and made up for by the next one.
func (s *Steward) Run(ctx context.Context) error {
	for wait := first; ; wait = interval {
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-timer.C:
		}
		switch err := s.run(ctx); {
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, ErrBusy):
			s.Log.Debug("accounts are looked after by another node")
		case err != nil:
			s.Log.Error("accounts not looked after", "error", err)
		}
	}
}

// Request says what a pass is about. The zero value is everything that is due.
type Request struct {
	AccountID string // this one alone; "": all
	Month     string // YYYY-MM of the account's zone: only reports of periods that began in it; "": all
	Again     bool   // the month's report even if it was sent; needs AccountID and Month
	DryRun    bool   // write nothing, tell nobody
}

func (q Request) check() error {
	if q.Month != "" {
		if _, err := time.Parse("2006-01", q.Month); err != nil {
			return monthly.ErrMonth
		}
	}
	if q.Again && (q.Month == "" || q.AccountID == "") {
		return ErrAgain
	}
	return nil
}

// Result is what a pass did, or would do.
type Result struct {
	Accounts int
	Failed   int // accounts that could not be looked after; the log says why
	Closed   []Closed
	Told     []Told
}

// Closed is a period that was closed.
type Closed struct {
	AccountID, Account string
	Bill               account.Bill
}

// Told is something that somebody was told.
type Told struct {
	AccountID, Account string // the operator is told about it, or its customer
	Kind               string // of the notice, as stored
	Subject            string
	Start              time.Time // of the period, or what stands for it
	Step               int
	OrderID            string
}

// Pass looks after the accounts now. It is ErrBusy while another pass runs,
// and goes on after an account that fails.
func (s *Steward) Pass(ctx context.Context, q Request) (Result, error) {
	var res Result
	if err := q.check(); err != nil {
		return res, err
	}
	lease := &lease{store: s.Store, length: s.Lease, holder: store.NewID(time.Now())}
	if !q.DryRun {
		if err := lease.take(ctx); err != nil {
			return res, err
		}
		defer lease.end(ctx, s.Log)
	}
	if err := s.accounts(ctx, q, lease, &res); err != nil {
		return res, fmt.Errorf("look after accounts: %w", err)
	}
	if !q.DryRun && q == (Request{}) {
		s.Passed(s.Now(), res.Failed)
	}
	return res, nil
}

// accounts goes through them by id.
func (s *Steward) accounts(ctx context.Context, q Request, lease *lease, res *Result) error {
	for after := ""; ; {
		all, err := s.Store.Reviewables(ctx, after, page, s.Now())
		if err != nil || len(all) == 0 {
			return err
		}
		for _, a := range all {
			after = a.ID
			if q.AccountID != "" && q.AccountID != a.ID {
				continue
			}
			if err := lease.renew(ctx); err != nil {
				return err
			}
			res.Accounts++
			if err := s.account(ctx, a, q, res); err != nil {
				if ctx.Err() != nil {
					return ctx.Err()
				}
				res.Failed++
				s.Log.Error("account not looked after", "account", a.ID, "error", err)
			}
		}
	}
}

// account looks after one.
func (s *Steward) account(ctx context.Context, a store.Reviewable, q Request, res *Result) error {
	now := s.Now().UTC().Truncate(time.Microsecond)
	c, bills, err := s.load(ctx, a, q, now)
	for _, b := range bills {
		res.Closed = append(res.Closed, Closed{AccountID: a.ID, Account: a.Name, Bill: b})
	}
	if err != nil {
		return err
	}
	due, err := c.due(ctx)
	if err != nil {
		return err
	}
	for _, n := range due {
		if err := c.tell(ctx, n, res); err != nil {
			return err
		}
	}
	if c.reviews() && !c.dry {
		return ignoreReviewed(s.Store.Tx(ctx, func(tx *sql.Tx) error { return c.markReviewed(ctx, tx) }))
	}
	return nil
}

// ignoreReviewed leaves out that another node was faster.
func ignoreReviewed(err error) error {
	if errors.Is(err, store.ErrReviewed) {
		return nil
	}
	return err
}

// lease is the right to make a pass.
type lease struct {
	store   *store.Store
	length  time.Duration
	holder  string
	renewed time.Time // zero: not taken, and not needed
}

func (l *lease) take(ctx context.Context) error {
	ok, err := l.store.Lease(ctx, leaseName, l.holder, l.length)
	if err == nil && !ok {
		err = ErrBusy
	}
	l.renewed = time.Now()
	return err
}

// renew keeps the lease while a pass goes on.
func (l *lease) renew(ctx context.Context) error {
	if l.renewed.IsZero() || time.Since(l.renewed) < l.length/4 {
		return nil
	}
	err := l.take(ctx)
	if errors.Is(err, ErrBusy) {
		return errLost
	}
	return err
}

// end gives the lease back also where the pass was stopped; if that fails it
// runs out.
func (l *lease) end(ctx context.Context, log *slog.Logger) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if err := l.store.EndLease(ctx, leaseName, l.holder); err != nil {
		log.Warn("lease not given back, it runs out by itself", "error", err)
	}
}
