package accept

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"servicesmtp.net/companion/server/store"

	"servicesmtp.net/companion/server/store/storetest"
)

// prepared makes a request of text, and closes its body when the test ends.
func (w *world) prepared(accountID, envelopeID string, offered []Offer, text string) *request {
	w.t.Helper()
	body, err := w.Receive(context.Background(), accountID, strings.NewReader(text), 0)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { body.Close(context.Background()) })
	r, err := w.prepare(Submission{ID: store.NewID(time.Now()), AccountID: accountID, EnvelopeID: envelopeID, From: "a@example.com",
		Offered: offered, Body: body})
	if err != nil {
		w.t.Fatal(err)
	}
	return r
}

// together commits requests in one batch.
func (w *world) together(batch ...*request) []answer {
	w.t.Helper()
	intake, err := w.Store.Intake(context.Background())
	if err != nil {
		w.t.Fatal(err)
	}
	defer intake.Close()
	w.commit(context.Background(), intake, batch)
	var all []answer
	for _, r := range batch {
		all = append(all, <-r.answer)
	}
	return all
}

// TestBatch: neighbours in one transaction see each other, and a refusal
// harms nobody.
func TestBatch(t *testing.T) { storetest.Each(t, testBatch) }

func testBatch(t *testing.T, dsn string) {
	w := newWorld(t, dsn)
	id, small, blocked := w.account("acc", "standard"), w.account("small", "unlimited-entry"), w.account("blocked", "standard", status("blocked"))
	w.together(w.prepared(small, "", many(8_990, "r"), message("hello")))
	w.lanes.woken = nil
	got := w.together(
		w.prepared(id, envid(1), many(2, "r"), message("hello")),
		w.prepared(id, envid(1), many(2, "r"), message("hello")), // the same key again
		w.prepared(id, envid(1), many(2, "r"), message("other")),
		w.prepared(small, envid(1), many(6, "r"), message("hello")),
		w.prepared(small, envid(2), many(6, "r"), message("hello")), // only 4 are left by now
		w.prepared(small, envid(3), many(4, "r"), message("hello")),
		w.prepared(blocked, envid(1), many(1, "r"), message("hello")),
	)
	for i, want := range []error{nil, nil, ErrConflict, nil, &QuotaError{}, nil, ErrBlocked} {
		_, wantQuota := want.(*QuotaError)
		if gotQuota := errors.As(got[i].err, new(*QuotaError)); gotQuota != wantQuota || (!wantQuota && !errors.Is(got[i].err, want)) {
			t.Errorf("%d: got %v, want %v", i, got[i].err, want)
		}
	}
	if !got[1].receipt.Replayed || got[1].receipt.ID != got[0].receipt.ID {
		t.Errorf("the repetition got %+v, the first %+v", got[1].receipt, got[0].receipt)
	}
	slices.Sort(w.lanes.woken)
	want := []string{"d0.example", "d1.example", "d2.example", "d3.example", "d4.example"}
	if got := slices.Compact(w.lanes.woken); !slices.Equal(got, want) {
		t.Errorf("woken %v, want %v", got, want)
	}
	if n := w.used(small).Emails; n != 9_000 {
		t.Errorf("counted %d, want 9000", n)
	}
	if n := w.used(id).Emails; n != 2 {
		t.Errorf("counted %d, want 2", n)
	}
}

// TestOneBadHarmsNobody: an error or a panic in the transaction undoes it, and
// the others are accepted by themselves.
func TestOneBadHarmsNobody(t *testing.T) { storetest.Each(t, testOneBadHarmsNobody) }

func testOneBadHarmsNobody(t *testing.T, dsn string) {
	for _, panics := range []bool{false, true} {
		w := newWorld(t, dsn)
		id := w.account("acc", "standard")
		w.lanes.poison, w.lanes.panics = "bad.example", panics
		got := w.together(
			w.prepared(id, envid(1), offers("x@a.example"), message("one")),
			w.prepared(id, envid(2), offers("x@bad.example"), message("two")),
			w.prepared("nobody", envid(3), offers("x@a.example"), message("three")),
			w.prepared(id, envid(4), offers("x@b.example"), message("four")),
		)
		if got[0].err != nil || got[3].err != nil {
			t.Errorf("panics %v: good ones got %v, %v", panics, got[0].err, got[3].err)
		}
		if got[1].err == nil || !errors.Is(got[2].err, store.ErrNotFound) {
			t.Errorf("panics %v: bad ones got %v, %v", panics, got[1].err, got[2].err)
		}
		if n := w.count(`SELECT count(*) FROM messages`); n != 2 || w.used(id).Emails != 2 {
			t.Errorf("panics %v: %d messages, %d e-mails", panics, n, w.used(id).Emails)
		}
		if n := w.count(`SELECT count(*) FROM envelope_keys`); n != 2 {
			t.Errorf("panics %v: %d keys", panics, n)
		}
		w.lanes.poison = ""
		w.mustSend(id, envid(2), offers("x@bad.example"), message("two")) // the writer is free, and so is the key
	}
}

func TestStopped(t *testing.T) { storetest.Each(t, testStopped) }

func testStopped(t *testing.T, dsn string) {
	w := newWorld(t, dsn)
	id := w.account("acc", "standard")
	r := w.prepared(id, envid(1), offers("x@a.example"), message("hello"))
	body := &Body{draft: r.body.draft, Sum: r.body.Sum, Size: r.body.Size}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	a := New(w.Options)
	go func() { done <- a.Run(ctx) }()
	cancel()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	s := Submission{ID: store.NewID(time.Now()), AccountID: id, From: "a@example.com", Offered: offers("x@a.example"), Body: body}
	if _, err := a.Accept(context.Background(), s); !errors.Is(err, ErrStopped) {
		t.Errorf("got %v, want ErrStopped", err)
	}
	idle := New(w.Options) // nobody runs it
	if _, err := idle.Accept(ctx, s); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want the context's error", err)
	}
	for name, bad := range map[string]Submission{
		"no body":       {AccountID: id, Offered: s.Offered},
		"no recipients": {AccountID: id, Body: body},
	} {
		if _, err := w.Accept(context.Background(), bad); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}
