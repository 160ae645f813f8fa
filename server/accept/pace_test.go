package accept

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"servicesmtp.net/companion/server/account"
	"servicesmtp.net/companion/server/pace"
	"servicesmtp.net/companion/server/store"
	"servicesmtp.net/companion/server/store/storetest"
)

// paced adds an account with a rate of its own.
func (w *world) paced(id string, perMinute int64) string {
	w.t.Helper()
	w.account(id, "mega")
	if err := w.Store.SetPerMinute(context.Background(), id, &perMinute); err != nil {
		w.t.Fatal(err)
	}
	return id
}

func some(n int) []Offer {
	addresses := make([]string, n)
	for i := range addresses {
		addresses[i] = fmt.Sprintf("r%d@x.example", i)
	}
	return offers(addresses...)
}

func (w *world) bucket(id string) (b pace.Bucket) {
	w.t.Helper()
	terms, err := w.Store.Terms(context.Background(), id, time.Now())
	if err != nil {
		w.t.Fatal(err)
	}
	return terms.Pace
}

// acceptance is one message as it is stored.
type acceptance struct {
	at time.Time
	n  int
}

func (w *world) acceptances(id string) (all []acceptance) {
	w.t.Helper()
	rows, err := w.Store.Reader().Query(`SELECT m.created_at, count(*) FROM messages m JOIN deliveries d ON d.message_id = m.id
		WHERE m.account_id = $1 GROUP BY m.id, m.created_at ORDER BY m.created_at`, id)
	if err != nil {
		w.t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var us int64
		var a acceptance
		if err := rows.Scan(&us, &a.n); err != nil {
			w.t.Fatal(err)
		}
		a.at = store.Time(us)
		all = append(all, a)
	}
	if err := rows.Err(); err != nil {
		w.t.Fatal(err)
	}
	return all
}

// held checks every window of what an account had accepted against its rate.
func (w *world) held(id string, perMinute int64) (recipients int) {
	w.t.Helper()
	all := w.acceptances(id)
	for i := range all {
		sum := int64(0)
		for k := i; k < len(all); k++ {
			sum += int64(all[k].n)
			us := all[k].at.Sub(all[i].at).Microseconds()
			if over := sum*60_000_000 - us*perMinute; over > (pace.Batch+pace.Burst)*60_000_000 {
				w.t.Fatalf("%d recipients within %d µs at %d a minute", sum, us, perMinute)
			}
		}
		recipients += all[i].n
	}
	return recipients
}

// TestPaceTogether: sessions that come together are accepted one after the
// other at the account's rate, by two acceptors on one store (PostgreSQL: each
// on a store of its own on one database), and over a restart of both.
func TestPaceTogether(t *testing.T) { storetest.Each(t, testPaceTogether) }

func testPaceTogether(t *testing.T, dsn string) {
	const rate = 30_000 // 500 a second: a batch of 50 is paid off in 100 ms
	w := openWorld(t, dsn, t.TempDir())
	options := []Options{w.Options}
	if dsn != "" {
		options = append(options, openWorld(t, dsn, t.TempDir()).Options)
	}
	id := w.paced("acc", rate)
	next := 0
	ctx, cancel := context.WithCancel(context.Background())
	var runs sync.WaitGroup
	node := func() *Acceptor {
		a := New(options[next%len(options)])
		next++
		runs.Go(func() {
			if err := a.Run(ctx); err != nil {
				t.Error(err)
			}
		})
		return a
	}
	send := func(sizes []int, nodes ...*Acceptor) {
		var all sync.WaitGroup
		for i, n := range sizes {
			all.Go(func() {
				one := &world{Acceptor: nodes[i%len(nodes)], t: t}
				if _, err := one.send(id, "", some(n), message(fmt.Sprint(n, i, time.Now()))); err != nil {
					t.Errorf("message %d of %d: %v", i, n, err)
				}
			})
		}
		all.Wait()
	}
	sizes := slices.Concat(slices.Repeat([]int{50}, 16), slices.Repeat([]int{1}, 32), slices.Repeat([]int{20}, 16))
	send(sizes, node(), node())
	cancel()
	runs.Wait()
	ctx, cancel = context.WithCancel(context.Background())
	defer func() { cancel(); runs.Wait() }()
	send(slices.Repeat([]int{50}, 4), node())
	if got, want := w.held(id, rate), 16*50+32+16*20+4*50; got != want {
		t.Errorf("%d recipients accepted, want %d", got, want)
	}
}

// TestPaceCostsNothingElsewhere: who is refused, and who repeats, pays nothing
// and does not wait; without a rate there is no row.
func TestPaceCostsNothingElsewhere(t *testing.T) {
	w := newWorld(t, "")
	id, free := w.paced("acc", 1), w.account("free", "mega")
	w.mustSend(free, "", some(50), message("free"))
	w.mustSend(free, "", some(50), message("free again"))
	if n := w.count(`SELECT count(*) FROM account_paces WHERE account_id = 'free'`); n != 0 {
		t.Errorf("an account without a rate has %d rows", n)
	}
	first := w.mustSend(id, envid(1), some(50), message("hello"))
	before := w.bucket(id)
	if before.Owed != 50*60_000_000 {
		t.Errorf("owes %d after 50", before.Owed)
	}
	if r := w.mustSend(id, envid(1), some(50), message("hello")); r.ID != first.ID || !r.Replayed {
		t.Errorf("replay: %+v", r)
	}
	if _, err := w.send(id, envid(1), some(50), message("other")); !errors.Is(err, ErrConflict) {
		t.Errorf("conflict: %v", err)
	}
	if _, err := w.send(id, "", some(50), message("too much")); !errors.Is(err, ErrSlow) {
		t.Errorf("45 minutes' wait: got %v, want ErrSlow", err)
	}
	if r, err := w.Admit(context.Background(), id, envid(1), 0); r == nil || err != nil {
		t.Errorf("replay at MAIL: %v, %v", r, err)
	}
	if _, err := w.Admit(context.Background(), id, envid(2), 0); err != nil {
		t.Errorf("the burst at MAIL: %v", err)
	}
	w.mustSend(id, "", some(5), message("personal"))
	_, err := w.Admit(context.Background(), id, envid(2), 0)
	if no, ok := errors.AsType[*PaceError](err); !ok || no.Retry <= 50*time.Second || no.Retry > time.Minute {
		t.Errorf("one too many at MAIL: %v", err)
	}
	if err := w.block(id); err != nil {
		t.Fatal(err)
	}
	if _, err := w.send(id, "", some(50), message("blocked")); !errors.Is(err, ErrBlocked) {
		t.Errorf("blocked: %v", err)
	}
	if after := w.bucket(id); after.Owed > before.Owed+5*60_000_000 {
		t.Errorf("owes %d, then %d", before.Owed, after.Owed)
	}
	if n := w.count(`SELECT count(*) FROM messages WHERE account_id = 'acc'`); n != 2 {
		t.Errorf("%d messages, want 2", n)
	}
}

// TestPaceWaitEnds: with its client, with the acceptor, and when it would be
// longer than may be.
func TestPaceWaitEnds(t *testing.T) {
	w := newWorld(t, "")
	id := w.paced("acc", 60)
	w.mustSend(id, "", some(50), message("first"))
	send := func(ctx context.Context, patience time.Duration, held chan<- struct{}) error {
		body, err := w.Receive(ctx, id, strings.NewReader(message("second")), 0)
		if err != nil {
			return err
		}
		defer body.Close(ctx)
		_, err = w.Accept(ctx, Submission{ID: store.NewID(time.Now()), AccountID: id, From: "a@example.com", Offered: some(50), Body: body,
			Received: "Received: by localhost\r\n", Patience: patience, Held: func(ctx context.Context) (context.Context, func()) {
				close(held)
				return ctx, func() {}
			}})
		return err
	}
	gone := errors.New("gone")
	ctx, leave := context.WithCancelCause(context.Background())
	held := make(chan struct{})
	go func() { <-held; leave(gone) }()
	if err := send(ctx, 0, held); !errors.Is(err, gone) {
		t.Errorf("client gone: %v", err)
	}
	if err := send(context.Background(), time.Second, make(chan struct{})); !errors.Is(err, ErrSlow) {
		t.Errorf("too long: %v", err)
	}
	if n := len(w.queues.all); n != 0 {
		t.Errorf("%d accounts wait", n)
	}
	held = make(chan struct{})
	go func() { <-held; w.stop() }()
	if err := send(context.Background(), 0, held); !errors.Is(err, ErrStopped) {
		t.Errorf("stopped: %v", err)
	}
}

// TestBatchPassesAStream: single recipients keep coming and keep the bucket
// full; a batch of 50 is let through all the same, and the single ones before
// it overtake.
func TestBatchPassesAStream(t *testing.T) {
	w := newWorld(t, "")
	w.queues.rest = 300 * time.Millisecond
	id := w.paced("acc", 3000) // 50 a second: far less than the stream could
	w.mustSend(id, "", some(50), message("first"))
	ctx, end := context.WithCancel(context.Background())
	var stream sync.WaitGroup
	for k := range 30 {
		stream.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				if _, err := w.send(id, "", some(1), message(fmt.Sprint("single", k, i))); err != nil {
					t.Errorf("single: %v", err)
					return
				}
			}
		})
	}
	began := time.Now()
	w.mustSend(id, "", some(50), message("second"))
	took := time.Since(began)
	end()
	stream.Wait()
	w.held(id, 3000)
	overtook := w.count(`SELECT count(*) FROM messages WHERE account_id = 'acc'`) - 2
	t.Logf("the batch passed after %v, and %d messages of one in all", took, overtook)
	if overtook < 5 {
		t.Errorf("%d messages of one", overtook)
	}
}

// TestClockSetBack: a bucket from the future is put right by the first message,
// and nothing is let through for it.
func TestClockSetBack(t *testing.T) {
	w := newWorld(t, "")
	id := w.paced("acc", 6000)
	future := time.Now().Add(24 * time.Hour)
	if _, err := w.Store.Writer().Exec(`UPDATE account_paces SET owed = $1, owed_at = $2`, 55*60_000_000, store.Micros(future)); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Admit(context.Background(), id, "", 0); err != nil {
		t.Errorf("at MAIL: %v", err)
	}
	began := time.Now()
	w.mustSend(id, "", some(50), message("hello"))
	if took := time.Since(began); took < 500*time.Millisecond || took > 20*time.Second {
		t.Errorf("50 recipients were owed at 100 a second, and the batch passed after %v", took)
	}
}

// TestRateOf: its own rate, also none, before the others; else the smaller of
// the plan's and the relay's.
func TestRateOf(t *testing.T) {
	n := func(n int64) *int64 { return &n }
	for name, c := range map[string]struct {
		plan    int64
		own     *int64
		general int64
		want    int64
		source  RateSource
	}{
		"none":                            {0, nil, 0, 0, RateNone},
		"the relay's":                     {0, nil, 60, 60, RateRelay},
		"the plan's":                      {30, nil, 0, 30, RatePlan},
		"the plan's is smaller":           {30, nil, 60, 30, RatePlan},
		"the plan's is larger":            {90, nil, 60, 60, RateRelay},
		"both are the same":               {60, nil, 60, 60, RatePlan},
		"its own":                         {0, n(5), 60, 5, RateAccount},
		"its own is faster than the rest": {30, n(500), 60, 500, RateAccount},
		"its own is none":                 {30, n(0), 60, 0, RateAccount},
		"nonsense of its own":             {30, n(-1), 60, 0, RateAccount},
		"nonsense of the relay":           {0, nil, -1, 0, RateNone},
		"nonsense of the plan":            {-1, nil, 60, 60, RateRelay},
	} {
		if got, source := RateOf(account.Plan{PerMinute: c.plan}, c.own, c.general); got != c.want || source != c.source {
			t.Errorf("%s: got %d of the %s, want %d of the %s", name, got, source, c.want, c.source)
		}
	}
}

// TestThePlansRateHolds: acceptance goes by it, and by the account's own where
// there is one.
func TestThePlansRateHolds(t *testing.T) {
	plans, err := account.Parse([]byte("currency = \"EUR\"\n[[plan]]\nname = \"slow\"\ntitle = \"Slow\"\nkind = \"unlimited\"\nemails = 5000\nprice = 0\nrecipients_per_minute = 1\n"))
	if err != nil {
		t.Fatal(err)
	}
	w := openWorld(t, "", t.TempDir(), func(o *Options) { o.Catalogue, o.PerMinute = plans, 6000 })
	id := w.account("alice", "slow")
	w.mustSend(id, "", some(50), message("hello"))
	w.mustSend(id, "", some(5), message("hello")) // the burst of personal mail
	var slow *PaceError
	if _, err := w.Admit(context.Background(), id, "", 0); !errors.As(err, &slow) || slow.Retry < 30*time.Second {
		t.Errorf("after 55 recipients at one a minute: %v", err)
	}
	none := int64(0)
	if err := w.Store.SetPerMinute(context.Background(), id, &none); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Admit(context.Background(), id, "", 0); err != nil {
		t.Errorf("with no rate of its own: %v", err)
	}
}
