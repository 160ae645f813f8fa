// Package say holds what the companion says to people, apart from the language
// it is said in. A Text is an English template, which is also the key of its
// translations, with the values that stand in it; a Printer says it in a
// language.
//
// It promises that a Text without a translation is said in English, and that
// numbers, sizes and times are written as the language writes them. It is pure:
// it reads no file and no clock.
package say

import (
	"maps"
	"strings"
)

// Args are the values of a template by name. A string stands as it is; an int,
// int64, mail.ByteSize, time.Duration, Moment, Day, Text and Words are said by
// the Printer.
type Args map[string]any

// Text is one sentence, or a part of one.
type Text struct {
	Key  string // the English template, with {{.Name}} for values
	One  string // English, where the value N is 1; "" for a text without plural
	Args Args
}

// T is a text without values, or with those given later by With.
func T(key string) Text { return Text{Key: key} }

// N is a text with a count, which its templates may name as {{.N}}.
func N(n int, one, many string) Text { return Text{Key: many, One: one, Args: Args{"N": n}} }

// With is the text with one value more.
func (t Text) With(name string, value any) Text {
	args := maps.Clone(t.Args)
	if args == nil {
		args = Args{}
	}
	args[name] = value
	t.Args = args
	return t
}

// IsZero says that there is nothing to say.
func (t Text) IsZero() bool { return t.Key == "" }

// String is the text in English.
func (t Text) String() string { return English.Text(t) }

// Words are sentences after one another.
type Words []Text

// String is the words in English.
func (w Words) String() string { return English.Words(w) }

// fill puts values into a template. What has no value stays as it is written,
// so that a mistake is seen.
func fill(template string, values map[string]string) string {
	if !strings.Contains(template, "{{") {
		return template
	}
	pairs := make([]string, 0, 2*len(values))
	for name, v := range values {
		pairs = append(pairs, "{{."+name+"}}", v)
	}
	return strings.NewReplacer(pairs...).Replace(template)
}
