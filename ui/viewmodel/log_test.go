package viewmodel

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"servicesmtp.net/companion/app"
	"servicesmtp.net/companion/app/say"
)

func TestLog(t *testing.T) {
	zone := time.FixedZone("", 3600)
	now := time.Date(2026, 11, 25, 14, 0, 0, 0, zone)
	lines := []app.LogLine{
		{At: time.Date(2026, 11, 24, 22, 59, 1, 0, time.UTC), Level: "INFO", Text: "started"},
		{At: time.Date(2026, 11, 24, 23, 0, 1, 0, time.UTC), Level: "WARN", Text: "retry"},
		{At: now, Level: "ERROR", Text: "stopped code=1"},
		{At: now, Level: "DEBUG", Text: "step"},
	}
	want := []LogLine{
		{"24 November, 23:59:01", "Information", Muted, "started"},
		{"00:00:01", "Warning", Warn, "retry"},
		{"14:00:00", "Error", Alarm, "stopped code=1"},
		{"14:00:00", "Detail", Muted, "step"},
	}
	if diff := cmp.Diff(want, NewLogLines(say.English, lines, now)); diff != "" {
		t.Errorf("lines (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(want[1:3], NewLogLines(say.English, LogTrouble(lines), now)); diff != "" {
		t.Errorf("warnings and errors (-want +got):\n%s", diff)
	}
	if got, want := LogText(lines[:2]), "2026-11-24T22:59:01Z INFO started\n2026-11-24T23:00:01Z WARN retry\n"; got != want {
		t.Errorf("text %q, want %q", got, want)
	}
}
