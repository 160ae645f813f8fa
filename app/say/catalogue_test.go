package say

import (
	"testing"

	"golang.org/x/text/language"
)

func TestFromCatalogue(t *testing.T) {
	catalogue := []byte(`{
		"Hello {{.Name}}.": "Ciao {{.Name}}.",
		"{{.N}} messages wait.": {"one": "{{.N}} messaggio aspetta.", "other": "{{.N}} messaggi aspettano."},
		"{{.N}} days": "{{.N}} giorni",
		"file.name": {"other": "Nome"}
	}`)
	it, err := FromCatalogue(language.Italian, catalogue)
	if err != nil {
		t.Fatal(err)
	}
	waits := func(n int) Text { return N(n, "{{.N}} message waits.", "{{.N}} messages wait.") }
	for _, c := range []struct {
		text Text
		want string
	}{
		{T("Hello {{.Name}}.").With("Name", "Ada"), "Ciao Ada."},
		{waits(0), "0 messaggi aspettano."},
		{waits(1), "1 messaggio aspetta."},
		{waits(1200), "1.200 messaggi aspettano."},
		{waits(1_000_000), "1.000.000 messaggi aspettano."},
		{N(1, "{{.N}} day", "{{.N}} days"), "1 giorni"}, // without "one" the other form stands
		{T("file.name"), "Nome"},
		{T("No translation of {{.Name}}.").With("Name", "this"), "No translation of this."},
		{N(1, "{{.N}} dog", "{{.N}} dogs"), "1 dog"},
		{Text{}, ""},
	} {
		if got := it.Text(c.text); got != c.want {
			t.Errorf("%q: got %q, want %q", c.text.Key, got, c.want)
		}
	}
}

// Polish counts in three forms, which shows that the language decides.
func TestCatalogueOfManyForms(t *testing.T) {
	pl, err := FromCatalogue(language.Polish, []byte(`{"{{.N}} days": {"one": "{{.N}} dzień", "few": "{{.N}} dni (2)", "many": "{{.N}} dni (5)", "other": "{{.N}} dnia"}}`))
	if err != nil {
		t.Fatal(err)
	}
	for n, want := range map[int]string{1: "1 dzień", 3: "3 dni (2)", 5: "5 dni (5)", 22: "22 dni (2)"} {
		if got := pl.Text(N(n, "{{.N}} day", "{{.N}} days")); got != want {
			t.Errorf("%d: got %q, want %q", n, got, want)
		}
	}
}

func TestBrokenCatalogue(t *testing.T) {
	for _, text := range []string{`[]`, `{"a": 1}`, `{"a": {"one": "b"}}`, `{"a": {"other": "b", "some": "c"}}`, `{"a": {"b": {"other": "c"}}}`, `{`} {
		if _, err := FromCatalogue(language.Italian, []byte(text)); err == nil {
			t.Errorf("%s was taken", text)
		}
	}
}
