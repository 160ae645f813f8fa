package steward

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// TestRun: a pass a minute after the start and every quarter of an hour, also
// after one that failed; the end comes at once.
func TestRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		begin := time.Now()
		var at []time.Duration
		s := &Steward{Options: Options{Log: slog.New(slog.DiscardHandler)}}
		s.run = func(context.Context) error {
			at = append(at, time.Since(begin))
			return []error{nil, ErrBusy, errors.New("broken"), nil}[len(at)%4]
		}
		var all sync.WaitGroup
		all.Go(func() {
			if err := s.Run(ctx); err != nil {
				t.Error(err)
			}
		})
		time.Sleep(62 * time.Minute)
		stop()
		all.Wait()
		want := []time.Duration{time.Minute, 16 * time.Minute, 31 * time.Minute, 46 * time.Minute, 61 * time.Minute}
		if !slices.Equal(at, want) {
			t.Errorf("passes at %v, want %v", at, want)
		}
	})
}
