package reports

import (
	"bytes"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"servicesmtp.net/companion/app/mail"
	"servicesmtp.net/companion/internal/wire"
	"servicesmtp.net/companion/relayclient"
)

// logBuffer keeps what was logged.
type logBuffer struct {
	mu  sync.Mutex // guards buf
	buf bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *logBuffer) mustHold(t *testing.T, words ...string) {
	t.Helper()
	for _, w := range words {
		if !strings.Contains(l.buf.String(), w) {
			t.Errorf("the log does not hold %q:\n%s", w, l.buf.String())
		}
	}
}

func (l *logBuffer) mustNotHold(t *testing.T, words ...string) {
	t.Helper()
	for _, w := range words {
		if strings.Contains(l.buf.String(), w) {
			t.Errorf("the log holds %q:\n%s", w, l.buf.String())
		}
	}
}

var day = time.Date(2026, 11, 25, 9, 0, 0, 0, time.UTC)

func failure(minute int, address, enhanced, reply string) relayclient.Event {
	return relayclient.Event{At: day.Add(time.Duration(minute) * time.Minute), Envid: "sb1." + job + ".2.client", ID: fmt.Sprint("m", minute), Recipient: address,
		Status: relayclient.EventStatusFailed, Code: 550, Enhanced: enhanced, Reply: reply}
}

// filled is a cache that holds events of two accounts.
func filled(t *testing.T) *Cache {
	t.Helper()
	c := openCache(t, t.TempDir())
	t.Cleanup(func() { c.Close() })
	for account, events := range map[string][]relayclient.Event{
		"office": {
			failure(3, "Bob@X.example", "5.1.1", "No such user"),
			failure(1, "al_ice@x.example", "5.2.2", "100% full"),
			{At: day.Add(2 * time.Minute), Envid: "sb1." + job + ".1", ID: "m9", Recipient: "carol@y.example", Status: "deferred", Code: 451, Enhanced: "4.7.1", Reply: "later"},
			{At: day.Add(4 * time.Minute), Envid: "sb1." + job + ".1", ID: "m9", Recipient: "carol@y.example", Status: "delivered", Code: 250, Enhanced: "odd", Reply: "ok"},
			{At: day.Add(5 * time.Minute), Envid: "foreign", ID: "m8", Recipient: "carol@y.example", Status: "delivered", Code: 250},
			failure(6, "alxice@x.example", "", ""),
		},
		"shop": {failure(2, "dave@z.example", "5.1.1", "No such user")},
	} {
		if err := c.storeEvents(t.Context(), account, "", relayclient.Events{Cursor: "1", Events: events}, time.Time{}); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

func TestFailed(t *testing.T) {
	c := filled(t)
	for _, q := range []struct {
		name, account, search string
		want                  []string
	}{
		{"all", "", "", []string{"alxice@x.example", "Bob@x.example", "dave@z.example", "al_ice@x.example"}},
		{"one account", "shop", "", []string{"dave@z.example"}},
		{"no such account", "nobody", "", nil},
		{"part of an address", "", "OB@x", []string{"Bob@x.example"}},
		{"part of a reply", "office", "such", []string{"Bob@x.example"}},
		{"a code", "", "550 5.2", []string{"al_ice@x.example"}},
		{"a character with a meaning", "", "al_", []string{"al_ice@x.example"}},
		{"another", "", "100%", []string{"al_ice@x.example"}},
		{"a third", "", `\`, nil},
		{"a quote", "", `'`, nil},
	} {
		t.Run(q.name, func(t *testing.T) {
			for limit := range 6 {
				var got []string
				for cursor, pages := "", 0; ; pages++ {
					list, next, stale, err := c.Failed(t.Context(), q.account, q.search, cursor, limit)
					if err != nil || stale != (q.account != "") || pages > 5 {
						t.Fatalf("page %d: stale %v, %v", pages, stale, err)
					}
					for _, e := range list {
						got = append(got, e.Address)
					}
					if cursor = next; next == "" {
						break
					}
				}
				if d := cmp.Diff(q.want, got); d != "" {
					t.Errorf("limit %d: addresses (-want +got):\n%s", limit, d)
				}
			}
		})
	}
	if _, _, _, err := c.Failed(t.Context(), "", "", "x", 1); !errors.Is(err, ErrCursor) {
		t.Errorf("a cursor of another list: %v, want %v", err, ErrCursor)
	}
}

func TestRefusedByJob(t *testing.T) {
	c := filled(t)
	all, err := c.RefusedByJob(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	sum := 0
	for _, n := range all {
		sum += n
	}
	shop, err := c.RefusedByJob(t.Context(), "shop")
	if err != nil || sum != 4 || len(shop) != 1 {
		t.Errorf("refused: %v in all, %v in the shop, %v; want 4 addresses, and one job", all, shop, err)
	}
}

func TestFailedTellsAll(t *testing.T) {
	list, _, _, err := filled(t).Failed(t.Context(), "office", "bob", "", 1)
	want := []Event{{At: day.Add(3 * time.Minute), Account: "office", Job: job, Batch: 2, Message: "m3", Address: "Bob@x.example", Status: "failed",
		Reply: mail.Reply{Code: mail.Code{Basic: 550, Enhanced: [3]int{5, 1, 1}}, Text: "No such user"}}}
	if d := cmp.Diff(want, list); d != "" || err != nil {
		t.Errorf("%v; events (-want +got):\n%s", err, d)
	}
}

func TestStaleFailures(t *testing.T) {
	c := filled(t)
	c.note("office", partEvents, nil, day)
	c.note("office", partFacts, errors.New("broken"), day)
	for account, want := range map[string]bool{"office": false, "shop": true, "": false} {
		if _, _, stale, err := c.Failed(t.Context(), account, "", "", 1); stale != want || err != nil {
			t.Errorf("%q: stale %v, %v; want %v", account, stale, err, want)
		}
	}
	c.note("shop", partEvents, errors.New("broken"), day)
	if _, _, stale, _ := c.Failed(t.Context(), "", "", "", 1); !stale {
		t.Error("all: not stale, though one account's relay cannot be asked")
	}
}

func TestHealth(t *testing.T) {
	c := openCache(t, t.TempDir())
	defer c.Close()
	if h, ok := c.Health("office"); ok {
		t.Errorf("health %+v of an account that nobody asked about", h)
	}
	broken := errors.New("broken")
	for _, s := range []struct {
		part string
		err  error
		ok   bool
		at   int // minute
		want int // minute of Since
	}{
		{partEvents, nil, true, 0, 0},
		{partFacts, nil, true, 1, 0},
		{partFacts, broken, false, 2, 2},
		{partFacts, broken, false, 3, 2},
		{partEvents, broken, false, 4, 2},
		{partFacts, nil, false, 5, 4},
		{partEvents, nil, true, 6, 6},
	} {
		c.note("office", s.part, s.err, day.Add(time.Duration(s.at)*time.Minute))
		h, asked := c.Health("office")
		if !asked || h.OK != s.ok || (h.Err == nil) != s.ok || h.Since != day.Add(time.Duration(s.want)*time.Minute) {
			t.Errorf("minute %d: %+v, %v; want OK %v since minute %d", s.at, h, asked, s.ok, s.want)
		}
	}
}

func TestEventsOfABatch(t *testing.T) {
	c := filled(t)
	for number, want := range map[int][]relayclient.EventStatus{1: {"deferred", "delivered"}, 2: {"failed", "failed", "failed"}, 3: nil} {
		list, err := c.Events(t.Context(), "office", wire.EnvelopeID{Job: job, Number: number})
		var got []relayclient.EventStatus
		for _, e := range list {
			got = append(got, e.Status)
		}
		if d := cmp.Diff(want, got); d != "" || err != nil {
			t.Errorf("batch %d: %v; events (-want +got):\n%s", number, err, d)
		}
	}
}

func TestLatest(t *testing.T) {
	got, err := filled(t).Latest(t.Context(), "office", job, []string{"Bob@x.EXAMPLE", "Bob@x.example", "bob@x.example", "carol@y.example", "dave@z.example"})
	if err != nil {
		t.Fatal(err)
	}
	statuses := map[string]relayclient.EventStatus{}
	for a, e := range got {
		statuses[a] = e.Status
	}
	want := map[string]relayclient.EventStatus{"Bob@x.EXAMPLE": "failed", "Bob@x.example": "failed", "carol@y.example": "delivered"}
	if d := cmp.Diff(want, statuses); d != "" {
		t.Errorf("statuses (-want +got):\n%s", d)
	}
	if none, err := filled(t).Latest(t.Context(), "office", job, nil); err != nil || len(none) != 0 {
		t.Errorf("of nobody: %v, %v", none, err)
	}
}

func TestParseEnhanced(t *testing.T) {
	for s, want := range map[string][3]int{"5.1.1": {5, 1, 1}, "4.7.650": {4, 7, 650}, "": {}, "5.1": {}, "5.1.x": {}, "5.1.-1": {}, "5.1.1.1": {}} {
		if got := parseEnhanced(s); got != want {
			t.Errorf("%q: %v, want %v", s, got, want)
		}
	}
}

func TestNotices(t *testing.T) {
	c := openCache(t, t.TempDir())
	defer c.Close()
	ctx := t.Context()
	seen := day.Add(time.Hour)
	page := relayclient.Notices{Cursor: "1", Notices: []relayclient.Notice{
		{ID: 1, At: day, Kind: "quota", Severity: "info", Subject: "10 %", Body: "b", AckedAt: &seen},
		{ID: 2, At: day, Kind: "held", Severity: "action", Subject: "held"},
		{ID: 3, At: day, Kind: "quota", Subject: "20 %"},
	}}
	if err := c.storeNotices(ctx, "office", "", page); err != nil {
		t.Fatal(err)
	}
	if err := c.storeSeen(ctx, "office", 3, seen); err != nil {
		t.Fatal(err)
	}
	page.Notices[2].Body, page.Cursor = "changed", "2" // comes again, not yet seen for the relay
	if err := c.storeNotices(ctx, "office", "1", page); err != nil {
		t.Fatal(err)
	}
	all, err := c.Notices(ctx, "office", false)
	want := []Notice{
		{ID: 3, At: day, Kind: "quota", Subject: "20 %", Body: "changed", SeenAt: seen},
		{ID: 2, At: day, Kind: "held", Severity: "action", Subject: "held"},
		{ID: 1, At: day, Kind: "quota", Severity: "info", Subject: "10 %", Body: "b", SeenAt: seen},
	}
	if d := cmp.Diff(want, all); d != "" || err != nil {
		t.Errorf("%v; notices (-want +got):\n%s", err, d)
	}
	unseen, err := c.Notices(ctx, "office", true)
	if d := cmp.Diff(want[1:2], unseen); d != "" || err != nil {
		t.Errorf("%v; unseen (-want +got):\n%s", err, d)
	}
}

// TestUselessFileIsSetAside: the cache never stops the program from starting.
func TestUselessFileIsSetAside(t *testing.T) {
	for name, spoil := range map[string]func(t *testing.T, path string){
		"no database": func(t *testing.T, path string) {
			if err := os.WriteFile(path, []byte(strings.Repeat("not a database ", 500)), 0o600); err != nil {
				t.Fatal(err)
			}
		},
		"a newer version": func(t *testing.T, path string) {
			db, err := sql.Open("sqlite", path)
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			if _, err := db.Exec(`INSERT INTO goose_db_version (version_id, is_applied) VALUES (999, 1)`); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			c := openCache(t, dir)
			if err := c.storeFact(t.Context(), "office", kindQuota, relayclient.Quota{Plan: "old"}, day); err != nil {
				t.Fatal(err)
			}
			c.Close()
			spoil(t, dbPath(dir))
			var log logBuffer
			c, err := Open(t.Context(), dir, slog.New(slog.NewTextHandler(&log, nil)))
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			log.mustHold(t, "filled anew")
			log.mustNotHold(t, dir)
			if _, err := c.Quota(t.Context(), "office"); !errors.Is(err, ErrUnknown) {
				t.Errorf("quota: %v, want %v", err, ErrUnknown)
			}
			if _, err := os.Stat(dbPath(dir) + damagedSuffix); err != nil {
				t.Errorf("the old file: %v", err)
			}
		})
	}
}

func TestOpenWithoutFolder(t *testing.T) {
	if c, err := Open(t.Context(), dbPath(t.TempDir()), slog.New(slog.DiscardHandler)); err == nil {
		c.Close()
		t.Error("opened in a folder that does not exist")
	}
}
