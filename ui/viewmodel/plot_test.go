package viewmodel

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"servicesmtp.net/companion/app"
	"servicesmtp.net/companion/app/say"
)

func TestSentPlot(t *testing.T) {
	spans := []app.SentSpan{{From: nine.Add(-SentSpan), Recipients: 120, Failed: 3}, {From: nine}, {From: nine.Add(SentSpan), Recipients: 1}}
	got := NewSentPlot(say.English, spans, nine)
	want := Plot{
		Bars: []Bar{{Height: 123.0 / 200, Failed: 3.0 / 200, Caption: "08:50–09:00: 120 recipients, 3 refused"},
			{Label: "09:00", Caption: "09:00–09:10: 0 recipients"}, {Height: 1.0 / 200, Caption: "09:10–09:20: 1 recipient"}},
		Ticks:   []Tick{{0.5, "100"}, {1, "200"}},
		Caption: "121 recipients in the last 6 hours, 3 refused", Empty: "Nothing was sent in the last 6 hours.",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error("want -, got +\n" + diff)
	}
	if got := NewSentPlot(say.English, spans[2:], nine).Caption; got != "1 recipient in the last 6 hours" {
		t.Errorf("caption %q", got)
	}
	if got := NewSentPlot(say.English, spans[1:2], nine); len(got.Bars)+len(got.Ticks) != 0 || got.Empty == "" {
		t.Errorf("nothing sent: %+v", got)
	}
	checkSaid(t, NewSentPlot(marked, spans, nine))
}

func TestNiceCeil(t *testing.T) {
	for n, want := range map[int64]int64{0: 1, 1: 1, 2: 2, 3: 4, 5: 5, 6: 10, 11: 20, 21: 40, 41: 50, 51: 100, 123: 200, 999_999: 1_000_000} {
		if got := niceCeil(n); got != want {
			t.Errorf("%d: %d, want %d", n, got, want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.Int64Range(1, 1e16).Draw(t, "n")
		if got := niceCeil(n); got < n || float64(got) > 2.5*float64(n) || niceCeil(got) != got {
			t.Fatalf("%d: %d", n, got)
		}
	})
}
