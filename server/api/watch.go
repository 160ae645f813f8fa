package api

import (
	"context"
	"math"
	"time"
)

// watchEvery is how soon waiting calls hear of what another node wrote. One
// look serves all of them, and is made only while somebody waits.
const watchEvery = time.Second

// watch wakes calls for news that nobody in this process told of, until ctx
// ends. What it passes over (see store.NewsSince) the calls find by
// themselves, after lookAgain.
func (s *Server) watch(ctx context.Context) {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	lastEvent, lastNotice := int64(math.MaxInt64), int64(math.MaxInt64) // what is there is no news
	known := false
	for {
		if !known || s.hub.waited() {
			accounts, event, notice, err := s.Store.NewsSince(ctx, lastEvent, lastNotice)
			switch {
			case err == nil:
				known, lastEvent, lastNotice = true, event, notice
			case ctx.Err() == nil:
				s.Log.Warn("news of other nodes not seen", "error", err)
			}
			for _, a := range accounts {
				s.hub.wake(a)
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// waited says that somebody may be waiting.
func (h *hub) waited() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.news) > 0
}
