package viewmodel

import (
	"path/filepath"
	"strings"
	"unicode"

	"servicesmtp.net/companion/app/say"
)

// notInNames are the characters that a file's name cannot have, on one system
// or another: a list is often carried to another computer.
const notInNames = `/\:*?"<>|`

// FileName is the name that a person means, with its extension, or what is
// wrong with it.
func FileName(p say.Printer, text, extension string) (name, wrong string) {
	name = strings.TrimSpace(text)
	switch {
	case strings.Trim(name, ".") == "":
		return "", p.Say("Enter a name for the file.")
	case strings.ContainsAny(name, notInNames) || strings.ContainsFunc(name, unicode.IsControl):
		return "", p.Text(say.T("The name of a file cannot have any of {{.Characters}} in it.").With("Characters", notInNames))
	}
	if !strings.EqualFold(filepath.Ext(name), extension) {
		name += extension
	}
	return name, ""
}

// CheckFolder says what is wrong with a folder's name, or "". Whether there is
// such a folder only the disk knows.
func CheckFolder(p say.Printer, text string) string {
	if !filepath.IsAbs(text) {
		return p.Say("Enter a folder with its full path.")
	}
	return ""
}
