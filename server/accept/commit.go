package accept

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"runtime/debug"
	"slices"
	"time"

	"servicesmtp.net/companion/server/account"
	"servicesmtp.net/companion/server/pace"
	"servicesmtp.net/companion/server/store"
)

// errCounted says that another node used the plan up between our reading and
// counting. The store runs the transaction again, which then refuses.
var errCounted = fmt.Errorf("usage changed meanwhile: %w", store.ErrRace)

// commit accepts a batch in one transaction and answers everybody in it. When
// something unexpected happens each is tried alone; also a single one where the
// connection was lost and nobody knows whether it was committed: refused in
// that case, it would come again as another message.
func (a *Acceptor) commit(ctx context.Context, in *store.Intake, batch []*request) {
	var t *transaction
	limited, cancel := a.limited(ctx)
	defer cancel()
	err := a.Store.Tx(limited, func(tx *sql.Tx) error {
		t = &transaction{a: a, tx: tx, rows: in.In(tx), now: a.Now(), accounts: make(map[string]*ledger)}
		return t.run(limited, batch)
	})
	switch {
	case err == nil:
		for i, r := range batch {
			r.answer <- t.answers[i]
		}
		if len(t.lanes) > 0 {
			a.wake(t.lanes)
		}
		if a.Later != nil && !t.later.IsZero() {
			a.Later(t.later)
		}
	case len(batch) == 1 && (batch[0].lost || !a.Store.Lost(err)):
		a.Log.Error("message not accepted", "error", err, "disk_full", store.IsFull(err))
		batch[0].answer <- answer{err: fmt.Errorf("accept: %w", err)}
	default:
		a.Log.Warn("accept one by one", "batch", len(batch), "error", err)
		again, cancel := a.limited(ctx) // all of them together: nobody waits for a database that is away
		defer cancel()
		for _, r := range batch {
			r.lost = r.lost || a.Store.Lost(err)
			a.commit(again, in, []*request{r})
		}
	}
}

// commitLimit bounds one transaction of acceptance.
const commitLimit = time.Minute

// limited bounds a transaction where a network lies before the database: one
// that swallows the answer would hold the only connection that writes for as
// long as TCP tries, a quarter of an hour.
func (a *Acceptor) limited(ctx context.Context) (context.Context, context.CancelFunc) {
	if !a.Store.Shared() {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, a.limit)
}

// wake is apart from commit because what was accepted stays accepted, even if
// the queue fails to wake: its sweeper finds the jobs.
func (a *Acceptor) wake(lanes []string) {
	defer func() {
		if p := recover(); p != nil {
			a.Log.Error("queue panics when woken", "stack", string(debug.Stack()))
		}
	}()
	a.Lanes.Wake(lanes)
}

// transaction is one group commit.
type transaction struct {
	a        *Acceptor
	tx       *sql.Tx
	rows     *store.IntakeTx
	now      time.Time
	accounts map[string]*ledger
	answers  []answer
	lanes    []string
	later    time.Time // when the first of what may not leave yet may; zero: none
}

// ledger is an account within one transaction.
type ledger struct {
	terms
	used, added account.Charge
	bucket      pace.Bucket
}

// run does the batch. After an error nothing of it must be committed.
func (t *transaction) run(ctx context.Context, batch []*request) (err error) {
	defer func() {
		if p := recover(); p != nil { // Store.Tx would keep the writer for ever
			t.a.Log.Error("accept panics", "stack", string(debug.Stack()))
			err = errors.New("panic in the accept transaction")
		}
	}()
	for _, r := range batch {
		receipt, refusal, err := t.one(ctx, r)
		if err != nil {
			return err
		}
		t.answers = append(t.answers, answer{receipt, refusal})
	}
	if len(t.lanes) > 0 {
		if err := t.a.Lanes.Enqueue(ctx, t.tx, t.lanes); err != nil {
			return fmt.Errorf("enqueue lanes: %w", err)
		}
	}
	return t.count(ctx)
}

// one does one submission: a receipt, or the reason why it is refused, having
// written nothing.
func (t *transaction) one(ctx context.Context, r *request) (_ Receipt, refusal, err error) {
	if r.lost {
		if there, err := t.rows.Has(ctx, r.message.ID); err != nil || there {
			return Receipt{ID: r.message.ID}, nil, err
		}
	}
	if r.key != "" {
		k, err := t.rows.Key(ctx, r.message.AccountID, r.key)
		if err == nil {
			receipt, refusal := replay(k, r.fingerprint, r.offered)
			return receipt, refusal, nil
		}
		if !errors.Is(err, store.ErrNotFound) {
			return Receipt{}, nil, err
		}
	}
	l, err := t.ledger(ctx, r.message.AccountID)
	if err != nil {
		return Receipt{}, nil, err
	}
	if err := l.refused(); err != nil {
		return Receipt{}, err, nil
	}
	if err := l.fits(l.used.Add(l.added), r.charge); err != nil {
		return Receipt{}, err, nil
	}
	if no := l.pass(r, t.now); no != nil {
		return Receipt{}, no, nil
	}
	if err := t.write(ctx, r, l.Status == "held"); err != nil {
		return Receipt{}, nil, err
	}
	l.added = l.added.Add(r.charge)
	return Receipt{ID: r.message.ID}, nil, nil
}

// ledger reads an account once in a transaction.
func (t *transaction) ledger(ctx context.Context, accountID string) (*ledger, error) {
	if l, ok := t.accounts[accountID]; ok {
		return l, nil
	}
	l := &ledger{}
	var err error
	if l.terms, err = t.terms(ctx, accountID); err != nil {
		return nil, err
	}
	if l.late() { // close before open: credits count once
		if _, err := t.a.billing.CloseEarlier(ctx, t.tx, accountID, t.now); err != nil {
			return nil, err
		}
		if l.terms, err = t.terms(ctx, accountID); err != nil {
			return nil, err
		}
	}
	if l.Status == "held" {
		if err := t.rows.KeepHeld(ctx, accountID); err != nil {
			return nil, err
		}
	}
	l.bucket = l.Pace
	if l.used, err = t.rows.Used(ctx, accountID, l.start); err != nil {
		return nil, err
	}
	t.accounts[accountID] = l
	return l, nil
}

func (t *transaction) terms(ctx context.Context, accountID string) (terms, error) {
	row, err := t.rows.Terms(ctx, accountID, t.now)
	if err != nil {
		return terms{}, err
	}
	return t.a.terms(row, t.now)
}

// write adds the rows of an accepted message.
func (t *transaction) write(ctx context.Context, r *request, held bool) error {
	m := r.message
	m.At, m.Held = t.now, held
	if err := t.rows.AddBody(ctx, r.body.draft, t.now); err != nil {
		return err
	}
	if err := t.rows.AddMessage(ctx, m); err != nil {
		return err
	}
	if err := t.rows.AddRecipients(ctx, m, r.recipients); err != nil {
		return err
	}
	if r.key != "" {
		k := store.Key{AccountID: m.AccountID, Name: r.key, State: store.KeyAccepted, Fingerprint: r.fingerprint, MessageID: m.ID, At: t.now}
		if err := t.rows.AddKey(ctx, k, r.decisions); err != nil {
			return err
		}
	}
	if held {
		return nil
	}
	if m.NotBefore.After(t.now) { // nothing is due, so there is nobody to wake
		if t.later.IsZero() || m.NotBefore.Before(t.later) {
			t.later = m.NotBefore
		}
		return nil
	}
	for _, lane := range r.lanes {
		if !slices.Contains(t.lanes, lane) {
			t.lanes = append(t.lanes, lane)
		}
	}
	return nil
}

// count adds to the counters, last of all: on a database with several writers
// an account's row is then locked for the shortest time, and in one order, so
// that no two of them wait for each other.
func (t *transaction) count(ctx context.Context) error {
	for _, id := range slices.Sorted(maps.Keys(t.accounts)) {
		l := t.accounts[id]
		if err := t.countPace(ctx, id, l); err != nil {
			return err
		}
		if l.added == (account.Charge{}) {
			continue
		}
		ok, err := t.rows.AddUsage(ctx, store.Count{AccountID: id, Start: l.start, End: l.end, Day: account.Day(l.zone, t.now),
			More: l.added, Limit: l.limit})
		if err != nil {
			return err
		}
		if !ok {
			return errCounted
		}
	}
	return nil
}
