package viewmodel

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"servicesmtp.net/companion/app"
	"servicesmtp.net/companion/app/say"
)

// november is a month of an account in Rome, seen there on the 5th.
func november() (app.Usage, time.Time) {
	rome := time.FixedZone("CET", 3600)
	u := app.Usage{
		Account: "alice", Plan: "business",
		From: time.Date(2026, 11, 1, 0, 0, 0, 0, rome).UTC(), To: time.Date(2026, 12, 1, 0, 0, 0, 0, rome).UTC(),
		Emails: 31_000, EmailsLimit: 50_000, Bytes: 1_500_000_000, BytesLimit: 5_000_000_000,
		Days: []app.UsageDay{{Day: "2026-11-02", Emails: 1000, Bytes: 500_000_000}, {Day: "2026-11-04", Emails: 30_000, Bytes: 1_000_000_000}},
		AsOf: time.Date(2026, 11, 5, 14, 5, 0, 0, rome),
	}
	return u, time.Date(2026, 11, 5, 14, 6, 0, 0, rome)
}

func TestUsage(t *testing.T) {
	u, now := november()
	v := NewUsage(say.English, u, now)
	if want := "1 November to 30 November"; v.Period != want {
		t.Errorf("period %q, want %q", v.Period, want)
	}
	if v.Stale != "" {
		t.Errorf("stale %q, want nothing", v.Stale)
	}
	wantLines := []Line{{"Plan", "business"}, {"E-mails", "31,000 of 50,000"}, {"Volume", "1.5\u00a0GB of 5\u00a0GB"}, {"Left", "19,000 e-mails"}, {"As of", "14:05"}}
	if diff := cmp.Diff(wantLines, v.Lines); diff != "" {
		t.Errorf("lines (-want +got):\n%s", diff)
	}
	wantDays := []UsageDay{{"4 November", "30,000", "1\u00a0GB"}, {"2 November", "1,000", "500\u00a0MB"}}
	if diff := cmp.Diff(wantDays, v.Days); diff != "" {
		t.Errorf("days (-want +got):\n%s", diff)
	}
	wantBars := []Bar{
		{Label: "1", Caption: "1 November: 0 e-mails, 0\u00a0B"},
		{Height: 0.025, Caption: "2 November: 1,000 e-mails, 500\u00a0MB"},
		{Caption: "3 November: 0 e-mails, 0\u00a0B"},
		{Height: 0.75, Caption: "4 November: 30,000 e-mails, 1\u00a0GB"},
		{Caption: "5 November: 0 e-mails, 0\u00a0B"},
	}
	if diff := cmp.Diff(wantBars, v.Plot.Bars); diff != "" {
		t.Errorf("bars (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]Tick{{0.5, "20,000"}, {1, "40,000"}}, v.Plot.Ticks); diff != "" {
		t.Errorf("ticks (-want +got):\n%s", diff)
	}
}

func TestUsageStale(t *testing.T) {
	u, now := november()
	u.Stale = true
	v := NewUsage(say.English, u, now)
	if want := "As of 14:05; the relay cannot be asked now."; v.Stale != want {
		t.Errorf("stale %q, want %q", v.Stale, want)
	}
	for _, l := range v.Lines {
		if l.Name == "As of" {
			t.Error("the time is said twice")
		}
	}
}

func TestUsageWithoutMail(t *testing.T) {
	u, now := november()
	u.Days, u.Emails, u.Bytes = nil, 0, 0
	v := NewUsage(say.English, u, now)
	if len(v.Plot.Bars) != 0 || v.Plot.Empty != "Nothing was sent in this period yet." {
		t.Errorf("plot %+v, want only words", v.Plot)
	}
	if len(v.Days) != 0 {
		t.Errorf("days %v, want none", v.Days)
	}
}

// The relay tells a period in UTC and days in the account's zone.
func TestUsageSpan(t *testing.T) {
	utc := func(text string) time.Time {
		at, err := time.Parse(time.RFC3339, text)
		if err != nil {
			t.Fatal(err)
		}
		return at
	}
	berlin := time.FixedZone("CET", 3600)
	for _, c := range []struct {
		name     string
		from, to string
		days     []string
		zone     *time.Location
		want     string
	}{
		{"UTC", "2026-11-01T00:00:00Z", "2026-12-01T00:00:00Z", nil, time.UTC, "11-01 11-30"},
		{"here", "2026-10-31T23:00:00Z", "2026-11-30T23:00:00Z", nil, berlin, "11-01 11-30"},
		{"east of here", "2026-10-31T15:00:00Z", "2026-11-30T15:00:00Z", nil, berlin, "11-01 11-30"},
		{"far east", "2026-10-31T11:00:00Z", "2026-11-30T11:00:00Z", nil, berlin, "11-01 11-30"},
		{"west of here", "2026-11-01T05:00:00Z", "2026-12-01T05:00:00Z", nil, berlin, "11-01 11-30"},
		{"Hawaii", "2026-11-01T10:00:00Z", "2026-12-01T10:00:00Z", nil, berlin, "11-01 11-30"},
		{"from an activation on", "2026-11-03T09:17:31Z", "2026-12-03T09:17:31Z", nil, berlin, "11-03 12-03"},
		{"a day that the zone of here does not have in it", "2026-11-03T23:17:31Z", "2026-12-03T23:17:31Z", []string{"2026-11-03"}, berlin, "11-03 12-04"},
	} {
		u := app.Usage{From: utc(c.from), To: utc(c.to)}
		for _, d := range c.days {
			u.Days = append(u.Days, app.UsageDay{Day: d})
		}
		first, last := usageSpan(u, utc("2026-11-10T12:00:00Z").In(c.zone))
		if got := first.Format("01-02") + " " + last.Format("01-02"); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}
