//go:build linux

package hosttest

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// Page is what a person reads in a window: its words, line by line.
type Page []Line

// Line is words beside each other, from left to right.
type Line []Word

// Word is a word with its place on the screen, in pixels.
type Word struct {
	Text                string
	X, Y, Width, Height int
}

// Read reads a window with tesseract (package tesseract-ocr), which errs now
// and then: look for what is wanted with [Page.Find].
func (d *Display) Read(w Window) Page {
	d.t.Helper()
	dir, err := os.MkdirTemp("", "reading")
	if err != nil {
		d.t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	const scale = 3 // tesseract wants letters of 30 pixels
	file := filepath.Join(dir, "window.png")
	err = d.picture(w, file)
	if err == nil {
		_, err = run(nil, program(d.t, "mogrify", "imagemagick"), "-filter", "Mitchell", "-resize", fmt.Sprintf("%d%%", scale*100), "-normalize", file)
	}
	if err != nil {
		d.t.Logf("picture of the window: %v", err) // it may be on its way: look again
		return nil
	}
	x, y, _, _ := d.Geometry(w)
	// One way to read finds scattered words, the other columns: turn by turn.
	way := []string{"11", "3"}[d.reads%2]
	d.reads++
	out, err := run([]string{"OMP_THREAD_LIMIT=1"}, program(d.t, "tesseract", "tesseract-ocr"), file, "-", "--psm", way, "--dpi", "300", "tsv")
	if err != nil {
		d.t.Logf("tesseract: %v", err)
	}
	return lines(words(out, x, y, scale))
}

func (d *Display) picture(w Window, file string) error {
	if _, err := run(d.Env(), program(d.t, "import", "imagemagick"), "-window", string(w), file); err != nil {
		return err
	}
	return plainButtons(file)
}

// words reads tesseract's table: level page block paragraph line word left top
// width height confidence text.
func words(table string, x, y, scale int) []Word {
	var list []Word
	for row := range strings.Lines(table) {
		f := strings.Split(strings.TrimRight(row, "\n"), "\t")
		if len(f) < 12 || f[0] != "5" || clean(f[11]) == "" {
			continue
		}
		var n [4]int
		for i := range n {
			n[i], _ = strconv.Atoi(f[6+i]) // the program's own numbers
		}
		list = append(list, Word{Text: f[11], X: x + n[0]/scale, Y: y + n[1]/scale, Width: n[2] / scale, Height: n[3] / scale})
	}
	return list
}

// lines joins words that follow each other at one height. What stands further
// away, as in another column, is a line of its own.
func lines(list []Word) Page {
	slices.SortFunc(list, func(a, b Word) int { return a.X - b.X })
	var page Page
	for _, w := range list {
		i := slices.IndexFunc(page, func(l Line) bool { return follows(l[len(l)-1], w) })
		if i < 0 {
			page = append(page, Line{w})
			continue
		}
		page[i] = append(page[i], w)
	}
	slices.SortStableFunc(page, func(a, b Line) int { return a[0].Y - b[0].Y })
	return page
}

func follows(before, w Word) bool {
	apart := before.Y + before.Height/2 - w.Y - w.Height/2
	gap := w.X - before.X - before.Width
	return apart <= 6 && apart >= -6 && gap < 20 && gap > -10
}

// clean leaves letters and digits, and makes one of those that look alike.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		switch r = unicode.ToLower(r); {
		case strings.ContainsRune("il1|!íì", r):
			return 'l'
		case r == '0':
			return 'o'
		case unicode.IsLetter(r) || unicode.IsDigit(r):
			return r
		}
		return -1
	}, s)
}

// Find looks for a text, whatever its blanks, case and marks, and returns the
// place of the first line that is it, else of the first that contains it.
func (p Page) Find(text string) (Word, bool) {
	wanted := clean(text)
	for _, whole := range []bool{true, false} {
		for _, l := range p {
			if w, ok := l.find(wanted, whole); ok {
				return w, true
			}
		}
	}
	return Word{}, false
}

// find looks for a clean text in a line, or for a line that is the text.
func (l Line) find(wanted string, whole bool) (Word, bool) {
	var all strings.Builder
	var starts []int
	for _, w := range l {
		starts = append(starts, all.Len())
		all.WriteString(clean(w.Text))
	}
	at := strings.Index(all.String(), wanted)
	if at < 0 || whole && all.String() != wanted {
		return Word{}, false
	}
	a, b := l[holding(starts, at)], l[holding(starts, at+len(wanted)-1)]
	return Word{X: a.X, Y: a.Y, Width: b.X + b.Width - a.X, Height: a.Height}, true
}

// holding is the index of the word that holds an offset.
func holding(starts []int, at int) int {
	i, found := slices.BinarySearch(starts, at)
	if !found {
		i--
	}
	return i
}

// String is the page as text.
func (p Page) String() string {
	var b strings.Builder
	for _, l := range p {
		for _, w := range l {
			b.WriteString(w.Text + " ")
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// See waits until the window shows all the texts, and returns what it shows, as
// read once or twice.
func (d *Display) See(w Window, texts ...string) Page {
	d.t.Helper()
	var before, page Page
	missing := ""
	if !eventually(func() bool {
		now := d.Read(w)
		page, before = append(now, before...), now
		i := slices.IndexFunc(texts, func(text string) bool { _, ok := page.Find(text); return !ok })
		if i < 0 {
			return true
		}
		missing = texts[i]
		return false
	}) {
		d.t.Fatalf("the window does not say %q; it says:\n%s", missing, page)
	}
	return page
}

// ClickText waits until the window shows a text and clicks in its middle.
func (d *Display) ClickText(w Window, text string) {
	d.t.Helper()
	at, _ := d.See(w, text).Find(text)
	d.Click(at.X+at.Width/2, at.Y+at.Height/2)
}
