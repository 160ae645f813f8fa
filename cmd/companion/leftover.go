package main

import (
	"bytes"
	"context"
	"log/slog"
	"runtime"
	"strings"
	"time"
)

// leftoverWait is for goroutines that have said that they end, and do.
const leftoverWait = time.Second

// logLeftovers writes down which goroutines of ours still run after everything
// has stopped: each of them is a mistake. It looks only where the log takes
// what it needs for that, at debug level.
func logLeftovers(log *slog.Logger) {
	if !log.Enabled(context.Background(), slog.LevelDebug) {
		return
	}
	var left []string
	for end := time.Now().Add(leftoverWait); ; time.Sleep(10 * time.Millisecond) {
		if left = leftovers(); len(left) == 0 || time.Now().After(end) {
			break
		}
	}
	if len(left) > 0 {
		log.Warn("goroutines left at quit", "count", len(left), "stacks", strings.Join(left, "\n\n"))
	}
}

// leftovers are the stacks of the goroutines that run code of this module or
// were started by it, without the one that asks.
func leftovers() []string {
	stacks := make([]byte, 64<<10)
	for {
		n := runtime.Stack(stacks, true)
		if n < len(stacks) {
			stacks = stacks[:n]
			break
		}
		stacks = make([]byte, 2*len(stacks))
	}
	var left []string
	for i, s := range bytes.Split(stacks, []byte("\n\n")) {
		if i > 0 && ours(string(s)) { // the first is our own
			left = append(left, string(s))
		}
	}
	return left
}

// ours says whether a stack has a line of this module: a function, or the one
// that created the goroutine. This package is called main there.
func ours(stack string) bool {
	for line := range strings.Lines(stack) {
		line = strings.TrimPrefix(line, "created by ")
		if strings.HasPrefix(line, "servicesmtp.net/companion/") || strings.HasPrefix(line, "main.") {
			return true
		}
	}
	return false
}
