package app

import (
	"golang.org/x/text/language"

	"servicesmtp.net/companion/app/say"
	"servicesmtp.net/companion/app/settings"
	"servicesmtp.net/companion/assets"
)

// printer speaks the language of the person at this computer, as the window
// does. The terminal and the log are English; what goes to a sender is not.
func (e *Engine) printer() say.Printer {
	choice := e.current().Window.Language
	if choice == settings.System {
		choice = e.cfg.Locale
	}
	tags := []language.Tag{language.English}
	for _, name := range assets.Languages() {
		tags = append(tags, language.Make(name))
	}
	_, i, confidence := language.NewMatcher(tags).Match(language.Make(choice))
	if confidence == language.No {
		return say.English
	}
	p, err := say.FromCatalogue(tags[i], assets.Translation(tags[i].String()))
	if err != nil {
		e.log.Error("translation cannot be read", "language", tags[i].String(), "err", err)
		return say.English
	}
	return p
}
