package app

import (
	"context"
	"time"
)

// SentSpan is what left in a span of time.
type SentSpan struct {
	From       time.Time
	Recipients int // accepted by the relay
	Failed     int // refused for good
}

// Sent lists what left since a time, in spans of a length, oldest first, the
// empty ones too. account "" means all. There are at most 1,000 spans.
func (e *Engine) Sent(ctx context.Context, account string, since time.Time, span time.Duration) ([]SentSpan, error) {
	return nil, nil
}

// LogLine is one line of the log for support, as it was written.
type LogLine struct {
	At    time.Time
	Level string // "DEBUG", "INFO", "WARN", "ERROR"
	Text  string // message and attributes; never an address, a subject or a password
}

// LogTail reads the last lines of the log, oldest first. It is ErrNotFound
// where the engine writes no file.
func (e *Engine) LogTail(ctx context.Context, lines int) ([]LogLine, error) { return nil, nil }
