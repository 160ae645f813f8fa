package main

import (
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// loop stands for Fyne's: it calls an animation that runs 60 times a second,
// and the functions that came. It chooses between them by chance; this one
// takes functions in every seventh turn only.
type loop struct {
	mu    sync.Mutex // guards what follows
	queue []func()

	idle    *idle
	running bool
	turns   int
	freed   int
}

func newLoop() *loop {
	l := &loop{}
	l.idle = newIdle(l)
	l.idle.animation, l.idle.free = l, func() { l.freed++ }
	return l
}

func (l *loop) Do(f func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.queue = append(l.queue, f)
}

func (l *loop) Start() { l.running = true }
func (l *loop) Stop()  { l.running = false }

// run turns for a time and says how often.
func (l *loop) run(d time.Duration) (turns int) {
	before := l.turns
	for end := time.Now().Add(d); time.Now().Before(end); l.turns++ {
		time.Sleep(time.Second / 60)
		if l.running {
			l.idle.hold()
		}
		if l.turns%7 != 0 {
			continue
		}
		l.mu.Lock()
		todo := l.queue
		l.queue = nil
		l.mu.Unlock()
		for _, f := range todo {
			f()
		}
	}
	return l.turns - before
}

func TestIdleRests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLoop()
		if got := l.run(time.Second); got < 59 {
			t.Errorf("with a window: got %d turns a second, want 60", got)
		}
		l.idle.rest(true)
		if got := l.run(settled - time.Second); got < 59*29 || l.freed != 0 {
			t.Errorf("just closed: got %d turns, freed %d times; want 60 a second and 0", got, l.freed)
		}
		l.run(2 * time.Second)
		if got := l.run(time.Minute); got > 400 || l.freed != 1 {
			t.Errorf("at rest: got %d turns a minute, freed %d times; want at most 400 and 1", got, l.freed)
		}
		go l.idle.stir() // the tray's menu opens
		l.run(turn)
		if got := l.run(time.Second); got < 59 {
			t.Errorf("stirred: got %d turns a second, want 60", got)
		}
		l.run(settled)
		if got := l.run(time.Minute); got > 400 || l.freed != 2 {
			t.Errorf("at rest again: got %d turns a minute, freed %d times; want at most 400 and 2", got, l.freed)
		}
		l.idle.rest(false)
		if got := l.run(time.Second); got < 59 {
			t.Errorf("with a window again: got %d turns a second, want 60", got)
		}
	})
}

// Work does not wait for the loop's rest, and its order stays.
func TestIdleWakesForWork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLoop()
		l.idle.rest(true)
		l.run(settled + time.Second)
		var done []time.Duration
		go func() {
			for range 20 {
				time.Sleep(777 * time.Millisecond)
				sent := time.Now()
				l.idle.Do(func() { done = append(done, time.Since(sent)) })
				l.idle.Do(func() { done = append(done, time.Since(sent)) })
			}
		}()
		l.run(20 * time.Second)
		if got, want := slices.Max(done), time.Second/6; len(done) != 40 || got > want {
			t.Errorf("got %d functions done after at most %v, want 40 and %v", len(done), got, want)
		}
	})
}

// After a long turn comes a short one: what Fyne itself has for the loop is
// done then, whichever the loop takes first.
func TestIdleLetsFyneIn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLoop()
		l.idle.rest(true)
		l.run(settled + time.Second)
		for range 10 {
			begin := time.Now()
			l.idle.hold()
			l.idle.hold()
			if got := time.Since(begin); got != turn {
				t.Errorf("two turns took %v, want %v", got, turn)
			}
		}
	})
}
