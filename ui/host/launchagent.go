package host

import (
	"encoding/xml"
	"errors"
	"io"
	"strings"
)

// This file holds the text of a launch agent (launchd.plist(5)), for all
// systems so that every system tests it.

// launchAgent starts the program once at login. There is no KeepAlive: a
// program that was quit stays so.
func (a Autostart) launchAgent() string {
	var b strings.Builder
	text := func(s string) string {
		var b strings.Builder
		_ = xml.EscapeText(&b, []byte(s)) // a Builder does not fail
		return b.String()
	}
	b.WriteString(`<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0">
<dict>
	<key>Label</key>
	<string>` + text(ID) + `</string>
	<key>ProgramArguments</key>
	<array>
`)
	for _, arg := range append([]string{a.Exec}, a.Args...) {
		b.WriteString("\t\t<string>" + text(arg) + "</string>\n")
	}
	b.WriteString(`	</array>
	<key>RunAtLoad</key>
	<true/>
	<key>ProcessType</key>
	<string>Interactive</string>
	<key>LimitLoadToSessionType</key>
	<string>Aqua</string>
</dict>
</plist>
`)
	return b.String()
}

// agent is what we read of a launch agent.
type agent struct {
	arguments []string
	disabled  bool
}

// readAgent understands a property list as far as we need it: the outermost
// dictionary's keys, each followed by its value.
func readAgent(text string) (agent, error) {
	var a agent
	var key string
	d := xml.NewDecoder(strings.NewReader(text))
	for depth := 0; ; {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return a, nil
		}
		if err != nil {
			return agent{}, err
		}
		switch token := token.(type) {
		case xml.EndElement:
			depth--
		case xml.StartElement:
			name := token.Name.Local
			if name == "plist" || name == "dict" && depth == 1 || name == "array" && key == "ProgramArguments" {
				depth++
				continue
			}
			if key, err = a.take(d, token, key); err != nil {
				return agent{}, err
			}
		}
	}
}

// take reads one element whole: a key, which it returns, or the value of the
// key before, which stays the key while an array goes on.
func (a *agent) take(d *xml.Decoder, start xml.StartElement, key string) (string, error) {
	switch name := start.Name.Local; {
	case name == "key":
		err := d.DecodeElement(&key, &start)
		return key, err
	case name == "string" && key == "ProgramArguments":
		var s string
		err := d.DecodeElement(&s, &start)
		a.arguments = append(a.arguments, s)
		return key, err
	default:
		a.disabled = a.disabled || key == "Disabled" && name == "true"
		return key, d.Skip()
	}
}
