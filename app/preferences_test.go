package app

import (
	"context"
	"errors"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"servicesmtp.net/companion/app/mail"
	"servicesmtp.net/companion/app/pace"
	"servicesmtp.net/companion/app/settings"
)

// commented is a part of a file whose comments must survive.
const commented = "[pace] # ours\nrecipients_per_minute = 60 # careful\n# hours of the night\nquiet = [\"22:00-07:00\"] # and no later\n\n" +
	"# programs\n[listen]\naddresses = [\n  \"127.0.0.1:0\", # any\n] # one\nauth = \"off\" # alone here\n\n[window]\ntheme = \"dark\" # at night\n"

func TestSettersChangeTheFileAndKeepItsComments(t *testing.T) {
	e := newEngineTest(t, engineOptions{settings: commented})
	e.run()
	want := e.Preferences()
	if diff := cmp.Diff(Preferences{
		Pace:   PacePreferences{PerMinute: 60, Quiet: []string{"22:00-07:00"}, Adaptive: true},
		Listen: ListenPreferences{Addresses: []string{"127.0.0.1:0"}, Auth: "off"},
		Window: WindowPreferences{Language: "system", Theme: "dark"},
		Relay: RelayDefaults{Name: "ServiceSMTP", Endpoints: []string{"starttls://smtp.servicesmtp.net:587", "tls://smtp.servicesmtp.net:465"},
			API: "https://api.servicesmtp.net"},
	}, want); diff != "" {
		t.Fatal(diff)
	}
	for _, c := range []struct {
		name string
		set  func() error
	}{
		{"pace", func() error {
			want.Pace = PacePreferences{PerMinute: 30, PerHour: 600, PerDay: 5000, Quiet: []string{"21:30-06:00", "12:00-13:00"}}
			return e.SetPace(t.Context(), want.Pace)
		}},
		{"listen", func() error {
			want.Listen = ListenPreferences{Addresses: []string{"127.0.0.2:0"}, Auth: "required", TLSAddresses: []string{"127.0.0.3:0"}}
			return e.SetListen(t.Context(), want.Listen)
		}},
		{"window", func() error {
			want.Window = WindowPreferences{Language: "it", Theme: "light"}
			return e.SetWindow(t.Context(), want.Window)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := e.file()
			if err := c.set(); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, e.Preferences()); diff != "" {
				t.Error(diff)
			}
			s, err := settings.Load(e.path)
			if err != nil {
				t.Fatal(err)
			}
			stored := Engine{settings: s}
			if diff := cmp.Diff(want, stored.Preferences()); diff != "" {
				t.Errorf("in the file: %s", diff)
			}
			for _, comment := range []string{"# mine\n", "# me\n", "[pace] # ours\n", " # careful\n", "# hours of the night\n", " # and no later\n",
				"# programs\n", " # one\n", " # alone here\n", " # at night\n"} {
				if !strings.Contains(e.file(), comment) {
					t.Errorf("lost %q in\n%s", comment, e.file())
				}
			}
			if e.file() == before {
				t.Error("nothing was written")
			}
		})
	}
}

func TestSettersRefuseWhatTheFileWould(t *testing.T) {
	e := newEngineTest(t, engineOptions{})
	e.run()
	before, file := e.Preferences(), e.file()
	listen := func(addresses ...string) func() error {
		return func() error {
			return e.SetListen(t.Context(), ListenPreferences{Addresses: addresses, Auth: "required"})
		}
	}
	for name, c := range map[string]struct {
		set  func() error
		want string // in what a person reads, in any language
	}{
		"negative":   {func() error { return e.SetPace(t.Context(), PacePreferences{PerMinute: -1}) }, "A limit is a whole number"},
		"hours":      {func() error { return e.SetPace(t.Context(), PacePreferences{Quiet: []string{"at night"}}) }, "Enter hours like 22:00-07:00."},
		"no address": {listen(), "Enter IP addresses with ports"},
		"a name":     {listen("localhost:2525"), "Enter IP addresses with ports"},
		"twice":      {listen("127.0.0.1:2525", "127.0.0.1:2525"), "Enter IP addresses with ports"},
		"open to everyone": {func() error {
			return e.SetListen(t.Context(), ListenPreferences{Addresses: []string{"0.0.0.0:0"}, Auth: "off"})
		}, "Mail programs must give a password"},
		"auth": {func() error {
			return e.SetListen(t.Context(), ListenPreferences{Addresses: []string{"127.0.0.1:0"}, Auth: "perhaps"})
		}, "listen.auth"},
		"language": {func() error { return e.SetWindow(t.Context(), WindowPreferences{"Italian please", "dark"}) }, "window.language"},
		"theme":    {func() error { return e.SetWindow(t.Context(), WindowPreferences{"it", "pink"}) }, "window.theme"},
	} {
		err := c.set()
		said, ok := Words(err)
		if !ok || !strings.Contains(said.Sentence.String(), c.want) {
			t.Errorf("%s: got %v, want %q in it", name, err, c.want)
		}
	}
	if diff := cmp.Diff(before, e.Preferences()); diff != "" || e.file() != file {
		t.Errorf("something was changed: %s\n%s", diff, e.file())
	}
}

// A limit that the user changes is in force for the mail that waits already,
// and never looser than the relay's.
func TestSetPaceObeysTheRelayToo(t *testing.T) {
	api := newRestAPI(t)
	api.policy.RecipientsPerMinute = 40
	e := newEngineTest(t, engineOptions{api: api})
	e.run()
	e.until("the relay's limit", func(s State) bool { return s.Accounts[0].Pace.PerMinute == 40 })
	for user, want := range map[int]int{600: 40, 0: 40, 10: 10} {
		if err := e.SetPace(t.Context(), PacePreferences{PerMinute: user}); err != nil {
			t.Fatal(err)
		}
		if got := e.State().Accounts[0].Pace.PerMinute; got != want {
			t.Errorf("%d a minute in force, want %d", got, want)
		}
	}
}

func TestSetPaceDoesNotRefillTheBucket(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEngineTest(t, engineOptions{pipe: true})
		defer e.Close()
		defer e.cfg.Secrets.Close()
		set := func(perMinute int) {
			if err := e.SetPace(t.Context(), PacePreferences{PerMinute: perMinute}); err != nil {
				t.Error(err)
			}
		}
		a, err := e.account("office")
		if err != nil {
			t.Fatal(err)
		}
		set(600)
		pass := func() { // one batch of 50
			if err := a.sender.gate.prepare(mail.Bulk, 50).pass(t.Context()); err != nil {
				t.Error(err)
			}
		}
		began := time.Now()
		pass()
		left := make(chan time.Duration)
		go func() { pass(); left <- time.Since(began) }()
		for range 10 { // as a person who plays with the slider
			set(60)
			set(600)
		}
		time.Sleep(time.Second) // 40 of 50 are left at 10 a second
		set(60)
		if got, want := <-left, 41*time.Second; got != want {
			t.Errorf("the second batch left after %v, want %v", got, want)
		}
		go func() { pass(); left <- time.Since(began) }()
		synctest.Wait()
		set(6000) // a session that waits at the gate learns of it
		if got, want := <-left, 41*time.Second+500*time.Millisecond; got != want {
			t.Errorf("the third batch left after %v, want %v", got, want)
		}
	})
}

// rateChange is a rate in force from a time on; leave is a batch that left.
type rateChange struct {
	at        time.Duration
	perMinute int
}

type leave struct {
	at time.Duration
	n  int
}

// allowed is the integral of the rate.
func allowed(changes []rateChange, from, to time.Duration) (n float64) {
	for i, c := range changes {
		end := to
		if i+1 < len(changes) {
			end = min(end, changes[i+1].at)
		}
		if begin := max(from, c.at); begin < end {
			n += float64(c.perMinute) * (end - begin).Minutes()
		}
	}
	return n
}

// sendAtRandom lets three sessions send all they may while the rate changes.
func sendAtRandom(t *testing.T, seed uint64) (changes []rateChange, leaves []leave) {
	random := rand.New(rand.NewPCG(seed, 1))
	rates := []int{6, 60, 600, 6000}
	changes = []rateChange{{0, 60}}
	g := newGate(pace.New(pace.Limits{PerMinute: 60, Batch: 50}), func() {})
	ctx, cancel := context.WithCancel(t.Context())
	began := time.Now()
	var sessions sync.WaitGroup
	var mu sync.Mutex // guards leaves
	for worker := range uint64(3) {
		sessions.Go(func() {
			random := rand.New(rand.NewPCG(seed, 2+worker))
			for {
				n := 1 + random.IntN(50)
				ticket := g.prepare(mail.Bulk, n)
				err := ticket.pass(ctx)
				ticket.giveBack()
				if err != nil {
					return
				}
				mu.Lock()
				leaves = append(leaves, leave{time.Since(began), n})
				mu.Unlock()
			}
		})
	}
	for range 50 {
		time.Sleep(time.Duration(random.Int64N(int64(5 * time.Second))))
		synctest.Wait()
		c := rateChange{time.Since(began), rates[random.IntN(len(rates))]}
		changes = append(changes, c)
		g.setLimits(pace.Limits{PerMinute: c.perMinute, Batch: 50}, time.Now())
	}
	cancel()
	sessions.Wait()
	return changes, leaves
}

// TestChangedLimitsAreNeverExceeded holds that no window lets out more than the
// rates of its time allow, and one batch.
func TestChangedLimitsAreNeverExceeded(t *testing.T) {
	for seed := range uint64(20) {
		synctest.Test(t, func(t *testing.T) {
			changes, leaves := sendAtRandom(t, seed)
			for i := range leaves {
				sum := 0
				for _, l := range leaves[i:] {
					sum += l.n
					if most := allowed(changes, leaves[i].at, l.at) + 50; float64(sum) > most+0.001 {
						t.Fatalf("seed %d: %d recipients from %v to %v, %v were allowed", seed, sum, leaves[i].at, l.at, most)
					}
				}
			}
			if len(leaves) < 20 {
				t.Errorf("seed %d: only %d batches left", seed, len(leaves))
			}
		})
	}
}

func TestSettersAfterTheEnd(t *testing.T) {
	e := newEngineTest(t, engineOptions{})
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- e.Run(ctx) }()
	<-e.Ready()
	stop()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if err := e.SetListen(t.Context(), ListenPreferences{Addresses: []string{"127.0.0.2:0"}, Auth: "required"}); !errors.Is(err, ErrStopped) {
		t.Errorf("got %v, want ErrStopped", err)
	}
}
