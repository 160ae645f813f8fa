package look

import (
	"fyne.io/fyne/v2"
)

// Tone is what a colour means. A tone never stands alone: an icon or a word
// beside it says the same.
type Tone string

// The tones, from calm to urgent.
const (
	Muted   Tone = "muted"   // nothing to say
	Success Tone = "success" // done, all is well
	Busy    Tone = "busy"    // at work
	Warn    Tone = "warn"    // look at it when you can
	Alarm   Tone = "alarm"   // a person must act
)

// Tones returns all tones.
func Tones() []Tone { return []Tone{Muted, Success, Busy, Warn, Alarm} }

// ColorName is the tone's strong colour: text and icons on the page, on a
// card, and on its own soft background.
func (t Tone) ColorName() fyne.ThemeColorName { return fyne.ThemeColorName("look-" + t.known()) }

// SoftName is the tone's soft background.
func (t Tone) SoftName() fyne.ThemeColorName {
	return fyne.ThemeColorName("look-" + t.known() + "-soft")
}

// IconName is the icon that tells the tone where no other is at hand.
func (t Tone) IconName() string {
	switch t.known() {
	case Success:
		return "check"
	case Busy:
		return "plane"
	case Warn:
		return "warning"
	case Alarm:
		return "alarm"
	}
	return "info"
}

// known is t, or Muted for a tone that this package does not know.
func (t Tone) known() Tone {
	switch t {
	case Success, Busy, Warn, Alarm:
		return t
	}
	return Muted
}
