package app

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"
	_ "time/tzdata" // the tests need zones whatever the system has

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"servicesmtp.net/companion/app/mail"
	"servicesmtp.net/companion/app/spool"
)

func zone(t testing.TB, name string) *time.Location {
	t.Helper()
	z, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return z
}

func TestSpans(t *testing.T) {
	rome, nepal := zone(t, "Europe/Rome"), zone(t, "Asia/Kathmandu") // +05:45
	at := func(z *time.Location, text string) time.Time {
		v, err := time.ParseInLocation("2006-01-02 15:04", text, z)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	for _, c := range []struct {
		name       string
		since, now time.Time
		span       time.Duration
		want       []string // as the clock shows them
	}{
		{"hours", at(rome, "2026-11-25 08:20"), at(rome, "2026-11-25 10:59"), time.Hour, []string{"25 08:00", "25 09:00", "25 10:00"}},
		{"just begun", at(rome, "2026-11-25 08:00"), at(rome, "2026-11-25 09:00"), time.Hour, []string{"25 08:00", "25 09:00"}},
		{"days", at(rome, "2026-11-23 12:00"), at(rome, "2026-11-25 01:00"), 24 * time.Hour, []string{"23 00:00", "24 00:00", "25 00:00"}},
		{"a zone of quarters", at(nepal, "2026-11-25 08:20"), at(nepal, "2026-11-25 10:00"), time.Hour, []string{"25 08:00", "25 09:00", "25 10:00"}},
		{"hours as the clocks go back", at(rome, "2026-10-25 01:30"), at(rome, "2026-10-25 03:30"), time.Hour, []string{"25 01:00", "25 02:00", "25 02:00", "25 03:00"}},
		{"hours as the clocks go forward", at(rome, "2026-03-29 01:30"), at(rome, "2026-03-29 03:30"), time.Hour, []string{"29 01:00", "29 03:00"}},
		{"days as the clocks go back", at(rome, "2026-10-24 01:30"), at(rome, "2026-10-26 03:30"), 24 * time.Hour, []string{"24 00:00", "25 00:00", "26 00:00"}},
		{"six hours as the clocks go forward", at(rome, "2026-03-29 00:30"), at(rome, "2026-03-29 13:30"), 6 * time.Hour, []string{"29 00:00", "29 06:00", "29 12:00"}},
		{"two hours of which one begins where none is", at(rome, "2026-03-29 00:30"), at(rome, "2026-03-29 06:30"), 2 * time.Hour, []string{"29 00:00", "29 03:00", "29 04:00", "29 06:00"}},
		{"minutes", at(rome, "2026-11-25 08:04"), at(rome, "2026-11-25 08:11"), 5 * time.Minute, []string{"25 08:00", "25 08:05", "25 08:10"}},
		{"the future", at(rome, "2026-11-26 08:04"), at(rome, "2026-11-25 08:11"), 5 * time.Minute, nil},
		{"no span", at(rome, "2026-11-24 08:04"), at(rome, "2026-11-25 08:11"), 0, nil},
	} {
		var got []string
		for _, s := range spans(c.since, c.now, c.span) {
			got = append(got, s.From.Format("02 15:04"))
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s: (-want +got)\n%s", c.name, diff)
		}
	}
	long := spans(time.Time{}, at(rome, "2026-11-25 08:11"), time.Hour)
	if len(long) != maxSpans || long[maxSpans-1].From.After(at(rome, "2026-11-25 08:11")) {
		t.Errorf("%d spans, want the newest %d", len(long), maxSpans)
	}
}

// TestSpansCoverTheTime: they begin at or before since, follow each other
// without end, and the last holds now.
func TestSpansCoverTheTime(t *testing.T) {
	names := []string{"UTC", "Europe/Rome", "America/Sao_Paulo", "Australia/Lord_Howe", "Asia/Kathmandu", "America/Havana", "Pacific/Apia"}
	var zones []*time.Location
	for _, n := range names {
		zones = append(zones, zone(t, n))
	}
	rapid.Check(t, func(t *rapid.T) {
		z := rapid.SampledFrom(zones).Draw(t, "zone")
		now := time.Unix(rapid.Int64Range(1.2e9, 1.9e9).Draw(t, "now"), rapid.Int64Range(0, 999).Draw(t, "ns")).In(z)
		span := rapid.SampledFrom([]time.Duration{time.Minute, 7 * time.Minute, 15 * time.Minute, time.Hour, 2 * time.Hour, 6 * time.Hour, 24 * time.Hour, 7 * 24 * time.Hour}).Draw(t, "span")
		since := now.Add(-time.Duration(rapid.Int64Range(0, int64(900*span)).Draw(t, "back")))
		list := spans(since, now, span)
		if len(list) == 0 || list[0].From.After(since) || since.Sub(list[0].From) > span+time.Hour {
			t.Fatalf("%v: begins with %+v", since, list[0])
		}
		for i := 1; i < len(list); i++ {
			if d := list[i].From.Sub(list[i-1].From); d <= 0 || d > span+time.Hour {
				t.Fatalf("from %v to %v", list[i-1].From, list[i].From)
			}
		}
		last := list[len(list)-1].From
		if last.After(now) || now.Sub(last) > span+time.Hour {
			t.Fatalf("%v: ends with %v", now, last)
		}
		unit := unitOf(span)
		if span%unit != 0 || zoneStep%unit != 0 {
			t.Fatalf("unit %v of %v", unit, span)
		}
		for _, s := range list {
			if s.From.UnixNano()%int64(unit) != 0 {
				t.Fatalf("%v is not at a multiple of %v", s.From, unit)
			}
		}
	})
}

// TestSent stands in a bubble: the hour must not turn between what is stored
// and what is asked.
func TestSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEngineTest(t, engineOptions{pipe: true})
		defer e.cfg.Secrets.Close()
		defer e.Close()
		time.Sleep(30 * time.Minute) // the bubble's clock begins at midnight
		sentSpans(t, e)
	})
}

func sentSpans(t *testing.T, e *engineTest) {
	t.Helper()
	now := time.Now()
	finish := func(id mail.JobID, at time.Time, statuses ...mail.Status) {
		t.Helper()
		e.store(id, "a@example.com", at, "r0@dst.invalid", "r1@dst.invalid", "r2@dst.invalid")
		attempt, err := e.spool.Begin(t.Context(), id, 1, "S", at)
		if err != nil {
			t.Fatal(err)
		}
		var out []mail.Outcome
		for i, s := range statuses {
			out = append(out, mail.Outcome{Address: []string{"r0@dst.invalid", "r1@dst.invalid", "r2@dst.invalid"}[i], Status: s})
		}
		if err := e.spool.Finish(t.Context(), spool.FinishRequest{Attempt: attempt, At: at, Outcomes: out}); err != nil {
			t.Fatal(err)
		}
	}
	const accepted, failed, deferred = mail.StatusAccepted, mail.StatusFailed, mail.StatusDeferred
	finish("01ARZ3NDEKTSV4RRFFQ69G5F01", now.Add(-5*time.Hour), accepted, accepted, failed)
	finish("01ARZ3NDEKTSV4RRFFQ69G5F02", now.Add(-2*time.Hour), accepted, accepted, accepted)
	finish("01ARZ3NDEKTSV4RRFFQ69G5F03", now.Add(-2*time.Hour), failed, deferred, accepted)
	finish("01ARZ3NDEKTSV4RRFFQ69G5F04", now.Add(-50*time.Hour), accepted, accepted, accepted)
	list, err := e.Sent(t.Context(), "office", now.Add(-5*time.Hour), time.Hour)
	if err != nil || len(list) != 6 {
		t.Fatalf("%d spans, %v", len(list), err)
	}
	for i, want := range []SentSpan{{Recipients: 2, Failed: 1}, {}, {}, {Recipients: 4, Failed: 1}, {}, {}} {
		want.From = list[i].From
		if list[i] != want || want.From.Minute() != 0 {
			t.Errorf("span %d: got %+v, want %+v", i, list[i], want)
		}
	}
	if list, err = e.Sent(t.Context(), "", now.AddDate(0, 0, -7), 24*time.Hour); err != nil || len(list) != 8 {
		t.Fatalf("%d days, %v", len(list), err)
	}
	sum := SentSpan{}
	for _, s := range list {
		sum.Recipients, sum.Failed = sum.Recipients+s.Recipients, sum.Failed+s.Failed
	}
	if sum.Recipients != 9 || sum.Failed != 2 {
		t.Errorf("in all %+v", sum)
	}
	if _, err := e.Sent(t.Context(), "nobody", now, time.Hour); !errors.Is(err, ErrNotFound) {
		t.Errorf("got %v, want ErrNotFound", err)
	}
}
