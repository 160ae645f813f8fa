package assets

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/printer"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

const (
	sayPath  = "servicesmtp.net/companion/app/say"
	langPath = "fyne.io/fyne/v2/lang"
)

// apart are folders whose words no window shows: they speak English only.
var apart = []string{"server", "relayclient", "cmd/relayd", "cmd/companionctl", "e2e", "bench"}

// elsewhere are texts that are no literals where they are used, with where
// their literals are found.
var elsewhere = map[string]string{
	"app/errors.go u.Sentence":              "literals in UserError",
	"app/errors.go u.Action":                "literals in UserError",
	"app/control/client.go UserError":       "said by the engine at the other end",
	"app/say/printer.go key":                "literals in calls of Say",
	"ui/viewmodel/errors.go e.Action":       "literals in app/reasons.go",
	"app/say/printer.go d.Month().String()": "months, added by collect",
	"ui/language.go XN":                     "literals in say.N, which the printer hands on",
}

// entry is one text of the source.
type entry struct {
	text  string // English, where N is not 1
	one   string // English, where N is 1; "" for a text without count
	where string
}

// keys are the texts of the source, and what is wrong with them.
type keys struct {
	entries  map[string]entry
	problems []string
}

// collect reads all sources below root that a window can say.
func collect(root string) (*keys, error) {
	k := &keys{entries: map[string]entry{}}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		rel = filepath.ToSlash(rel)
		if d.IsDir() {
			name := d.Name()
			if rel != "." && (strings.HasPrefix(name, ".") || name == "testdata" || name == "bin" || name == "dist" || slices.Contains(apart, rel)) {
				return fs.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(rel, ".go") || strings.HasSuffix(rel, "_test.go") {
			return nil
		}
		fset := token.NewFileSet()
		f, err := parser.ParseFile(fset, path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		k.file(rel, fset, f)
		return nil
	})
	for m := time.January; m <= time.December; m++ {
		k.add(m.String(), entry{text: m.String(), where: "app/say"})
	}
	return k, err
}

func (k *keys) add(key string, e entry) {
	if old, ok := k.entries[key]; ok && (old.one != e.one || old.text != e.text) {
		k.problems = append(k.problems, fmt.Sprintf("%s: %q stands differently at %s", e.where, key, old.where))
	}
	k.entries[key] = e
}

// source is one file as it is read.
type source struct {
	*keys
	path  string
	fset  *token.FileSet
	say   string // name of package say here; "." inside of it, "" where it is not imported
	fynes string // name of Fyne's lang here
}

func (k *keys) file(path string, fset *token.FileSet, f *ast.File) {
	s := source{keys: k, path: path, fset: fset}
	for _, imp := range f.Imports {
		name := strings.Trim(imp.Path.Value, `"`)
		local := name[strings.LastIndex(name, "/")+1:]
		if imp.Name != nil {
			local = imp.Name.Name
		}
		switch name {
		case sayPath:
			s.say = local
		case langPath:
			s.fynes = local
		}
	}
	if f.Name.Name == "say" {
		s.say = "."
	}
	ast.Inspect(f, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.CallExpr:
			s.call(n)
		case *ast.CompositeLit:
			s.literal(n)
		}
		return true
	})
}

func (s source) at(n ast.Node) string {
	return fmt.Sprintf("%s:%d", s.path, s.fset.Position(n.Pos()).Line)
}

// called splits a call into its package's or value's name and its function's.
func called(c *ast.CallExpr) (of, name string) {
	switch f := c.Fun.(type) {
	case *ast.Ident:
		return ".", f.Name
	case *ast.SelectorExpr:
		if x, ok := f.X.(*ast.Ident); ok {
			return x.Name, f.Sel.Name
		}
		return "", f.Sel.Name
	}
	return "", ""
}

func (s source) call(c *ast.CallExpr) {
	of, name := called(c)
	at := s.at(c)
	switch {
	case of == s.say && of != "" && name == "T" && len(c.Args) == 1, name == "Say" && len(c.Args) == 1:
		if text, ok := s.constant(c.Args[0]); ok {
			s.add(text, entry{text: text, where: at})
		}
	case of == s.say && of != "" && name == "N" && len(c.Args) == 3:
		one, ok1 := s.constant(c.Args[1])
		many, ok2 := s.constant(c.Args[2])
		if ok1 && ok2 {
			s.add(many, entry{text: many, one: one, where: at})
		}
	case of != s.fynes || s.fynes == "":
	case (name == "L" || name == "Localize") && len(c.Args) > 0:
		if text, ok := s.constant(c.Args[0]); ok {
			s.add(text, entry{text: text, where: at})
		}
	case (name == "X" || name == "LocalizeKey") && len(c.Args) > 1:
		key, ok1 := s.constant(c.Args[0])
		text, ok2 := s.constant(c.Args[1])
		if ok1 && ok2 {
			s.add(key, entry{text: text, where: at})
		}
	case name == "N" || name == "XN" || name == "LocalizePlural" || name == "LocalizePluralKey":
		if elsewhere[s.path+" "+name] == "" {
			s.problems = append(s.problems, at+": lang."+name+" knows no English singular: use say.N")
		}
	}
}

// literal reads the words of an error, and texts inside of package say.
func (s source) literal(l *ast.CompositeLit) {
	name := ""
	switch t := l.Type.(type) {
	case *ast.Ident:
		name = t.Name
	case *ast.SelectorExpr:
		name = t.Sel.Name
	}
	fields := map[string]ast.Expr{}
	for _, e := range l.Elts {
		if kv, ok := e.(*ast.KeyValueExpr); ok {
			if id, ok := kv.Key.(*ast.Ident); ok {
				fields[id.Name] = kv.Value
			}
		}
	}
	switch {
	case name == "UserError" && fields["Said"] == nil && elsewhere[s.path+" UserError"] == "":
		for _, field := range []string{"Sentence", "Action"} {
			if fields[field] == nil {
				continue
			}
			if text, ok := s.constant(fields[field]); ok {
				s.add(text, entry{text: text, where: s.at(l)})
			}
		}
	case name == "Text" && s.say == "." && fields["Key"] != nil && fields["One"] == nil:
		if text, ok := s.constant(fields["Key"]); ok {
			s.add(text, entry{text: text, where: s.at(l)})
		}
	}
}

// constant is the text of a literal, or of literals put together. Anything
// else cannot be translated, unless it is known where its literals are.
func (s source) constant(e ast.Expr) (string, bool) {
	if text, ok := folded(e); ok {
		return text, text != ""
	}
	if sel, ok := e.(*ast.SelectorExpr); ok && (sel.Sel.Name == "Reason" || sel.Sel.Name == "Key") {
		return "", false // AddressError.Reason and Text.Key are keys themselves
	}
	var written strings.Builder
	if err := printer.Fprint(&written, s.fset, e); err == nil && elsewhere[s.path+" "+written.String()] != "" {
		return "", false
	}
	if id, ok := e.(*ast.Ident); ok && s.say == "." && (id.Name == "one" || id.Name == "many" || id.Name == "key") {
		return "", false // the parameters of T and N themselves
	}
	s.problems = append(s.problems, fmt.Sprintf("%s: %s is no literal, so that its translations cannot be checked", s.at(e), written.String()))
	return "", false
}

func folded(e ast.Expr) (string, bool) {
	switch e := e.(type) {
	case *ast.ParenExpr:
		return folded(e.X)
	case *ast.BasicLit:
		text, err := strconv.Unquote(e.Value)
		return text, err == nil && e.Kind == token.STRING
	case *ast.BinaryExpr:
		x, ok1 := folded(e.X)
		y, ok2 := folded(e.Y)
		return x + y, ok1 && ok2 && e.Op == token.ADD
	}
	return "", false
}

func TestCollect(t *testing.T) {
	const text = `package p
import ("servicesmtp.net/companion/app/say"; "fyne.io/fyne/v2/lang"; "servicesmtp.net/companion/app")
func f() {
	say.T("a"); say.T("b" + "c"); say.N(2, "one d", "{{.N}} d"); p.say.Say("e"); lang.L("f"); lang.X("g.key", "g")
	_ = app.UserError{Sentence: "h", Action: "i"}
	_ = &app.UserError{Sentence: "j" + x, Said: y}
	say.T(e.Reason); other.T("k"); say.T("")
	say.T(x); lang.N("l", 2); say.T("{{.N}} d"); _ = app.UserError{Sentence: "m" + x}
}`
	fset := token.NewFileSet()
	f, err := parser.ParseFile(fset, "p.go", text, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	k := &keys{entries: map[string]entry{}}
	k.file("p.go", fset, f)
	got := []string{}
	for key, e := range k.entries {
		got = append(got, key+"="+e.text+"/"+e.one)
	}
	slices.Sort(got)
	want := []string{"a=a/", "bc=bc/", "e=e/", "f=f/", "g.key=g/", "h=h/", "i=i/", "{{.N}} d={{.N}} d/"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if len(k.problems) != 4 { // x, lang.N, the same key without its singular, an error's words that are put together
		t.Errorf("problems: %q", k.problems)
	}
}
