package pace

import (
	"math/big"
	"testing"
	"time"

	"pgregory.net/rapid"

	"servicesmtp.net/companion/app/mail"
)

// noon is where the virtual clocks start.
var noon = time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)

// leave is one passage through the gate.
type leave struct {
	at   time.Time
	n    int
	lane mail.Lane
}

// sim drives a State with a virtual clock and remembers what left, and which
// speed was in force.
type sim struct {
	t      *rapid.T
	limits Limits
	state  *State
	now    time.Time
	left   []leave
	speeds []spell
}

// spell is a speed in force from a moment on.
type spell struct {
	from time.Time
	speed
}

func newSim(t *rapid.T, limits Limits) *sim {
	return &sim{t: t, limits: limits, state: New(limits), now: noon, speeds: []spell{{from: noon}}}
}

// try asks the gate and leaves if it says yes. It holds that what the gate
// tells is exact.
func (s *sim) try(lane mail.Lane, n int) (ok bool, at time.Time) {
	s.t.Helper()
	ok, at = s.state.MayLeave(lane, n, s.now)
	if ok {
		if !at.Equal(s.now) {
			s.t.Fatalf("permitted now, but told %v later", at.Sub(s.now))
		}
		s.state.Left(lane, n, s.now)
		s.left = append(s.left, leave{s.now, n, lane})
		return ok, at
	}
	if at.IsZero() {
		s.t.Fatalf("%v of %d is never permitted", lane, n)
	}
	if early, _ := s.state.MayLeave(lane, n, at.Add(-1)); early {
		s.t.Fatalf("told to wait %v, but it is permitted a nanosecond earlier", at.Sub(s.now))
	}
	if then, again := s.state.MayLeave(lane, n, at); !then {
		s.t.Fatalf("told to wait %v, then told to wait %v more", at.Sub(s.now), again.Sub(at))
	}
	return ok, at
}

// remember notes the speed after it may have changed.
func (s *sim) remember() { s.speeds = append(s.speeds, spell{s.now, s.state.speed}) }

// capacity is the integral of the rate from a to b, in eightieths of a
// recipient per minute times nanoseconds, found without the code under test.
func (s *sim) capacity(perMinute int, a, b time.Time) *big.Int {
	sum := new(big.Int)
	for i, sp := range s.speeds {
		from, to := sp.from, b
		if i+1 < len(s.speeds) && s.speeds[i+1].from.Before(b) {
			to = s.speeds[i+1].from
		}
		if from.Before(a) {
			from = a
		}
		for from.Before(to) {
			eightieths, end := 80, to
			if sp.missing > 0 {
				steps := int(from.Sub(sp.since) / (10 * time.Minute))
				eightieths = min(80, 80-sp.missing+8*steps)
				if next := sp.since.Add(time.Duration(steps+1) * 10 * time.Minute); next.Before(end) {
					end = next
				}
			}
			part := big.NewInt(int64(end.Sub(from)))
			part.Mul(part, big.NewInt(int64(eightieths*perMinute)))
			sum.Add(sum, part)
			from = end
		}
	}
	return sum
}

// checkRate holds that no window passes ∫ rate + slack. count says how much a
// leave weighs.
func (s *sim) checkRate(name string, perMinute, slack int, count func(leave) int) {
	s.t.Helper()
	if perMinute <= 0 {
		return
	}
	for i := range s.left {
		sum := 0
		for _, l := range s.left[i:] {
			sum += count(l)
			need := big.NewInt(int64(sum - slack))
			need.Mul(need, big.NewInt(80*int64(time.Minute)))
			if need.Cmp(s.capacity(perMinute, s.left[i].at, l.at)) > 0 {
				s.t.Fatalf("%s: %d within %v at %d a minute, with a slack of %d", name, sum, l.at.Sub(s.left[i].at), perMinute, slack)
			}
		}
	}
}

// checkWindow holds that no window of span, both ends in it, passes limit.
func (s *sim) checkWindow(span time.Duration, limit int) {
	s.t.Helper()
	if limit <= 0 {
		return
	}
	for i := range s.left {
		sum := 0
		for _, l := range s.left[i:] {
			if l.at.Sub(s.left[i].at) > span {
				break
			}
			if sum += l.n; sum > limit {
				s.t.Fatalf("%d recipients within %v, limit %d in %v", sum, l.at.Sub(s.left[i].at), limit, span)
			}
		}
	}
}

// check holds all that the package promises of what left.
func (s *sim) check() {
	s.t.Helper()
	l := s.limits
	s.checkRate("recipients", l.PerMinute, l.batch()+l.burst(), func(l leave) int { return l.n })
	s.checkRate("messages", l.MessagesPerMinute, 1+l.burst(), func(leave) int { return 1 })
	s.checkWindow(time.Hour, l.PerHour)
	s.checkWindow(24*time.Hour, l.PerDay)
	for _, x := range s.left {
		if x.lane == mail.Bulk && l.quiet(x.at) {
			s.t.Fatalf("bulk left in quiet hours, at %v", x.at)
		}
	}
}

func drawLimits(t *rapid.T) Limits {
	l := Limits{
		PerMinute:         rapid.SampledFrom([]int{0, 1, 7, 60, 600, 100_000}).Draw(t, "per minute"),
		MessagesPerMinute: rapid.SampledFrom([]int{0, 0, 3, 60}).Draw(t, "messages per minute"),
		Batch:             rapid.IntRange(1, 60).Draw(t, "batch"),
		PersonalBurst:     rapid.IntRange(0, 12).Draw(t, "burst"),
		Adaptive:          true,
	}
	if rapid.Bool().Draw(t, "hourly") {
		l.PerHour = rapid.IntRange(l.Batch, 400).Draw(t, "per hour")
	}
	if rapid.Bool().Draw(t, "daily") {
		l.PerDay = rapid.IntRange(l.Batch, 2000).Draw(t, "per day")
	}
	if rapid.Bool().Draw(t, "quiet") {
		l.Quiet = []Span{{rapid.IntRange(0, 1439).Draw(t, "from"), rapid.IntRange(0, 1439).Draw(t, "to")}}
		if l.Quiet[0].From == l.Quiet[0].To {
			l.Quiet = nil
		}
	}
	return l
}

// act does one random thing. restart may replace the state.
func (s *sim) act(restart bool) {
	s.t.Helper()
	lane := rapid.SampledFrom([]mail.Lane{mail.Personal, mail.Bulk}).Draw(s.t, "lane")
	n := rapid.IntRange(1, s.limits.batch()).Draw(s.t, "n")
	switch rapid.IntRange(0, 9).Draw(s.t, "act") {
	case 0:
		s.now = s.now.Add(time.Duration(rapid.Int64Range(0, int64(3*time.Hour)).Draw(s.t, "pass")))
	case 1:
		s.now = s.now.Add(time.Duration(rapid.Int64Range(0, int64(time.Second)).Draw(s.t, "pass")))
	case 2:
		s.state.Feedback(s.now, rapid.IntRange(0, 50).Draw(s.t, "accepted"), rapid.IntRange(0, 20).Draw(s.t, "deferred"), 0)
		s.remember()
	case 3:
		s.state.SlowDown(s.now, time.Duration(rapid.IntRange(0, 600).Draw(s.t, "retry"))*time.Second)
		s.remember()
	case 4:
		if restart {
			s.restart()
		}
	case 5, 6:
		s.try(lane, n)
	default: // wait for the moment told, then leave
		if ok, at := s.try(lane, n); !ok {
			s.now = at
			s.try(lane, n)
		}
	}
}

// restart loses the state. The last attempt may not have finished.
func (s *sim) restart() {
	var attempts []Attempt
	for i, l := range s.left {
		attempts = append(attempts, Attempt{At: l.at, Recipients: l.n, Lane: l.lane, Finished: i < len(s.left)-1})
	}
	if len(attempts) > 0 {
		attempts[len(attempts)-1].Finished = rapid.Bool().Draw(s.t, "finished")
	}
	s.state = Restore(s.limits, attempts, s.now)
	s.remember()
}

func TestNeverFasterThanAllowed(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := newSim(t, drawLimits(t))
		for range rapid.IntRange(1, 60).Draw(t, "acts") {
			s.act(false)
		}
		s.check()
	})
}

// TestRestartNeverLetsMoreThrough is the same with restarts at any point. A
// restart forgets that the pace was slowed, also what was repaid more slowly
// before it; the promise is then that of the full rate.
func TestRestartNeverLetsMoreThrough(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := newSim(t, drawLimits(t))
		for range rapid.IntRange(1, 60).Draw(t, "acts") {
			s.act(true)
		}
		s.speeds = []spell{{from: noon}}
		s.check()
	})
}

// TestRestoredIsNeverAheadOfLost compares both states directly, at full speed.
func TestRestoredIsNeverAheadOfLost(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := drawLimits(t)
		l.Quiet = nil
		s := newSim(t, l)
		for range rapid.IntRange(1, 40).Draw(t, "leaves") {
			n := rapid.IntRange(1, l.batch()).Draw(t, "n")
			lane := rapid.SampledFrom([]mail.Lane{mail.Personal, mail.Bulk}).Draw(t, "lane")
			if ok, at := s.try(lane, n); !ok {
				s.now = at
				s.try(lane, n)
			}
			s.now = s.now.Add(time.Duration(rapid.Int64Range(0, int64(time.Minute)).Draw(t, "pass")))
		}
		lost := s.state
		s.restart()
		for _, lane := range []mail.Lane{mail.Personal, mail.Bulk} {
			for n := 1; n <= l.batch(); n++ {
				_, before := lost.MayLeave(lane, n, s.now)
				_, after := s.state.MayLeave(lane, n, s.now)
				if after.Before(before) {
					t.Fatalf("%v of %d: %v earlier after a restart", lane, n, before.Sub(after))
				}
			}
		}
	})
}

// TestClockSetBack holds that mail goes on, and not faster, when the clock is
// set back by any amount.
func TestClockSetBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := drawLimits(t)
		l.Quiet = nil
		s := newSim(t, l)
		for range 10 {
			if ok, at := s.try(mail.Bulk, l.batch()); !ok && rapid.Bool().Draw(t, "wait") {
				s.now = at
			}
		}
		s.state.SetLimits(l, s.now) // seen at this time
		_, before := s.state.MayLeave(mail.Bulk, l.batch(), s.now)
		back := s.now.Add(-time.Duration(rapid.Int64Range(1, int64(400*24*time.Hour)).Draw(t, "back")))
		_, after := s.state.MayLeave(mail.Bulk, l.batch(), back)
		if got, want := after.Sub(back), before.Sub(s.now); got != want {
			t.Fatalf("waits %v after the clock was set back, %v before", got, want)
		}
		s.state.Left(mail.Personal, 1, back)
		s.state.SlowDown(back.Add(-time.Hour), time.Minute)
		if _, at := s.state.MayLeave(mail.Bulk, l.batch(), back.Add(-time.Hour)); at.Sub(back) > 24*time.Hour {
			t.Fatalf("waits %v after the clock was set back twice", at.Sub(back))
		}
	})
}
