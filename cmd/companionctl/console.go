package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/term"

	"servicesmtp.net/companion/app"
)

// console is where a command reads and writes. Tests make their own.
type console struct {
	in       io.Reader
	out, err io.Writer
	moves    bool                   // out is a terminal: lines may be written over
	colour   bool                   // and may be coloured
	asks     bool                   // somebody is there to answer
	width    func() int             // of the terminal, in characters
	secretly func() (string, error) // reads a line without showing it
	now      func() time.Time       // its zone is the one that people see
}

func system() *console {
	out, in := int(os.Stdout.Fd()), int(os.Stdin.Fd())
	terminal := term.IsTerminal(out) && os.Getenv("TERM") != "dumb"
	return &console{
		in: os.Stdin, out: os.Stdout, err: os.Stderr,
		moves:  terminal,
		colour: terminal && os.Getenv("NO_COLOR") == "", // no-color.org
		asks:   term.IsTerminal(in) && term.IsTerminal(int(os.Stderr.Fd())),
		width: func() int {
			w, _, err := term.GetSize(out)
			if err != nil || w < 20 {
				return 80
			}
			return w
		},
		secretly: func() (string, error) {
			b, err := term.ReadPassword(in)
			return string(b), err
		},
		now: time.Now,
	}
}

// json prints one value on one line.
func (c *console) json(v any) error {
	e := json.NewEncoder(c.out)
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

// line prints a line for people.
func (c *console) line(format string, args ...any) { fmt.Fprintf(c.out, format+"\n", args...) }

// confirm asks a question that only "y" or "yes" answers with yes. Where
// nobody can answer, yes must have been given as a flag.
func (c *console) confirm(question string) error {
	if !c.asks {
		return usageError("nobody is there to confirm this: add --yes")
	}
	fmt.Fprintf(c.err, "%s [y/N] ", question)
	answer, err := bufio.NewReader(c.in).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("read answer: %w", err)
	}
	switch strings.ToLower(strings.TrimSpace(answer)) {
	case "y", "yes":
		return nil
	}
	return &app.UserError{Sentence: "Nothing was changed."}
}

// password asks for one.
func (c *console) password(prompt string) (string, error) {
	fmt.Fprint(c.err, prompt)
	p, err := c.secretly()
	fmt.Fprintln(c.err)
	if err != nil {
		return "", fmt.Errorf("read password: %w", err)
	}
	return strings.TrimSpace(p), nil
}

// paint colours a mood's word. The word says the same without colour.
func (c *console) paint(mood app.Mood, text string) string {
	if !c.colour {
		return text
	}
	code := map[app.Mood]string{app.MoodAttention: "1;31", app.MoodWaiting: "33", app.MoodPaused: "33", app.MoodSending: "32"}[mood]
	if code == "" {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

// clean makes foreign text (addresses, replies of servers) harmless for a
// terminal: no control characters, nothing that turns the writing direction.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return r
		case r == '\r':
			return ' '
		case unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || r == utf8.RuneError:
			return '?'
		}
		return r
	}, s)
}

// oneLine is clean text without line ends.
func oneLine(s string) string { return strings.Join(strings.Fields(clean(s)), " ") }

// shorten cuts text to n characters and shows that it did.
func shorten(s string, n int) string {
	if utf8.RuneCountInString(s) <= n {
		return s
	}
	return string([]rune(s)[:max(n-1, 0)]) + "…"
}

// table is aligned text. Columns whose head begins with ">" are numbers.
type table struct {
	head []string
	rows [][]string
}

func (t *table) add(cells ...string) {
	for i, c := range cells {
		cells[i] = oneLine(c)
	}
	t.rows = append(t.rows, cells)
}

func (t *table) print(w io.Writer) {
	head := make([]string, len(t.head))
	widths := make([]int, len(t.head))
	for i, h := range t.head {
		head[i] = strings.TrimPrefix(h, ">")
		widths[i] = utf8.RuneCountInString(head[i])
		for _, row := range t.rows {
			widths[i] = max(widths[i], utf8.RuneCountInString(row[i]))
		}
	}
	for _, row := range append([][]string{head}, t.rows...) {
		var b strings.Builder
		for i, cell := range row {
			pad := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell))
			if strings.HasPrefix(t.head[i], ">") {
				b.WriteString(pad + cell)
			} else {
				b.WriteString(cell + pad)
			}
			b.WriteString("  ")
		}
		fmt.Fprintln(w, strings.TrimRight(b.String(), " "))
	}
}
