package main

import (
	"runtime"
	"slices"
	"strings"
	"testing"
)

func TestLeftovers(t *testing.T) {
	release := make(chan struct{})
	go waitFor(release)
	there := func() bool {
		return slices.ContainsFunc(leftovers(), func(s string) bool {
			return strings.Contains(s, "created by servicesmtp.net/companion/cmd/companion.TestLeftovers")
		})
	}
	if !there() {
		t.Errorf("a goroutine is left; got %q", leftovers())
	}
	close(release)
	for there() { // it ends by itself
		runtime.Gosched()
	}
}

func waitFor(release <-chan struct{}) { <-release }

func TestOurs(t *testing.T) {
	for _, c := range []struct {
		name, stack string
		want        bool
	}{
		{"engine", "goroutine 7 [select]:\nservicesmtp.net/companion/app.(*Engine).Run(0xc0)\n\t/src/app/run.go:9 +0x1\n", true},
		{"this package", "goroutine 7 [select]:\nruntime.gopark(0x1)\n\tproc.go:1\nmain.(*desktop).WatchTray.func1()\n\tdesktop.go:1\n", true},
		{"a library for us", "goroutine 7 [IO wait]:\nnet.read()\n\tfd.go:1\ncreated by servicesmtp.net/companion/app/uplink.Dial in goroutine 3\n\tdial.go:1\n", true},
		{"started here", "goroutine 7 [IO wait]:\nnet.read()\n\tfd.go:1\ncreated by main.run in goroutine 1\n\tmain.go:1\n", true},
		{"Fyne", "goroutine 7 [chan receive]:\nfyne.io/fyne/v2/internal/driver/glfw.f()\n\tloop.go:1\ncreated by os/signal.main.x in goroutine 1\n\tx.go:1\n", false},
		{"a path", "goroutine 7 [chan receive]:\nfyne.io/x.f()\n\t/home/servicesmtp.net/companion/vendor/x.go:1\n", false},
	} {
		if got := ours(c.stack); got != c.want {
			t.Errorf("%s: got %v, want %v", c.name, got, c.want)
		}
	}
}
