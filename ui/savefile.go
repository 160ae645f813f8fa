package ui

import (
	"context"
	"io"
	"path/filepath"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/dialog"
	"fyne.io/fyne/v2/layout"
	"fyne.io/fyne/v2/storage"
	"fyne.io/fyne/v2/widget"

	"servicesmtp.net/companion/app/say"
	"servicesmtp.net/companion/ui/look"
	"servicesmtp.net/companion/ui/viewmodel"
)

// saveSpec is a file that a person wants to have.
type saveSpec[T any] struct {
	title string
	name  string                                            // that is offered; its extension is kept
	write func(ctx context.Context, w io.Writer) (T, error) // off the UI goroutine
	done  func(path string, v T)                            // the file is written
}

// saveFile asks where to write a file, and writes it. Fyne's own dialog empties
// a file of that name before it asks us for anything, and asks in English; this
// one replaces it when the new one is written.
func saveFile[T any](u *UI, s saveSpec[T]) {
	f := newFileForm(u, s.name)
	var answer asker[T]
	answer.work = u.work
	f.store = func(path string) {
		answer.ask(func(ctx context.Context) (v T, err error) {
			err = writeWhole(path, func(w io.Writer) (err error) {
				if v, err = s.write(ctx, w); err == nil {
					err = ctx.Err() // called off
				}
				return err
			})
			return v, err
		}, func(v T, err error) {
			if err != nil {
				f.failed(err)
				return
			}
			u.folder = filepath.Dir(path)
			f.close()
			s.done(path, v)
		})
	}
	f.stop = answer.end
	f.show(s.title)
}

// announce says what was done.
func (u *UI) announce(title, text string) {
	d := dialog.NewCustom(title, u.say.Say("Close"), look.NewText(look.Body, text), u.win)
	d.Resize(dialogSize)
	u.escapes(d, d.Hide)
	d.Show()
}

// fileForm asks for a file's name and its folder.
type fileForm struct {
	ui    *UI
	store func(path string)
	stop  func() // gives up what store does

	extension    string
	name, folder *field
	result       *feedback
	save         *widget.Button
	body, bottom *fyne.Container
	ask          asker[bool]
	dialog       *formDialog // nil before it is shown
}

// newFileForm offers name; an extension that a person leaves out is added.
func newFileForm(u *UI, name string) *fileForm {
	p := u.say
	f := &fileForm{ui: u, extension: filepath.Ext(name), name: newField(p.Say("File name")), folder: newField(p.Say("Folder")), ask: asker[bool]{work: u.work}}
	f.result = newFeedback(f.resized)
	f.name.entry.Text = name
	for _, e := range []*pasteEntry{f.name.entry, f.folder.entry} {
		e.OnSubmitted = func(string) { f.submit() }
	}
	f.save = widget.NewButton(p.Say("Save"), f.submit)
	f.save.Importance = widget.HighImportance
	f.folder.addButton(p.Say("Choose"), f.chooseFolder)
	f.body = look.Vertical(gap()*3/2, f.name.box, f.folder.box, f.result.box)
	f.bottom = container.NewHBox(layout.NewSpacer(), widget.NewButton(p.Say("Cancel"), f.close), f.save)
	return f
}

// show opens the form once it is known where such files usually go.
func (f *fileForm) show(title string) {
	u, known := f.ui, f.ui.folder
	ask(u.work, func(context.Context) (string, error) {
		if known != "" {
			return known, nil
		}
		return usualFolder(), nil
	}, func(folder string, _ error) {
		f.folder.entry.SetText(folder)
		f.dialog = u.showForm(title, f.body, f.bottom, f.close)
		u.win.Canvas().Focus(f.name.entry)
	})
}

func (f *fileForm) resized() {
	f.body.Refresh()
	f.dialog.fit()
}

// close calls off whatever is under way.
func (f *fileForm) close() {
	f.ask.end()
	f.stop()
	f.dialog.Hide()
}

// failed says why there is no file; all that was typed stays.
func (f *fileForm) failed(err error) {
	f.save.Enable()
	f.result.fail(f.ui.wrongNotice(err))
}

// submit writes the file, after a question where there is one of that name.
func (f *fileForm) submit() {
	p := f.ui.say
	name, wrong := viewmodel.FileName(p, f.name.entry.Text, f.extension)
	f.name.setWrong(wrong)
	wrongFolder := viewmodel.CheckFolder(p, f.folder.entry.Text)
	f.folder.setWrong(wrongFolder)
	f.resized()
	if wrong != "" || wrongFolder != "" || f.save.Disabled() {
		return
	}
	path := filepath.Join(f.folder.entry.Text, name)
	f.save.Disable()
	f.ask.ask(func(context.Context) (bool, error) { return there(path), nil }, func(taken bool, _ error) {
		f.save.Enable()
		if !taken {
			f.write(path)
			return
		}
		f.ui.confirm(p.Say("Replace the file?"), p.Text(say.T("There is a file {{.File}} already.").With("File", path)), p.Say("Replace"), func() { f.write(path) })
	})
}

func (f *fileForm) write(path string) {
	f.save.Disable()
	f.result.say(look.Muted, f.ui.say.Say("Saving."))
	f.store(path)
}

// chooseFolder lets a person look for a folder.
func (f *fileForm) chooseFolder() {
	d := dialog.NewFolderOpen(func(folder fyne.ListableURI, err error) {
		switch {
		case err != nil:
			f.ui.wrong(err)
		case folder != nil:
			f.folder.entry.SetText(folder.Path())
		}
	}, f.ui.win)
	if at, err := storage.ListerForURI(storage.NewFileURI(f.folder.entry.Text)); err == nil {
		d.SetLocation(at)
	}
	f.ui.choose(d, f.ui.say.Say("Choose a folder"))
}

// choose shows one of Fyne's dialogs for files and folders, as large as the
// window has room for.
func (u *UI) choose(d *dialog.FileDialog, title string) {
	d.SetTitleText(title)
	d.SetConfirmText(u.say.Say("Choose"))
	d.SetDismissText(u.say.Say("Cancel"))
	d.Show()
	// Only now: in Fyne 2.8.1 it is a nil pointer before.
	d.Resize(fyne.NewSize(760, 520).Min(u.win.Canvas().Size().SubtractWidthHeight(40, 40)))
}
