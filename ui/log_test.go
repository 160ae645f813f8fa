package ui

import (
	"slices"
	"strings"
	"testing"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/test"
	"fyne.io/fyne/v2/widget"

	"servicesmtp.net/companion/app"
	"servicesmtp.net/companion/ui/look"
)

// drawn visits what is to be seen of o. Unlike test.LaidOutObjects it makes no
// second renderer: a widget.List would scroll that one from then on, and not
// the one in sight.
func drawn(o fyne.CanvasObject, visit func(fyne.CanvasObject)) {
	if o == nil || !o.Visible() {
		return
	}
	visit(o)
	switch o := o.(type) {
	case *fyne.Container:
		for _, child := range o.Objects {
			drawn(child, visit)
		}
	case fyne.Widget:
		for _, child := range test.WidgetRenderer(o).Objects() {
			drawn(child, visit)
		}
	}
}

// logView is a log in sight.
type logView struct {
	*logPage
	t *testing.T
	h *household
	d queued
}

func newLogView(t *testing.T) logView {
	t.Helper()
	h := newHousehold()
	u, d := listUI(t, h, oneAccount)
	v := logView{logPage: newLogPage(u), t: t, h: h, d: d}
	enterPage(u, v.logPage)
	return v
}

func (v logView) says(words string) bool {
	found := false
	drawn(v.page, func(o fyne.CanvasObject) {
		if text, ok := o.(*look.Text); ok && strings.Contains(text.Text, words) {
			found = true
		}
	})
	return found
}

func (v logView) tap(words string) {
	v.t.Helper()
	var found *widget.Button
	drawn(v.page, func(o fyne.CanvasObject) {
		if b, ok := o.(*widget.Button); ok && b.Text == words {
			found = b
		}
	})
	if found == nil {
		v.t.Fatalf("there is no button %q", words)
	}
	test.Tap(found)
}

// write makes the log end with lines, and waits until they were read.
func (v logView) write(lines []app.LogLine) {
	v.h.mu.Lock()
	v.h.log = lines
	v.h.mu.Unlock()
	v.ask()
	v.d.until(func() bool { return slices.Equal(v.all, lines) })
}

// manyLines are more than the window shows: a warning, information, and the
// text given as the last.
func manyLines(last string) []app.LogLine {
	at := time.Date(2026, 11, 25, 9, 0, 0, 0, time.UTC)
	lines := make([]app.LogLine, logLines)
	for i := range lines {
		lines[i] = app.LogLine{At: at, Level: "INFO", Text: "batch sent rcpt_count=50"}
	}
	lines[0].Level, lines[len(lines)-1].Text = "WARN", last
	return lines
}

func TestLogFollowsItsEnd(t *testing.T) {
	v := newLogView(t)
	v.d.until(func() bool { return v.read })
	if !v.says("The log is empty.") {
		t.Error("an empty log does not say so")
	}
	v.write(manyLines("first end"))
	if !v.says("first end") || v.says("The log is empty.") {
		t.Error("the end of the log is not in sight")
	}
	v.list.ScrollToTop()
	v.write(manyLines("second end"))
	if v.says("second end") || v.list.GetScrollOffset() != 0 {
		t.Error("the list goes to its end although a person has scrolled away")
	}
	v.list.ScrollToBottom()
	v.write(manyLines("third end"))
	if !v.says("third end") {
		t.Error("the list does not follow its end")
	}
}

func TestLogFilterCopyAndDetail(t *testing.T) {
	v := newLogView(t)
	lines := manyLines("end")
	lines[0].Text = "relay did not answer"
	v.write(lines)
	v.filter.SetSelectedIndex(1)
	v.tap("Copy all")
	if got, want := v.ui.cfg.App.Clipboard().Content(), "2026-11-25T09:00:00Z WARN relay did not answer\n"; got != want {
		t.Errorf("copied %.200q, want %q", got, want)
	}
	v.list.Select(0)
	if !v.card.Visible() || v.detail.Text != "relay did not answer" {
		t.Error("the whole line is not shown")
	}
	v.write(lines[1:])
	if !v.says("There are no warnings and no errors.") {
		t.Error("a log without trouble does not say so")
	}
}

func TestLogThatCannotBeRead(t *testing.T) {
	v := newLogView(t)
	v.write(manyLines("end"))
	v.h.mu.Lock()
	v.h.logErr = &app.UserError{Sentence: "There is no log file."}
	v.h.mu.Unlock()
	v.ask()
	v.d.until(func() bool { return !v.read })
	if !v.says("There is no log file.") || v.says("end") {
		t.Error("the error is not said")
	}
	v.h.mu.Lock()
	v.h.logErr = nil
	v.h.mu.Unlock()
	v.ask()
	v.d.until(func() bool { return v.read })
	if !v.says("end") {
		t.Error("the log does not come back")
	}
}

func TestLogIsNotFollowedOutOfSight(t *testing.T) {
	v := newLogView(t)
	v.d.until(func() bool { return v.read })
	v.leave()
	v.ui.work.all.Wait() // for ever, if the log were still followed
	if v.end != nil || v.asked {
		t.Error("the log is followed out of sight")
	}
	v.enter()
	v.d.until(func() bool { return v.asked })
	v.leave()
}
