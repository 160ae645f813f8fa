package look

import (
	"image/color"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/theme"
)

// Colours of our own, beside those of the tones.
const (
	ColorNameCard   fyne.ThemeColorName = "look-card"   // background of a card
	ColorNameBorder fyne.ThemeColorName = "look-border" // line around a card
	ColorNameTrack  fyne.ThemeColorName = "look-track"  // what a ring or a bar has not reached
	ColorNameGrid   fyne.ThemeColorName = "look-grid"   // lines of a plot
)

type palette map[fyne.ThemeColorName]color.NRGBA

// The greys lean a little to the blue of the accent, so that both belong
// together; card and page differ just enough to see where one ends.
var light = palette{
	theme.ColorNameBackground:          rgb(0xf5f6f8),
	theme.ColorNameForeground:          rgb(0x1f2430),
	theme.ColorNamePlaceHolder:         rgb(0x5b6472),
	theme.ColorNameDisabled:            rgb(0x949ca8),
	theme.ColorNameDisabledButton:      rgb(0xeceef2),
	theme.ColorNameButton:              rgb(0xe0e4ea),
	theme.ColorNameHover:               rgba(0x1f2430, 0x12),
	theme.ColorNamePressed:             rgba(0x1f2430, 0x24),
	theme.ColorNamePrimary:             rgb(0x2563c9),
	theme.ColorNameForegroundOnPrimary: rgb(0xffffff),
	theme.ColorNameHyperlink:           rgb(0x1d57b5),
	theme.ColorNameFocus:               rgba(0x0b1a33, 0x5a),
	theme.ColorNameSelection:           rgba(0x2563c9, 0x26),
	theme.ColorNameInputBackground:     rgb(0xffffff),
	theme.ColorNameInputBorder:         rgb(0x848d9d),
	theme.ColorNameSeparator:           rgb(0xe1e4ea),
	theme.ColorNameHeaderBackground:    rgb(0xeceef2),
	theme.ColorNameMenuBackground:      rgb(0xffffff),
	theme.ColorNameOverlayBackground:   rgb(0xffffff),
	theme.ColorNameScrollBar:           rgba(0x1f2430, 0x70),
	theme.ColorNameScrollBarBackground: rgba(0x1f2430, 0x14),
	theme.ColorNameShadow:              rgba(0x101828, 0x30),
	theme.ColorNameSuccess:             rgb(0x17703f),
	theme.ColorNameForegroundOnSuccess: rgb(0xffffff),
	theme.ColorNameWarning:             rgb(0x8a5200),
	theme.ColorNameForegroundOnWarning: rgb(0xffffff),
	theme.ColorNameError:               rgb(0xb3261e),
	theme.ColorNameForegroundOnError:   rgb(0xffffff),

	ColorNameCard:   rgb(0xffffff),
	ColorNameBorder: rgb(0xdfe3e9),
	ColorNameTrack:  rgb(0xe3e7ed),
	ColorNameGrid:   rgb(0xe1e4ea),

	Muted.ColorName():   rgb(0x5b6472),
	Muted.SoftName():    rgb(0xeceef2),
	Success.ColorName(): rgb(0x17703f),
	Success.SoftName():  rgb(0xe0f3e7),
	Busy.ColorName():    rgb(0x1d57b5),
	Busy.SoftName():     rgb(0xe4edfb),
	Warn.ColorName():    rgb(0x8a5200),
	Warn.SoftName():     rgb(0xfdf0d6),
	Alarm.ColorName():   rgb(0xb3261e),
	Alarm.SoftName():    rgb(0xfce8e6),
}

var dark = palette{
	theme.ColorNameBackground:          rgb(0x16181d),
	theme.ColorNameForeground:          rgb(0xe9ebef),
	theme.ColorNamePlaceHolder:         rgb(0xa5adb9),
	theme.ColorNameDisabled:            rgb(0x6b7380),
	theme.ColorNameDisabledButton:      rgb(0x23262d),
	theme.ColorNameButton:              rgb(0x373c46),
	theme.ColorNameHover:               rgba(0xffffff, 0x12),
	theme.ColorNamePressed:             rgba(0xffffff, 0x2c),
	theme.ColorNamePrimary:             rgb(0x78aaff),
	theme.ColorNameForegroundOnPrimary: rgb(0x0b1a33),
	theme.ColorNameHyperlink:           rgb(0x8bb8ff),
	theme.ColorNameFocus:               rgba(0xffffff, 0x34),
	theme.ColorNameSelection:           rgba(0x78aaff, 0x38),
	theme.ColorNameInputBackground:     rgb(0x1a1d22),
	theme.ColorNameInputBorder:         rgb(0x6d7585),
	theme.ColorNameSeparator:           rgb(0x31353d),
	theme.ColorNameHeaderBackground:    rgb(0x23262d),
	theme.ColorNameMenuBackground:      rgb(0x23262d),
	theme.ColorNameOverlayBackground:   rgb(0x1e2127),
	theme.ColorNameScrollBar:           rgba(0xffffff, 0x70),
	theme.ColorNameScrollBarBackground: rgba(0xffffff, 0x14),
	theme.ColorNameShadow:              rgba(0x000000, 0x70),
	theme.ColorNameSuccess:             rgb(0x62d192),
	theme.ColorNameForegroundOnSuccess: rgb(0x0a2415),
	theme.ColorNameWarning:             rgb(0xf4bf62),
	theme.ColorNameForegroundOnWarning: rgb(0x2b1d02),
	theme.ColorNameError:               rgb(0xff958d),
	theme.ColorNameForegroundOnError:   rgb(0x360a07),

	ColorNameCard:   rgb(0x1e2127),
	ColorNameBorder: rgb(0x31353d),
	ColorNameTrack:  rgb(0x343943),
	ColorNameGrid:   rgb(0x31353d),

	Muted.ColorName():   rgb(0xa5adb9),
	Muted.SoftName():    rgb(0x262a31),
	Success.ColorName(): rgb(0x62d192),
	Success.SoftName():  rgb(0x16321f),
	Busy.ColorName():    rgb(0x8bb8ff),
	Busy.SoftName():     rgb(0x1a2b49),
	Warn.ColorName():    rgb(0xf4bf62),
	Warn.SoftName():     rgb(0x39290d),
	Alarm.ColorName():   rgb(0xff958d),
	Alarm.SoftName():    rgb(0x451d1a),
}

func rgb(v uint32) color.NRGBA { return rgba(v, 0xff) }

func rgba(v uint32, alpha uint8) color.NRGBA {
	return color.NRGBA{R: uint8(v >> 16), G: uint8(v >> 8), B: uint8(v), A: alpha}
}
