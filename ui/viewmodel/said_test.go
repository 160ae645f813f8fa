package viewmodel

import (
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode"

	"golang.org/x/text/language"

	"servicesmtp.net/companion/app"
	"servicesmtp.net/companion/app/mail"
	"servicesmtp.net/companion/app/say"
)

var nine = time.Date(2026, 11, 25, 9, 0, 0, 0, time.UTC)

func at(d time.Duration) *time.Time { t := nine.Add(d); return &t }

// marked is a printer that marks what was said through it, so that a word that
// went past translation is seen.
var marked = say.New(language.Italian, func(t say.Text, n int, values map[string]string) string {
	template := t.Key
	if t.One != "" && n == 1 {
		template = t.One
	}
	for name, v := range values {
		template = strings.ReplaceAll(template, "{{."+name+"}}", v)
	}
	return "‹" + template + "›"
})

// shown lists every text in a value, however deep, with where it stands.
func shown(v any) map[string]string {
	out := map[string]string{}
	var walk func(path string, v reflect.Value)
	walk = func(path string, v reflect.Value) {
		switch v.Kind() {
		case reflect.String:
			out[path] = v.String()
		case reflect.Struct:
			for i := range v.NumField() {
				walk(path+"."+v.Type().Field(i).Name, v.Field(i))
			}
		case reflect.Slice:
			for i := range v.Len() {
				walk(path+"[]", v.Index(i))
				if s, ok := out[path+"[]"]; ok {
					out[path+"[]"+s] = s
				}
			}
		case reflect.Pointer, reflect.Interface:
			if !v.IsNil() {
				walk(path, v.Elem())
			}
		}
	}
	walk("", reflect.ValueOf(v))
	return out
}

// checkSaid fails where a template was not filled in, where words are not
// those of the language, or where words were put together outside of one.
// raw are ends of paths that hold what others wrote.
func checkSaid(t *testing.T, v any, raw ...string) {
	t.Helper()
	for path, text := range shown(v) {
		if strings.Contains(text, "{{") || strings.Contains(text, "%!") {
			t.Errorf("%s: %q is not filled in", path, text)
		}
		isRaw := false
		for _, r := range raw {
			isRaw = isRaw || strings.HasSuffix(path, r)
		}
		if isRaw || !strings.ContainsFunc(text, unicode.IsLetter) {
			continue
		}
		outside, depth := "", 0
		for _, r := range text {
			switch {
			case r == '‹':
				depth++
			case r == '›':
				depth--
			case depth == 0 && unicode.IsLetter(r):
				outside += string(r)
			}
		}
		if outside != "" {
			t.Errorf("%s: %q has words that nobody can translate: %q", path, text, outside)
		}
	}
}

func said(sentence, action string) app.Said {
	s := app.Said{Sentence: say.Words{say.T(sentence)}}
	if action != "" {
		s.Action = say.Words{say.T(action)}
	}
	return s
}

// account is one at a mood, with words as the engine gives them.
func account(name string, mood app.Mood, hold mail.HoldReason, sentence string) app.AccountState {
	a := app.AccountState{Name: name, Mood: mood, Sentence: sentence, Said: said(sentence, "Do it.")}
	if hold != mail.NotHeld {
		a.Hold = &app.HoldState{Reason: hold, Since: nine}
	}
	return a
}

// state is a State of a mood with these accounts; the first of that mood
// speaks.
func state(mood app.Mood, accounts ...app.AccountState) app.State {
	s := app.State{Seq: 1, At: nine, Mood: mood, Accounts: accounts, Spool: app.SpoolState{OK: true}}
	s.Said = said("Ready. Nothing waits to be sent.", "")
	for _, a := range accounts {
		if a.Mood == mood && mood != app.MoodIdle {
			s.Said, s.Do = a.Said, a.Do
			break
		}
	}
	return s
}

func newsletterJob(id string, recipients, queued int) app.JobState {
	return app.JobState{
		ID: mail.JobID(id), Account: "office", Lane: "bulk", From: "news@example.com", Recipients: recipients, State: "sending",
		Counts: app.Counts{Queued: queued, Accepted: recipients - queued},
	}
}
