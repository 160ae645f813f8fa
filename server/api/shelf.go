package api

import (
	"bytes"
	"context"
	"errors"
	"io"
	"sync"

	"servicesmtp.net/companion/internal/units"
	"servicesmtp.net/companion/server/accept"
	"servicesmtp.net/companion/server/store"
)

// shelf holds the bodies of one call, each taken in once however many batches
// name it.
type shelf struct {
	s       *Server
	account string

	mu     sync.Mutex // guards bodies
	bodies map[string]*shelved
}

// shelved is one body; its fields are written once.
type shelved struct {
	once     sync.Once
	body     *accept.Body
	eightBit bool
	err      error
}

// take gives the body of an upload, without its Bcc fields. It stays the shelf's.
func (h *shelf) take(ctx context.Context, sha256 string) (*accept.Body, bool, error) {
	h.mu.Lock()
	b := h.bodies[sha256]
	if b == nil {
		b = &shelved{}
		h.bodies[sha256] = b
	}
	h.mu.Unlock()
	b.once.Do(func() { b.body, b.eightBit, b.err = h.receive(ctx, sha256) })
	return b.body, b.eightBit, b.err
}

func (h *shelf) receive(ctx context.Context, sha256 string) (*accept.Body, bool, error) {
	r, size, err := h.s.uploads.Open(ctx, h.account, sha256)
	if errors.Is(err, store.ErrNotFound) {
		return nil, false, errNoBody
	}
	if err != nil {
		return nil, false, err
	}
	defer r.Close()
	look := &inspector{r: r}
	body, err := h.s.Accept.Receive(ctx, h.account, look, units.ByteSize(size))
	if err != nil {
		return nil, false, err
	}
	if body.Sum.String() != sha256 {
		// A power cut came between writing and now. Nothing was promised yet.
		body.Close(ctx)
		return nil, false, errors.Join(errNoBody, h.s.uploads.Remove(ctx, h.account, sha256))
	}
	return body, look.eightBit, nil
}

func (h *shelf) close(ctx context.Context) {
	for _, b := range h.bodies {
		if b.body != nil {
			b.body.Close(ctx)
		}
	}
}

// inspector looks for bytes above 127, which 8BITMIME (RFC 6152) has to be
// asked for, and holds the limit of a line.
type inspector struct {
	r        io.Reader
	eightBit bool
	line     int // bytes since the last LF
}

// Read implements io.Reader.
func (i *inspector) Read(p []byte) (int, error) {
	n, err := i.r.Read(p)
	i.eightBit = i.eightBit || !accept.ASCII(string(p[:n]))
	for rest := p[:n]; len(rest) > 0; {
		end := bytes.IndexByte(rest, '\n')
		if end < 0 {
			i.line += len(rest)
			rest = nil
		} else {
			i.line += end + 1
		}
		if i.line > accept.MaxLine {
			return n, accept.ErrLongLine
		}
		if end >= 0 {
			i.line, rest = 0, rest[end+1:]
		}
	}
	return n, err
}
