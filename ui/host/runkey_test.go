package host

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// splitWindows is how Windows programs split their command line
// (CommandLineToArgvW, and the C runtime since 2008).
func splitWindows(line string) (words []string) {
	// The program's name has rules of its own: quotes, and no escapes.
	if rest, quoted := strings.CutPrefix(line, `"`); quoted {
		name, after, _ := strings.Cut(rest, `"`)
		words, line = append(words, name), after
	} else {
		name, after, _ := strings.Cut(line, " ")
		words, line = append(words, name), after
	}
	for line = strings.TrimLeft(line, " \t"); line != ""; line = strings.TrimLeft(line, " \t") {
		var word string
		word, line = windowsWord(line)
		words = append(words, word)
	}
	return words
}

// windowsWord is the first word of line, and what follows it.
func windowsWord(line string) (word, rest string) {
	var b strings.Builder
	quoted := false
	for line != "" && (quoted || line[0] != ' ' && line[0] != '\t') {
		after := strings.TrimLeft(line, `\`)
		slashes := len(line) - len(after)
		switch {
		case !strings.HasPrefix(after, `"`): // backslashes count before a quote only
			b.WriteString(line[:slashes])
			if line = after; line != "" && slashes == 0 {
				b.WriteByte(line[0])
				line = line[1:]
			}
			continue
		case slashes%2 == 1:
			b.WriteString(strings.Repeat(`\`, slashes/2) + `"`)
		default:
			b.WriteString(strings.Repeat(`\`, slashes/2))
			quoted = !quoted
		}
		line = after[1:]
	}
	return b.String(), line
}

func TestRunLine(t *testing.T) {
	for _, c := range []struct {
		exec string
		args []string
		want string
	}{
		{`C:\Program Files\Companion\companion.exe`, []string{"--hidden"}, `"C:\Program Files\Companion\companion.exe" --hidden`},
		{`C:\Büro\漢字\x.exe`, nil, `"C:\Büro\漢字\x.exe"`},
		{`C:\x.exe`, []string{`a b`, `c:\d e\`, `say "hi"`, `\"`, ``, `100%`}, `"C:\x.exe" "a b" "c:\d e\\" "say \"hi\"" "\\\"" "" 100%`},
	} {
		got, err := Autostart{Exec: c.exec, Args: c.args}.runLine()
		if err != nil || got != c.want {
			t.Errorf("got %s, %v\nwant %s", got, err, c.want)
		}
		if words := splitWindows(got); !slices.Equal(words, append([]string{c.exec}, c.args...)) {
			t.Errorf("%s: is split into %q", got, words)
		}
		if got := lineProgram(got); got != c.exec {
			t.Errorf("program: got %s, want %s", got, c.exec)
		}
	}
}

func TestRunLineRefuses(t *testing.T) {
	long := strings.Repeat("漢", 257) // with quotes, one more than fits
	for _, exec := range []string{`C:\"x".exe`, `C:` + long} {
		if _, err := (Autostart{Exec: exec}).runLine(); !errors.Is(err, ErrPath) {
			t.Errorf("%s: got %v", exec, err)
		}
	}
	if _, err := (Autostart{Exec: `C:` + long[:len(long)-len("漢")]}).runLine(); err != nil {
		t.Errorf("260 characters: %v", err)
	}
}

func TestRunLineProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		exec := `C:\` + strings.ReplaceAll(words().Draw(t, "exec"), `"`, "")
		a := Autostart{Exec: exec, Args: rapid.SliceOfN(words(), 0, 3).Draw(t, "args")}
		line, err := a.runLine()
		if want := append([]string{a.Exec}, a.Args...); err != nil || !slices.Equal(splitWindows(line), want) {
			t.Fatalf("%s: is split into %q, %v, want %q", line, splitWindows(line), err, want)
		}
	})
}

func TestApproved(t *testing.T) {
	for _, c := range []struct {
		value []byte
		want  bool
	}{{nil, true}, {[]byte{2, 0, 0}, true}, {[]byte{6, 0, 0}, true}, {[]byte{3, 0, 0, 0, 1, 2}, false}, {[]byte{7}, false}} {
		if got := approved(c.value); got != c.want {
			t.Errorf("%v: got %v, want %v", c.value, got, c.want)
		}
	}
}
