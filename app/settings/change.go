package settings

import (
	"bytes"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2"
	"github.com/pelletier/go-toml/v2/unstable"
)

// Change edits keys of the tables, not of the accounts. Keys that differ
// afterwards are written where they stand in the file, or behind the others of
// their table; all else stays as the user wrote it. change must replace lists
// and maps, not write into them.
func Change(path string, change func(*Settings)) error {
	return edit(path, func(s *Settings, text []byte) ([]byte, error) {
		before := *s
		change(s)
		values, err := differences(before, *s)
		if err != nil {
			return nil, err
		}
		for _, v := range values {
			text = v.put(text)
		}
		return text, nil
	})
}

// value is one key as the file writes it.
type value struct {
	table, key string
	text       []byte // "50", "['22:00-07:00']"
}

// differences are the keys of b's tables that differ from a's, in the order of
// the types.
func differences(a, b Settings) ([]value, error) {
	var out []value
	before, after := reflect.ValueOf(a), reflect.ValueOf(b)
	for i := range before.NumField() {
		table := before.Type().Field(i)
		if table.Type.Kind() != reflect.Struct { // the accounts
			continue
		}
		for j := range table.Type.NumField() {
			to := after.Field(i).Field(j).Interface()
			if reflect.DeepEqual(before.Field(i).Field(j).Interface(), to) {
				continue
			}
			key := tag(table.Type.Field(j))
			text, err := toml.Marshal(map[string]any{key: to})
			if err != nil {
				return nil, fmt.Errorf("encode %s.%s: %w", tag(table), key, err)
			}
			_, text, _ = bytes.Cut(bytes.TrimSpace(text), []byte(" = "))
			out = append(out, value{tag(table), key, text})
		}
	}
	return out, nil
}

// put writes the value into the text. A text that it misreads is caught by
// edit.
func (v value) put(text []byte) []byte {
	place := v.find(text)
	line := slices.Concat([]byte(v.key+" = "), v.text, []byte("\n"))
	switch {
	case place.value != (block{}):
		return splice(text, place.value, v.text)
	case place.table > 0:
		at := lineEnd(text, place.table)
		if at > 0 && text[at-1] != '\n' {
			line = append([]byte("\n"), line...)
		}
		return splice(text, block{at, at}, line)
	}
	return insert(text, nil, append([]byte("["+v.table+"]\n"), line...))
}

// place is where a key stands, or could stand.
type place struct {
	value block // of the value; zero: the key is not there
	table int   // an offset in the last line of the table's own keys, or of its header; 0: there is no such table
}

func (v value) find(text []byte) (found place) {
	var p unstable.Parser
	p.Reset(text)
	table, open := "", false
	for p.NextExpression() {
		e := p.Expression()
		key, end := keyEnd(e)
		switch e.Kind {
		case unstable.Table, unstable.ArrayTable:
			table, open = key, e.Kind == unstable.Table && key == v.table
			if open {
				found.table = end
			}
		case unstable.KeyValue:
			value := valueAt(text, end)
			if table != "" {
				key = table + "." + key
			}
			if key == v.table+"."+v.key {
				found.value = value
			}
			if open {
				found.table = value.to
			}
		}
	}
	return found
}

// keyEnd is the key of an expression and the offset behind it.
func keyEnd(e *unstable.Node) (key string, end int) {
	var parts []string
	for it := e.Key(); it.Next(); {
		raw := it.Node().Raw
		parts, end = append(parts, string(it.Node().Data)), int(raw.Offset+raw.Length)
	}
	return strings.Join(parts, "."), end
}

// valueAt is where the value behind a key stands.
func valueAt(text []byte, at int) block {
	skip := func(signs string) {
		for at < len(text) && strings.IndexByte(signs, text[at]) >= 0 {
			at++
		}
	}
	skip(" \t")
	skip("=")
	skip(" \t")
	from, end, depth := at, at, 0
	for at < len(text) {
		switch c := text[at]; {
		case c == '"' || c == '\'':
			at = stringEnd(text, at)
			end = at
			continue
		case c == '[' || c == '{':
			depth++
		case c == ']' || c == '}':
			depth--
		case depth == 0 && (c == '#' || c == '\n'):
			return block{from, end}
		case c == '#':
			at = lineEnd(text, at)
			continue
		}
		if strings.IndexByte(" \t\r", text[at]) < 0 {
			end = at + 1
		}
		at++
	}
	return block{from, end}
}

// stringEnd is the offset behind the string that begins at at.
func stringEnd(text []byte, at int) int {
	mark := text[at : at+1]
	if long := bytes.Repeat(mark, 3); bytes.HasPrefix(text[at:], long) {
		mark = long
	}
	for i := at + len(mark); i < len(text); i++ {
		switch {
		case text[i] == '\\' && mark[0] == '"':
			i++
		case bytes.HasPrefix(text[i:], mark):
			return i + len(mark)
		}
	}
	return len(text)
}

// lineEnd is the offset behind the line that at stands in.
func lineEnd(text []byte, at int) int {
	if i := bytes.IndexByte(text[at:], '\n'); i >= 0 {
		return at + i + 1
	}
	return len(text)
}
