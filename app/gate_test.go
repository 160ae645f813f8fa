package app

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"servicesmtp.net/companion/app/mail"
	"servicesmtp.net/companion/app/pace"
)

func TestBatchesPassExactlyAtTheirTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate(pace.New(pace.Limits{PerMinute: 600, Batch: 50, PersonalBurst: 5}), func() {})
		began := time.Now()
		left := make(chan time.Duration, 10)
		for range 10 { // ten sessions at once: the gate alone holds the pace
			ticket := g.prepare(mail.Bulk, 50)
			go func() {
				if err := ticket.pass(t.Context()); err != nil {
					t.Error(err)
				}
				left <- time.Since(began)
			}()
		}
		for i := range 10 {
			if got, want := <-left, time.Duration(i)*5*time.Second; got != want {
				t.Errorf("batch %d left after %v, want %v", i+1, got, want)
			}
		}
		if g.pending != 0 || g.batches != 0 {
			t.Errorf("%d recipients in %d batches are still pending", g.pending, g.batches)
		}
	})
}

func TestPersonalMailPassesAWaitingBatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate(pace.New(pace.Limits{PerMinute: 600, Batch: 50, PersonalBurst: 5}), func() {})
		if err := g.prepare(mail.Bulk, 50).pass(t.Context()); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		bulk := make(chan time.Duration)
		ticket := g.prepare(mail.Bulk, 50)
		go func() {
			if err := ticket.pass(t.Context()); err != nil {
				t.Error(err)
			}
			bulk <- time.Since(began)
		}()
		synctest.Wait()
		if err := g.prepare(mail.Personal, 1).pass(t.Context()); err != nil {
			t.Fatal(err)
		}
		if d := time.Since(began); d != 0 {
			t.Errorf("the personal message waited %v", d)
		}
		if got, want := <-bulk, 5*time.Second+100*time.Millisecond; got != want {
			t.Errorf("the batch left after %v, want %v: the personal message draws on the same bucket", got, want)
		}
	})
}

func TestAShutGateTakesWaitingBatchesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate(pace.New(pace.Limits{PerMinute: 60, Batch: 50}), func() {})
		if err := g.prepare(mail.Bulk, 50).pass(t.Context()); err != nil {
			t.Fatal(err)
		}
		result := make(chan error)
		ticket := g.prepare(mail.Bulk, 50)
		go func() { result <- ticket.pass(t.Context()) }()
		synctest.Wait()
		g.setShut(true)
		if err := <-result; !errors.Is(err, errShut) {
			t.Errorf("got %v, want errShut", err)
		}
		ticket.giveBack()
		ticket.giveBack() // once only
		if g.pending != 0 || g.batches != 0 {
			t.Errorf("%d recipients in %d batches are still pending", g.pending, g.batches)
		}
		ctx, cancel := context.WithCancel(t.Context())
		g.setShut(false)
		again := g.prepare(mail.Bulk, 50)
		go func() { result <- again.pass(ctx) }()
		synctest.Wait()
		cancel()
		if err := <-result; !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want the context's end", err)
		}
	})
}

func TestOutlook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate(pace.New(pace.Limits{PerMinute: 600, Batch: 50}), func() {})
		if p, end := g.outlook(0, time.Now()); end != nil || p.NextAt != nil || p.PerMinute != 600 {
			t.Errorf("nothing waits: %+v %v", p, end)
		}
		g.state.Left(mail.Bulk, 50, time.Now())
		p, end := g.outlook(100, time.Now())
		if p.NextAt == nil || time.Until(*p.NextAt) != 5*time.Second {
			t.Errorf("next at %v, want in 5 s", p.NextAt)
		}
		if end == nil || time.Until(*end) != 10*time.Second {
			t.Errorf("ends at %v, want in 10 s", end)
		}
	})
}

// A computer sleeps through a wait: its timers stand still, its clock does not.
func TestASleepEndsWithTheClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		left := func() time.Duration {
			awake := time.Since(begun)
			if awake < 10*time.Minute {
				return 9*time.Hour - awake
			}
			return 15*time.Minute - awake // the computer slept for 8:45
		}
		if err := sleepWhile(t.Context(), left, nil); err != nil {
			t.Fatal(err)
		}
		if d := time.Since(begun); d < 15*time.Minute || d > 15*time.Minute+glance {
			t.Errorf("awake for %v, want 15 minutes", d)
		}
	})
}
