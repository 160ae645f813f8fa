package accept

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"servicesmtp.net/companion/internal/units"
	"servicesmtp.net/companion/server/account"
	"servicesmtp.net/companion/server/billing"
	"servicesmtp.net/companion/server/store"

	"servicesmtp.net/companion/server/store/storetest"
)

func TestAcceptStoresAllOfIt(t *testing.T) { storetest.Each(t, testAcceptStoresAllOfIt) }

func testAcceptStoresAllOfIt(t *testing.T, dsn string) {
	w := newWorld(t, dsn)
	id := w.account("acc", "standard")
	text := message("hello")
	offered := offers("x@A.example", "y@b.example", "x@a.example") // the third is the first again
	offered[0].Notify, offered[0].Original = "SUCCESS,FAILURE", "rfc822;o@a.example"
	offered = append(offered, Offer{Decision: Decision{Address: "nowhere", Code: 553, Enhanced: "5.1.3", Reply: "no domain"}})
	r := w.mustSend(id, envid(7)+".client", offered, text)
	if r.Replayed || len(r.ID) != 26 {
		t.Fatalf("receipt %+v", r)
	}
	m, err := w.Store.Message(context.Background(), r.ID)
	if err != nil {
		t.Fatal(err)
	}
	if m.EnvelopeID != envid(7)+".client" || m.ClientID != "client" || m.From != "a@example.com" || m.Size != int64(len(text)) || m.Held {
		t.Errorf("message %+v", m)
	}
	body, size, err := w.Store.OpenBody(context.Background(), id, m.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	defer body.Close()
	if got, _ := io.ReadAll(body); string(got) != text || size != int64(len(text)) {
		t.Errorf("body of %d bytes: %q", size, got)
	}
	if n := w.count(`SELECT count(*) FROM deliveries WHERE message_id = $1 AND status = 'queued'`, r.ID); n != 2 {
		t.Errorf("%d deliveries, want 2: one for each distinct recipient that was accepted", n)
	}
	if n := w.count(`SELECT count(*) FROM deliveries WHERE recipient = 'x@A.example' AND notify = 'SUCCESS,FAILURE' AND orcpt = 'rfc822;o@a.example' AND lane = 'a.example'`); n != 1 {
		t.Error("the first recipient's row is not as offered")
	}
	if got, want := w.used(id), (account.Charge{Emails: 2, Bytes: units.ByteSize(2 * len(text))}); got != want {
		t.Errorf("used %+v, want %+v", got, want)
	}
	if got := w.count(`SELECT count(*) FROM settings WHERE key IN ('lane:a.example', 'lane:b.example')`); got != 2 {
		t.Errorf("%d jobs, want 2", got)
	}
	got, err := w.Check(context.Background(), id, []string{envid(7), envid(8)})
	if err != nil {
		t.Fatal(err)
	}
	if got[0].State != store.KeyAccepted || got[0].ID != r.ID || got[1].State != Unknown {
		t.Errorf("check %+v", got)
	}
	if diff := cmp.Diff(decisions(offered), got[0].Decisions); diff != "" {
		t.Errorf("every offered recipient must be remembered (-want +got):\n%s", diff)
	}
}

func TestWithoutKeyNothingIsRemembered(t *testing.T) {
	storetest.Each(t, testWithoutKeyNothingIsRemembered)
}

func testWithoutKeyNothingIsRemembered(t *testing.T, dsn string) {
	for _, c := range []struct{ name, envid, client string }{
		{"no ENVID", "", ""},
		{"foreign ENVID", "QQ314159", "QQ314159"},
		{"almost ours", "sb1." + job + ".0", "sb1." + job + ".0"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, dsn)
			id := w.account("acc", "standard")
			first := w.mustSend(id, c.envid, offers("x@a.example"), message("hello"))
			second := w.mustSend(id, c.envid, offers("x@a.example"), message("hello")) // never dropped on our own
			if first.ID == second.ID || first.Replayed || second.Replayed {
				t.Errorf("receipts %+v, %+v", first, second)
			}
			if n := w.count(`SELECT count(*) FROM messages WHERE client_id = $1`, c.client); n != 2 {
				t.Errorf("%d messages carry the client's ENVID", n)
			}
			if n := w.count(`SELECT count(*) FROM envelope_keys`); n != 0 {
				t.Errorf("%d keys", n)
			}
			if n := w.count(`SELECT count(*) FROM bodies`); n != 1 {
				t.Errorf("%d bodies, want the same one once", n)
			}
		})
	}
}

func TestOneKeyIsAcceptedOnce(t *testing.T) { storetest.Each(t, testOneKeyIsAcceptedOnce) }

func testOneKeyIsAcceptedOnce(t *testing.T, dsn string) {
	w := newWorld(t, dsn)
	id, other := w.account("acc", "standard"), w.account("other", "standard")
	first := w.mustSend(id, envid(1), offers("x@a.example", "y@b.example"), message("hello"))
	before := w.rows()
	for _, c := range []struct {
		name, envid string
		offered     []Offer
		text        string
		want        error
	}{
		{"again", envid(1), offers("x@a.example", "y@b.example"), message("hello"), nil},
		{"in another order, other case", envid(1), offers("y@B.example", "x@a.example"), message("hello"), nil},
		{"with a client ENVID", envid(1) + ".c", offers("x@a.example", "y@b.example"), message("hello"), nil},
		{"other text", envid(1), offers("x@a.example", "y@b.example"), message("hellO"), ErrConflict},
		{"one fewer", envid(1), offers("x@a.example"), message("hello"), ErrConflict},
		{"one more", envid(1), offers("x@a.example", "y@b.example", "z@c.example"), message("hello"), ErrConflict},
	} {
		got, err := w.send(id, c.envid, c.offered, c.text)
		if !errors.Is(err, c.want) || (c.want == nil && got != Receipt{ID: first.ID, Replayed: true}) {
			t.Errorf("%s: got %+v %v, want %v", c.name, got, err, c.want)
		}
	}
	if diff := cmp.Diff(before, w.rows()); diff != "" {
		t.Errorf("repetitions left something behind:\n%s", diff)
	}
	if r := w.mustSend(other, envid(1), offers("x@a.example"), message("mine")); r.Replayed {
		t.Error("a key of one account counts for another")
	}
}

// TestDifferentAnswersAreNotAReplay: a session that answered RCPT otherwise
// than the one that was accepted must not say "accepted".
func TestDifferentAnswersAreNotAReplay(t *testing.T) {
	storetest.Each(t, testDifferentAnswersAreNotAReplay)
}

func testDifferentAnswersAreNotAReplay(t *testing.T, dsn string) {
	w := newWorld(t, dsn)
	id := w.account("acc", "standard")
	w.mustSend(id, envid(1), offers("x@a.example", "y@b.example"), message("hello"))
	offered := offers("x@a.example", "y@b.example")
	offered[1].Code = 550
	if _, err := w.send(id, envid(1), offered, message("hello")); !errors.Is(err, ErrAgain) {
		t.Errorf("got %v, want ErrAgain", err)
	}
}

func TestAccountStates(t *testing.T) { storetest.Each(t, testAccountStates) }

func testAccountStates(t *testing.T, dsn string) {
	for _, c := range []struct {
		name, plan string
		change     func(*billing.NewAccount)
		want       error
	}{
		{"active", "standard", status("active"), nil},
		{"held", "standard", status("held"), nil},
		{"blocked", "standard", status("blocked"), ErrBlocked},
		{"ended", "standard", status("ended"), ErrEnded},
		{"a state of a later version", "standard", status("frozen"), ErrBlocked},
		{"monthly plan in its 30 days", "standard-month", func(n *billing.NewAccount) { n.Begins = time.Now().AddDate(0, 0, -29) }, nil},
		{"monthly plan after them", "standard-month", func(n *billing.NewAccount) { n.Begins = time.Now().AddDate(0, 0, -31) }, ErrEnded},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, dsn)
			id := w.account("acc", c.plan, c.change)
			before := w.rows()
			if _, err := w.Admit(context.Background(), id, envid(1), 0); !errors.Is(err, c.want) {
				t.Errorf("at MAIL: got %v, want %v", err, c.want)
			}
			_, err := w.send(id, envid(1), offers("x@a.example"), message("hello"))
			if !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
			if diff := cmp.Diff(before, w.rows()); c.want != nil && diff != "" {
				t.Errorf("a refusal left something behind:\n%s", diff)
			}
		})
	}
}

func TestHeldMailWaits(t *testing.T) { storetest.Each(t, testHeldMailWaits) }

func testHeldMailWaits(t *testing.T, dsn string) {
	w := newWorld(t, dsn)
	id := w.account("acc", "standard", status("held"))
	r := w.together(w.prepared(id, envid(1), offers("x@a.example"), message("hello")))[0].receipt
	m, err := w.Store.Message(context.Background(), r.ID)
	if err != nil || !m.Held {
		t.Errorf("message %+v, %v", m, err)
	}
	if n := w.count(`SELECT count(*) FROM settings WHERE key LIKE 'lane:%'`); n != 0 || len(w.lanes.woken) != 0 {
		t.Errorf("held mail has %d jobs and woke %v", n, w.lanes.woken)
	}
	if n := w.count(`SELECT count(*) FROM deliveries WHERE next_at = $1`, store.Micros(store.Parked)); n != 1 {
		t.Error("the recipient of held mail is due")
	}
}

// TestReplayIgnoresQuotaAndBlock: what was accepted stays answered.
func TestReplayIgnoresQuotaAndBlock(t *testing.T) { storetest.Each(t, testReplayIgnoresQuotaAndBlock) }

func testReplayIgnoresQuotaAndBlock(t *testing.T, dsn string) {
	w := newWorld(t, dsn)
	id := w.account("acc", "unlimited-entry")
	first := w.mustSend(id, envid(1), many(9_000, "r"), message("hello"))
	if _, err := w.send(id, envid(2), offers("x@a.example"), message("hello")); !errors.As(err, new(*QuotaError)) {
		t.Fatalf("got %v, want a quota error", err)
	}
	if err := w.block(id); err != nil {
		t.Fatal(err)
	}
	if got := w.mustSend(id, envid(1), many(9_000, "r"), message("hello")); got != (Receipt{ID: first.ID, Replayed: true}) {
		t.Errorf("got %+v", got)
	}
	replay, err := w.Admit(context.Background(), id, envid(1), 0)
	if err != nil || replay == nil {
		t.Fatalf("at MAIL: %v, %v", replay, err)
	}
	if d, ok := replay.Decision("r17@D2.example"); !ok || d.Code != 250 {
		t.Errorf("stored decision %+v, %v", d, ok)
	}
	body, err := w.Measure(strings.NewReader(message("hello")))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := replay.Confirm("a@example.com", many(9_000, "r"), body); err != nil || got.ID != first.ID {
		t.Errorf("confirm: %+v, %v", got, err)
	}
	if _, err := replay.Confirm("b@example.com", many(9_000, "r"), body); !errors.Is(err, ErrConflict) {
		t.Errorf("confirm another sender: %v", err)
	}
}

func TestRefusedQuotaLeavesNothing(t *testing.T) { storetest.Each(t, testRefusedQuotaLeavesNothing) }

func testRefusedQuotaLeavesNothing(t *testing.T, dsn string) {
	for _, c := range []struct {
		name, plan, policy string
		size               int
		full               int // recipients that fit
	}{
		{"e-mails", "unlimited-entry", "surcharge", 100, 9_000},
		{"bytes", "entry", "stop", 300_000, 300},
		{"monthly", "entry-month", "surcharge", 300_000, 300},
		{"large body", "standard", "block", 1_000_000, 500},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, dsn)
			id := w.account("acc", c.plan, func(n *billing.NewAccount) { n.Account.Overage = c.policy })
			text := message(strings.Repeat("x", c.size-len(message(""))))
			before, files := w.rows(), w.files()
			_, err := w.send(id, envid(1), many(c.full+1, "r"), text)
			quota, ok := errors.AsType[*QuotaError](err)
			if !ok || !quota.Reset.After(time.Now()) {
				t.Fatalf("got %v, want a quota error with its reset", err)
			}
			if diff := cmp.Diff(before, w.rows()) + cmp.Diff(files, w.files()); diff != "" {
				t.Errorf("the refusal left something behind:\n%s", diff)
			}
			w.mustSend(id, envid(1), many(c.full, "r"), text) // the key is free, and all of it fits
			if _, err := w.Admit(context.Background(), id, envid(2), units.ByteSize(c.size)); !errors.As(err, new(*QuotaError)) {
				t.Errorf("at MAIL: got %v, want a quota error", err)
			}
			if _, err := w.send(id, envid(2), many(1, "r"), text); !errors.As(err, new(*QuotaError)) {
				t.Errorf("got %v, want a quota error", err)
			}
			if got, want := w.used(id), account.ChargeFor(units.ByteSize(c.size), c.full); got != want {
				t.Errorf("used %+v, want %+v", got, want)
			}
		})
	}
}

func TestOveruseIsCounted(t *testing.T) { storetest.Each(t, testOveruseIsCounted) }

func testOveruseIsCounted(t *testing.T, dsn string) {
	w := newWorld(t, dsn)
	id := w.account("acc", "entry")
	text := message(strings.Repeat("x", 200_000))
	for range 3 {
		w.mustSend(id, "", many(300, "r"), text)
	}
	if got, want := w.used(id), account.ChargeFor(units.ByteSize(len(text)), 900); got != want || got.Bytes <= 90*units.MB {
		t.Errorf("used %+v, want %+v, above the plan", got, want)
	}
}

// TestUsageIsExact: 64 sessions at once, near the end of a plan. What was
// accepted is what was counted, and never more than the plan has.
func TestUsageIsExact(t *testing.T) { storetest.Each(t, testUsageIsExact) }

func testUsageIsExact(t *testing.T, dsn string) {
	w := newWorld(t, dsn)
	id := w.account("acc", "unlimited-entry")
	w.mustSend(id, "", many(8_000, "first"), message("hello"))
	accepted, refused := w.storm(id, 64, 6)
	total := int64(8_000) + accepted
	if got := w.used(id).Emails; got != total || got > 9_000 {
		t.Errorf("counted %d, accepted %d, the plan has 9000", got, total)
	}
	if n := w.count(`SELECT count(*) FROM deliveries`); n != total {
		t.Errorf("%d deliveries, accepted %d", n, total)
	}
	if refused == 0 {
		t.Error("nobody was refused: the test tests nothing")
	}
}

// storm sends from so many goroutines at once and tells how many recipients
// were accepted and how many messages refused.
func (w *world) storm(id string, sessions, each int) (accepted, refused int64) {
	var mu sync.Mutex
	var wg sync.WaitGroup
	for i := range sessions {
		wg.Go(func() {
			for j := range each {
				n := 1 + rand.IntN(20)
				_, err := w.send(id, envid(1+i*each+j), many(n, fmt.Sprintf("s%d-%d-", i, j)), message("hello"))
				mu.Lock()
				switch {
				case err == nil:
					accepted += int64(n)
				case errors.As(err, new(*QuotaError)):
					refused++
				default:
					w.t.Error(err)
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	return accepted, refused
}

// TestRaceOnOneKey: sixteen sessions with one key at once make one acceptance.
func TestRaceOnOneKey(t *testing.T) { storetest.Each(t, testRaceOnOneKey) }

func testRaceOnOneKey(t *testing.T, dsn string) {
	w := newWorld(t, dsn)
	id := w.account("acc", "standard")
	for n := 1; n <= 20; n++ {
		var mu sync.Mutex
		var wg sync.WaitGroup
		fresh, ids := 0, map[string]bool{}
		for range 16 {
			wg.Go(func() {
				r, err := w.send(id, envid(n), many(3, "r"), message("hello"))
				mu.Lock()
				defer mu.Unlock()
				if err != nil {
					t.Error(err)
				}
				if !r.Replayed {
					fresh++
				}
				ids[r.ID] = true
			})
		}
		wg.Wait()
		if fresh != 1 || len(ids) != 1 {
			t.Fatalf("key %d: %d acceptances, ids %v", n, fresh, ids)
		}
	}
	if got := w.used(id).Emails; got != 60 {
		t.Errorf("counted %d e-mails, want 60", got)
	}
}
