package reports

import (
	"context"
	"math/rand/v2"
	"time"

	"servicesmtp.net/companion/relayclient"
)

// shareRetry is the longest wait after a failure to ask for a share: what was
// told last holds on, and the relay must not be hammered.
const shareRetry = time.Minute

// askPolicy asks for the limits, and says how much waits here: the relay shares
// the account's rate among the computers that have something.
func (f *Follower) askPolicy(ctx context.Context, c *relayclient.Client) (any, bool, error) {
	waiting := int64(-1)
	if f.Waiting != nil {
		waiting = f.Waiting()
	}
	p, err := c.Share(ctx, waiting)
	if err == nil {
		f.idle.Store(p.AccountRecipientsPerMinute > 0 && waiting == 0)
	}
	return p, p.RcptMax > 0, err
}

// Working says that something waits. Where the relay shares the account's rate
// and was told that nothing does, it is asked again at once. It never blocks.
func (f *Follower) Working() {
	if f.idle.Swap(false) {
		signal(f.share)
	}
}

// Share asks for the share of the account's rate anew, where it has one. It
// never blocks.
func (f *Follower) Share() { signal(f.share) }

// followShare asks for the share before the last one ends, and when told to.
// One that has run out without an answer stays in force: the relay itself holds
// the account to its rate.
func (f *Follower) followShare(ctx context.Context) {
	failures := 0
	for f.shareDue(ctx) {
		if !f.hasShare(ctx) {
			continue // nothing to be asked again
		}
		bounded, cancel := context.WithTimeout(ctx, refreshLongest)
		err := f.readFact(bounded, kindPolicy, f.askPolicy)
		cancel()
		if err != nil {
			if !sleep(ctx, min(backoff(failures, err, rand.Uint64()), shareRetry), nil) {
				return
			}
			failures++
			continue
		}
		failures = 0
		f.Changed()
		if !sleep(ctx, shareSoonest, nil) {
			return
		}
	}
}

// shareDue waits until the share is to be asked for: because it ends, or
// because somebody wants it. It is false when ctx ended.
func (f *Follower) shareDue(ctx context.Context) bool {
	for {
		t := time.NewTimer(f.shareLeft(ctx))
		select {
		case <-t.C:
			return true
		case <-f.share:
			t.Stop()
			return true
		case <-f.told: // it ends later than was thought, or there is one now
			t.Stop()
		case <-ctx.Done():
			t.Stop()
			return false
		}
	}
}

// shareSoonest is the least time between two questions for a share.
const shareSoonest = time.Second

func (f *Follower) hasShare(ctx context.Context) bool {
	p, err := f.cache.Policy(ctx, f.Name)
	return err == nil && p.Value.AccountRecipientsPerMinute > 0
}

// shareLeft is how long the share counts still; without one, long.
func (f *Follower) shareLeft(ctx context.Context) time.Duration {
	p, err := f.cache.Policy(ctx, f.Name)
	if err != nil || p.Value.AccountRecipientsPerMinute <= 0 || p.Value.ValidSeconds <= 0 {
		return refreshEvery
	}
	return max(time.Until(p.AsOf.Add(time.Duration(p.Value.ValidSeconds)*time.Second)), shareSoonest)
}
