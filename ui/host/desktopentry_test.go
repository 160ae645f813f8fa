package host

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// unescapeValue undoes the escapes of a value (Desktop Entry §4), which comes
// before everything else.
func unescapeValue(value string) (string, error) {
	var b strings.Builder
	for i := 0; i < len(value); i++ {
		if value[i] != '\\' {
			b.WriteByte(value[i])
			continue
		}
		if i++; i == len(value) {
			return "", errors.New("a backslash at the end")
		}
		r, ok := map[byte]byte{'s': ' ', 'n': '\n', 't': '\t', 'r': '\r', '\\': '\\'}[value[i]]
		if !ok {
			return "", fmt.Errorf("escape \\%c", value[i])
		}
		b.WriteByte(r)
	}
	return b.String(), nil
}

// splitExec is the command line of an Exec value (Desktop Entry §7), and stricter
// than launchers are: what the specification leaves undefined is an error.
func splitExec(value string) ([]string, error) {
	line, err := unescapeValue(value)
	if err != nil {
		return nil, err
	}
	var words []string
	for line = strings.TrimLeft(line, " "); line != ""; line = strings.TrimLeft(line, " ") {
		var word string
		if line[0] == '"' {
			word, line, err = splitQuoted(line[1:])
		} else {
			word, line, _ = strings.Cut(line, " ")
			if i := strings.IndexAny(word, "\t\n\"'\\><~|&;$*?#()`"); i >= 0 {
				err = fmt.Errorf("%c without quotes in %q", word[i], word)
			}
		}
		if err == nil {
			word, err = expand(word)
		}
		if err != nil {
			return nil, err
		}
		words = append(words, word)
	}
	return words, nil
}

func splitQuoted(s string) (word, rest string, err error) {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"':
			rest = s[i+1:]
			if rest != "" && rest[0] != ' ' {
				return "", "", errors.New("an argument is quoted in part")
			}
			return b.String(), rest, nil
		case c == '`' || c == '$':
			return "", "", fmt.Errorf("%c without a backslash", c)
		case c == '\\':
			if i++; i == len(s) || !strings.ContainsRune("\"`$\\", rune(s[i])) {
				return "", "", errors.New("a backslash before something else")
			}
			b.WriteByte(s[i])
		default:
			b.WriteByte(c)
		}
	}
	return "", "", errors.New("a quote that does not end")
}

// expand knows no field codes, because we write none.
func expand(word string) (string, error) {
	var b strings.Builder
	for i := 0; i < len(word); i++ {
		if word[i] == '%' {
			if i++; i == len(word) || word[i] != '%' {
				return "", fmt.Errorf("field code in %q", word)
			}
		}
		b.WriteByte(word[i])
	}
	return b.String(), nil
}

// oddNames are the names that have broken other programs' login entries.
var oddNames = []string{
	"plain", "with space", "ümläut", "漢字", `quo"te`, "apo'strophe", "100%", "%f", "%%", "$HOME", "${x}", "`id`", `back\slash`, `two\\`,
	"a;b&c|d", "(x)", "*?", "~", "#1", "<>", "[x]", "{a,b}", "!", "a\u00a0b", " leading", "trailing ", `\s`, `\n`, "emoji 📬", "e\u0301", "a=b",
}

func TestExecLine(t *testing.T) {
	for _, name := range oddNames {
		a := Autostart{Exec: "/opt/" + name + "/bin/" + name, Args: []string{"--hidden", name, ""}}
		got, err := splitExec(a.execLine())
		if want := append(start(a.Exec), a.Args...); err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: got %q, %v, want %q", a.execLine(), got, err, want)
		}
	}
}

// The examples that the specification itself gives.
func TestExecLineOfTheSpecification(t *testing.T) {
	for _, c := range []struct{ word, want string }{
		{`\`, `"\\\\"`}, // "four successive backslash characters"
		{`$`, `"\\$"`},  // "unambiguously represented with \\$"
		{`/bin/x`, `/bin/x`},
	} {
		if got := (Autostart{Exec: c.word}).execLine(); got != c.want {
			t.Errorf("%s: got %s, want %s", c.word, got, c.want)
		}
	}
}

// words are what a path or an argument may be.
func words() *rapid.Generator[string] {
	odd := rapid.SampledFrom([]rune(" \"'\\%$`~#;&|<>()*?=![]{}sntrfFuU漢ü📬"))
	return rapid.StringOfN(rapid.OneOf(odd, rapid.Rune()), 0, 20, -1).Filter(func(s string) bool {
		return (Autostart{Exec: "/", Name: s}).check() == nil
	})
}

func TestExecLineProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := Autostart{Exec: "/" + words().Draw(t, "exec"), Args: rapid.SliceOfN(words(), 0, 3).Draw(t, "args")}
		got, err := splitExec(a.execLine())
		if want := append(start(a.Exec), a.Args...); err != nil || !slices.Equal(got, want) || strings.ContainsAny(got[0], "=%") {
			t.Fatalf("%s: got %q, %v, want %q", a.execLine(), got, err, want)
		}
	})
}

func TestDesktopEntry(t *testing.T) {
	a := Autostart{Exec: "/opt/my app/companion", Args: []string{"--hidden"}, Name: "Büro", Icon: `/opt/i\con.png`}
	got := a.desktopEntry()
	want := `[Desktop Entry]
Type=Application
Version=1.5
Name=Büro
Exec="/opt/my app/companion" --hidden
TryExec=/opt/my app/companion
Icon=/opt/i\\con.png
Terminal=false
NoDisplay=true
X-GNOME-Autostart-enabled=true
`
	if got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
	if !entryOn(got) {
		t.Error("our own entry is off")
	}
}

func TestEntryOn(t *testing.T) {
	for _, c := range []struct {
		name, entry string
		want        bool
	}{
		{"nothing", "", false},
		{"ours", "[Desktop Entry]\nExec=x\n", true},
		{"hidden", "[Desktop Entry]\nExec=x\nHidden=true\n", false},
		{"not hidden", "[Desktop Entry]\nHidden=false\nExec=x\n", true},
		{"switched off by GNOME", "[Desktop Entry]\nExec=x\nX-GNOME-Autostart-enabled=false\n", false},
		{"spaces and line ends", "[Desktop Entry]\r\n Exec = x \r\nHidden = true\r\n", false},
		{"hidden in another group", "[Desktop Entry]\nExec=x\n[Desktop Action a]\nHidden=true\n", true},
		{"comment", "# Hidden=true\n[Desktop Entry]\nExec=x\n#Hidden=true\n", true},
		{"hidden at last", "[Desktop Entry]\nExec=x\nHidden=false\nHidden=true", false},
		{"no command", "[Desktop Entry]\nName=x\n", false},
		{"of another group", "[x]\nExec=x\n", false},
	} {
		if got := entryOn(c.entry); got != c.want {
			t.Errorf("%s: got %v, want %v", c.name, got, c.want)
		}
	}
}
