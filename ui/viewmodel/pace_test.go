package viewmodel

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"servicesmtp.net/companion/app"
	"servicesmtp.net/companion/app/say"
)

func TestPaceWords(t *testing.T) {
	for _, c := range []struct {
		pace app.PacePreferences
		want string
	}{
		{app.PacePreferences{PerMinute: 60}, "60 recipients a minute: 5,000 recipients take 1 hour 23 minutes."},
		{app.PacePreferences{PerMinute: 1}, "1 recipient a minute: 5,000 recipients take 3 days."},
		{app.PacePreferences{}, "No limit of your own: mail leaves as fast as the relay takes it."},
		{app.PacePreferences{PerMinute: 60, PerHour: 1000}, "60 recipients a minute, 1,000 recipients an hour: 5,000 recipients take 4 hours 17 minutes."},
		{app.PacePreferences{PerDay: 10_000}, "10,000 recipients a day, and within that as fast as the relay takes it."},
	} {
		if got := PaceWords(say.English, c.pace); got != c.want {
			t.Errorf("PaceWords(%+v) = %q, want %q", c.pace, got, c.want)
		}
	}
}

func TestPaceTime(t *testing.T) {
	for _, c := range []struct {
		name string
		pace app.PacePreferences
		n    int
		want time.Duration
	}{
		{"the minute alone", app.PacePreferences{PerMinute: 60}, 60, time.Minute},
		{"an hour that does not bind", app.PacePreferences{PerMinute: 60, PerHour: 10_000}, 5000, 5000 * time.Second},
		{"the hour alone", app.PacePreferences{PerHour: 1000}, 5000, 4 * time.Hour},
		{"the day alone", app.PacePreferences{PerDay: 1000}, 5000, 4 * 24 * time.Hour},
		{"all", app.PacePreferences{PerMinute: 60, PerHour: 500, PerDay: 2000}, 5000, 2*24*time.Hour + time.Hour + 500*time.Second},
	} {
		if got := paceTime(c.pace, c.n); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

func TestPresets(t *testing.T) {
	for _, c := range []struct {
		pace app.PacePreferences
		want int
	}{
		{app.PacePreferences{PerMinute: 30}, 0},
		{app.PacePreferences{PerMinute: 600}, 3},
		{app.PacePreferences{PerMinute: 61}, 4},
		{app.PacePreferences{PerMinute: 60, PerDay: 1000}, 4},
		{app.PacePreferences{}, 4},
	} {
		if got := PresetOf(c.pace); got != c.want {
			t.Errorf("PresetOf(%+v) = %d, want %d", c.pace, got, c.want)
		}
	}
	if got, want := PresetNames(say.English)[2], "Fast (300 recipients a minute)"; got != want {
		t.Errorf("name %q, want %q", got, want)
	}
	if got, want := len(PresetNames(say.English)), len(Presets)+1; got != want {
		t.Errorf("%d names, want %d", got, want)
	}
}

func TestPaceForm(t *testing.T) {
	old := app.PacePreferences{PerMinute: 60, Quiet: []string{"22:00-07:00"}, Adaptive: true}
	if diff := cmp.Diff(PaceForm{PerMinute: "60"}, NewPaceForm(old)); diff != "" {
		t.Errorf("form (-want +got):\n%s", diff)
	}
	next, wrong := PaceForm{PerMinute: " 120 ", PerHour: "", PerDay: "5000"}.Apply(say.English, old)
	want := app.PacePreferences{PerMinute: 120, PerDay: 5000, Quiet: old.Quiet, Adaptive: true}
	if diff := cmp.Diff(want, next); diff != "" || wrong != "" {
		t.Errorf("wrong %q, pace (-want +got):\n%s", wrong, diff)
	}
	for _, bad := range []string{"-1", "1.5", "many", "1000000001", "99999999999999999999"} {
		next, wrong := PaceForm{PerHour: bad, PerMinute: "1"}.Apply(say.English, old)
		if wrong == "" {
			t.Errorf("%q is taken: %+v", bad, next)
		}
	}
}

func TestQuietForm(t *testing.T) {
	for _, c := range []struct {
		name   string
		set    []string
		change func(*QuietForm)
		want   []string
		wrong  bool
	}{
		{"off stays off", nil, func(*QuietForm) {}, []string{}, false},
		{"on is the night", nil, func(f *QuietForm) { f.On = true }, []string{"22:00-07:00"}, false},
		{"what is set stays", []string{"21:15-06:00", "12:00-13:00"}, func(*QuietForm) {}, []string{"21:15-06:00", "12:00-13:00"}, false},
		{"further spans stay", []string{"21:15-06:00", "12:00-13:00"}, func(f *QuietForm) { f.To = "05:00" }, []string{"21:15-05:00", "12:00-13:00"}, false},
		{"off", []string{"21:15-06:00"}, func(f *QuietForm) { f.On = false }, []string{}, false},
		{"the whole day", []string{"21:15-06:00"}, func(f *QuietForm) { f.To = f.From }, nil, true},
	} {
		f := NewQuietForm(c.set)
		c.change(&f)
		got, wrong := f.Quiet(say.English)
		if diff := cmp.Diff(c.want, got); diff != "" || (wrong != "") != c.wrong {
			t.Errorf("%s: wrong %q (-want +got):\n%s", c.name, wrong, diff)
		}
	}
	if got := Hours("21:15", "07:00"); len(got) != 49 || got[0] != "21:15" {
		t.Errorf("hours %v, want 48 and the one that is set", got)
	}
}
