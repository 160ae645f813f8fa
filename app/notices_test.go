package app

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"servicesmtp.net/companion/relayclient"
)

func TestNoticesAreShownUntilTheyAreSeen(t *testing.T) {
	api := newRestAPI(t)
	at := time.Date(2026, 11, 25, 9, 0, 0, 0, time.UTC)
	api.notices = []relayclient.Notice{
		{ID: 1, At: at, Severity: relayclient.NoticeSeverityInfo, Subject: "10 %", Body: "b"},
		{ID: 2, At: at.Add(2 * time.Hour), Severity: relayclient.NoticeSeverityAction, Subject: "held", Body: "Call us."},
		{ID: 3, At: at.Add(time.Hour), Severity: relayclient.NoticeSeverityWarning, Subject: "90 %"},
		{ID: 4, At: at.Add(3 * time.Hour), Subject: "seen elsewhere", AckedAt: &at},
	}
	e := newEngineTest(t, engineOptions{api: api})
	e.run()
	s := e.until("the notices, and the end of the refresh that read them", func(s State) bool {
		q, err := e.Engine.reports.Quota(t.Context(), "office")
		return len(s.Notices) > 0 && err == nil && !q.Stale
	})
	if diff := cmp.Diff([]NoticeState{
		{Account: "office", ID: 2, At: at.Add(2 * time.Hour), Severity: "critical", Subject: "held", Body: "Call us."},
		{Account: "office", ID: 3, At: at.Add(time.Hour), Severity: "warning", Subject: "90 %"},
		{Account: "office", ID: 1, At: at, Severity: "info", Subject: "10 %", Body: "b"},
	}, s.Notices); diff != "" {
		t.Error(diff)
	}
	if err := e.SeeNotice(t.Context(), "office", 2); err != nil {
		t.Fatal(err)
	}
	api.set(func(a *restAPI) { a.down = true })
	if err := e.SeeNotice(t.Context(), "office", 3); err != nil { // the relay learns of it later
		t.Fatal(err)
	}
	if s := e.State(); len(s.Notices) != 1 || s.Notices[0].ID != 1 {
		t.Errorf("left: %+v", s.Notices)
	}
	api.set(func(a *restAPI) {
		a.down = false
		if diff := cmp.Diff([]string{"notices/2/ack"}, a.acked); diff != "" {
			t.Error(diff)
		}
	})
	a, err := e.account("office")
	if err != nil {
		t.Fatal(err)
	}
	if err := e.refresh(t.Context(), a); err != nil {
		t.Fatal(err)
	}
	api.set(func(a *restAPI) {
		if diff := cmp.Diff([]string{"notices/2/ack", "notices/3/ack"}, a.acked); diff != "" {
			t.Error(diff)
		}
	})
	for _, err := range []error{e.SeeNotice(t.Context(), "nobody", 1), e.SeeNotice(t.Context(), "office", 99)} {
		if _, ok := Words(err); !ok || !errors.Is(err, ErrNotFound) {
			t.Errorf("got %v, want ErrNotFound with words", err)
		}
	}
}

func TestAStateHoldsTheNewestNotices(t *testing.T) {
	api := newRestAPI(t)
	for i := range 50 {
		api.notices = append(api.notices, relayclient.Notice{ID: int64(i), At: time.Unix(int64(1e9+i), 0), Subject: fmt.Sprint(i)})
	}
	e := newEngineTest(t, engineOptions{api: api})
	e.run()
	s := e.until("the notices", func(s State) bool { return len(s.Notices) > 0 })
	if n := s.Notices; len(n) != MaxStateNotices || n[0].ID != 49 || n[19].ID != 30 {
		t.Errorf("%d notices %+v", len(n), n)
	}
}
