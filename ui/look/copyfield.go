package look

import (
	"strings"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"
)

// CopyWords are the words of a CopyField.
type CopyWords struct {
	Copy, Copied string
	Show, Hide   string // of a masked value
}

// CopyField shows a value to be used elsewhere, with a button that copies it.
// A masked one hides the value, and how long it is, until it is asked for.
type CopyField struct {
	widget.BaseWidget

	words    CopyWords
	value    string
	masked   bool
	revealed bool

	label        *Text
	shown        *Text
	copy, reveal *widget.Button
	// after calls its function once, on the goroutine of the user interface,
	// when the time has passed. A field, because a test has no time to lose.
	after func(time.Duration, func())
}

// copiedFor is how long the button says that it has copied.
const copiedFor = 2 * time.Second

// mask stands for a hidden value, whatever its length.
var mask = strings.Repeat("•", 8)

// NewCopyField returns a field that shows its value.
func NewCopyField(label, value string, words CopyWords) *CopyField {
	return newCopyField(label, value, words, false)
}

// NewSecretField returns a field that hides its value until asked.
func NewSecretField(label, value string, words CopyWords) *CopyField {
	return newCopyField(label, value, words, true)
}

func newCopyField(label, value string, words CopyWords, masked bool) *CopyField {
	f := &CopyField{words: words, value: value, masked: masked, after: after, label: NewLine(Caption, label), shown: NewLine(Code, "")}
	f.label.Hidden = label == ""
	f.copy = widget.NewButtonWithIcon(words.Copy, Icon("copy"), f.copyValue)
	f.reveal = widget.NewButtonWithIcon(words.Show, Icon("eye"), func() {
		f.revealed = !f.revealed
		f.update()
		f.Refresh()
	})
	f.copy.Importance, f.reveal.Importance = widget.LowImportance, widget.LowImportance
	f.reveal.Hidden = !masked
	f.update()
	f.ExtendBaseWidget(f)
	return f
}

// SetValue replaces the value and hides it again.
func (f *CopyField) SetValue(value string) {
	if value == f.value {
		return
	}
	f.value, f.revealed = value, false
	f.update()
	f.Refresh()
}

func (f *CopyField) update() {
	f.shown.Text = f.value
	f.reveal.Text, f.reveal.Icon = f.words.Hide, Icon("eye-off")
	if f.masked && !f.revealed {
		f.shown.Text = mask
		f.reveal.Text, f.reveal.Icon = f.words.Show, Icon("eye")
	}
	f.copy.Hidden = f.value == ""
	f.reveal.Hidden = !f.masked || f.value == ""
	if f.value == "" {
		f.shown.Text = ""
	}
}

func (f *CopyField) copyValue() {
	fyne.CurrentApp().Clipboard().SetContent(f.value)
	f.say(f.words.Copied, "check")
	f.after(copiedFor, func() { f.say(f.words.Copy, "copy") })
}

func (f *CopyField) say(words, icon string) {
	f.copy.Text, f.copy.Icon = words, Icon(icon)
	f.copy.Refresh()
	f.Refresh()
}

// after waits without a goroutine of ours: Fyne ends an animation on the
// goroutine of the user interface.
func after(d time.Duration, then func()) {
	fyne.NewAnimation(d, func(done float32) {
		if done >= 1 {
			then()
		}
	}).Start()
}

// CreateRenderer is called by Fyne.
func (f *CopyField) CreateRenderer() fyne.WidgetRenderer {
	f.ExtendBaseWidget(f)
	gap := theme.SizeForWidget(SizeNameGap, f)
	line := newInset(Horizontal(gap/2, 0, f.shown, f.reveal, f.copy))
	return newPanel(f, Vertical(gap/2, f.label, line), func() surface { return surface{} })
}

// inset is the ground of something that looks like an entry, but is not.
type inset struct {
	widget.BaseWidget
	content fyne.CanvasObject
}

func newInset(content fyne.CanvasObject) *inset {
	i := &inset{content: content}
	i.ExtendBaseWidget(i)
	return i
}

func (i *inset) CreateRenderer() fyne.WidgetRenderer {
	return newPanel(i, i.content, func() surface {
		gap := theme.SizeForWidget(SizeNameGap, i)
		return surface{fill: theme.ColorNameBackground, border: ColorNameBorder, radius: theme.SizeForWidget(theme.SizeNameInputRadius, i),
			inset: fyne.NewSize(gap+gap/2, 1)}
	})
}
