package app

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestLogTail(t *testing.T) {
	file := filepath.Join(t.TempDir(), "companion.log")
	e := newEngineTest(t, engineOptions{logFile: file})
	e.closed()
	if _, err := e.LogTail(t.Context(), 10); !errors.Is(err, ErrNotFound) {
		t.Errorf("no file yet: %v", err)
	}
	var text bytes.Buffer
	log := slog.New(slog.NewJSONHandler(&text, &slog.HandlerOptions{Level: slog.LevelDebug}))
	log.Info("starts")
	text.WriteString("panic: not a line of the log\n{\"msg\": \"half\n[1]\n{\"msg\":\"without a time\"}\n\n")
	log.With("part", "sender").Warn("sending waits", "reason", "busy", "detail", "try \"later\"", "delay", 1500*time.Millisecond, "ok", true, "n", 1e6,
		"none", nil, "", "", slog.Group("g", "a", 1, slog.Group("h", "b", "x=y")), "list", []string{"a"}, "err", errors.New("no\nroute"))
	text.WriteString(`{"time":"2026-11-25T09:00:00Z","level":"ERROR","msg":"being writ`)
	if err := os.WriteFile(file, text.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	lines, err := e.LogTail(t.Context(), 10)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, l := range lines {
		if time.Since(l.At) > time.Minute {
			t.Errorf("at %v", l.At)
		}
		got = append(got, l.Level+" "+l.Text)
	}
	want := []string{"INFO starts",
		`WARN sending waits part=sender reason=busy detail="try \"later\"" delay=1500000000 ok=true n=1000000 none=null ="" g.a=1 g.h.b="x=y" list=["a"] err="no\nroute"`}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if lines, err = e.LogTail(t.Context(), 1); err != nil || len(lines) != 1 || lines[0].Level != "WARN" {
		t.Errorf("the last: %+v, %v", lines, err)
	}
}

// A log of many megabytes is not read whole, wherever its steps cut a line.
func TestLogTailReadsTheEndOnly(t *testing.T) {
	file := filepath.Join(t.TempDir(), "companion.log")
	e := newEngineTest(t, engineOptions{logFile: file})
	e.closed()
	var text bytes.Buffer
	for i := range 100_000 {
		fmt.Fprintf(&text, "{\"time\":\"2026-11-25T09:00:00Z\",\"level\":\"INFO\",\"msg\":\"%s\",\"n\":%d}\n", strings.Repeat("x", i%300), i)
	}
	if err := os.WriteFile(file, text.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, n := range []int{0, 1, 2, 300, 1000} {
		lines, err := e.LogTail(t.Context(), n)
		if err != nil || len(lines) != n {
			t.Fatalf("%d lines, %v; want %d", len(lines), err, n)
		}
		for i, l := range lines {
			if !strings.HasSuffix(l.Text, fmt.Sprintf("n=%d", 100_000-n+i)) {
				t.Fatalf("line %d of %d is %q", i, n, l.Text)
			}
		}
		if tail, err := readTail(file, n); err != nil || len(tail) > (n+1)*400+2*logStep {
			t.Errorf("%d bytes read for %d lines, %v", len(tail), n, err)
		}
	}
}
