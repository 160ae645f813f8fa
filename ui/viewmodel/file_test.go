package viewmodel

import (
	"path/filepath"
	"testing"

	"servicesmtp.net/companion/app/say"
)

func TestFileName(t *testing.T) {
	const (
		empty = "Enter a name for the file."
		bad   = `The name of a file cannot have any of /\:*?"<>| in it.`
	)
	for _, c := range []struct{ text, name, wrong string }{
		{"errors-2026-11-25.csv", "errors-2026-11-25.csv", ""},
		{" errors ", "errors.csv", ""},
		{"errors.CSV", "errors.CSV", ""},
		{"errors.2026", "errors.2026.csv", ""},
		{"errori di novembre", "errori di novembre.csv", ""},
		{"", "", empty},
		{"..", "", empty},
		{" . ", "", empty},
		{"../errors", "", bad},
		{`c:\errors`, "", bad},
		{"errors\n", "errors.csv", ""},
		{"err\nors", "", bad},
	} {
		if name, wrong := FileName(say.English, c.text, ".csv"); name != c.name || wrong != c.wrong {
			t.Errorf("%q: got %q, %q, want %q, %q", c.text, name, wrong, c.name, c.wrong)
		}
	}
	if wrong := CheckFolder(say.English, "Downloads"); wrong == "" {
		t.Error("a folder without its path is taken")
	}
	if wrong := CheckFolder(say.English, filepath.Join(t.TempDir(), "new")); wrong != "" {
		t.Errorf("a full path: %q", wrong)
	}
}
