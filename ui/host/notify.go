package host

import (
	"slices"
	"strings"
	"unicode"
)

// ClickKey is the action of a click on the note itself.
const ClickKey = "default"

// Action is a button of a note.
type Action struct{ Key, Label string }

// Note is what is to be shown. Title and Body are plain text, whatever they
// hold; a note replaces the one that was shown with the same ID.
type Note struct {
	ID, Title, Body string
	Urgent          bool   // stays until the person has seen it
	Icon            string // a name of the icon theme, or an absolute path
	Actions         []Action
}

// NotifierConfig says who speaks, and who listens.
type NotifierConfig struct {
	AppName string
	// DesktopEntry is the program's desktop entry without ".desktop"; the
	// desktop keeps its settings for notes under it.
	DesktopEntry string
	// OnAction hears which button of which note was pressed. It runs on the
	// notifier's goroutine and must not wait, nor close the notifier.
	OnAction func(id, key string)
	// Fallback shows a note where this package has no service to ask: on
	// Windows and macOS. It is not used on other systems.
	Fallback func(Note) error
}

// plain is text that every notification service takes: the bus ends the
// connection of whoever sends it a zero byte or broken UTF-8.
func plain(text string) string {
	return strings.Map(func(r rune) rune { // which replaces broken bytes by itself
		if r == '\n' || r == '\t' {
			return r
		}
		if unicode.IsControl(r) {
			return -1
		}
		return r
	}, text)
}

var markup = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")

// body is the text for a service with these capabilities. A service that knows
// markup gets it escaped; one that does not would show the escapes.
func body(text string, capabilities []string) string {
	if slices.Contains(capabilities, "body-markup") {
		return markup.Replace(plain(text))
	}
	return plain(text)
}

// actions are key and label in turn. Without the capability there must be
// none: a button that does nothing is worse than no button. A note can always
// be clicked.
func actions(n Note, appName string, capabilities []string) []string {
	list := []string{}
	if !slices.Contains(capabilities, "actions") {
		return list
	}
	if !slices.ContainsFunc(n.Actions, func(a Action) bool { return a.Key == ClickKey }) {
		list = append(list, ClickKey, plain(appName))
	}
	for _, a := range n.Actions {
		list = append(list, plain(a.Key), plain(a.Label))
	}
	return list
}
