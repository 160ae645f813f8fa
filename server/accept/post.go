package accept

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"servicesmtp.net/companion/internal/wire"
	"servicesmtp.net/companion/server/store"
)

// Post is a message of the service itself, whose body was taken in. Its life:
//
//	Write ── Store, in the caller's transaction ── committed ── Sent ── Close
//
// What Store wrote shares that transaction's fate, so whatever else is written
// in it (that a report was sent, a notice) is there exactly when the message
// is. A transaction that fails may be tried again with the same Post. Store
// needs no Run, so a program that serves nothing can post too: the next one
// that serves delivers it.
//
// The reverse-path is empty and every recipient has NOTIFY=NEVER (RFC 3461
// §4.1): a report that cannot be delivered makes no other mail (RFC 5321
// §6.1). It shows among the errors of the service's account.
type Post struct {
	a          *Acceptor
	body       *Body
	message    store.Message
	recipients []store.Addressee
	lanes      []string
}

// Letter is what is posted.
type Letter struct {
	To       []string
	UTF8     bool // an address needs SMTPUTF8 (RFC 6531)
	Hostname string
	Content  io.Reader
}

// Write takes the content of a letter in. The caller closes the Post in the
// end, whatever became of it.
func (a *Acceptor) Write(ctx context.Context, l Letter) (*Post, error) {
	if len(l.To) == 0 {
		return nil, errors.New("letter without a recipient")
	}
	body, err := a.Receive(ctx, store.ServiceID, l.Content, 0)
	if err != nil {
		return nil, fmt.Errorf("write letter: %w", err)
	}
	now := time.Now()
	p := &Post{a: a, body: body, message: store.Message{ID: store.NewID(now), AccountID: store.ServiceID,
		SHA256: body.draft.SHA256(), Size: body.draft.Size(), UTF8: l.UTF8}}
	p.message.Received = fmt.Sprintf("Received: by %s id %s;\r\n\t%s\r\n", l.Hostname, p.message.ID, now.UTC().Format(time.RFC1123Z))
	for _, to := range l.To {
		if slices.ContainsFunc(p.recipients, func(r store.Addressee) bool { return wire.LowerDomain(r.Address) == wire.LowerDomain(to) }) {
			continue
		}
		lane := a.Route(to)
		p.recipients = append(p.recipients, store.Addressee{Address: to, Notify: "NEVER", Lane: lane})
		if !slices.Contains(p.lanes, lane) {
			p.lanes = append(p.lanes, lane)
		}
	}
	return p, nil
}

// ID is the message's.
func (p *Post) ID() string { return p.message.ID }

// Store writes the message and its jobs within a transaction of the writer.
func (p *Post) Store(ctx context.Context, tx *sql.Tx) error {
	p.message.At = time.Now()
	if err := p.a.Store.AddPost(ctx, tx, p.message, p.body.draft, p.recipients); err != nil {
		return fmt.Errorf("post letter: %w", err)
	}
	if err := p.a.Lanes.Enqueue(ctx, tx, p.lanes); err != nil {
		return fmt.Errorf("post letter: enqueue lanes: %w", err)
	}
	return nil
}

// Sent says that the transaction was committed: delivery may begin.
func (p *Post) Sent() { p.a.wake(p.lanes) }

// Close lets go of the body, after the transaction.
func (p *Post) Close(ctx context.Context) { p.body.Close(ctx) }
