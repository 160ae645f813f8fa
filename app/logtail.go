package app

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"servicesmtp.net/companion/app/say"
)

// LogLine is one line of the log for support, as it was written.
type LogLine struct {
	At    time.Time
	Level string // "DEBUG", "INFO", "WARN", "ERROR"
	Text  string // message and attributes; never an address, a subject or a password
}

// How much of the log is read at most, and a step of it.
const (
	logLines = 10_000
	logBytes = 8 << 20
	logStep  = 64 << 10
)

// LogTail reads the last lines of the log, oldest first, and only the end of
// its file. Lines that are no log are left out. It is ErrNotFound where the
// engine writes no file.
func (e *Engine) LogTail(ctx context.Context, lines int) ([]LogLine, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	lines = min(max(lines, 0), logLines)
	text, err := readTail(e.cfg.LogFile, lines)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, userError(say.T("There is no log file."), say.Text{}, ErrNotFound)
	}
	if err != nil {
		return nil, userError(say.T("The log file cannot be read."), say.Text{}, err)
	}
	var list []LogLine
	for line := range bytes.Lines(text) {
		if l, err := parseLogLine(line); err == nil {
			list = append(list, l)
		}
	}
	return list[max(len(list)-lines, 0):], nil
}

// readTail reads the end of a file that holds so many whole lines, or more.
func readTail(path string, lines int) ([]byte, error) {
	if path == "" {
		return nil, fs.ErrNotExist
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close() // only read
	st, err := f.Stat()
	if err != nil {
		return nil, err
	}
	var parts [][]byte // last first
	at, read, ends := st.Size(), 0, 0
	for at > 0 && ends <= lines && read < logBytes { // one end more: that of the line before
		part := make([]byte, min(at, logStep))
		at -= int64(len(part))
		if _, err := f.ReadAt(part, at); err != nil && !errors.Is(err, io.EOF) {
			return nil, err
		}
		parts, read, ends = append(parts, part), read+len(part), ends+bytes.Count(part, []byte("\n"))
	}
	slices.Reverse(parts)
	text := bytes.Join(parts, nil)
	if at > 0 { // the first line is not whole
		_, text, _ = bytes.Cut(text, []byte("\n"))
	}
	return text, nil
}

// parseLogLine reads a line of slog's JSON.
func parseLogLine(line []byte) (LogLine, error) {
	var l LogLine
	var text []string
	err := eachMember(line, func(key string, value json.RawMessage) error {
		switch key {
		case "time":
			return json.Unmarshal(value, &l.At)
		case "level":
			return json.Unmarshal(value, &l.Level)
		case "msg":
			var message string
			err := json.Unmarshal(value, &message)
			text = slices.Insert(text, 0, message)
			return err
		}
		return attributes(key, value, func(a string) { text = append(text, a) })
	})
	if err == nil && (l.At.IsZero() || l.Level == "") {
		err = errors.New("no line of a log")
	}
	l.Text = strings.Join(text, " ")
	return l, err
}

// attributes writes a value as key=value, the members of a group one by one.
func attributes(key string, value json.RawMessage, add func(string)) error {
	switch value[0] {
	case '{':
		return eachMember(value, func(name string, v json.RawMessage) error { return attributes(key+"."+name, v, add) })
	case '"':
		var s string
		if err := json.Unmarshal(value, &s); err != nil {
			return err
		}
		if s == "" || strings.ContainsFunc(s, func(r rune) bool { return unicode.IsSpace(r) || r == '"' || r == '=' || !unicode.IsPrint(r) }) {
			s = strconv.Quote(s)
		}
		add(key + "=" + s)
		return nil
	}
	add(key + "=" + string(value))
	return nil
}

// eachMember calls f for the members of an object in their order.
func eachMember(object []byte, f func(key string, value json.RawMessage) error) error {
	d := json.NewDecoder(bytes.NewReader(object))
	open, err := d.Token()
	if err != nil {
		return err
	}
	if open != json.Delim('{') {
		return fmt.Errorf("a %T in place of an object", open)
	}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return err
		}
		name, _ := key.(string) // the decoder takes nothing else
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return err
		}
		if err := f(name, value); err != nil {
			return err
		}
	}
	_, err = d.Token()
	return err
}
