package accept

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"

	"servicesmtp.net/companion/server/store"

	"servicesmtp.net/companion/server/store/storetest"
)

func TestCloseAndCheck(t *testing.T) { storetest.Each(t, testCloseAndCheck) }

func testCloseAndCheck(t *testing.T, dsn string) {
	w := newWorld(t, dsn)
	id, other := w.account("acc", "standard"), w.account("other", "standard")
	first := w.mustSend(id, envid(1), offers("x@a.example"), message("hello"))
	got, err := w.Close(context.Background(), id, []string{envid(2), envid(1) + ".client", envid(2)})
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{store.KeyClosed, store.KeyAccepted, store.KeyClosed} {
		if got[i].State != want {
			t.Errorf("%d: %s, want %s", i, got[i].State, want)
		}
	}
	if got[1].ID != first.ID || got[1].Key != envid(1) {
		t.Errorf("too late: %+v", got[1])
	}
	if _, err := w.send(id, envid(2), offers("x@a.example"), message("hello")); !errors.Is(err, ErrClosed) {
		t.Errorf("got %v, want ErrClosed", err)
	}
	if _, err := w.Admit(context.Background(), id, envid(2), 0); !errors.Is(err, ErrClosed) {
		t.Errorf("at MAIL: got %v, want ErrClosed", err)
	}
	if r := w.mustSend(other, envid(2), offers("x@a.example"), message("hello")); r.Replayed {
		t.Error("one account closed another's key")
	}
	if _, err := w.Check(context.Background(), id, []string{envid(1), "QQ314159"}); err == nil || !strings.Contains(err.Error(), "envid 2") {
		t.Errorf("a foreign ENVID: %v", err)
	}
	var keys []string
	for n := range 500 {
		keys = append(keys, envid(n+1))
	}
	all, err := w.Close(context.Background(), id, keys)
	if err != nil || len(all) != 500 || all[0].State != store.KeyAccepted || all[499].State != store.KeyClosed {
		t.Errorf("500 at once: %d, %v", len(all), err)
	}
}

// TestCloseRacesAccept: a key ends accepted or closed, and both sides say the
// same.
func TestCloseRacesAccept(t *testing.T) { storetest.Each(t, testCloseRacesAccept) }

func testCloseRacesAccept(t *testing.T, dsn string) {
	w := newWorld(t, dsn)
	id := w.account("acc", "standard")
	for n := 1; n <= 40; n++ {
		var wg sync.WaitGroup
		var sent error
		var batches []Batch
		wg.Go(func() { _, sent = w.send(id, envid(n), offers("x@a.example"), message("hello")) })
		wg.Go(func() {
			var err error
			if batches, err = w.Close(context.Background(), id, []string{envid(n)}); err != nil {
				t.Error(err)
			}
		})
		wg.Wait()
		switch {
		case sent == nil && batches[0].State == store.KeyAccepted:
		case errors.Is(sent, ErrClosed) && batches[0].State == store.KeyClosed:
		default:
			t.Fatalf("send says %v, close says %s", sent, batches[0].State)
		}
	}
}
