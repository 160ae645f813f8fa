package proxy

import (
	"context"
	"log/slog"
	"strings"
)

// errorLog is what go-smtp complains to. Its arguments hold addresses and
// whatever a panic was called with, so only the kind of the complaint and a
// stack are kept.
type errorLog struct{ log *slog.Logger }

// Printf implements smtp.Logger.
func (l errorLog) Printf(format string, v ...any) {
	switch {
	case strings.HasPrefix(format, "panic"):
		stack := ""
		for _, a := range v {
			if b, ok := a.([]byte); ok {
				stack = string(b)
			}
		}
		// A BDAT that go-smtp begins after the end of its connection panics in
		// go-smtp alone, on a session that is gone; nobody needs to act.
		level := slog.LevelWarn
		if strings.Contains(stack, "proxy.(*") {
			level = slog.LevelError
		}
		l.log.Log(context.Background(), level, "panic in a session", "stack", stack)
	case strings.HasPrefix(format, "accept"):
		l.log.Warn("connections cannot be accepted just now")
	default:
		l.log.Debug("connection ended with an error")
	}
}

// Println implements smtp.Logger.
func (l errorLog) Println(...any) { l.log.Debug("go-smtp complained") }
