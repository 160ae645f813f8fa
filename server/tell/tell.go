// Package tell tells customers: it writes a notice, posts its mail, and
// remembers that it did, in one transaction.
//
// It promises that a customer is told never twice what is told once, whichever
// nodes try at the same time, and that neither is there without the other: no
// notice without its mail, no mail without its notice, and nothing at all when
// what the caller writes with it does not commit. A mail that cannot be
// delivered is told to nobody but the operator, as an error of the service's
// account. A customer whose reference address is none gets the notice alone;
// the log says so. Which notices are due is the rules' to say.
//
// It starts no goroutine and keeps nothing.
package tell

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"servicesmtp.net/companion/server/accept"
	"servicesmtp.net/companion/server/account"
	"servicesmtp.net/companion/server/notify"
	"servicesmtp.net/companion/server/store"
)

// Options are what a Teller needs.
type Options struct {
	Store    *store.Store
	Post     *accept.Acceptor
	Hostname string
	From     string                 // of the mails: an address, or "Name <address>"
	Mail     bool                   // false: notices for the companion only
	Wake     func(accountID string) // a notice was committed; nil: nobody waits
	Log      *slog.Logger
}

// Teller tells. Its methods may be called from any goroutine.
type Teller struct{ Options }

// New makes a teller.
func New(o Options) *Teller {
	if o.Wake == nil {
		o.Wake = func(string) {}
	}
	return &Teller{o}
}

// News is one thing to tell.
type News struct {
	Account store.Account
	Notice  notify.Notice
	At      time.Time

	// Once says that it is told once: of the period, in the step. nil: each
	// call tells.
	Once *Once

	// With is written in the same transaction, before the rest; nil: nothing.
	// It must not ask for the writer again. Its error undoes everything, and is
	// Tell's.
	With func(ctx context.Context, tx *sql.Tx) error
}

// Once names what is told once of an account; the notice's kind belongs to it.
type Once struct {
	PeriodStart time.Time
	Step        int    // 0 where there are none
	OrderID     string // "" where it is about none
}

// errTold undoes what was written for something that was told already.
var errTold = errors.New("told already")

// Tell tells, and is false when that was told before: then nothing was
// written, nor what With would write.
func (t *Teller) Tell(ctx context.Context, n News) (told bool, err error) {
	at := n.At
	if at.IsZero() {
		at = time.Now()
	}
	letter := notify.Letter{Account: n.Account.Name, Zone: account.Location(n.Account.Zone), Now: at, From: t.From, To: n.Account.Email, ID: store.NewID(at)}
	words, err := notify.Write(n.Notice, letter)
	if err != nil {
		return false, fmt.Errorf("tell customer: %w", err)
	}
	post, err := t.write(ctx, n.Account.ID, words, letter)
	if err != nil {
		return false, fmt.Errorf("tell customer: %w", err)
	}
	if post != nil {
		defer post.Close(ctx)
	}
	err = t.Store.Tx(ctx, func(tx *sql.Tx) error { return t.store(ctx, tx, n, words, at, post) })
	if errors.Is(err, errTold) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("tell customer: %w", err)
	}
	if post != nil {
		post.Sent()
	}
	t.Wake(n.Account.ID)
	t.Log.Info("customer told", "account", n.Account.ID, "kind", words.Kind, "mail", post != nil)
	return true, nil
}

// write takes the mail in; nil: there is none.
func (t *Teller) write(ctx context.Context, accountID string, words notify.Written, letter notify.Letter) (*accept.Post, error) {
	if !t.Mail {
		return nil, nil
	}
	m, err := words.Message(letter)
	if errors.Is(err, notify.ErrAddress) {
		// A hold must not fail because of it, and a report that fails every day
		// helps nobody.
		t.Log.Error("customer's reference address cannot be used: told in the companion only", "account", accountID, "kind", words.Kind)
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return t.Post.Write(ctx, accept.Letter{To: []string{m.Recipient}, UTF8: m.UTF8, Hostname: t.Hostname, Content: bytes.NewReader(m.Content)})
}

// store is the one transaction.
func (t *Teller) store(ctx context.Context, tx *sql.Tx, n News, words notify.Written, at time.Time, post *accept.Post) error {
	if n.Once != nil {
		first, err := t.Store.Tell(ctx, tx, store.Told{AccountID: n.Account.ID, PeriodStart: n.Once.PeriodStart, Kind: words.Kind, Step: n.Once.Step, OrderID: n.Once.OrderID, At: at})
		if err != nil {
			return err
		}
		if !first {
			return errTold
		}
	}
	if n.With != nil {
		if err := n.With(ctx, tx); err != nil {
			return err
		}
	}
	_, err := t.Store.AddNotice(ctx, tx, store.Notice{AccountID: n.Account.ID, Kind: words.Kind, Severity: words.Severity, Key: words.Key,
		Subject: words.Subject, Body: words.Short, CreatedAt: at})
	if err != nil || post == nil {
		return err
	}
	return post.Store(ctx, tx)
}
