package app

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

func TestWatchSeesTheLatestOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		made := 0
		p := newPublisher(func(context.Context) State { made++; return State{Version: "test"} })
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { p.run(ctx); close(done) }()
		watching, unwatch := context.WithCancel(t.Context())
		w := p.watch(watching)
		if s := <-w; s.Seq != 0 {
			t.Errorf("first state has seq %d, want the present one, 0", s.Seq)
		}
		for range 1000 { // a burst within the settling time
			p.changed()
		}
		time.Sleep(10 * settle)
		synctest.Wait()
		if made > 2 {
			t.Errorf("%d states made for one burst", made)
		}
		for range 5 { // a watcher that does not read must not block
			p.changed()
			time.Sleep(2 * settle)
		}
		synctest.Wait()
		if s, want := <-w, p.latest().Seq; s.Seq != want {
			t.Errorf("slow watcher got seq %d, want the latest, %d", s.Seq, want)
		}
		unwatch()
		if _, ok := <-w; ok {
			t.Error("the channel is open after the watcher's context ended")
		}
		before := p.latest().Seq
		stop()
		<-done
		if p.latest().Seq != before+1 {
			t.Error("no last state at the end")
		}
	})
}
