package accept

import (
	"context"
	"crypto/sha256"
	"hash"
	"io"
	"log/slog"

	"servicesmtp.net/companion/internal/durable"
	"servicesmtp.net/companion/internal/units"
	"servicesmtp.net/companion/internal/wire"
	"servicesmtp.net/companion/server/store"
)

// Body is a message that was received. Sum and Size are of the message as it
// came in; what is stored has lost its Bcc fields.
type Body struct {
	Sum   wire.BodySum
	Size  units.ByteSize
	draft *store.Draft // nil: nothing is stored
	log   *slog.Logger
}

// Receive reads a message from r to its end and stores it, without its Bcc
// fields. Large ones go to disk as they come. Errors are r's own, unchanged,
// wire.ErrBareLine, or the store's. hint is the declared size, or 0. The
// caller closes the body when Accept has answered.
func (a *Acceptor) Receive(ctx context.Context, accountID string, r io.Reader, hint units.ByteSize) (*Body, error) {
	raw := newMeter(r)
	draft := a.bodies.Draft(accountID, int64(hint))
	body := &Body{draft: draft, log: a.Log}
	if err := a.seal(draft, raw); err != nil {
		body.Close(ctx)
		return nil, err
	}
	body.Sum, body.Size = raw.result()
	return body, nil
}

func (a *Acceptor) seal(draft *store.Draft, raw *meter) error {
	if err := a.copy(draft, wire.NewCleanReader(raw)); err != nil {
		return err
	}
	sum, size := raw.result()
	if int64(size) != draft.Size() { // something was cut: the stored body has a sum of its own
		var err error
		if sum, err = draft.Sum(); err != nil {
			return err
		}
	}
	return draft.Seal(sum)
}

// Measure reads a message without storing it, for a replay.
func (a *Acceptor) Measure(r io.Reader) (*Body, error) {
	raw := newMeter(r)
	if err := a.copy(io.Discard, raw); err != nil {
		return nil, err
	}
	b := &Body{}
	b.Sum, b.Size = raw.result()
	return b, nil
}

// Close lets go of the body: what no message came to need is removed. What
// cannot be removed now is removed by Sweep.
func (b *Body) Close(ctx context.Context) {
	if b.draft == nil {
		return
	}
	if err := b.draft.Close(context.WithoutCancel(ctx)); err != nil {
		b.log.Warn("body not removed", "size", int64(b.Size), "error", durable.WithoutPath(err))
	}
}

// copy is io.Copy with a buffer that is used again.
func (a *Acceptor) copy(w io.Writer, r io.Reader) error {
	buf := a.buffers.Get().(*[]byte)
	defer a.buffers.Put(buf)
	// Hiding other methods of w keeps io.CopyBuffer to the buffer.
	_, err := io.CopyBuffer(struct{ io.Writer }{w}, r, *buf)
	return err
}

// meter hashes and counts what is read through it.
type meter struct {
	r    io.Reader
	sum  hash.Hash
	size units.ByteSize
}

func newMeter(r io.Reader) *meter { return &meter{r: r, sum: sha256.New()} }

// Read implements io.Reader.
func (m *meter) Read(p []byte) (int, error) {
	n, err := m.r.Read(p)
	m.sum.Write(p[:n])
	m.size += units.ByteSize(n)
	return n, err
}

func (m *meter) result() (wire.BodySum, units.ByteSize) {
	return wire.BodySum(m.sum.Sum(nil)), m.size
}
