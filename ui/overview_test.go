package ui

import (
	"context"
	"testing"
	"time"

	"servicesmtp.net/companion/app"
)

// sender is a façade that says when it is asked what was sent.
type sender struct {
	whole
	asked chan struct{}
}

func (s sender) Sent(context.Context, string, time.Time, time.Duration) ([]app.SentSpan, error) {
	s.asked <- struct{}{}
	return nil, nil
}

// TestThePlotFollowsTheQuota: a tile that counts an e-mail does not stand
// beside one that says that nothing was sent.
func TestThePlotFollowsTheQuota(t *testing.T) {
	e := sender{newWhole(), make(chan struct{}, 10)}
	state := busyState(e.whole)
	u, _ := listUI(t, e, state)
	o := newOverviewPage(u)
	asked := func(step string, want bool) {
		t.Helper()
		u.work.all.Wait() // no question is under way
		select {
		case <-e.asked:
			if !want {
				t.Errorf("%s: it is asked what was sent", step)
			}
		default:
			if want {
				t.Errorf("%s: it is not asked what was sent", step)
			}
		}
	}
	o.show(state)
	asked("out of sight", false)
	o.end = func() {} // in sight, with a clock that never strikes
	o.show(state)
	asked("the same again", false)
	quota := *state.Accounts[0].Quota
	quota.Emails++
	state.Accounts[0].Quota = &quota
	o.show(state)
	asked("one e-mail more", true)
}
