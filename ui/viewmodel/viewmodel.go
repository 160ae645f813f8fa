// Package viewmodel turns what the engine says into what the window shows:
// words in the user's language, numbers, shares and enabled flags. Views copy
// it and decide nothing.
//
// It is pure: values and a time go in, values come out. It knows no Fyne, no
// file, no clock and no goroutine.
package viewmodel

import "servicesmtp.net/companion/app"

// Tone says how urgent a thing looks. The values are those of ui/look.
type Tone string

// The tones, from calm to urgent.
const (
	Muted   Tone = "muted"
	Success Tone = "success"
	Busy    Tone = "busy"
	Warn    Tone = "warn"
	Alarm   Tone = "alarm"
)

// toneOf is the tone of a mood.
func toneOf(m app.Mood) Tone {
	switch m {
	case app.MoodIdle:
		return Success
	case app.MoodSending:
		return Busy
	case app.MoodWaiting:
		return Warn
	case app.MoodAttention:
		return Alarm
	case app.MoodStarting, app.MoodPaused, app.MoodStopping:
	}
	return Muted
}

// share is part of whole, within 0 and 1; 0 where there is no whole.
func share(part, whole int64) float32 {
	if whole <= 0 {
		return 0
	}
	return float32(min(max(float64(part)/float64(whole), 0), 1))
}
