package pace

import (
	"math"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

const second = int64(time.Second / time.Microsecond)

func TestWait(t *testing.T) {
	const now = int64(1_800_000_000) * second
	owes := func(n int64) Bucket { return Bucket{Owed: n * unit, At: now} }
	for name, c := range map[string]struct {
		b    Bucket
		rate int64
		n    int
		at   int64
		want time.Duration
	}{
		"no rate":                             {owes(1000), 0, 50, now, 0},
		"a rate below none":                   {owes(1000), -5, 50, now, 0},
		"nothing owed":                        {Bucket{}, 600, 50, now, 0},
		"a full batch behind a full batch":    {owes(50), 600, 50, now, 5 * time.Second},
		"exactly at the slowest rate":         {Bucket{Owed: 1, At: now}, 1, 50, now, time.Microsecond},
		"the burst behind a full batch":       {owes(50), 600, 5, now, 0},
		"one more than the burst":             {owes(50), 600, 6, now, 600 * time.Millisecond},
		"one behind batch and burst":          {owes(55), 60, 1, now, time.Second},
		"paid off meanwhile":                  {owes(50), 60, 50, now + 50*second, 0},
		"a microsecond before it is paid off": {owes(50), 60, 50, now + 50*second - 1, time.Microsecond},
		"larger than a batch, nothing owed":   {Bucket{At: now}, 60, 1000, now, 0},
		"larger than a batch":                 {owes(1), 60, 1000, now, time.Second},
		"a clock half a minute behind":        {owes(55), 60, 1, now - 30*second, 31 * time.Second},
		"a clock set back":                    {owes(55), 60, 1, now - 7200*second, time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			if got := c.b.Wait(c.rate, c.n, c.at); got != c.want {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}

// TestEveryWindow: whatever asks when, and however the rate is changed and the
// clock set back, no window holds more than its rate, one batch and the burst.
// Time is counted as it really passed.
func TestEveryWindow(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rates := rapid.SliceOfN(rapid.Int64Range(1, 5000), 1, 3).Draw(t, "rates")
		type leave struct {
			at   int64 // true time
			rate int64
			n    int
		}
		var (
			b      Bucket
			leaves []leave
			at     = int64(1_800_000_000) * second
			skew   int64 // the clock shows at+skew
		)
		for range rapid.IntRange(1, 150).Draw(t, "steps") {
			at += rapid.Int64Range(0, 20*second).Draw(t, "gap")
			if rapid.IntRange(0, 20).Draw(t, "set back") == 0 {
				skew -= rapid.Int64Range(0, 7200*second).Draw(t, "by")
			}
			rate := rapid.SampledFrom(rates).Draw(t, "rate")
			n := rapid.IntRange(1, Batch).Draw(t, "n")
			now := at + skew
			if b.Wait(rate, n, now) > 0 {
				if b.Turned(now) { // as accept does
					b = b.Now(rate, now)
				}
				continue
			}
			b = b.Charge(rate, n, now)
			leaves = append(leaves, leave{at, rate, n})
		}
		for i := range leaves {
			paid, sum := int64(0), int64(0) // units
			for k := i; k < len(leaves); k++ {
				if k > i {
					paid += (leaves[k].at - leaves[k-1].at) * leaves[k].rate
				}
				sum += units(leaves[k].n)
				if most := paid + units(Batch+Burst); sum > most {
					t.Fatalf("%d units within %d to %d, at most %d", sum, leaves[i].at, leaves[k].at, most)
				}
			}
		}
	})
}

// TestNobodyStarves: who waits as long as told is let through, whatever the
// rate was before and wherever the clock stood.
func TestNobodyStarves(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		now := rapid.Int64Range(0, math.MaxInt64/4).Draw(t, "now")
		b := Bucket{Owed: rapid.Int64Range(0, units(Batch+Burst)).Draw(t, "owed"), At: rapid.Int64Range(0, math.MaxInt64/4).Draw(t, "at")}
		rate, n := rapid.Int64Range(1, MaxRate).Draw(t, "rate"), rapid.IntRange(1, Batch).Draw(t, "n")
		wait := b.Wait(rate, n, now)
		if b.Turned(now) {
			b = b.Now(rate, now)
		}
		most := time.Duration(ceilDiv(units(Batch+Burst), rate))*time.Microsecond + time.Minute
		if wait < 0 || wait > most {
			t.Fatalf("told to wait %v, at most %v", wait, most)
		}
		if left := b.Wait(rate, n, now+wait.Microseconds()); left != 0 {
			t.Fatalf("after %v there are %v left", wait, left)
		}
		if wait > 0 && b.Wait(rate, n, now+wait.Microseconds()-1) == 0 {
			t.Fatalf("%v was a microsecond too long", wait)
		}
	})
}

// TestAnyNumbers: nothing overflows.
func TestAnyNumbers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		any := rapid.OneOf(rapid.Int64(), rapid.SampledFrom([]int64{math.MinInt64, math.MaxInt64, 0, -1, 1}))
		b := Bucket{Owed: any.Draw(t, "owed"), At: any.Draw(t, "at")}
		rate, now, n := any.Draw(t, "rate"), any.Draw(t, "now"), rapid.Int().Draw(t, "n")
		if wait := b.Wait(rate, n, now); wait < 0 || rate <= 0 && wait != 0 {
			t.Errorf("wait %v", wait)
		}
		before := b.Now(rate, now)
		after := b.Charge(rate, n, now)
		if before.Owed < 0 || before.Owed > max(b.Owed, 0) || after.Owed < before.Owed {
			t.Errorf("%+v becomes %+v, charged %+v", b, before, after)
		}
	})
}

// TestShares: devices come, go, fall idle and get work; once each has asked
// again, those with mail waiting have no more than the rate between them, and
// no less than it but for what division leaves over.
func TestShares(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rate := rapid.Int64Range(1, 10_000).Draw(t, "rate")
		var active []Device
		for _, id := range rapid.SliceOfNDistinct(rapid.StringMatching("[a-z]{3}"), 0, 8, rapid.ID).Draw(t, "devices") {
			active = append(active, Device{id, rapid.Bool().Draw(t, "waiting")})
		}
		steps := rapid.IntRange(0, 10).Draw(t, "steps")
		for range steps {
			if len(active) > 0 {
				i := rapid.IntRange(0, len(active)-1).Draw(t, "which")
				if rapid.Bool().Draw(t, "leaves") {
					active = slices.Delete(active, i, i+1)
				} else {
					active[i].Waiting = !active[i].Waiting
				}
			}
		}
		users, sum := int64(0), int64(0)
		for _, d := range active {
			share := Share(rate, d.ID, active)
			if share < 1 || share > rate {
				t.Fatalf("%s is told %d of %d", d.ID, share, rate)
			}
			if d.Waiting {
				users++
				sum += share
			}
		}
		if sum > max(rate, users) || users > 0 && rate >= users && sum <= rate-users {
			t.Errorf("%d devices share %d of %d", users, sum, rate)
		}
		if idle := Share(rate, "idle-one", active); idle != max(rate/(users+1), 1) {
			t.Errorf("an idle one is told %d of %d beside %d", idle, rate, users)
		}
	})
	if got := Share(0, "a", []Device{{"a", true}}); got != 0 {
		t.Errorf("no rate: %d", got)
	}
}
