package queue

import (
	"cmp"
	"context"
	"database/sql"
	"slices"
	"strconv"
	"strings"
	"time"

	"servicesmtp.net/companion/server/store"
)

// Group is the part of the queue that one account has for one domain.
type Group struct {
	Domain    string
	AccountID string
	Account   string // its name
	Count     int    // recipients
	Held      int    // of them, how many wait for the operator
	Attempts  int    // most made for one of them
	Oldest    time.Time
	Next      time.Time // when the first is due; zero: all are held
	LastError string    // reply that the most attempted got last
}

// List shows the queue, longest waiting first.
func (q *Queue) List(ctx context.Context, f store.Selection) ([]Group, error) {
	type key struct{ domain, account string }
	groups := make(map[key]*Group)
	err := q.c.Store.EachWaiting(ctx, f, func(w store.Waiting) {
		k := key{domain(w.Recipient), w.AccountID}
		g := groups[k]
		if g == nil {
			g = &Group{Domain: k.domain, AccountID: w.AccountID, Account: w.Account, Oldest: w.CreatedAt}
			groups[k] = g
		}
		g.add(w)
	})
	if err != nil {
		return nil, err
	}
	all := make([]Group, 0, len(groups))
	for _, g := range groups {
		all = append(all, *g)
	}
	slices.SortFunc(all, func(a, b Group) int {
		return cmp.Or(a.Oldest.Compare(b.Oldest), cmp.Compare(a.Domain, b.Domain), cmp.Compare(a.AccountID, b.AccountID))
	})
	return all, nil
}

func (g *Group) add(w store.Waiting) {
	g.Count++
	if w.CreatedAt.Before(g.Oldest) {
		g.Oldest = w.CreatedAt
	}
	if w.Held {
		g.Held++
	} else if g.Next.IsZero() || w.NextAt.Before(g.Next) {
		g.Next = w.NextAt
	}
	if w.Code != 0 && w.Attempts >= g.Attempts {
		g.LastError = strings.Join(slices.DeleteFunc([]string{strconv.Itoa(w.Code), w.Enhanced, w.Reply}, func(s string) bool { return s == "" }), " ")
	}
	g.Attempts = max(g.Attempts, w.Attempts)
}

func domain(address string) string {
	return strings.ToLower(address[strings.LastIndexByte(address, '@')+1:])
}

// Hold keeps the selected recipients from being sent until Release, but for
// those whose content is leaving just now. It tells how many are held.
func (q *Queue) Hold(ctx context.Context, f store.Selection) (int64, error) {
	return q.change(ctx, func(tx *sql.Tx) (int64, error) { return q.c.Store.Hold(ctx, tx, f) })
}

// Release lets held recipients go at once and tells how many.
func (q *Queue) Release(ctx context.Context, f store.Selection) (int64, error) {
	n, err := q.change(ctx, func(tx *sql.Tx) (int64, error) { return q.c.Store.Release(ctx, tx, f, time.Now()) })
	q.alarm.set(time.Now())
	return n, err
}

// Drop fails the selected recipients, but for those whose content is leaving
// just now. Their senders learn of it as of any failure. It tells how many.
func (q *Queue) Drop(ctx context.Context, f store.Selection) (int64, error) {
	return q.change(ctx, func(tx *sql.Tx) (int64, error) {
		return q.c.Store.Drop(ctx, tx, f, store.Outcome{Code: 554, Enhanced: "5.3.0", Reply: "Removed from the queue by the operator", At: time.Now()})
	})
}

func (q *Queue) change(ctx context.Context, fn func(*sql.Tx) (int64, error)) (n int64, err error) {
	err = q.c.Store.Tx(ctx, func(tx *sql.Tx) error {
		n, err = fn(tx)
		return err
	})
	return n, err
}
