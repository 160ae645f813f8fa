package reports

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"servicesmtp.net/companion/relayclient"
)

const (
	refreshEvery   = 5 * time.Minute
	refreshSoonest = 30 * time.Second // after the refresh before, however much is sent
	refreshLongest = 2 * time.Minute  // that one refresh takes
	longPoll       = 55 * time.Second // below the minute after which many proxies cut a silent connection
	pollSoonest    = 5 * time.Second  // between two answers without news
	firstRetry     = time.Second
	longestRetry   = 2 * time.Minute
	unknownRetry   = 10 * time.Minute // after a login that is not known: no better for being tried often
	pruneEvery     = 24 * time.Hour
)

// Account is whose reports are followed.
type Account struct {
	Name string // in the settings

	// Client gives a client with a token. renew says that the relay does not
	// know the token of the last client: a new one must be registered with the
	// account's login. It is never set because of an outage.
	Client func(ctx context.Context, renew bool) (*relayclient.Client, error)

	Waiting func() int64 // recipients that wait here and may leave soon; nil: not told

	KeepHistory time.Duration // events are forgotten after it; 0: never
	Changed     func()        // told after something was stored or failed; must not block; may be nil
}

// Follower keeps one account's reports up to date.
type Follower struct {
	Account
	cache *Cache
	log   *slog.Logger

	turn chan struct{}       // holds one token for whoever uses client
	held *relayclient.Client // nil: Client must be asked; needs turn
	soon chan struct{}       // asks for a refresh
	now  chan struct{}       // asks for one that does not wait

	share chan struct{} // asks for the share of the account's rate
	told  chan struct{} // the relay told it anew
	idle  atomic.Bool   // the relay shares it, and was told last that nothing waits here

	// Each ends the wait of one loop after a failure.
	retryEvents, retryFacts chan struct{}
}

// Follower makes the follower of an account. There must be one at most.
func (c *Cache) Follower(a Account) *Follower {
	if a.Changed == nil {
		a.Changed = func() {}
	}
	return &Follower{
		Account: a, cache: c, log: c.log.With("account", a.Name),
		turn: make(chan struct{}, 1), soon: make(chan struct{}, 1), now: make(chan struct{}, 1), share: make(chan struct{}, 1), told: make(chan struct{}, 1), retryEvents: make(chan struct{}, 1), retryFacts: make(chan struct{}, 1),
	}
}

// Run reads what the relay has to tell until ctx ends. It returns nil: an
// outage ends nothing.
func (f *Follower) Run(ctx context.Context) error {
	var g errgroup.Group
	g.Go(func() error { f.followEvents(ctx); return nil })
	g.Go(func() error { f.followFacts(ctx); return nil })
	g.Go(func() error { f.followNotices(ctx); return nil })
	g.Go(func() error { f.followShare(ctx); return nil })
	return g.Wait()
}

// Soon says that mail was handed over, so that quota and usage have changed.
// It never blocks.
func (f *Follower) Soon() { signal(f.soon) }

// Now is Soon for what a person looks at next, as when the plan is used up: it
// does not wait for half a minute since the refresh before.
func (f *Follower) Now() {
	signal(f.soon)
	signal(f.now)
}

// Refresh reads everything now, within ctx's deadline, and says why it could
// not. What it read before a failure is stored.
func (f *Follower) Refresh(ctx context.Context) error {
	err := f.readFacts(ctx)
	if err == nil {
		err = f.drainEvents(ctx)
	}
	return err
}

// followEvents keeps one long poll open.
func (f *Follower) followEvents(ctx context.Context) {
	failures, wait := 0, time.Duration(0) // the first answer comes at once, and tells whether we are up to date
	for {
		began := time.Now()
		n, err := f.page(ctx, wait)
		f.note(ctx, partEvents, err)
		if ctx.Err() != nil {
			return
		}
		pause := time.Duration(0)
		if err == nil {
			failures = 0
		}
		switch {
		case err != nil:
			pause, wait = backoff(failures, err, rand.Uint64()), 0
			failures++
		case n > 0:
			f.Changed()
			f.Soon()
		default:
			// A relay, or something before it, that ignores the wait must not
			// make us ask in a tight loop.
			if wait > 0 {
				pause = pollSoonest - time.Since(began)
			}
			wait = longPoll
		}
		if !sleep(ctx, pause, f.retryEvents) {
			return
		}
	}
}

// followFacts refreshes what is not a list of events, and forgets old events.
func (f *Follower) followFacts(ctx context.Context) {
	failures := 0
	var pruned time.Time
	for ctx.Err() == nil {
		if f.KeepHistory > 0 && time.Since(pruned) >= pruneEvery {
			if err := f.cache.Prune(ctx, f.Name, f.since()); err != nil && ctx.Err() == nil {
				f.log.Warn("old events cannot be removed", "err", err)
			}
			pruned = time.Now()
		}
		bounded, cancel := context.WithTimeout(ctx, refreshLongest)
		err := f.readFacts(bounded)
		cancel()
		if err != nil {
			sleep(ctx, backoff(failures, err, rand.Uint64()), f.retryFacts)
			failures++
			continue
		}
		failures = 0
		if sleep(ctx, refreshSoonest, f.now) {
			sleep(ctx, f.validity(ctx)-refreshSoonest, f.soon)
		}
	}
}

// validity is how long the answers just read count: the policy says how long
// it is valid. Less than refreshSoonest is not obeyed.
func (f *Follower) validity(ctx context.Context) time.Duration {
	p, err := f.cache.Policy(ctx, f.Name)
	if err != nil || p.Value.ValidSeconds <= 0 || p.Value.AccountRecipientsPerMinute > 0 { // followShare looks after the last
		return refreshEvery
	}
	return min(time.Duration(p.Value.ValidSeconds)*time.Second, refreshEvery)
}

// note remembers how an attempt went. When one part of the reports can be read
// again, the other need not wait any longer.
func (f *Follower) note(ctx context.Context, name string, err error) {
	if errors.Is(ctx.Err(), context.Canceled) {
		return // we gave up, which says nothing about the relay
	}
	news, recovered := f.cache.note(f.Name, name, err, time.Now())
	switch {
	case !news:
		return
	case err != nil:
		f.log.Warn("the relay's reports cannot be read", "part", name, "err", err)
	default:
		f.log.Info("the relay's reports are read", "part", name)
	}
	switch {
	case recovered && name == partFacts:
		signal(f.retryEvents)
	case recovered:
		signal(f.retryFacts)
	}
	f.Changed()
}

// since is the time before which events are not kept.
func (f *Follower) since() time.Time {
	if f.KeepHistory <= 0 {
		return time.Time{}
	}
	return time.Now().Add(-f.KeepHistory)
}

// backoff is how long to wait after so many failures before this one: doubled
// each time, ± 20 %, and never less than the relay asked for.
func backoff(failures int, err error, random uint64) time.Duration {
	d := firstRetry
	for ; failures > 0 && d < longestRetry; failures-- {
		d *= 2
	}
	d = min(d, longestRetry)
	d += time.Duration(random%uint64(2*d/5+1)) - d/5
	if errors.Is(err, relayclient.ErrUnauthorized) {
		d = max(d, unknownRetry)
	}
	var refused *relayclient.Error
	if errors.As(err, &refused) {
		d = max(d, min(refused.RetryAfter, time.Hour))
	}
	return d
}

// sleep waits for d, or for wake, and is false when ctx ended.
func sleep(ctx context.Context, d time.Duration, wake <-chan struct{}) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
	case <-wake:
	}
	return true
}

// signal leaves a token, unless there is one.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
