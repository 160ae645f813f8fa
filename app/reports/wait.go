package reports

import (
	"context"
	"math/rand/v2"
	"time"

	"servicesmtp.net/companion/relayclient"
)

// followNotices keeps a long poll for notices open, so that a hold or a limit
// is shown at once. It only shortens the wait: the refresh reads notices too,
// and how that goes is what is told. While it fails nothing is asked here.
func (f *Follower) followNotices(ctx context.Context) {
	failures := 0
	for ctx.Err() == nil {
		if !f.cache.fresh(f.Name, partFacts) {
			sleep(ctx, refreshSoonest, nil)
			continue
		}
		began := time.Now()
		n, err := f.noticePage(ctx, longPoll)
		pause := time.Duration(0)
		switch {
		case err != nil:
			pause = backoff(failures, err, rand.Uint64())
			failures++
		case n > 0:
			failures = 0
			f.Changed()
			f.Soon() // what it says is about quota and status
		default:
			failures = 0
			pause = pollSoonest - time.Since(began) // see followEvents
		}
		sleep(ctx, pause, nil)
	}
}

// noticePage reads and stores one page of notices, and returns how many it
// held.
func (f *Follower) noticePage(ctx context.Context, wait time.Duration) (int, error) {
	var page relayclient.Notices
	return f.list(ctx, listNotices, func(c *relayclient.Client, from string) (int, string, error) {
		var err error
		page, err = c.Notices(ctx, relayclient.Page{Cursor: from, Limit: pageSize, Wait: wait})
		return len(page.Notices), page.Cursor, err
	}, func(from string) error { return f.cache.storeNotices(ctx, f.Name, from, page) })
}
