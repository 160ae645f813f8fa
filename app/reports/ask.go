package reports

import (
	"context"
	"errors"
	"fmt"
	"time"

	"servicesmtp.net/companion/relayclient"
)

// ErrAnswer says that whatever answered is not a relay: half an answer, or one
// without what it must hold.
var ErrAnswer = errors.New("the answer is not one of a relay")

const (
	pageSize = 500  // events in one answer
	maxPages = 2000 // that one Refresh reads
)

// The kinds of facts. Values are stored; never change them.
const (
	kindAccount   = "account"
	kindQuota     = "quota"
	kindUsage     = "usage"
	kindPolicy    = "policy"
	kindEndpoints = "endpoints"
)

// facts are the calls of a refresh. Each says whether its answer holds what
// the relay always tells, so that an empty object does not replace it.
var facts = []struct {
	kind string
	ask  func(context.Context, *relayclient.Client) (answer any, whole bool, err error)
}{
	{kindAccount, func(ctx context.Context, c *relayclient.Client) (any, bool, error) {
		a, err := c.Account(ctx)
		return a, a.Name != "" && a.Status != "", err
	}},
	{kindQuota, func(ctx context.Context, c *relayclient.Client) (any, bool, error) {
		q, err := c.Quota(ctx)
		return q, q.Plan != "" && !q.Reset.IsZero(), err
	}},
	{kindUsage, func(ctx context.Context, c *relayclient.Client) (any, bool, error) {
		u, err := c.Usage(ctx, time.Time{}, time.Time{})
		return u, u.Plan != "" && !u.From.IsZero(), err
	}},
	{kindPolicy, nil}, // askPolicy
	{kindEndpoints, func(ctx context.Context, c *relayclient.Client) (any, bool, error) {
		e, err := c.Endpoints(ctx)
		return e, len(e) > 0, err
	}},
}

// readFacts reads all facts and the new notices. A call that the relay refuses
// does not stop the others.
func (f *Follower) readFacts(ctx context.Context) (err error) {
	defer func() {
		f.note(ctx, partFacts, err)
		f.Changed()
	}()
	var all error
	for _, k := range facts {
		ask := k.ask
		if k.kind == kindPolicy {
			ask = f.askPolicy
		}
		err := f.readFact(ctx, k.kind, ask)
		if k.kind == kindPolicy {
			signal(f.told)
		}
		if err != nil {
			all = errors.Join(all, fmt.Errorf("read %s: %w", k.kind, err))
			if !refused(err) {
				return all
			}
		}
	}
	if err := f.readNotices(ctx); err != nil {
		return errors.Join(all, fmt.Errorf("read notices: %w", err))
	}
	f.tellSeen(ctx)
	return all
}

func (f *Follower) readFact(ctx context.Context, kind string, ask func(context.Context, *relayclient.Client) (any, bool, error)) error {
	var answer any
	var whole bool
	err := f.ask(ctx, func(c *relayclient.Client) (err error) {
		answer, whole, err = ask(ctx, c)
		return err
	})
	if err == nil && !whole {
		err = ErrAnswer
	}
	if err != nil {
		return err
	}
	return f.cache.storeFact(ctx, f.Name, kind, answer, time.Now())
}

// refused says that the relay answered, and that this call alone is concerned.
func refused(err error) bool {
	var e *relayclient.Error
	return errors.As(err, &e) && !errors.Is(err, relayclient.ErrUnauthorized) && !errors.Is(err, relayclient.ErrTooMany)
}

// readNotices reads the notices that came since the last time.
func (f *Follower) readNotices(ctx context.Context) error {
	for range maxPages {
		n, err := f.noticePage(ctx, 0)
		if err != nil || n == 0 {
			return err
		}
	}
	return nil
}

// drainEvents reads the events that there are, without waiting for more.
func (f *Follower) drainEvents(ctx context.Context) (err error) {
	defer func() {
		f.note(ctx, partEvents, err)
		f.Changed()
	}()
	for range maxPages {
		if n, err := f.page(ctx, 0); err != nil || n == 0 {
			return err
		}
	}
	return nil
}

// page reads and stores one page of events, and returns how many it held.
func (f *Follower) page(ctx context.Context, wait time.Duration) (int, error) {
	var page relayclient.Events
	return f.list(ctx, listEvents, func(c *relayclient.Client, from string) (int, string, error) {
		var err error
		page, err = c.Events(ctx, relayclient.Page{Cursor: from, Limit: pageSize, Wait: wait})
		return len(page.Events), page.Cursor, err
	}, func(from string) error { return f.cache.storeEvents(ctx, f.Name, from, page, f.since()) })
}

// list reads one page of a list from its cursor and stores it, and returns how
// much it held. A cursor that the relay does not know (it was set up anew) is
// given up, once.
func (f *Follower) list(ctx context.Context, name string, read func(*relayclient.Client, string) (int, string, error), store func(from string) error) (int, error) {
	from, err := f.cache.cursor(ctx, f.Name, name)
	if err != nil {
		return 0, err
	}
	for {
		var n int
		var to string
		err := f.ask(ctx, func(c *relayclient.Client) (err error) {
			n, to, err = read(c, from)
			return err
		})
		if errors.Is(err, relayclient.ErrCursor) && from != "" {
			f.log.Warn("the relay's list begins anew", "list", name)
			if err := f.cache.restart(ctx, f.Name, name, from); err != nil && !errors.Is(err, errMoved) {
				return 0, err
			}
			from = ""
			continue
		}
		switch {
		case err != nil:
			return 0, err
		case n == 0:
			return 0, nil
		case to == "" || to == from:
			return 0, fmt.Errorf("the list does not move on: %w", ErrAnswer)
		}
		if err := store(from); err != nil && !errors.Is(err, errMoved) {
			return 0, err
		}
		return n, nil
	}
}

// ask makes one call. When the relay does not know the token, a new one is
// registered, and the call made again, once.
func (f *Follower) ask(ctx context.Context, call func(*relayclient.Client) error) error {
	c, err := f.client(ctx, nil)
	if err != nil {
		return err
	}
	err = call(c)
	if errors.Is(err, relayclient.ErrUnauthorized) {
		if c, err = f.client(ctx, c); err != nil {
			return err
		}
		err = call(c)
	}
	if err != nil && !refused(err) {
		f.drop(c) // the account's address or authority may have been put right since
	}
	return err
}

// client is a client with a token, a new token in place of that of unknown.
// Calls that learn at the same time that a token is not known register one new
// one.
func (f *Follower) client(ctx context.Context, unknown *relayclient.Client) (*relayclient.Client, error) {
	select {
	case f.turn <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { <-f.turn }()
	if f.held != nil && f.held != unknown {
		return f.held, nil
	}
	f.held = nil
	c, err := f.Client(ctx, unknown != nil)
	if err != nil {
		return nil, err
	}
	f.held = c
	return c, nil
}

// drop lets Client be asked again.
func (f *Follower) drop(c *relayclient.Client) {
	f.turn <- struct{}{}
	defer func() { <-f.turn }()
	if f.held == c {
		f.held = nil
	}
}
