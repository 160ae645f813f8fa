package host

import (
	"fmt"
	"strings"
)

// This file holds the text of a desktop entry (Desktop Entry Specification
// 1.5), for all systems so that every system tests it.

// desktopEntry is the whole entry. TryExec lets the desktop pass over an entry
// whose program was removed.
func (a Autostart) desktopEntry() string {
	var b strings.Builder
	line := func(key, value string) { fmt.Fprintf(&b, "%s=%s\n", key, value) }
	b.WriteString("[Desktop Entry]\n")
	line("Type", "Application")
	line("Version", "1.5")
	line("Name", escapeValue(a.Name))
	line("Exec", a.execLine())
	line("TryExec", escapeValue(a.Exec))
	if a.Icon != "" {
		line("Icon", escapeValue(a.Icon))
	}
	line("Terminal", "false")
	line("NoDisplay", "true")
	line("X-GNOME-Autostart-enabled", "true")
	return b.String()
}

// execLine is the value of Exec: quoted as a command, then escaped as a value.
func (a Autostart) execLine() string {
	var words []string
	for _, word := range append(start(a.Exec), a.Args...) {
		words = append(words, quoteWord(word))
	}
	return escapeValue(strings.Join(words, " "))
}

// start is the program, by way of another if its path cannot stand first: "the
// name or path of the executable program may not contain the equal sign", and
// GLib looks for the program before it makes one percent sign of two. POSIX's
// nice takes any path (env would take it for a variable, a shell needs quotes
// that systemd's generator spoils) and with 0 changes nothing.
func start(program string) []string {
	if strings.ContainsAny(program, "=%") {
		return []string{"nice", "-n", "0", program}
	}
	return []string{program}
}

var (
	percents = strings.NewReplacer("%", "%%")
	inQuotes = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "`", "\\`", "$", `\$`)
)

// quoteWord is one argument of a command line. Reserved characters are those
// of the specification and a leading tilde, which some launchers expand
// although it does not say so; "%" is doubled and needs no quotes.
func quoteWord(word string) string {
	if word != "" && !strings.ContainsAny(word, " \t\n\"'\\><~|&;$*?#()`") {
		return percents.Replace(word)
	}
	return `"` + inQuotes.Replace(percents.Replace(word)) + `"`
}

// escapeValue is a value of type string; a space at either end would be lost.
func escapeValue(s string) string {
	s = strings.NewReplacer(`\`, `\\`, "\n", `\n`, "\t", `\t`, "\r", `\r`).Replace(s)
	if strings.HasPrefix(s, " ") {
		s = `\s` + s[1:]
	}
	if strings.HasSuffix(s, " ") {
		s = s[:len(s)-1] + `\s`
	}
	return s
}

// unescape undoes escapeValue.
var unescape = strings.NewReplacer(`\\`, `\`, `\s`, " ", `\n`, "\n", `\t`, "\t", `\r`, "\r")

// entryValue reads a raw value of the entry's own group. Like the desktops, it
// passes over what it does not know.
func entryValue(entry, key string) (value string, ok bool) {
	inside := false
	for line := range strings.Lines(entry) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "[") {
			inside = line == "[Desktop Entry]"
			continue
		}
		name, v, found := strings.Cut(line, "=")
		if inside && found && strings.TrimSpace(name) == key {
			value, ok = strings.TrimSpace(v), true // the last one counts, as with GLib
		}
	}
	return value, ok
}

// entryOn says whether desktops start this entry. Hidden is the
// specification's word for removed, the other is what GNOME's settings write.
func entryOn(entry string) bool {
	exec, there := entryValue(entry, "Exec")
	hidden, _ := entryValue(entry, "Hidden")
	gnome, _ := entryValue(entry, "X-GNOME-Autostart-enabled")
	return there && exec != "" && hidden != "true" && gnome != "false"
}
