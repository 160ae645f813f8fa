package notify

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"reflect"
	"strings"
	text "text/template"
	"time"
	"unicode"

	"golang.org/x/text/language"
	"golang.org/x/text/message"

	"servicesmtp.net/companion/internal/money"
	"servicesmtp.net/companion/internal/units"
)

//go:embed templates
var templates embed.FS

// A language is its sentences.
type words struct {
	tag       language.Tag
	sentences *text.Template
}

var (
	english = words{language.English, text.Must(text.New("en.txt").Funcs((&writer{}).funcs()).ParseFS(templates, "templates/en.txt"))}
	layout  = template.Must(template.ParseFS(templates, "templates/layout.html"))
)

// write fills in the texts of a notice.
func (l words) write(n Notice, letter Letter, out *Written) error {
	sentences, err := l.sentences.Clone()
	if err != nil {
		return fmt.Errorf("copy sentences: %w", err)
	}
	w := &writer{printer: message.NewPrinter(l.tag), letter: letter}
	sentences.Funcs(w.funcs())
	kind, facts := n.heading().kind, cleaned(n)
	say := func(name string, value any) string {
		var b bytes.Buffer
		if e := sentences.ExecuteTemplate(&b, name, value); e != nil && err == nil {
			err = fmt.Errorf("write notice: %w", e)
		}
		return b.String()
	}
	subject := line(say(kind+".subject", facts))
	out.Short = line(say(kind+".short", facts))
	out.Subject = subject
	p := page{Language: l.tag.String(), Subject: headline(say("mail.subject", subject)), Blocks: blocks(say(kind+".body", facts)), Footer: line(say("footer", nil))}
	if err != nil {
		return err
	}
	out.Text = p.text()
	var b bytes.Buffer
	if err := layout.Execute(&b, p); err != nil {
		return fmt.Errorf("write notice: %w", err)
	}
	out.HTML = b.String()
	out.mailSubject = p.Subject
	return nil
}

// writer has what sentences call for.
type writer struct {
	printer *message.Printer
	letter  Letter
}

// funcs are the names that a language's file may use.
func (w *writer) funcs() text.FuncMap {
	return text.FuncMap{
		"account": func() string { return line(w.letter.Account) },
		"zone":    func() string { return w.letter.Zone.String() },
		"num":     func(n int64) string { return w.printer.Sprintf("%d", n) },
		"count":   func(all []FailedAddress) int64 { return int64(len(all)) },
		"size":    func(b units.ByteSize) string { return b.String() },
		"money": func(m money.Amount) (string, error) {
			return m.Format(func(n uint64) string { return w.printer.Sprintf("%d", n) })
		},
		"day":      func(t time.Time) string { return t.In(w.letter.Zone).Format("2 January 2006") },
		"last":     func(end time.Time) string { return end.Add(-1).In(w.letter.Zone).Format("2 January 2006") },
		"at":       func(t time.Time) string { return t.In(w.letter.Zone).Format("2 January 2006, 15:04") },
		"percent":  func(n int) int64 { return int64(n) },
		"midnight": func(t time.Time) bool { return t.In(w.letter.Zone).Format("1504") == "0000" },
		"whole":    func(u Use) bool { return wholeMonth(w.letter.Zone, u.Start, u.End) },
		"span":     func(u Use) string { return Span(w.letter.Zone, u.Start, u.End) },
		"weekday": func(day string) (string, error) {
			t, err := time.Parse(time.DateOnly, day)
			return t.Format("Mon 2 Jan"), err
		},
	}
}

// cleaned is a copy of a notice whose strings are lines: whatever they hold,
// they begin no block and part no cell.
func cleaned(n Notice) any {
	v := reflect.New(reflect.TypeOf(n)).Elem()
	v.Set(reflect.ValueOf(n))
	clean(v)
	return v.Interface()
}

func clean(v reflect.Value) {
	switch v.Kind() {
	case reflect.String:
		v.SetString(line(v.String()))
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			return
		}
		for i := range v.NumField() {
			clean(v.Field(i))
		}
	case reflect.Pointer:
		if !v.IsNil() {
			c := reflect.New(v.Type().Elem()) // not the caller's
			c.Elem().Set(v.Elem())
			clean(c.Elem())
			v.Set(c)
		}
	case reflect.Slice:
		if v.Type() == reflect.TypeFor[[]FailedAddress]() {
			return // counted only; the attachment has its own rules
		}
		c := reflect.MakeSlice(v.Type(), v.Len(), v.Len())
		reflect.Copy(c, v)
		for i := range c.Len() {
			clean(c.Index(i))
		}
		v.Set(c)
	}
}

// headline is a line that fits into a subject: no word is too long to be
// folded (RFC 5322 §2.2.3).
func headline(s string) string {
	words := strings.Fields(line(s))
	for i, w := range words {
		if r := []rune(w); len(r) > 50 {
			words[i] = string(r[:49]) + "…"
		}
	}
	s = strings.Join(words, " ")
	if r := []rune(s); len(r) > 200 {
		s = string(r[:199]) + "…"
	}
	return s
}

// longestLine bounds one value from outside.
const longestLine = 2000

// line is s on one line, without what blocks are made of.
func line(s string) string {
	s = strings.ToValidUTF8(s, "?")
	s = strings.Map(func(r rune) rune {
		switch {
		case r == '│' || r == '║':
			return '|'
		case unicode.IsSpace(r):
			return ' '
		case unicode.IsControl(r) || unicode.Is(unicode.Cf, r):
			return '?'
		}
		return r
	}, s)
	s = strings.Join(strings.Fields(s), " ")
	if r := []rune(s); len(r) > longestLine {
		s = string(r[:longestLine])
	}
	return s
}
