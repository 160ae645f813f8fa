package api

import (
	"context"
	"database/sql"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"servicesmtp.net/companion/server/store"
	"servicesmtp.net/companion/server/tell"
)

func recipients(e Events) []string {
	var all []string
	for _, x := range e.Events {
		all = append(all, x.Recipient)
	}
	return all
}

// TestCursorsSurviveARestart reads two pages from one relay and the rest from
// the next one on the same folder.
func TestCursorsSurviveARestart(t *testing.T) {
	dir := t.TempDir()
	r := start(t, dir)
	alice := r.addAccount("alice")
	token := r.token("alice")
	r.addEvents(alice, "delivered", "a@x", "b@x", "c@x")
	first := get[Events](r, token, "/events?limit=2")
	if !slices.Equal(recipients(first), []string{"a@x", "b@x"}) || !first.More {
		t.Fatalf("first page %+v", first)
	}
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	r = start(t, dir)
	r.addEvents(alice, "failed", "d@x")
	second := get[Events](r, token, "/events?limit=2&cursor="+first.Cursor)
	if !slices.Equal(recipients(second), []string{"c@x", "d@x"}) || second.More {
		t.Errorf("second page %+v", second)
	}
	end := get[Events](r, token, "/events?cursor="+second.Cursor)
	if len(end.Events) != 0 || end.More || end.Cursor != second.Cursor {
		t.Errorf("end %+v", end)
	}
}

func TestCursorOfAnotherListOrStoreIsRefused(t *testing.T) {
	r := start(t, t.TempDir())
	r.addAccount("alice")
	token := r.token("alice")
	good := get[Events](r, token, "/events").Cursor
	other := cursors{store: "another"}.write(eventList, 5)
	for _, path := range []string{"/errors?cursor=" + good, "/notices?cursor=" + good, "/events?cursor=" + other, "/events?cursor=x", "/events?cursor=" + good + "A"} {
		resp, text := r.do("GET", path, "", bearer(token))
		r.wantProblem(resp, text, http.StatusGone)
	}
	for _, path := range []string{"/events?limit=0", "/events?limit=1001", "/events?wait=61", "/events?wait=-1", "/events?wait=x"} {
		resp, text := r.do("GET", path, "", bearer(token))
		r.wantProblem(resp, text, http.StatusUnprocessableEntity)
	}
}

func TestCursorsReadWhatTheyWrote(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		c := cursors{store: rapid.StringMatching(`[A-Z0-9]{26}`).Draw(rt, "store")}
		id := rapid.Int64Range(0, 1<<62).Draw(rt, "id")
		if got, err := c.read(noticeList, c.write(noticeList, id)); err != nil || got != id {
			rt.Fatalf("got %d, %v, want %d", got, err, id)
		}
	})
}

func FuzzCursor(f *testing.F) {
	c := cursors{store: "S"}
	f.Add("")
	f.Add(c.write(eventList, 7))
	f.Fuzz(func(t *testing.T, text string) {
		id, err := c.read(eventList, text)
		if id < 0 || (err != nil && !errors.Is(err, errCursor)) {
			t.Fatalf("%q: %d, %v", text, id, err)
		}
	})
}

// TestWaitingCallWakesOnNews starts the call first and writes the event then.
func TestWaitingCallWakesOnNews(t *testing.T) {
	r := start(t, t.TempDir())
	r.server.hub.again = time.Hour // only a wake-up can end the wait with news
	alice := r.addAccount("alice")
	token := r.token("alice")
	for _, c := range []struct {
		name, path string
		write      func()
	}{
		{"event", "/events?wait=10", func() { r.addEvents(alice, "delivered", "a@x") }},
		{"notice", "/notices?wait=10", func() {
			err := r.store.Tx(t.Context(), func(tx *sql.Tx) error {
				_, err := r.store.AddNotice(t.Context(), tx, store.Notice{AccountID: alice.ID, Kind: "quota", Severity: "info", Subject: "s", Body: "b", CreatedAt: time.Now()})
				return err
			})
			if err != nil {
				t.Error(err)
			}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			answered := r.ask(c.path, token)
			waitFor(t, func() bool { return r.server.hub.waits(alice.ID) })
			c.write()
			r.server.Wake(alice.ID)
			if got := <-answered; got.err != nil || got.status != http.StatusOK || !strings.Contains(got.text, `"at"`) {
				t.Error(got)
			}
		})
	}
}

// reply is what a call in the background got.
type reply struct {
	status int
	text   string
	err    error
}

// ask calls in the background.
func (r *relay) ask(path, token string) <-chan reply {
	answered := make(chan reply, 1)
	go func() {
		req, err := http.NewRequest("GET", r.url+path, nil)
		if err != nil {
			answered <- reply{err: err}
			return
		}
		bearer(token)(req)
		resp, err := r.http.Do(req)
		if err != nil {
			answered <- reply{err: err}
			return
		}
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		answered <- reply{resp.StatusCode, string(text), err}
	}()
	return answered
}

// waits says that somebody listens for news of the account.
func (h *hub) waits(account string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	_, ok := h.news[account]
	return ok
}

func waitFor(t *testing.T, cond func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !cond(); {
		if time.Now().After(end) {
			t.Fatal("did not happen")
		}
		time.Sleep(time.Millisecond)
	}
}

func TestStopEndsWaitingCallsAtOnce(t *testing.T) {
	r := start(t, t.TempDir())
	alice := r.addAccount("alice")
	token := r.token("alice")
	answered := r.ask("/events?wait=60", token)
	waitFor(t, func() bool { return r.server.hub.waits(alice.ID) })
	// A call that is not told would be cut after stopTimeout.
	if err := r.stop(); err != nil {
		t.Error(err)
	}
	if got := <-answered; got.err != nil || got.status != http.StatusOK || !strings.Contains(got.text, "cursor") {
		t.Errorf("answer %+v", got)
	}
}

// TestPoll walks through the ways in which waiting ends, on a fake clock.
func TestPoll(t *testing.T) {
	for _, c := range []struct {
		name  string
		wait  time.Duration
		act   func(h *hub, cancel func(), write func())
		found bool
		took  time.Duration
		reads int
		err   error
	}{
		{"no wait", 0, nil, false, 0, 1, nil},
		{"over", 4 * time.Second, nil, false, 4 * time.Second, 1, nil},
		{"woken", time.Minute, func(h *hub, _, write func()) { time.Sleep(3 * time.Second); write(); h.wake("a") }, true, 3 * time.Second, 2, nil},
		{"woken for nothing", time.Minute, func(h *hub, _, write func()) {
			time.Sleep(time.Second)
			h.wake("a")
			time.Sleep(time.Second)
			write()
			h.wake("a")
		}, true, 2 * time.Second, 3, nil},
		{"another account", 4 * time.Second, func(h *hub, _, write func()) { time.Sleep(time.Second); write(); h.wake("b") }, false, 4 * time.Second, 1, nil},
		{"written by another process", time.Minute, func(_ *hub, _, write func()) { time.Sleep(time.Second); write() }, true, lookAgain, 2, nil},
		{"stopped", time.Minute, func(h *hub, _, _ func()) { time.Sleep(time.Second); h.stop() }, false, time.Second, 1, nil},
		{"caller gone", time.Minute, func(_ *hub, cancel, _ func()) { time.Sleep(time.Second); cancel() }, false, time.Second, 1, context.Canceled},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHub()
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				written, reads := make(chan struct{}), 0
				if c.act != nil {
					go c.act(h, cancel, func() { close(written) })
				}
				began := time.Now()
				found := false
				err := h.poll(ctx, "a", c.wait, func() (bool, error) {
					reads++
					select {
					case <-written:
						found = true
					default:
					}
					return found, nil
				})
				if found != c.found || !errors.Is(err, c.err) || time.Since(began) != c.took || reads != c.reads {
					t.Errorf("found %v, %v after %v and %d reads, want %v, %v after %v and %d", found, err, time.Since(began), reads, c.found, c.err, c.took, c.reads)
				}
			})
		})
	}
}

func TestErrorsAsJSONAndCSV(t *testing.T) {
	r := start(t, t.TempDir())
	alice := r.addAccount("alice")
	token := r.token("alice")
	r.addEvents(alice, "delivered", "fine@x")
	var want []string
	for i := range 7 {
		want = append(want, fmt.Sprintf("%d,\"odd@x", i))
	}
	r.addEvents(alice, "failed", want...)
	page := get[Errors](r, token, "/errors?limit=3")
	if len(page.Errors) != 3 || !page.More || page.Errors[0].Recipient != want[0] || page.Errors[0].Line() != "550 5.1.1 no such user" {
		t.Errorf("page %+v", page)
	}
	for cursor, want := range map[string][]string{"": want, page.Cursor: want[3:]} {
		resp, text := r.do("GET", "/errors?limit=2&cursor="+url.QueryEscape(cursor), "", func(req *http.Request) {
			bearer(token)(req)
			req.Header.Set("Accept", "text/csv")
		})
		if !strings.HasPrefix(resp.Header.Get("Content-Type"), "text/csv") {
			t.Fatalf("%d %s %s", resp.StatusCode, resp.Header.Get("Content-Type"), text)
		}
		rows, err := csv.NewReader(strings.NewReader(text)).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(rows[0], []string{"recipient", "code", "reply", "at", "envid"}) {
			t.Errorf("header %v", rows[0])
		}
		var got []string
		for _, row := range rows[1:] {
			got = append(got, row[0])
		}
		if !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestNoticesAreAcknowledged(t *testing.T) {
	r := start(t, t.TempDir())
	alice := r.addAccount("alice")
	token := r.token("alice")
	admin := NewAdmin(AdminOptions{Store: r.store, Log: r.server.Log, Teller: tell.New(tell.Options{Store: r.store, Wake: r.server.Wake, Log: r.server.Log})})
	if _, err := admin.change(t.Context(), alice, "hold"); err != nil {
		t.Fatal(err)
	}
	n := get[Notices](r, token, "/notices")
	if len(n.Notices) != 1 || n.Notices[0].Kind != "held" || n.Notices[0].AckedAt != nil {
		t.Fatalf("notices %+v", n)
	}
	if a := get[Account](r, token, "/account"); a.Status != "held" {
		t.Errorf("account %+v", a)
	}
	resp, text := r.do("POST", fmt.Sprintf("/notices/%d/ack", n.Notices[0].ID), "", bearer(token))
	if resp.StatusCode != http.StatusNoContent || text != "" {
		t.Errorf("ack: %d %s", resp.StatusCode, text)
	}
	if n := get[Notices](r, token, "/notices"); n.Notices[0].AckedAt == nil {
		t.Errorf("notices %+v", n)
	}
	if rest := get[Notices](r, token, "/notices?cursor="+n.Cursor); len(rest.Notices) != 0 {
		t.Errorf("after the cursor %+v", rest)
	}
}
