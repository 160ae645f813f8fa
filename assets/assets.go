package assets

import (
	"embed"
	"slices"
	"strings"
)

//go:embed translations/*.json
var translations embed.FS

// Languages are those that the window speaks, as tags ("en", "it"), sorted.
func Languages() []string {
	entries, err := translations.ReadDir("translations")
	if err != nil {
		return nil // cannot be: the folder is embedded
	}
	tags := make([]string, len(entries))
	for i, e := range entries {
		tags[i] = strings.TrimSuffix(e.Name(), ".json")
	}
	slices.Sort(tags)
	return tags
}

// Translation is the catalogue of a language, in the JSON that Fyne's lang
// reads: "key": "text", or "key": {"one": "text", "other": "text"} for a text
// with a count. It holds Fyne's own texts too, so that a language that the
// user chose reaches them. It is nil for a language that there is none of.
//
// English is written from the source: go test ./assets -update. The same prints
// what the other languages lack, and the plain test fails on it.
func Translation(language string) []byte {
	text, err := translations.ReadFile("translations/" + language + ".json")
	if err != nil {
		return nil
	}
	return text
}
