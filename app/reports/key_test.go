package reports

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"servicesmtp.net/companion/relayclient"
)

// TestANoticeTakesThePlaceOfAnOlder: of those not seen only the newest of a
// key is shown, and one that was seen brings no older one back.
func TestANoticeTakesThePlaceOfAnOlder(t *testing.T) {
	at := time.Date(2026, 11, 25, 9, 0, 0, 0, time.UTC)
	notice := func(id int64, minute int, key string) relayclient.Notice {
		n := relayclient.Notice{ID: id, At: at.Add(time.Duration(minute) * time.Minute), Subject: fmt.Sprint(id)}
		if key != "" {
			n.Key = &key
		}
		return n
	}
	seen := func(n relayclient.Notice) relayclient.Notice {
		n.AckedAt = &at
		return n
	}
	for _, c := range []struct {
		name   string
		list   []relayclient.Notice
		unseen string
	}{
		{"steps of use", []relayclient.Notice{notice(1, 1, "usage"), notice(2, 2, "usage"), notice(3, 3, "usage")}, "3"},
		{"held, then released", []relayclient.Notice{notice(1, 1, "status"), notice(2, 2, "usage"), notice(3, 3, "status")}, "3 2"},
		{"the newer was seen", []relayclient.Notice{notice(1, 1, "status"), seen(notice(2, 2, "status"))}, ""},
		{"the older was seen", []relayclient.Notice{seen(notice(1, 1, "status")), notice(2, 2, "status")}, "2"},
		{"no key", []relayclient.Notice{notice(1, 1, ""), notice(2, 2, "")}, "2 1"},
		{"a relay that was set up anew", []relayclient.Notice{notice(500, 1, "status"), notice(3, 2, "status")}, "3"},
		{"the same moment", []relayclient.Notice{notice(1, 1, "usage"), notice(2, 1, "usage")}, "2"},
	} {
		t.Run(c.name, func(t *testing.T) {
			cache := openCache(t, t.TempDir())
			defer cache.Close()
			if err := cache.storeNotices(t.Context(), "office", "", relayclient.Notices{Cursor: "1", Notices: c.list}); err != nil {
				t.Fatal(err)
			}
			other := []relayclient.Notice{notice(900, 90, "usage"), notice(901, 91, "status")}
			if err := cache.storeNotices(t.Context(), "home", "", relayclient.Notices{Cursor: "1", Notices: other}); err != nil {
				t.Fatal(err)
			}
			list, err := cache.Notices(t.Context(), "office", true)
			if err != nil {
				t.Fatal(err)
			}
			var ids []string
			for _, n := range list {
				ids = append(ids, fmt.Sprint(n.ID))
			}
			if got := strings.Join(ids, " "); got != c.unseen {
				t.Errorf("shown %q, want %q", got, c.unseen)
			}
			if all, err := cache.Notices(t.Context(), "office", false); err != nil || len(all) != len(c.list) {
				t.Errorf("%d in all, %v, want %d", len(all), err, len(c.list))
			}
		})
	}
}
