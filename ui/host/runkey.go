package host

import (
	"fmt"
	"strings"
	"unicode/utf16"
)

// This file holds the value of the registry's Run key, for all systems so that
// every system tests it.

// runMax is what the Run key takes: "a command line no longer than 260
// characters".
const runMax = 260

// runLine is the command line as Windows programs split it (the rules of
// CommandLineToArgvW).
func (a Autostart) runLine() (string, error) {
	if strings.Contains(a.Exec, `"`) { // no file name of Windows has one
		return "", fmt.Errorf("%w: %q", ErrPath, a.Exec)
	}
	// The program's name is always quoted, else C:\Program Files\x.exe could
	// start C:\Program.exe. In it a backslash is never an escape.
	line := `"` + a.Exec + `"`
	for _, arg := range a.Args {
		line += " " + quoteArg(arg)
	}
	if n := len(utf16.Encode([]rune(line))); n > runMax {
		return "", fmt.Errorf("%w: %d characters, at most %d", ErrPath, n, runMax)
	}
	return line, nil
}

// lineProgram is the program of a command line.
func lineProgram(line string) string {
	if rest, quoted := strings.CutPrefix(line, `"`); quoted {
		name, _, _ := strings.Cut(rest, `"`)
		return name
	}
	name, _, _ := strings.Cut(line, " ")
	return name
}

// quoteArg is one argument after the first. Backslashes count only before a
// quote, so they are doubled there and nowhere else.
func quoteArg(arg string) string {
	if arg != "" && !strings.ContainsAny(arg, " \t\n\v\"") {
		return arg
	}
	var b strings.Builder
	b.WriteByte('"')
	slashes := 0
	for _, r := range arg {
		switch r {
		case '\\':
			slashes++
			b.WriteRune(r)
			continue
		case '"':
			b.WriteString(strings.Repeat(`\`, slashes+1))
		}
		slashes = 0
		b.WriteRune(r)
	}
	b.WriteString(strings.Repeat(`\`, slashes))
	b.WriteByte('"')
	return b.String()
}

// approved reads what the task manager keeps about an entry of the Run key: an
// odd first byte is "disabled". Without a value the entry counts. This format
// is not documented.
func approved(value []byte) bool { return len(value) == 0 || value[0]&1 == 0 }
