package pace

import (
	"testing"
	"time"
	_ "time/tzdata" // the zones below, also where the system has none

	"pgregory.net/rapid"

	"servicesmtp.net/companion/app/mail"
)

func TestParseSpan(t *testing.T) {
	for _, c := range []struct {
		text string
		want Span
		ok   bool
	}{
		{"22:00-07:00", Span{1320, 420}, true},
		{" 7:05 - 09:30 ", Span{425, 570}, true},
		{"00:00-24:00", Span{0, 1440}, true},
		{"18-8", Span{}, false},
		{"07:00-07:00", Span{}, false},
		{"24:00-07:00", Span{}, false},
		{"22:00", Span{}, false},
		{"22:60-07:00", Span{}, false},
		{"22:00-24:01", Span{}, false},
		{"25:00-07:00", Span{}, false},
		{"+2:00-07:00", Span{}, false},
		{"a-b", Span{}, false},
		{"", Span{}, false},
	} {
		got, err := ParseSpan(c.text)
		if got != c.want || (err == nil) != c.ok {
			t.Errorf("ParseSpan(%q) = %v, %v; want %v, ok %v", c.text, got, err, c.want, c.ok)
		}
		if err != nil {
			continue
		}
		text, err := got.MarshalText()
		var again Span
		if err != nil || again.UnmarshalText(text) != nil || again != got {
			t.Errorf("%v written as %q reads as %v (%v)", got, text, again, err)
		}
	}
}

func TestUnmarshalKeepsTheOldSpanOnError(t *testing.T) {
	s := Span{1, 2}
	if err := s.UnmarshalText([]byte("late")); err == nil || s != (Span{1, 2}) {
		t.Errorf("span %v, error %v", s, err)
	}
}

func TestQuietEnd(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	night := []Span{{22 * 60, 7 * 60}}
	early := []Span{{2 * 60, 2*60 + 30}}
	at := func(month time.Month, day, hour, minute int) time.Time {
		return time.Date(2026, month, day, hour, minute, 0, 0, berlin)
	}
	for _, c := range []struct {
		name    string
		quiet   []Span
		t, want time.Time
	}{
		{"by day", night, at(11, 25, 12, 0), at(11, 25, 12, 0)},
		{"the last moment before", night, at(11, 25, 22, 0).Add(-1), at(11, 25, 22, 0).Add(-1)},
		{"the first moment", night, at(11, 25, 22, 0), at(11, 26, 7, 0)},
		{"after midnight", night, at(11, 26, 3, 30).Add(12345), at(11, 26, 7, 0)},
		{"the end", night, at(11, 26, 7, 0), at(11, 26, 7, 0)},
		{"two that touch", append([]Span{{7 * 60, 8 * 60}}, night...), at(11, 25, 23, 0), at(11, 26, 8, 0)},
		{"the clock goes forward", night, at(3, 28, 23, 0), at(3, 29, 7, 0)},
		{"the clock goes back", night, at(10, 24, 23, 0), at(10, 25, 7, 0)},
		{"an hour that does not exist", early, at(3, 29, 1, 59), at(3, 29, 1, 59)},
		{"an hour that comes twice", early, time.Date(2026, 10, 25, 0, 10, 0, 0, time.UTC), time.Date(2026, 10, 25, 0, 30, 0, 0, time.UTC)},
		{"its second time", early, time.Date(2026, 10, 25, 1, 10, 0, 0, time.UTC), time.Date(2026, 10, 25, 1, 30, 0, 0, time.UTC)},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := Limits{Quiet: c.quiet, Zone: berlin}
			if got := l.quietEnd(c.t.UTC()); !got.Equal(c.want) {
				t.Errorf("quiet until %v, want %v", got.In(berlin), c.want)
			}
			l.Zone = nil // the zone of now then counts
			if got := l.quietEnd(c.t.In(berlin)); !got.Equal(c.want) {
				t.Errorf("without a zone: quiet until %v, want %v", got, c.want)
			}
		})
	}
}

// TestWaitEndsOutsideQuietHours: the rate permits in the night, so bulk leaves
// in the morning, at once.
func TestWaitEndsOutsideQuietHours(t *testing.T) {
	s := New(Limits{PerMinute: 1, Batch: 50, Quiet: []Span{{12*60 + 30, 13 * 60}}})
	s.Left(mail.Bulk, 50, noon) // repaid at 12:50
	if _, at := s.MayLeave(mail.Bulk, 50, noon); at != noon.Add(time.Hour) {
		t.Errorf("bulk waits until %v, want 13:00", at)
	}
	if d := Decide(s, Waiting{Bulk: 50}, noon); d.Why != WhyQuiet {
		t.Errorf("waits for %q, want quiet", d.Why)
	}
}

func TestQuietEndIsTheFirstMoment(t *testing.T) {
	zones := []string{"UTC", "Europe/Berlin", "Asia/Kathmandu", "Australia/Lord_Howe", "America/St_Johns"}
	rapid.Check(t, func(t *rapid.T) {
		zone, err := time.LoadLocation(rapid.SampledFrom(zones).Draw(t, "zone"))
		if err != nil {
			t.Fatal(err)
		}
		l := Limits{Zone: zone}
		for range rapid.IntRange(1, 3).Draw(t, "spans") {
			l.Quiet = append(l.Quiet, Span{rapid.IntRange(0, 1439).Draw(t, "from"), rapid.IntRange(0, 1440).Draw(t, "to")})
		}
		start := noon.Add(time.Duration(rapid.Int64Range(0, int64(365*24*time.Hour)).Draw(t, "start")))
		end := l.quietEnd(start)
		if end.IsZero() || end.Equal(start) {
			return
		}
		if l.quiet(end) || !l.quiet(end.Add(-1)) {
			t.Fatalf("from %v: %v is not the end", start, end)
		}
		for at := start; at.Before(end); at = at.Add(30 * time.Second) {
			if !l.quiet(at) {
				t.Fatalf("from %v: %v comes before the end %v and is not quiet", start, at, end)
			}
		}
	})
}
