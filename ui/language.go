package ui

import (
	"fmt"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/lang"
	"golang.org/x/text/language"

	"servicesmtp.net/companion/app/say"
	"servicesmtp.net/companion/assets"
)

// useLanguage makes Fyne's lang speak the chosen language, or the one of ours
// that suits the system best, and returns a printer that speaks through it.
//
// Fyne always asks for the system's language. The chosen catalogue, which has
// Fyne's own words too, is therefore registered under the system's name: so a
// choice reaches every word, and a system in a language that only Fyne speaks
// does not get a window in two languages.
func useLanguage(choice string, system fyne.Locale) (say.Printer, error) {
	tag := chooseLanguage(choice, system)
	text := assets.Translation(tag.String())
	if text == nil {
		return say.English, fmt.Errorf("no translation for %s", tag)
	}
	if err := lang.AddTranslationsForLocale(text, system); err != nil {
		return say.English, fmt.Errorf("read translation for %s: %w", tag, err)
	}
	return say.New(tag, func(t say.Text, n int, values map[string]string) string {
		if t.One != "" {
			return lang.XN(t.Key, t.Key, n, values)
		}
		return lang.X(t.Key, t.Key, values)
	}), nil
}

// chooseLanguage is the chosen language, or the one of ours nearest to the
// system's; English where none is near.
func chooseLanguage(choice string, system fyne.Locale) language.Tag {
	tags := []language.Tag{language.English}
	for _, name := range assets.Languages() {
		if name == choice {
			return language.Make(name)
		}
		tags = append(tags, language.Make(name))
	}
	_, i, confidence := language.NewMatcher(tags).Match(language.Make(system.LanguageString()))
	if confidence == language.No {
		return language.English
	}
	return tags[i]
}
