package look

import (
	"image/color"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/theme"
)

// Sizes of our own.
const (
	SizeNameGap        fyne.ThemeSizeName = "look-gap"         // between things that belong together
	SizeNameSection    fyne.ThemeSizeName = "look-section"     // between cards and sections
	SizeNameCardInset  fyne.ThemeSizeName = "look-card-inset"  // from a card's border to its content
	SizeNamePageInset  fyne.ThemeSizeName = "look-page-inset"  // from the window to a page's content
	SizeNamePageWidth  fyne.ThemeSizeName = "look-page-width"  // widest content that still reads well
	SizeNameFigureText fyne.ThemeSizeName = "look-figure-text" // one number that matters
	SizeNameLargeIcon  fyne.ThemeSizeName = "look-large-icon"  // of an empty page
)

// sizes are those that differ from Fyne's own, and ours.
var sizes = map[fyne.ThemeSizeName]float32{
	theme.SizeNameHeadingText:     22,
	theme.SizeNameSubHeadingText:  16,
	theme.SizeNameCaptionText:     12,
	theme.SizeNameInputRadius:     6,
	theme.SizeNameButtonRadius:    6,
	theme.SizeNameSelectionRadius: 6,
	theme.SizeNameCardRadius:      10,
	theme.SizeNameDialogRadius:    12,
	theme.SizeNamePopupRadius:     8,
	theme.SizeNameMenuRadius:      6,

	SizeNameGap:        8,
	SizeNameSection:    16,
	SizeNameCardInset:  16,
	SizeNamePageInset:  24,
	SizeNamePageWidth:  960,
	SizeNameFigureText: 28,
	SizeNameLargeIcon:  48,
}

// themeIcons are Fyne's names for icons that we draw ourselves, so that
// Fyne's dialogs and entries speak with the same hand.
var themeIcons = map[fyne.ThemeIconName]string{
	theme.IconNameArrowDropDown:  "chevron-down",
	theme.IconNameArrowDropUp:    "chevron-up",
	theme.IconNameMenuExpand:     "chevron-right",
	theme.IconNameCancel:         "cancel",
	theme.IconNameConfirm:        "check",
	theme.IconNameContentCopy:    "copy",
	theme.IconNameContentAdd:     "plus",
	theme.IconNameDelete:         "trash",
	theme.IconNameError:          "alarm",
	theme.IconNameWarning:        "warning",
	theme.IconNameInfo:           "info",
	theme.IconNameHelp:           "help",
	theme.IconNameQuestion:       "help",
	theme.IconNameSearch:         "search",
	theme.IconNameSettings:       "settings",
	theme.IconNameMailSend:       "plane",
	theme.IconNameMediaPlay:      "play",
	theme.IconNameMediaPause:     "pause",
	theme.IconNameMoreHorizontal: "more",
	theme.IconNameViewRefresh:    "retry",
	theme.IconNameVisibility:     "eye",
	theme.IconNameVisibilityOff:  "eye-off",
}

// Theme is our fyne.Theme. Fonts and everything not named here are those of
// theme.DefaultTheme.
type Theme struct {
	choice string
}

var _ fyne.Theme = (*Theme)(nil)

// The choices that New knows.
const (
	ChoiceSystem = "system"
	ChoiceLight  = "light"
	ChoiceDark   = "dark"
)

// New returns the theme for a person's choice: ChoiceLight, ChoiceDark, or
// anything else for what the desktop says. A change of the choice is a new
// theme, set by app.Settings().SetTheme.
func New(choice string) *Theme { return &Theme{choice: choice} }

// Choice returns the choice that the theme was made for.
func (t *Theme) Choice() string { return t.choice }

// Color returns the colour for a name, of ours or of Fyne's.
func (t *Theme) Color(name fyne.ThemeColorName, variant fyne.ThemeVariant) color.Color {
	variant = t.variant(variant)
	colors := dark
	if variant == theme.VariantLight {
		colors = light
	}
	if c, ok := colors[name]; ok {
		return c
	}
	return theme.DefaultTheme().Color(name, variant)
}

// Font returns Fyne's bundled fonts: they cover the languages that we have,
// and look the same on all three systems.
func (t *Theme) Font(style fyne.TextStyle) fyne.Resource { return theme.DefaultTheme().Font(style) }

// Icon returns the icon for one of Fyne's names.
func (t *Theme) Icon(name fyne.ThemeIconName) fyne.Resource {
	if ours, ok := themeIcons[name]; ok {
		return Icon(ours)
	}
	return theme.DefaultTheme().Icon(name)
}

// Size returns the size for a name, of ours or of Fyne's.
func (t *Theme) Size(name fyne.ThemeSizeName) float32 {
	if s, ok := sizes[name]; ok {
		return s
	}
	return theme.DefaultTheme().Size(name)
}

func (t *Theme) variant(system fyne.ThemeVariant) fyne.ThemeVariant {
	switch t.choice {
	case ChoiceLight:
		return theme.VariantLight
	case ChoiceDark:
		return theme.VariantDark
	}
	return system
}
