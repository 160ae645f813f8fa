package node

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"servicesmtp.net/companion/server/store"
)

// scripted is a lease that answers as it is told.
type scripted struct {
	renew func(ctx context.Context, n int) error
	take  func() (store.TakenOver, error)
	n     int
	last  time.Time // last call
}

func (s *scripted) RenewLease(ctx context.Context) error {
	s.n++
	s.last = time.Now()
	return s.renew(ctx, s.n)
}

func (s *scripted) TakeOver(context.Context, time.Time) (store.TakenOver, error) {
	if s.take == nil {
		return store.TakenOver{}, nil
	}
	return s.take()
}

func run(ctx context.Context, s *scripted, taken func(context.Context)) error {
	return Run(ctx, Config{Lease: s, Length: 30 * time.Second, Taken: taken, Log: slog.New(slog.DiscardHandler)})
}

func TestRunEnds(t *testing.T) {
	down := errors.New("no connection")
	for _, c := range []struct {
		name   string
		renew  func(ctx context.Context, n int) error
		lasts  time.Duration // until Run returns
		fenced bool
	}{
		{"the context ends", func(context.Context, int) error { return nil }, time.Hour, false},
		{"the row is gone", func(_ context.Context, n int) error {
			if n == 3 {
				return store.ErrFenced
			}
			return nil
		}, 15 * time.Second, true},
		{"the database is away for a lease", func(_ context.Context, n int) error {
			if n > 2 {
				return down
			}
			return nil
		}, 40 * time.Second, true},
		{"the database comes back in time", func(_ context.Context, n int) error {
			if n > 2 && n < 7 {
				return down
			}
			return nil
		}, time.Hour, false},
		{"the database is silent", func(ctx context.Context, n int) error {
			if n > 2 {
				<-ctx.Done()
				return ctx.Err()
			}
			return nil
		}, 40 * time.Second, true},
		{"this program stands still", func(_ context.Context, n int) error {
			if n == 2 {
				time.Sleep(time.Minute)
				return down
			}
			return nil
		}, 70 * time.Second, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
				defer cancel()
				start := time.Now()
				err := run(ctx, &scripted{renew: c.renew}, nil)
				if errors.Is(err, ErrFenced) != c.fenced || (err != nil) != c.fenced {
					t.Errorf("got %v, fenced: %v", err, c.fenced)
				}
				if got := time.Since(start); got != c.lasts {
					t.Errorf("ended after %s, want %s", got, c.lasts)
				}
			})
		})
	}
}

// Every beat looks for the dead; who took over is told, and an error of that is
// no reason to end.
func TestTakesOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 29*time.Second)
		defer cancel()
		looks, told := 0, 0
		s := &scripted{renew: func(context.Context, int) error { return nil }}
		s.take = func() (store.TakenOver, error) {
			looks++
			switch looks {
			case 2:
				return store.TakenOver{}, errors.New("no connection")
			case 3:
				return store.TakenOver{Nodes: []store.Node{{ID: "dead"}}}, nil
			}
			return store.TakenOver{}, nil
		}
		if err := run(ctx, s, func(context.Context) { told++ }); err != nil {
			t.Error(err)
		}
		if looks != 5 || told != 1 {
			t.Errorf("looked %d times, told %d times, want 5 and 1", looks, told)
		}
	})
}
