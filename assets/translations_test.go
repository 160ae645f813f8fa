package assets

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"text/template"

	"fyne.io/fyne/v2/lang"
)

var update = flag.Bool("update", false, "write translations/en.json from the source, and print what other languages lack")

// catalogue is one language: by key, the sentence of each plural form.
type catalogue map[string]map[string]string

func readCatalogue(t *testing.T, text []byte) catalogue {
	t.Helper()
	var raw map[string]any
	if err := json.Unmarshal(text, &raw); err != nil {
		t.Fatal(err)
	}
	c := catalogue{}
	for key, v := range raw {
		c[key] = map[string]string{}
		switch v := v.(type) {
		case string:
			c[key]["other"] = v
		case map[string]any:
			for form, s := range v {
				c[key][form] = fmt.Sprint(s)
			}
		}
	}
	return c
}

// reserved words of the format are keys only as objects.
var reserved = strings.Fields("id description hash leftdelim rightdelim zero one two few many other translation")

func (c catalogue) write(t *testing.T, file string) {
	t.Helper()
	out := map[string]any{}
	for key, forms := range c {
		out[key] = forms
		if other, ok := forms["other"]; ok && len(forms) == 1 && !slices.Contains(reserved, strings.ToLower(key)) {
			out[key] = other
		}
	}
	var text bytes.Buffer
	e := json.NewEncoder(&text)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(out); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, text.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}

// source is the catalogue that English must be: our texts and Fyne's own.
func sourceCatalogue(t *testing.T) (catalogue, *keys) {
	t.Helper()
	k, err := collect("..")
	if err != nil {
		t.Fatal(err)
	}
	c := catalogue{}
	for key, e := range k.entries {
		c[key] = map[string]string{"other": e.text}
		if e.one != "" {
			c[key]["one"] = e.one
		}
	}
	dir, err := exec.Command("go", "list", "-f", "{{.Dir}}", langPath).Output()
	if err != nil {
		t.Fatalf("find Fyne's own texts: %v", err)
	}
	own, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(dir)), "translations", "base.en.json"))
	if err != nil {
		t.Fatal(err)
	}
	for key, forms := range readCatalogue(t, own) {
		if mine, ok := c[key]; ok && !maps.Equal(mine, forms) {
			k.problems = append(k.problems, fmt.Sprintf("%q is a text of Fyne's with other words: %q", key, forms))
		}
		c[key] = forms
	}
	return c, k
}

var placeholder = regexp.MustCompile(`\{\{\.[A-Z][A-Za-z]*\}\}`)

// values are the placeholders of a template, once each.
func values(template string) []string {
	found := placeholder.FindAllString(template, -1)
	slices.Sort(found)
	return slices.Compact(found)
}

func TestEveryTextIsTranslated(t *testing.T) {
	want, k := sourceCatalogue(t)
	for _, p := range k.problems {
		t.Error(p)
	}
	if *update {
		want.write(t, "translations/en.json")
		for _, language := range Languages() {
			if language == "en" {
				continue
			}
			c := readCatalogue(t, Translation(language))
			c.write(t, "translations/"+language+".json") // sorted
			for _, key := range slices.Sorted(maps.Keys(want)) {
				if c[key] == nil {
					fmt.Printf("%s lacks %s\n", language, k.shown(key))
				}
			}
		}
		t.Skip("translations were written; run again without -update")
	}
	english := readCatalogue(t, Translation("en"))
	for _, key := range slices.Sorted(maps.Keys(want)) {
		if english[key] != nil && !maps.Equal(english[key], want[key]) {
			t.Errorf("en: %q says %q, the source says %q", key, english[key], want[key])
		}
	}
	for _, language := range Languages() {
		c := readCatalogue(t, Translation(language))
		for _, key := range slices.Sorted(maps.Keys(want)) {
			if c[key] == nil {
				t.Errorf("%s lacks %s", language, k.shown(key))
				continue
			}
			checkForms(t, language, key, c[key], want[key])
		}
		for _, key := range slices.Sorted(maps.Keys(c)) {
			if want[key] == nil {
				t.Errorf("%s: nothing says %q any more", language, key)
			}
		}
	}
}

// shown is a key with where it stands, for a translator.
func (k *keys) shown(key string) string { return fmt.Sprintf("%q (%s)", key, k.entries[key].where) }

// checkForms compares a translation with the English text: the same values in
// it, the same end, a singular where English has one.
func checkForms(t *testing.T, language, key string, got, want map[string]string) {
	t.Helper()
	if got["other"] == "" || (want["one"] != "") != (got["one"] != "") {
		t.Errorf("%s: %q has the forms %q, English has %q", language, key, got, want)
	}
	for form, text := range got {
		if !slices.Contains([]string{"one", "few", "many", "other"}, form) || strings.TrimSpace(text) != text {
			t.Errorf("%s: %q has a form %s: %q", language, key, form, text)
		}
		if strings.Count(text, "{{") != len(placeholder.FindAllString(text, -1)) {
			t.Errorf("%s: %q: %q has something else than {{.Name}} in it", language, key, text)
		}
		have, need := values(text), values(want["other"])
		if form == "one" { // "a message" needs no number
			have, need = without(have, "{{.N}}"), without(need, "{{.N}}")
		}
		if !slices.Equal(have, need) {
			t.Errorf("%s: %q: %q has the values %q, want %q", language, key, text, have, need)
		}
		for _, end := range []string{".", ":", "?", "…"} {
			if strings.HasSuffix(text, end) != strings.HasSuffix(want["other"], end) {
				t.Errorf("%s: %q ends differently: %q", language, key, text)
			}
		}
	}
}

func without(list []string, name string) []string {
	return slices.DeleteFunc(list, func(s string) bool { return s == name })
}

// TestEveryTextCanBeSaid puts values into every text of every language, as
// the catalogue's reader does.
func TestEveryTextCanBeSaid(t *testing.T) {
	for _, language := range Languages() {
		for key, forms := range readCatalogue(t, Translation(language)) {
			sample := map[string]string{}
			for _, v := range values(key) {
				sample[strings.Trim(v, "{.}")] = "7"
			}
			for form, text := range forms {
				said := &strings.Builder{}
				tmpl, err := template.New(key).Parse(text)
				if err == nil {
					err = tmpl.Execute(said, sample)
				}
				if err != nil {
					t.Errorf("%s: %q, %s: %v", language, key, form, err)
				}
				if s := said.String(); s == "" || strings.Contains(s, "{{") || strings.Contains(s, "<no value>") || strings.Contains(s, "  ") {
					t.Errorf("%s: %q, %s: said %q", language, key, form, s)
				}
			}
		}
	}
}

// TestFyneReadsTheTranslations loads them as the window does, in a session
// whose language is Italian.
func TestFyneReadsTheTranslations(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux takes the language from the environment")
	}
	for _, name := range []string{"LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG"} {
		t.Setenv(name, "it_IT.UTF-8")
	}
	if err := lang.AddTranslationsFS(translations, "translations"); err != nil {
		t.Fatal(err)
	}
	for got, want := range map[string]string{
		lang.L("Sending is paused."): "L'invio è sospeso.",
		lang.L("Cancel"):             "Annulla",
		lang.L("file.name"):          "Nome",
		lang.N("{{.N}} messages to {{.Recipients}} wait.", 1, map[string]any{"N": "1", "Recipients": "2 destinatari"}):  "In attesa: 1 messaggio per 2 destinatari.",
		lang.N("{{.N}} messages to {{.Recipients}} wait.", 3000, map[string]any{"N": "3.000", "Recipients": "9.000 x"}): "In attesa: 3.000 messaggi per 9.000 x.",
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
