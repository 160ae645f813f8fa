package chaos

import (
	"context"
	"flag"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"

	"servicesmtp.net/companion/e2e/world"
)

// The defaults are a short run, for every day.
var (
	seed       = flag.Uint64("seed", 0, "of letters and moments; 0: another one each time")
	kills      = flag.Int("kills", 15, "kill -9 of the companion while it works")
	restarts   = flag.Int("restarts", 2, "ends and starts of the relay meanwhile")
	recipients = flag.Int("recipients", 2000, "of all letters together")
	relayKills = flag.Int("relay-kills", 4, "kill -9 of the relay, in a run of its own")
	rate       = flag.Int("rate", 12000, "recipients per minute that the companion may send")
)

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(world.Main(m, false))
}

// TestKillTheCompanion: killed at random moments, its start included, behind a
// network that loses answers to final dots, with a relay that is restarted.
func TestKillTheCompanion(t *testing.T) {
	t.Parallel()
	c := newChaos(t)
	every := max(1, *kills/(*restarts+1))
	for i := 1; i <= *kills; i++ {
		c.release(i, *kills)
		c.live()
		c.killCompanion()
		if i%every == 0 && i < *kills {
			c.restartRelay()
		}
	}
	c.finish()
	c.judge(false)
}

// TestKillTheRelay: the same with the relay killed, and the companion now and
// then. What a relay had in hand when it was killed it may deliver twice, and
// flags; it accepts nothing twice.
func TestKillTheRelay(t *testing.T) {
	t.Parallel()
	c := newChaos(t)
	c.world.Far.Set(func(f *world.Far) { f.DelayDot = 20 * time.Millisecond }) // so that kills come before its answer
	c.start()
	for i := 1; i <= *relayKills; i++ {
		c.release(i, *relayKills)
		time.Sleep(c.between(100*time.Millisecond, 2500*time.Millisecond))
		c.world.Relay.Kill()
		c.relayDeaths++
		if i%3 == 0 {
			c.killCompanion()
			c.start()
		}
		time.Sleep(c.between(0, 300*time.Millisecond))
		c.world.StartRelay()
	}
	c.finish()
	c.judge(true)
}

// chaos is one run. Its methods belong to the test's goroutine.
type chaos struct {
	t       *testing.T
	world   *world.World
	rng     *rand.Rand
	letters []*letter
	sender  *sender
	cutters []*cutter
	running *world.Process
	began   time.Time

	released, deaths, relayDeaths int
}

func newChaos(t *testing.T) *chaos {
	t.Helper()
	s := *seed
	if s == 0 {
		s = rand.Uint64()
	}
	c := &chaos{t: t, rng: rand.New(rand.NewPCG(s, 1)), began: time.Now()}
	c.letters = letters(c.rng, *recipients)
	t.Logf("%d letters to %d recipients, seed %d", len(c.letters), *recipients, s)
	c.world = world.Relay(t, world.Options{RPM: *rate, Plan: "unlimited-standard", Listen: world.Free(t)})
	for i, addr := range c.world.Submission {
		cut := startCutter(t, addr, s+uint64(i))
		c.cutters = append(c.cutters, cut)
		c.world.Submission[i] = cut.addr
	}
	c.world.WriteCompanionConfig()
	c.sender = newSender(c.world.Opts.Listen, len(c.letters))
	ctx, end := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		c.sender.run(ctx, 3)
	}()
	t.Cleanup(func() {
		end()
		<-done
		if c.running != nil {
			c.running.Kill()
		}
		if t.Failed() && c.running != nil {
			t.Logf("log of the companion:\n%s", world.Tail(c.running.Said(), 40))
		}
	})
	return c
}

// release hands letters to the sender so that there is work until the end.
func (c *chaos) release(step, steps int) {
	for c.released < len(c.letters) && c.released*steps <= step*len(c.letters)*10/9 {
		c.sender.queue <- c.letters[c.released]
		c.released++
	}
}

func (c *chaos) between(least, most time.Duration) time.Duration {
	return least + time.Duration(c.rng.Int64N(int64(most-least)))
}

func (c *chaos) start() { c.running = c.world.LaunchCompanion() }

// live is one life of the companion: a quarter of them ends while it starts.
func (c *chaos) live() {
	c.start()
	if c.rng.IntN(4) == 0 {
		time.Sleep(c.between(0, 100*time.Millisecond))
		return
	}
	time.Sleep(c.between(100*time.Millisecond, 1500*time.Millisecond))
}

func (c *chaos) killCompanion() {
	select {
	case <-c.running.Done:
		c.t.Fatalf("the companion has ended by itself: %v\n%s", c.running.Cmd.ProcessState, world.Tail(c.running.Said(), 20))
	default:
	}
	c.running.Kill()
	c.deaths++
}

// restartRelay ends the relay in good order and starts another one on the same
// store.
func (c *chaos) restartRelay() {
	if code := c.world.Relay.Stop(c.t); code != 0 {
		c.t.Errorf("the relay ended with %d", code)
	}
	c.world.StartRelay()
}

// finish lets everything come to its end undisturbed, but for the network.
func (c *chaos) finish() {
	c.release(1, 1)
	if c.running == nil || c.ended() {
		c.start()
		c.running.WaitReady(c.t)
	}
	limit := time.Duration(*recipients)*time.Minute/time.Duration(*rate) + 2*time.Minute
	select {
	case <-c.sender.done:
	case <-time.After(limit):
		c.t.Fatalf("not all letters were taken within %v", limit)
	}
	c.world.UntilIdle(limit)
	c.world.Far.WaitRecipients(c.t, c.must(), limit)
}

func (c *chaos) ended() bool {
	select {
	case <-c.running.Done:
		return true
	default:
		return false
	}
}

// must is how many recipients have to get their letter.
func (c *chaos) must() int {
	n := 0
	for _, l := range c.sender.offered {
		if l.fate == accepted {
			n += len(l.to)
		}
	}
	return n
}

// cuts are the connections that the network has lost.
func (c *chaos) cuts() (dots, others int64) {
	for _, cut := range c.cutters {
		dots += cut.dots.Load()
		others += cut.others.Load()
	}
	return dots, others
}

// heard counts a message in the companion's log.
func (c *chaos) heard(text string) int { return strings.Count(c.running.Said(), text) }
