package ui

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"testing"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/test"
	"fyne.io/fyne/v2/widget"

	"servicesmtp.net/companion/app"
	"servicesmtp.net/companion/app/say"
	"servicesmtp.net/companion/ui/look"
	"servicesmtp.net/companion/ui/viewmodel"
)

// bareDesktop notes what is asked of it.
type bareDesktop struct{ said *[]string }

func (d bareDesktop) WatchTray(ctx context.Context) <-chan bool {
	c := make(chan bool)
	context.AfterFunc(ctx, func() { close(c) })
	return c
}
func (d bareDesktop) Notify(context.Context, Note) error { return nil }
func (d bareDesktop) Withdraw(context.Context, string)   {}
func (d bareDesktop) PanelDark() bool                    { return true }
func (d bareDesktop) Autostart() (bool, error)           { return false, nil }
func (d bareDesktop) SetAutostart(bool) error            { return nil }
func (d bareDesktop) Minimise(fyne.Window)               { *d.said = append(*d.said, "minimise") }
func (d bareDesktop) Minimised(fyne.Window) bool {
	return len(*d.said) > 0 && (*d.said)[len(*d.said)-1] == "minimise"
}
func (d bareDesktop) Restore(fyne.Window) { *d.said = append(*d.said, "restore") }

// newWindow is a window of a companion that starts, and what it said: to the
// desktop, and when it rests.
func newWindow(t *testing.T, hidden bool) (*UI, *[]string) {
	t.Helper()
	said := &[]string{}
	u := New(Config{
		App: test.NewTempApp(t), Dispatch: &atOnce{}, Desktop: bareDesktop{said}, Log: slog.New(slog.DiscardHandler),
		Window: app.WindowPreferences{Language: "en", Theme: look.ChoiceSystem},
		Rest:   func(yes bool) { *said = append(*said, fmt.Sprint("rest ", yes)) },
	})
	u.Start(hidden)
	t.Cleanup(u.Stop)
	return u, said
}

func TestWhatNobodySeesRests(t *testing.T) {
	u, said := newWindow(t, true)
	want := func(step string, words ...string) {
		t.Helper()
		if !slices.Equal(*said, words) {
			t.Errorf("%s: got %q, want %q", step, *said, words)
		}
		*said = nil
	}
	want("hidden start", "rest true")
	u.trayChanged(true)
	want("a tray")
	u.Raise()
	want("raised", "restore", "rest false")
	u.closeAsked()
	want("closed into the tray", "rest true")
	u.keyboard()
	want("nobody asked for it", "rest true")
	u.trayChanged(false)
	want("the tray is gone", "restore", "rest false")
	u.lookAway()
	want("only the keyboard is elsewhere")
	u.closeAsked()
	u.lookAway()
	want("closed without a tray", "minimise", "rest true")
	u.keyboard()
	want("out of the task bar", "rest false")
	u.Raise()
	want("raised", "restore", "rest false")
}

// A bar that nobody sees any more made Fyne draw the window anew 60 times a
// second, for good.
func TestTheBarEndsWithTheStart(t *testing.T) {
	u, _ := newWindow(t, false)
	var bar *widget.ProgressBarInfinite
	drawn(u.win.Content(), func(o fyne.CanvasObject) {
		if b, ok := o.(*widget.ProgressBarInfinite); ok {
			bar = b
		}
	})
	if bar == nil || !bar.Running() {
		t.Fatalf("at the start: got bar %v, want one that runs", bar)
	}
	u.Fail(Failure{})
	if bar.Running() {
		t.Error("the bar runs on")
	}
}

// An engine that has ended is asked nothing any more, whoever still offers it.
func TestNothingAsksAnEngineThatHasEnded(t *testing.T) {
	u, _ := newWindow(t, false)
	u.engine = newHousehold()
	u.confirm("Take back?", "", "Take back", func() { t.Error("a question to an engine that has ended") })
	u.Fail(Failure{Said: app.Said{Sentence: say.Words{say.T("The disk is full.")}}})
	if u.win.Canvas().Overlays().Top() != nil {
		t.Error("the question is still open")
	}
	if got := viewmodel.NewTray(u.say, u.state); got.State != viewmodel.TrayAttention || got.Items[0].Label != "The disk is full." {
		t.Errorf("the tray says %q, %q", got.State, got.Items[0].Label)
	}
	for _, d := range []app.Deed{app.DeedPassword, app.DeedResume, app.DeedRetry, app.DeedQueue} {
		u.do(d, "home")
	}
	u.show(app.State{Mood: app.MoodIdle}) // its last word
	if u.state.Mood != app.MoodAttention {
		t.Errorf("got the mood %q, want attention", u.state.Mood)
	}
}

// Esc calls off the question in front, and only that.
func TestEscCallsOff(t *testing.T) {
	u, _ := newWindow(t, false)
	u.engine = newHousehold()
	esc := &fyne.KeyEvent{Name: fyne.KeyEscape}
	open := func() int { return len(u.win.Canvas().Overlays().List()) }
	u.accountDialog("Add an account", newAccountForm(u, viewmodel.AccountForm{}, func(string, bool) {}))
	u.confirm("Sure?", "", "Do it", func() { t.Error("done, although it was called off") })
	if open() != 2 {
		t.Fatalf("%d questions are open, want 2", open())
	}
	u.win.Canvas().OnTypedKey()(esc)
	if open() != 1 {
		t.Errorf("%d questions are open after Esc, want 1", open())
	}
	u.win.Canvas().Focused().TypedKey(esc) // the form's first field
	if open() != 0 {
		t.Errorf("%d questions are open after Esc in a field, want none", open())
	}
	u.win.Canvas().OnTypedKey()(esc)
}
