package main

import (
	"runtime/debug"
	"sync/atomic"
	"time"

	"fyne.io/fyne/v2"

	"servicesmtp.net/companion/ui"
)

const (
	// settled is when a rest begins in earnest. Before, a person may want the
	// window again, or paste what was copied in it: X11 asks its owner then.
	settled = 30 * time.Second
	// turn is how long Fyne's loop stands still at a time from then on.
	turn = 400 * time.Millisecond
)

// idle is the Dispatcher, and lets Fyne's loop rest while nobody sees the
// window.
//
// The loop asks the window system for events 60 times a second, hidden or not,
// which takes far more of the processor than all the rest of an idle
// companion. Nothing in Fyne makes it wait. But it calls every animation once
// a turn, and one that takes its time holds it: so it turns a few times a
// second. Work that comes through Do ends the wait at once; only what Fyne
// itself brings waits for the turn's end, a signal to quit for example. Before
// a click in the tray's menu there is stir.
type idle struct {
	loop      ui.Dispatcher
	animation interface {
		Start()
		Stop()
	}
	free func() // gives memory back to the system

	coming atomic.Int32  // functions on their way to the loop
	wake   chan struct{} // holds one

	stirred atomic.Int64 // when, in nanoseconds

	// UI goroutine only
	resting bool
	held    bool // in the turn before
	freed   time.Time
}

func newIdle(loop ui.Dispatcher) *idle {
	i := &idle{loop: loop, free: debug.FreeOSMemory, wake: make(chan struct{}, 1)}
	i.animation = &fyne.Animation{Duration: time.Hour, RepeatCount: fyne.AnimationRepeatForever, Tick: func(float32) { i.hold() }}
	return i
}

// Do implements ui.Dispatcher.
func (i *idle) Do(f func()) {
	i.coming.Add(1)
	i.loop.Do(func() {
		defer i.coming.Add(-1)
		f()
	})
	i.rouse()
}

// rest says whether nobody sees the window. It is called on the UI goroutine.
func (i *idle) rest(yes bool) {
	if yes == i.resting {
		return
	}
	i.stir()
	i.resting = yes
	if yes {
		i.animation.Start()
	} else {
		i.animation.Stop()
	}
}

// stir lets the loop run for a while: a person is about to do something. It
// may be called on any goroutine.
func (i *idle) stir() {
	i.stirred.Store(time.Now().UnixNano())
	i.rouse()
}

func (i *idle) rouse() {
	select {
	case i.wake <- struct{}{}:
	default:
	}
}

// hold is one turn of the loop at rest.
func (i *idle) hold() {
	stirred := time.Unix(0, i.stirred.Load())
	// The loop takes turns and functions in any order. A turn is due by the time
	// that a long one returns, so that a function of Fyne's own, which is not
	// counted here, could lose the draw again and again. After a short turn none
	// is due, and what waits comes first.
	if i.held || i.coming.Load() > 0 || time.Since(stirred) < settled {
		i.held = false
		return
	}
	if i.freed.Before(stirred) {
		i.freed = time.Now()
		i.free()
	}
	i.held = true
	end := time.NewTimer(turn)
	defer end.Stop()
	select {
	case <-i.wake:
	case <-end.C:
	}
}
