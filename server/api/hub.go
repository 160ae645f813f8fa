package api

import (
	"context"
	"sync"
	"time"
)

// lookAgain is how often a waiting call reads the store although nobody woke
// it: whatever another process wrote is told with this delay.
const lookAgain = 5 * time.Second

// hub wakes calls that wait for news of an account.
type hub struct {
	again time.Duration // lookAgain

	mu   sync.Mutex // guards news
	news map[string]chan struct{}

	stopOnce sync.Once
	stopped  chan struct{} // closed when waiting makes no sense any more
}

func newHub() *hub {
	return &hub{again: lookAgain, news: make(map[string]chan struct{}), stopped: make(chan struct{})}
}

// wake ends every wait for the account.
func (h *hub) wake(account string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if c, ok := h.news[account]; ok {
		close(c)
		delete(h.news, account)
	}
}

// stop ends every wait, now and later.
func (h *hub) stop() { h.stopOnce.Do(func() { close(h.stopped) }) }

// listen is closed at the next news of the account. It must be called before
// the store is read, so that nothing falls between.
func (h *hub) listen(account string) <-chan struct{} {
	h.mu.Lock()
	defer h.mu.Unlock()
	c, ok := h.news[account]
	if !ok {
		c = make(chan struct{})
		h.news[account] = c
	}
	return c
}

// poll calls read until it finds something, wait is over, or the relay stops.
func (h *hub) poll(ctx context.Context, account string, wait time.Duration, read func() (found bool, err error)) error {
	end := time.NewTimer(wait)
	defer end.Stop()
	again := time.NewTicker(h.again)
	defer again.Stop()
	for {
		news := h.listen(account)
		found, err := read()
		if found || err != nil || wait <= 0 {
			return err
		}
		select {
		case <-news:
		case <-again.C:
		case <-end.C:
			return nil
		case <-h.stopped:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
