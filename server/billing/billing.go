// Package billing is what happens to an account's orders, subscriptions,
// credits and periods: each event is one transaction that reads the account's
// rows, asks server/account what follows, and writes that down.
//
// It promises that an event happened whole or not at all, and once: what is
// made is made under the caller's reference, and the same again answers with
// what was made the first time. Events of one account follow one another
// (store.LockAccount), whichever node they come from. It holds no rule and no
// state, and starts no goroutine.
//
// Closing a period is the same function for the job at the month's end and for
// acceptance, which closes what is over before it counts the first use of a
// new period (CloseEarlier): credits are exact however late the job is.
package billing

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"servicesmtp.net/companion/server/account"
	"servicesmtp.net/companion/server/store"
)

// ErrReference says that the reference was used for something else.
var ErrReference = errors.New("this reference was used for something else")

// Billing runs events. All methods may be called from any goroutine.
type Billing struct {
	Store *store.Store
	Plans account.Catalogue
	Now   func() time.Time // nil: time.Now
}

// event runs fn in one transaction on the account's rows, and saves what it
// answers. fn may run more than once (store.ErrRace).
func (b *Billing) event(ctx context.Context, accountID string, fn func(tx *sql.Tx, r account.Rows, now time.Time) (account.Changes, error)) (done account.Changes, err error) {
	err = b.Store.Tx(ctx, func(tx *sql.Tx) error {
		if err := b.Store.LockAccount(ctx, tx, accountID); err != nil {
			return err
		}
		r, err := b.Store.Rows(ctx, tx, accountID)
		if err != nil {
			return err
		}
		if done, err = fn(tx, r, b.now()); err != nil {
			return err
		}
		return b.Store.SaveChanges(ctx, tx, done)
	})
	return done, err
}

// now is the time as the store keeps it, so that what is answered is what is
// read later.
func (b *Billing) now() time.Time {
	clock := b.Now
	if clock == nil {
		clock = time.Now
	}
	return clock().UTC().Truncate(time.Microsecond)
}

func newID() string { return store.NewID(time.Now()) }

// NewAccount is an account to be opened.
type NewAccount struct {
	Account   store.Account // without an ID one is made
	Plan      string
	Begins    time.Time // of the plan; zero: now
	Reference string    // of the order; "": the account's id
	Wait      bool      // for payment and activation; else the plan begins at once, free of charge

	// Check is asked first, in the same transaction, whether the account may be
	// opened: its error is Open's. nil: it may.
	Check func(ctx context.Context, tx *sql.Tx) error
}

// Open opens an account with its first order. It is store.ErrExists when the
// name is taken.
func (b *Billing) Open(ctx context.Context, n NewAccount) (acc store.Account, order account.Order, err error) {
	err = b.Store.Tx(ctx, func(tx *sql.Tx) error {
		if n.Check != nil {
			if err := n.Check(ctx, tx); err != nil {
				return err
			}
		}
		// Not before: whoever checks may hold others back until the commit, so that
		// ids come in the order in which accounts can be read.
		var done account.Changes
		if acc, order, done, err = b.first(n); err != nil {
			return err
		}
		if err := b.Store.AddAccount(ctx, tx, acc); err != nil {
			return err
		}
		reference := n.Reference
		if reference == "" {
			reference = acc.ID
		}
		if err := b.addOrder(ctx, tx, order, reference); err != nil {
			return err
		}
		return b.Store.SaveChanges(ctx, tx, done)
	})
	return acc, order, err
}

// first makes an account with its first order.
func (b *Billing) first(n NewAccount) (acc store.Account, order account.Order, done account.Changes, err error) {
	at := b.now()
	acc = n.Account
	acc.CreatedAt = at
	if acc.ID == "" {
		acc.ID = store.NewID(at)
	}
	if !n.Begins.IsZero() {
		at = n.Begins.UTC().Truncate(time.Microsecond)
	}
	rows := account.Rows{AccountID: acc.ID, Zone: account.Location(acc.Zone), Policy: account.Policy(acc.Overage)}
	order, err = rows.NewOrder(b.Plans, account.Wish{ID: newID(), Kind: account.OrderNew, Plan: n.Plan, Free: !n.Wait}, at)
	if err != nil {
		return acc, order, done, err
	}
	rows.Orders = []account.Order{order}
	done = account.Changes{Orders: rows.Orders}
	if !n.Wait {
		if done, err = rows.Activate(b.Plans, order.ID, newID(), at); err != nil {
			return acc, order, done, err
		}
		order, acc.Subscription = done.Orders[0], done.Subscriptions[0]
	}
	return acc, order, done, nil
}

// Quote tells what an order would cost, without making it.
func (b *Billing) Quote(ctx context.Context, accountID string, w account.Wish) (account.Order, error) {
	r, err := b.rows(ctx, accountID)
	if err != nil {
		return account.Order{}, err
	}
	return r.NewOrder(b.Plans, w, b.now())
}

// rows reads an account as it is at one moment.
func (b *Billing) rows(ctx context.Context, accountID string) (r account.Rows, err error) {
	err = b.Store.View(ctx, func(c *sql.Conn) error {
		r, err = b.Store.Rows(ctx, c, accountID)
		return err
	})
	return r, err
}

// Order makes an order under the caller's reference ("": one is made up). One
// that costs nothing is active at once, but for a new account's.
func (b *Billing) Order(ctx context.Context, accountID, reference string, w account.Wish) (o account.Order, err error) {
	w.ID = newID()
	if reference == "" {
		reference = w.ID
	}
	_, err = b.event(ctx, accountID, func(tx *sql.Tx, r account.Rows, now time.Time) (account.Changes, error) {
		switch made, err := b.Store.OrderByReference(ctx, tx, reference); {
		case err == nil && made.AccountID == accountID && made.Kind == w.Kind && made.Plan == w.Plan:
			o = made
			return account.Changes{}, nil
		case err == nil:
			return account.Changes{}, ErrReference
		case !errors.Is(err, store.ErrNotFound):
			return account.Changes{}, err
		}
		if o, err = r.NewOrder(b.Plans, w, now); err != nil {
			return account.Changes{}, err
		}
		if err := b.addOrder(ctx, tx, o, reference); err != nil {
			return account.Changes{}, err
		}
		if o.State != account.OrderPaid || o.Kind == account.OrderNew {
			return account.Changes{}, nil
		}
		r.Orders = append(r.Orders, o)
		done, err := r.Activate(b.Plans, o.ID, newID(), now)
		if err == nil {
			o = done.Orders[0]
		}
		return done, err
	})
	return o, err
}

// addOrder adds one under a reference that is not in use.
func (b *Billing) addOrder(ctx context.Context, tx *sql.Tx, o account.Order, reference string) error {
	switch _, err := b.Store.OrderByReference(ctx, tx, reference); {
	case err == nil:
		return ErrReference
	case !errors.Is(err, store.ErrNotFound):
		return err
	}
	return b.Store.SaveOrder(ctx, tx, o, reference)
}

// Pay records money that came for an order, once for each method and
// reference, and activates what is activated by its payment.
func (b *Billing) Pay(ctx context.Context, p account.Payment) (o account.Order, err error) {
	made, _, err := b.Store.Order(ctx, p.OrderID)
	if err != nil {
		return o, err
	}
	p.ID = newID()
	if p.Reference == "" {
		p.Reference = p.ID
	}
	if p.ReceivedAt.IsZero() {
		p.ReceivedAt = b.now()
	}
	_, err = b.event(ctx, made.AccountID, func(tx *sql.Tx, r account.Rows, now time.Time) (account.Changes, error) {
		o = find(r.Orders, p.OrderID)
		switch old, err := b.Store.PaymentByReference(ctx, tx, p.Method, p.Reference); {
		case err == nil && old.OrderID == p.OrderID && old.Amount == p.Amount && old.Currency == p.Currency:
			return account.Changes{}, nil
		case err == nil:
			return account.Changes{}, ErrReference
		case !errors.Is(err, store.ErrNotFound):
			return account.Changes{}, err
		}
		done, err := r.Pay(b.Plans, p, newID(), now)
		if len(done.Orders) > 0 {
			o = done.Orders[0]
		}
		return done, err
	})
	return o, err
}

// SetPlan gives an account another plan from now on, free of charge, and
// answers the order under which it is written down.
func (b *Billing) SetPlan(ctx context.Context, accountID, plan string) (o account.Order, err error) {
	id := newID()
	done, err := b.event(ctx, accountID, func(_ *sql.Tx, r account.Rows, now time.Time) (account.Changes, error) {
		return r.Replace(b.Plans, plan, id, newID(), now)
	})
	return find(done.Orders, id), err
}

func find(orders []account.Order, id string) account.Order {
	for _, o := range orders {
		if o.ID == id {
			return o
		}
	}
	return account.Order{}
}

// Activate gives what a paid order bought.
func (b *Billing) Activate(ctx context.Context, orderID string) (account.Order, error) {
	return b.change(ctx, orderID, func(r account.Rows, now time.Time) (account.Changes, error) {
		return r.Activate(b.Plans, orderID, newID(), now)
	})
}

// Cancel gives up an order that waits for its payment.
func (b *Billing) Cancel(ctx context.Context, orderID string) (account.Order, error) {
	return b.change(ctx, orderID, func(r account.Rows, now time.Time) (account.Changes, error) { return r.Cancel(orderID, now) })
}

// change runs an event of one order and answers what became of it.
func (b *Billing) change(ctx context.Context, orderID string, fn func(account.Rows, time.Time) (account.Changes, error)) (account.Order, error) {
	o, _, err := b.Store.Order(ctx, orderID)
	if err != nil {
		return o, err
	}
	done, err := b.event(ctx, o.AccountID, func(_ *sql.Tx, r account.Rows, now time.Time) (account.Changes, error) { return fn(r, now) })
	if err != nil {
		return o, err
	}
	return find(done.Orders, orderID), nil
}

// Refund gives the contract that an order belongs to back, where the rules
// allow it: its plan ends now. An order that was paid and has bought nothing is
// given back alone. amount is what was paid, in minor units of the order's
// currency.
func (b *Billing) Refund(ctx context.Context, orderID string) (amount int64, err error) {
	o, _, err := b.Store.Order(ctx, orderID)
	if err != nil {
		return 0, err
	}
	_, err = b.event(ctx, o.AccountID, func(_ *sql.Tx, r account.Rows, now time.Time) (done account.Changes, err error) {
		for _, s := range r.Subscriptions {
			if s.OrderID == orderID {
				done, amount, err = r.Refund(b.Plans, s.Contract, now)
				return done, err
			}
		}
		if find(r.Orders, orderID).State == account.OrderActive { // a chained plan
			return done, fmt.Errorf("refund: %w", &account.Error{Event: "refund", Reason: account.WrongState, Detail: "the order gave no plan that could be given back"})
		}
		done, amount, err = r.RefundPaid(orderID, now)
		return done, err
	})
	return amount, err
}

// CloseEarlier closes, within a transaction, what is over at now of an
// account's periods. It is store.ErrRace when another transaction was faster:
// Store.Tx then runs this one again.
func (b *Billing) CloseEarlier(ctx context.Context, tx *sql.Tx, accountID string, now time.Time) (account.Changes, error) {
	if err := b.Store.LockAccount(ctx, tx, accountID); err != nil {
		return account.Changes{}, err
	}
	r, err := b.Store.Rows(ctx, tx, accountID)
	if err != nil {
		return account.Changes{}, err
	}
	done, err := r.CloseEnded(b.Plans, newID, now.UTC().Truncate(time.Microsecond))
	if err != nil {
		return account.Changes{}, fmt.Errorf("close periods of account %s: %w", accountID, err)
	}
	return done, b.Store.SaveChanges(ctx, tx, done)
}

// Close closes what is over at the instant of one account's periods, and
// answers their bills. What happens later does not matter, nor how often it is
// called.
func (b *Billing) Close(ctx context.Context, accountID string, at time.Time) ([]account.Bill, error) {
	var done account.Changes
	err := b.Store.Tx(ctx, func(tx *sql.Tx) (err error) {
		done, err = b.CloseEarlier(ctx, tx, accountID, at)
		return err
	})
	return done.Bills, err
}
