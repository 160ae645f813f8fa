package say

import (
	"encoding/json"
	"errors"
	"fmt"

	"golang.org/x/text/feature/plural"
	"golang.org/x/text/language"
)

// forms are the names of plural forms as a catalogue writes them.
var forms = map[string]plural.Form{
	"zero": plural.Zero, "one": plural.One, "two": plural.Two, "few": plural.Few, "many": plural.Many, "other": plural.Other,
}

// Catalogue holds the translations of one language: by key, the sentence of
// each plural form. A text without a count has only plural.Other.
type Catalogue map[string]map[plural.Form]string

// ParseCatalogue reads the JSON of one language: "key": "text", or
// "key": {"one": "text", "other": "text"}.
func ParseCatalogue(text []byte) (Catalogue, error) {
	var raw map[string]any
	if err := json.Unmarshal(text, &raw); err != nil {
		return nil, fmt.Errorf("read translations: %w", err)
	}
	c := make(Catalogue, len(raw))
	for key, value := range raw {
		said, err := sentences(value)
		if err != nil {
			return nil, fmt.Errorf("read translation of %q: %w", key, err)
		}
		c[key] = said
	}
	return c, nil
}

var errNoOther = errors.New(`no "other" form`)

func sentences(value any) (map[plural.Form]string, error) {
	if s, ok := value.(string); ok {
		return map[plural.Form]string{plural.Other: s}, nil
	}
	object, ok := value.(map[string]any)
	if !ok {
		return nil, fmt.Errorf("%v is neither a text nor plural forms", value)
	}
	said := make(map[plural.Form]string, len(object))
	for name, v := range object {
		form, known := forms[name]
		s, isText := v.(string)
		if !known || !isText {
			return nil, fmt.Errorf("%q is no plural form with a text", name)
		}
		said[form] = s
	}
	if _, ok := said[plural.Other]; !ok {
		return nil, errNoOther
	}
	return said, nil
}

// FromCatalogue is a printer for a language whose translations are the JSON
// given. What has none is said in English.
func FromCatalogue(tag language.Tag, text []byte) (Printer, error) {
	c, err := ParseCatalogue(text)
	if err != nil {
		return Printer{}, err
	}
	return New(tag, func(t Text, n int, values map[string]string) string {
		said, ok := c[t.Key]
		if !ok {
			return english(t, n, values)
		}
		if t.One != "" {
			if s, ok := said[plural.Cardinal.MatchPlural(tag, n, 0, 0, 0, 0)]; ok {
				return fill(s, values)
			}
		}
		return fill(said[plural.Other], values)
	}), nil
}
