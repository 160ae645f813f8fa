package settings

import (
	"fmt"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"servicesmtp.net/companion/app/say"
)

// Problem is one thing that is wrong, or unwise, in the file.
type Problem struct {
	Line     int      // 0: not written there
	Key      string   // "pace.batch"; "" where the file is no TOML
	Sentence string   // what is wrong and what to write instead
	Said     say.Text // the same for a person who does not edit the file, in any language
}

// String is the problem on one line.
func (p Problem) String() string {
	var at []string
	if p.Line > 0 {
		at = append(at, fmt.Sprintf("line %d", p.Line))
	}
	if p.Key != "" {
		at = append(at, p.Key)
	}
	if len(at) == 0 {
		return p.Sentence
	}
	return strings.Join(at, ", ") + ": " + p.Sentence
}

// Error is a file that cannot be used.
type Error struct {
	File     string // its name, without folder
	Problems []Problem
}

// Error lists the problems, one a line.
func (e *Error) Error() string {
	lines := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		lines[i] = p.String()
		if e.File != "" {
			lines[i] = e.File + ", " + lines[i]
		}
	}
	return strings.Join(lines, "\n")
}

// fail makes an Error of problems, in the order of the file, or nil.
func fail(path string, problems []Problem) error {
	if len(problems) == 0 {
		return nil
	}
	slices.SortStableFunc(problems, func(a, b Problem) int { return a.Line - b.Line })
	name := ""
	if path != "" {
		name = filepath.Base(path)
	}
	return &Error{File: name, Problems: problems}
}

// unknown says what a key that does not exist may have meant.
func unknown(key string) string {
	if near := nearest(key); near != "" {
		return fmt.Sprintf("this key is not known; did you mean %s?", near)
	}
	table, _, found := cutLast(key, ".")
	if !found {
		return "this key is not known; the tables are " + strings.Join(known("", true), ", ") + "."
	}
	if in := known(table, false); len(in) > 0 {
		return fmt.Sprintf("this key is not known; %s has %s.", table, strings.Join(in, ", "))
	}
	return "this key is not known; remove the line."
}

// nearest is the known key that differs least from key, or "" where none is
// close enough to be meant.
func nearest(key string) string {
	table, name, _ := cutLast(key, ".")
	for _, k := range allKeys() { // the right key in the wrong table
		if t, n, _ := cutLast(k, "."); n == name && t != table {
			return k
		}
	}
	best, distance := "", 1+max(2, len(key)/4)
	for _, k := range allKeys() {
		if d := edits(key, k); d < distance {
			best, distance = k, d
		}
	}
	return best
}

func cutLast(s, sep string) (before, after string, found bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return "", s, false
}

// known lists the keys of a table, or the tables.
func known(table string, tables bool) []string {
	var out []string
	for _, k := range allKeys() {
		t, name, dotted := cutLast(k, ".")
		if tables && !dotted || !tables && dotted && t == table {
			out = append(out, name)
		}
	}
	return out
}

// allKeys reads the keys off the types, so that no list can fall behind.
func allKeys() []string {
	var out []string
	root := reflect.TypeFor[Settings]()
	for table := range root.Fields() {
		name := tag(table)
		out = append(out, name)
		t := table.Type
		if t.Kind() == reflect.Slice {
			t = t.Elem()
		}
		for field := range t.Fields() {
			out = append(out, name+"."+tag(field))
		}
	}
	return out
}

func tag(f reflect.StructField) string {
	name, _, _ := strings.Cut(f.Tag.Get("toml"), ",")
	return name
}

// edits is the Levenshtein distance.
func edits(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
