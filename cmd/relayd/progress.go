package main

import (
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/term"

	"servicesmtp.net/companion/internal/units"
)

// progressEvery is how often a person sees the figure change.
const progressEvery = 200 * time.Millisecond

// progress shows a person at a terminal how far something is. Elsewhere it
// shows nothing.
type progress struct {
	w    io.Writer // nil: nobody looks
	what string
	last time.Time
}

func (inv *invocation) newProgress(what string) *progress {
	p := &progress{what: what}
	if f, ok := inv.stderr.(*os.File); ok && term.IsTerminal(int(f.Fd())) { //nolint:gosec // descriptors are small
		p.w = f
	}
	return p
}

func (p *progress) at(done, total int64) {
	if p.w == nil || time.Since(p.last) < progressEvery {
		return
	}
	p.last = time.Now()
	fmt.Fprintf(p.w, "\r%s: %s of %s, %d %%\x1b[K", p.what, units.ByteSize(done), units.ByteSize(total), min(100, done*100/max(total, 1)))
}

// end leaves an empty line for what comes.
func (p *progress) end() {
	if p.w != nil && !p.last.IsZero() {
		fmt.Fprint(p.w, "\r\x1b[K")
	}
}
