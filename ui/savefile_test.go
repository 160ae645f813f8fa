package ui

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/test"

	"servicesmtp.net/companion/app"
)

// folderHolds reads the only file in a folder.
func folderHolds(t *testing.T, folder, name string) string {
	t.Helper()
	entries, err := os.ReadDir(folder)
	if err != nil || len(entries) != 1 || entries[0].Name() != name {
		t.Errorf("the folder holds %v, %v, want only %s", entries, err, name)
	}
	text, err := os.ReadFile(filepath.Join(folder, name))
	if err != nil {
		t.Error(err)
	}
	return string(text)
}

func TestWriteWholeOrNotAtAll(t *testing.T) {
	full := errors.New("no space")
	for _, c := range []struct {
		name  string
		write func(io.Writer) error
		holds string
		said  string
	}{
		{"all is well", func(w io.Writer) error { _, err := io.WriteString(w, "new"); return err }, "new", ""},
		{"the disk is full half way", func(w io.Writer) error {
			_, err := io.WriteString(w, "ne")
			return errors.Join(err, full)
		}, "old", "The file could not be written."},
		{"there is nothing to write", func(io.Writer) error { return errWords }, "old", "The disk is full."},
	} {
		folder := t.TempDir()
		path := filepath.Join(folder, "list.csv")
		if err := os.WriteFile(path, []byte("old"), 0o600); err != nil {
			t.Fatal(err)
		}
		said := ""
		if words, ok := app.Words(writeWhole(path, c.write)); ok {
			said = words.Sentence.String()
		}
		if got := folderHolds(t, folder, "list.csv"); got != c.holds || said != c.said {
			t.Errorf("%s: the file holds %q, and it is said %q; want %q, %q", c.name, got, said, c.holds, c.said)
		}
	}
	if err := writeWhole(filepath.Join(t.TempDir(), "gone", "list.csv"), func(io.Writer) error { return nil }); err == nil {
		t.Error("a file was written in a folder that is not there")
	}
}

// form is the question for a file's name, in sight.
func form(t *testing.T, u *UI, d queued, tap string, folder string) {
	t.Helper()
	u.folder = folder
	test.Tap(button(t, u, tap))
	d.until(func() bool { return u.win.Canvas().Overlays().Top() != nil })
}

func TestErrorsAreSaved(t *testing.T) {
	l := &lists{errors: []app.AddressError{{Address: "ada@x.example", Code: "550", Reason: "Gone."}, {Address: "bob@y.example", Reason: "Gone."}}}
	u, d := listUI(t, l, oneAccount)
	p := newErrorsPage(u)
	enterPage(u, p)
	d.until(func() bool { n, _ := p.rows.Total(); return n == 2 })
	test.Type(p.bar.search, "x.example")
	p.bar.search.OnSubmitted("")
	d.until(func() bool { n, _ := p.rows.Total(); return n == 1 })

	folder := t.TempDir()
	save := func(name string) {
		t.Helper()
		form(t, u, d, "Save as CSV", folder)
		drawn(u.win.Canvas().Overlays().Top(), func(o fyne.CanvasObject) {
			if e, ok := o.(*pasteEntry); ok && strings.HasSuffix(e.Text, ".csv") {
				e.SetText(name)
			}
		})
	}
	save("")
	test.Tap(button(t, u, "Save"))
	if !says(u, "Enter a name for the file.") {
		t.Error("a file without a name is saved")
	}
	test.Tap(button(t, u, "Cancel"))

	save("list")
	test.Tap(button(t, u, "Save"))
	d.until(func() bool { return says(u, "1 error is now in") })
	if got := folderHolds(t, folder, "list.csv"); !strings.Contains(got, "ada@x.example") || strings.Contains(got, "bob") {
		t.Errorf("the file holds %q", got)
	}
	test.Tap(button(t, u, "Close"))

	l.mu.Lock()
	l.errors[0].Address = "eve@x.example"
	l.mu.Unlock()
	save("list")
	test.Tap(button(t, u, "Save"))
	d.until(func() bool { return says(u, "There is a file") })
	test.Tap(button(t, u, "Cancel"))
	if got := folderHolds(t, folder, "list.csv"); !strings.Contains(got, "ada@x.example") {
		t.Error("a file is replaced without a yes")
	}
	test.Tap(button(t, u, "Save"))
	d.until(func() bool { return says(u, "There is a file") })
	test.Tap(button(t, u, "Replace"))
	d.until(func() bool { return says(u, "1 error is now in") })
	if got := folderHolds(t, folder, "list.csv"); !strings.Contains(got, "eve@x.example") {
		t.Errorf("the file holds %q after it was replaced", got)
	}
}

func TestAFileThatCannotBeWrittenIsAskedForAgain(t *testing.T) {
	l := &lists{errors: []app.AddressError{{Address: "ada@x.example", Reason: "Gone."}}}
	u, d := listUI(t, l, oneAccount)
	p := newErrorsPage(u)
	enterPage(u, p)
	d.until(func() bool { return !p.export.Disabled() })
	form(t, u, d, "Save as CSV", filepath.Join(t.TempDir(), "gone"))
	test.Tap(button(t, u, "Save"))
	d.until(func() bool { return says(u, "The file could not be written.") })
	if button(t, u, "Save").Disabled() {
		t.Error("no other folder can be tried")
	}
	before := len(u.win.Canvas().Overlays().List())
	test.Tap(button(t, u, "Choose"))
	if got := len(u.win.Canvas().Overlays().List()); got != before+1 {
		t.Errorf("%d windows above each other, want %d: one to look for a folder", got, before+1)
	}
}
