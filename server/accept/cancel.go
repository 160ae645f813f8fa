package accept

import (
	"context"
	"database/sql"
	"errors"

	"servicesmtp.net/companion/server/store"
)

// The states of a batch after Cancel, beside store.KeyClosed.
const (
	AllCancelled = "cancelled" // nothing of it leaves any more, and nothing has left
	SomeLeft     = "partly"    // some recipients were taken back in time
	AllLeft      = "left"      // too late for every one
)

// Cancellation is what Cancel did to one batch.
type Cancellation struct {
	Key       string
	State     string // store.KeyClosed, AllCancelled, SomeLeft, AllLeft
	ID        string // of the message, unless closed
	Cancelled int64  // recipients taken back, now or earlier
	Left      int64  // recipients to whom it was or may be sent
}

// Cancel takes back batches: one that was not accepted is closed, of one that
// was, every recipient to whom nothing has left is taken back. What was
// counted stays counted, and the key stays accepted: a repetition of the batch
// is answered as before and sends nothing.
func (a *Acceptor) Cancel(ctx context.Context, accountID string, envids []string) ([]Cancellation, error) {
	names, err := keys(envids)
	if err != nil {
		return nil, err
	}
	all := make([]Cancellation, len(names))
	err = a.Store.Tx(ctx, func(tx *sql.Tx) error {
		now := a.Now()
		for i, name := range names {
			if err := a.Store.CloseKey(ctx, tx, accountID, name, now); err != nil {
				return err
			}
			k, err := a.Store.KeyIn(ctx, tx, accountID, name)
			if err != nil {
				return err
			}
			all[i] = Cancellation{Key: name, State: k.State, ID: k.MessageID}
			if k.State == store.KeyAccepted {
				if _, err := a.Store.CancelRecipients(ctx, tx, accountID, k.MessageID, now); err != nil {
					return err
				}
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return all, a.countLeft(ctx, accountID, all)
}

// countLeft looks at what the batches are now.
func (a *Acceptor) countLeft(ctx context.Context, accountID string, all []Cancellation) error {
	for i := range all {
		c := &all[i]
		if c.State != store.KeyAccepted {
			continue
		}
		rows, err := a.Store.Recipients(ctx, accountID, c.ID)
		if err != nil {
			return err
		}
		for _, r := range rows {
			if r.Status == store.Cancelled {
				c.Cancelled++
			} else {
				c.Left++
			}
		}
		switch {
		case c.Left == 0:
			c.State = AllCancelled
		case c.Cancelled == 0:
			c.State = AllLeft
		default:
			c.State = SomeLeft
		}
	}
	return nil
}

// Reason is one word for an outcome of Admit, Accept or Receive, for counting.
func Reason(err error) string {
	if _, ok := errors.AsType[*QuotaError](err); ok {
		return "quota"
	}
	if _, ok := errors.AsType[*PaceError](err); ok {
		return "pace"
	}
	for _, k := range []struct {
		is   error
		word string
	}{{nil, "accepted"}, {ErrBlocked, "blocked"}, {ErrEnded, "ended"}, {ErrConflict, "conflict"}, {ErrClosed, "closed"},
		{ErrAgain, "again"}, {ErrSlow, "pace"}, {ErrStopped, "stopping"}, {context.Canceled, "gone"}} {
		if errors.Is(err, k.is) {
			return k.word
		}
	}
	return "store"
}
