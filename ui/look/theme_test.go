package look

import (
	"image/color"
	"math"
	"testing"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/test"
	"fyne.io/fyne/v2/theme"
)

var variants = map[string]palette{"light": light, "dark": dark}

// TestContrast holds WCAG 2.1 AA: 4.5 to 1 for text (§1.4.3), 3 to 1 for what
// must be seen to use a control (§1.4.11).
func TestContrast(t *testing.T) {
	type pair struct {
		over, under fyne.ThemeColorName
		least       float64
	}
	pairs := []pair{
		{theme.ColorNameForegroundOnPrimary, theme.ColorNamePrimary, 4.5},
		{theme.ColorNameForegroundOnError, theme.ColorNameError, 4.5},
		{theme.ColorNameForegroundOnSuccess, theme.ColorNameSuccess, 4.5},
		{theme.ColorNameForegroundOnWarning, theme.ColorNameWarning, 4.5},
		{theme.ColorNameForeground, theme.ColorNameButton, 4.5},
		{theme.ColorNamePlaceHolder, theme.ColorNameInputBackground, 4.5},
		{theme.ColorNameInputBorder, theme.ColorNameBackground, 3},
		{theme.ColorNameInputBorder, ColorNameCard, 3},
		{theme.ColorNamePrimary, ColorNameCard, 3},
		{theme.ColorNamePrimary, theme.ColorNameBackground, 3},
		{theme.ColorNamePrimary, ColorNameTrack, 3},
	}
	surfaces := []fyne.ThemeColorName{theme.ColorNameBackground, ColorNameCard, theme.ColorNameOverlayBackground,
		theme.ColorNameMenuBackground, theme.ColorNameHeaderBackground}
	for _, under := range surfaces {
		for _, over := range []fyne.ThemeColorName{theme.ColorNameForeground, theme.ColorNamePlaceHolder, theme.ColorNameHyperlink} {
			pairs = append(pairs, pair{over, under, 4.5})
		}
		for _, tone := range Tones() {
			pairs = append(pairs, pair{tone.ColorName(), under, 4.5})
		}
	}
	for _, tone := range Tones() {
		pairs = append(pairs, pair{tone.ColorName(), tone.SoftName(), 4.5}, pair{theme.ColorNameForeground, tone.SoftName(), 4.5},
			pair{tone.ColorName(), ColorNameTrack, 3})
	}
	for name, colors := range variants {
		for _, p := range pairs {
			over, under := colors[p.over], colors[p.under]
			if over.A != 0xff || under.A != 0xff {
				t.Fatalf("%s: %s on %s: not in the palette, or see-through", name, p.over, p.under)
			}
			if got := contrast(over, under); got < p.least {
				t.Errorf("%s: %s on %s has a contrast of %.2f, want at least %.1f", name, p.over, p.under, got, p.least)
			}
		}
	}
}

// TestContrastOfWashes holds the same for text on the see-through colours that
// Fyne lays over a row or a button: hovered, focused and selected.
func TestContrastOfWashes(t *testing.T) {
	for name, colors := range variants {
		for _, wash := range []fyne.ThemeColorName{theme.ColorNameHover, theme.ColorNameFocus, theme.ColorNameSelection} {
			for _, under := range []fyne.ThemeColorName{theme.ColorNameBackground, ColorNameCard, theme.ColorNameButton} {
				ground := blend(colors[wash], colors[under])
				if got := contrast(colors[theme.ColorNameForeground], ground); got < 4.5 {
					t.Errorf("%s: text on %s over %s has a contrast of %.2f, want at least 4.5", name, wash, under, got)
				}
			}
		}
	}
}

func TestContrastFormula(t *testing.T) {
	if got := contrast(rgb(0x000000), rgb(0xffffff)); math.Abs(got-21) > 0.01 {
		t.Errorf("black on white: got %.2f, want 21", got)
	}
	if got := contrast(rgb(0x777777), rgb(0xffffff)); math.Abs(got-4.48) > 0.01 { // the best-known near miss of AA
		t.Errorf("#777 on white: got %.2f, want 4.48", got)
	}
}

func TestBothPalettesNameTheSame(t *testing.T) {
	for name := range light {
		if _, ok := dark[name]; !ok {
			t.Errorf("%s is missing in dark", name)
		}
	}
	for name := range dark {
		if _, ok := light[name]; !ok {
			t.Errorf("%s is missing in light", name)
		}
	}
}

func TestChoice(t *testing.T) {
	name := theme.ColorNameBackground
	for _, c := range []struct {
		choice string
		system fyne.ThemeVariant
		want   color.NRGBA
	}{
		{ChoiceSystem, theme.VariantLight, light[name]},
		{ChoiceSystem, theme.VariantDark, dark[name]},
		{"", theme.VariantDark, dark[name]},
		{ChoiceLight, theme.VariantDark, light[name]},
		{ChoiceDark, theme.VariantLight, dark[name]},
	} {
		if got := New(c.choice).Color(name, c.system); got != c.want {
			t.Errorf("choice %q on system %d: got %v, want %v", c.choice, c.system, got, c.want)
		}
	}
}

// TestNothingIsMissing asks for every name that Fyne's default theme answers.
func TestNothingIsMissing(t *testing.T) {
	th := New(ChoiceLight)
	test.NewTempApp(t).Settings().SetTheme(th)
	for _, size := range []fyne.ThemeSizeName{theme.SizeNamePadding, theme.SizeNameText, theme.SizeNameInlineIcon, SizeNameGap, SizeNamePageWidth} {
		if th.Size(size) <= 0 {
			t.Errorf("size %s: got %v, want more than 0", size, th.Size(size))
		}
	}
	for name := range themeIcons {
		if res := th.Icon(name); res == nil || len(res.Content()) == 0 || theme.DefaultTheme().Icon(name) == nil {
			t.Errorf("icon %s is empty, or no name of Fyne's", name)
		}
	}
	if th.Icon(theme.IconNameHome) == nil || th.Font(fyne.TextStyle{Bold: true}) == nil {
		t.Error("what is not ours must come from Fyne")
	}
	if got := Tone("nonsense").ColorName(); got != Muted.ColorName() {
		t.Errorf("an unknown tone: got %s, want that of Muted", got)
	}
}

// contrast is the ratio of WCAG 2.1, "contrast ratio" and "relative luminance".
func contrast(a, b color.NRGBA) float64 {
	la, lb := luminance(a), luminance(b)
	return (max(la, lb) + 0.05) / (min(la, lb) + 0.05)
}

func luminance(c color.NRGBA) float64 {
	linear := func(v uint8) float64 {
		s := float64(v) / 255
		if s <= 0.04045 {
			return s / 12.92
		}
		return math.Pow((s+0.055)/1.055, 2.4)
	}
	return 0.2126*linear(c.R) + 0.7152*linear(c.G) + 0.0722*linear(c.B)
}

func blend(over, under color.NRGBA) color.NRGBA {
	mix := func(o, u uint8) uint8 {
		a := int(over.A)
		return uint8((int(o)*a + int(u)*(255-a)) / 255)
	}
	return color.NRGBA{R: mix(over.R, under.R), G: mix(over.G, under.G), B: mix(over.B, under.B), A: 0xff}
}
