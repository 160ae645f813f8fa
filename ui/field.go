package ui

import (
	"strings"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/widget"

	"servicesmtp.net/companion/ui/look"
)

// field is an entry with its name above and what is wrong with it below.
type field struct {
	entry *pasteEntry
	wrong *look.Text
	box   *fyne.Container

	button *widget.Button // beside the entry; nil: none
}

func newField(name string) *field {
	f := &field{entry: newPasteEntry(), wrong: look.NewText(look.Caption, "")}
	f.wrong.Tone, f.wrong.Hidden = look.Alarm, true
	f.entry.OnChanged = func(string) { f.setWrong("") } // it is being put right
	f.box = look.Vertical(gap()/2, look.NewLine(look.Soft, name), f.entry, f.wrong)
	return f
}

// addButton puts a button beside the entry, which helps to fill it.
func (f *field) addButton(words string, tapped func()) {
	f.button = widget.NewButton(words, tapped)
	f.box.Objects[1] = look.Horizontal(gap(), 0, f.entry, f.button)
}

// newSecret is a field whose text is hidden. It takes no line break from a
// paste, which an entry of one line would turn into a blank that nobody sees;
// broken says so.
func newSecret(name, broken string) *field {
	f := newField(name)
	f.entry.Password = true
	f.entry.refused = func() { f.setWrong(broken) }
	return f
}

// setWrong says what is wrong; "": nothing is.
func (f *field) setWrong(words string) {
	if f.wrong.Text == words {
		return
	}
	f.wrong.Text, f.wrong.Hidden = words, words == ""
	f.box.Refresh()
}

// pasteEntry is an entry that may refuse what is pasted.
type pasteEntry struct {
	widget.Entry
	refused func() // a paste with a line break came; nil: such a paste is taken
}

func newPasteEntry() *pasteEntry {
	e := &pasteEntry{}
	e.Wrapping = fyne.TextWrap(fyne.TextTruncateClip)
	e.ExtendBaseWidget(e)
	return e
}

// TypedKey is called by Fyne. An entry has no use for Esc, but what is around it
// may have.
func (e *pasteEntry) TypedKey(key *fyne.KeyEvent) {
	if c := fyne.CurrentApp().Driver().CanvasForObject(e); key.Name == fyne.KeyEscape && c != nil && c.OnTypedKey() != nil {
		c.OnTypedKey()(key)
		return
	}
	e.Entry.TypedKey(key)
}

// TypedShortcut is called by Fyne, for the keyboard and for the entry's menu.
func (e *pasteEntry) TypedShortcut(s fyne.Shortcut) {
	if paste, ok := s.(*fyne.ShortcutPaste); ok && e.refused != nil && strings.ContainsAny(paste.Clipboard.Content(), "\r\n\u2028\u2029") {
		e.refused()
		return
	}
	if !windowShortcut(e, s) {
		e.Entry.TypedShortcut(s)
	}
}

// feedback says how a change went that was made at once.
type feedback struct {
	line  *look.Text
	wrong *look.Banner
	box   *fyne.Container

	resized func() // the box has another height
}

func newFeedback(resized func()) *feedback {
	f := &feedback{resized: resized, line: look.NewText(look.Caption, ""), wrong: look.NewBanner(look.Notice{Tone: look.Alarm})}
	f.line.Hidden, f.wrong.Hidden = true, true
	f.box = look.Vertical(gap(), f.line, f.wrong)
	f.box.Hidden = true // takes no place while it says nothing
	return f
}

// say shows a word in a tone.
func (f *feedback) say(tone look.Tone, words string) {
	f.line.Text, f.line.Tone, f.line.Hidden, f.wrong.Hidden, f.box.Hidden = words, tone, words == "", true, words == ""
	f.resized()
}

// fail shows what went wrong.
func (f *feedback) fail(n look.Notice) {
	f.wrong.Set(n)
	f.line.Hidden, f.wrong.Hidden, f.box.Hidden = true, false, false
	f.resized()
}
