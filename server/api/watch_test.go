package api

import (
	"context"
	"database/sql"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"servicesmtp.net/companion/server/store"
	"servicesmtp.net/companion/server/tell"
)

// TestNewsOfAnotherNode: a waiting call hears of a notice that another process
// wrote, although nobody wakes it here.
func TestNewsOfAnotherNode(t *testing.T) {
	dir := t.TempDir()
	r := start(t, dir)
	r.server.hub.again = time.Hour
	r.addAccount("alice")
	bob := r.addAccount("bob")
	token := r.token("bob")
	other, err := store.Open(t.Context(), store.Options{Dir: dir, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	answered := r.ask("/notices?wait=30", token)
	waitFor(t, func() bool { return r.server.hub.waits(bob.ID) })
	err = other.Tx(t.Context(), func(tx *sql.Tx) error {
		_, err := other.AddNotice(t.Context(), tx, store.Notice{AccountID: bob.ID, Kind: "usage", Severity: "info", Key: "usage", Subject: "s", Body: "b", CreatedAt: time.Now()})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := <-answered; got.err != nil || got.status != http.StatusOK || !strings.Contains(got.text, `"key":"usage"`) {
		t.Error(got)
	}
}

// TestHoldAndReleaseWakeAtOnce: the operator's steps end a wait as they are
// committed, without a look at the clock.
func TestHoldAndReleaseWakeAtOnce(t *testing.T) {
	r := start(t, t.TempDir())
	r.server.hub.again = time.Hour
	alice := r.addAccount("alice")
	token := r.token("alice")
	var woken []string // written by Tell, which this test calls itself
	teller := tell.New(tell.Options{Store: r.store, Log: r.server.Log, Wake: func(id string) {
		woken = append(woken, id)
		r.server.Wake(id)
	}})
	admin := NewAdmin(AdminOptions{Store: r.store, Queue: noQueue{}, Log: r.server.Log, Teller: teller})
	cursor := ""
	for i, action := range []string{"hold", "release"} {
		answered := r.ask("/notices?wait=30&cursor="+cursor, token)
		waitFor(t, func() bool { return r.server.hub.waits(alice.ID) })
		view, err := admin.change(t.Context(), alice, action)
		if err != nil {
			t.Fatal(err)
		}
		alice.Status = view.Status
		got := <-answered
		n := decodeTo[Notices](t, got.text)
		if got.err != nil || len(n.Notices) != 1 || n.Notices[0].Key != "status" || len(woken) != i+1 {
			t.Errorf("%s: %+v, woken %q", action, got, woken)
		}
		cursor = n.Cursor
	}
}

// noQueue is a queue without mail.
type noQueue struct{ Queue }

func (noQueue) Release(context.Context, store.Selection) (int64, error) { return 0, nil }
