package accept

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"servicesmtp.net/companion/internal/units"
	"servicesmtp.net/companion/internal/wire"
	"servicesmtp.net/companion/server/account"
	"servicesmtp.net/companion/server/store"
)

// Unknown is the state of a key that no transaction has committed; the others
// are store.KeyAccepted and store.KeyClosed.
const Unknown = "unknown"

// Batch is what the relay knows of one key.
type Batch struct {
	Key       string
	State     string
	ID        string    // of the message, when accepted
	At        time.Time // of acceptance or closing
	Decisions []Decision
}

// Check tells what became of batches, in the order asked. envids may be keys
// or whole ENVIDs; one that is neither is wire.ErrEnvelopeID.
func (a *Acceptor) Check(ctx context.Context, accountID string, envids []string) ([]Batch, error) {
	names, err := keys(envids)
	if err != nil {
		return nil, err
	}
	return a.check(ctx, accountID, names)
}

// Close closes batches, so that they can no longer be accepted, and tells what
// they are now: closed, or accepted where it was too late.
func (a *Acceptor) Close(ctx context.Context, accountID string, envids []string) ([]Batch, error) {
	names, err := keys(envids)
	if err != nil {
		return nil, err
	}
	if err := a.Store.CloseKeys(ctx, accountID, names, a.Now()); err != nil {
		return nil, err
	}
	return a.check(ctx, accountID, names)
}

func keys(envids []string) ([]string, error) {
	names := make([]string, len(envids))
	for i, s := range envids {
		e, err := wire.ParseEnvelopeID(s)
		if err != nil {
			return nil, fmt.Errorf("envid %d: %w", i+1, err)
		}
		names[i] = e.Key()
	}
	return names, nil
}

func (a *Acceptor) check(ctx context.Context, accountID string, names []string) ([]Batch, error) {
	found, err := a.Store.Keys(ctx, accountID, names)
	if err != nil {
		return nil, err
	}
	all := make([]Batch, len(names))
	for i, name := range names {
		all[i] = Batch{Key: name, State: Unknown}
		if k, ok := found[name]; ok {
			all[i] = Batch{Key: name, State: k.State, ID: k.MessageID, At: k.At, Decisions: k.Decisions}
		}
	}
	return all, nil
}

// Replay is a batch that was accepted before. Its stored decisions are the
// answers, whatever has changed since.
type Replay struct {
	key store.Key
}

// Decision finds what was answered to a recipient the first time.
func (r *Replay) Decision(address string) (Decision, bool) {
	name := wire.LowerDomain(address)
	i := slices.IndexFunc(r.key.Decisions, func(d Decision) bool { return wire.LowerDomain(d.Address) == name })
	if i < 0 {
		return Decision{}, false
	}
	return r.key.Decisions[i], true
}

// Confirm compares a repetition with what was accepted: the first receipt, or
// ErrConflict. Accepted is a key's last state, so nothing need be read again.
func (r *Replay) Confirm(from string, offered []Offer, body *Body) (Receipt, error) {
	return replay(r.key, fingerprint(from, offered, body.Sum), offered)
}

// replay answers a submission whose key has a row.
func replay(k store.Key, fingerprint string, offered []Offer) (Receipt, error) {
	switch {
	case k.State != store.KeyAccepted:
		return Receipt{}, ErrClosed
	case k.Fingerprint != fingerprint:
		return Receipt{}, ErrConflict
	case !sameDecisions(k.Decisions, offered):
		// Two sessions at once, which got different answers at RCPT. A replay
		// must be answered as the first was, and next time it will be.
		return Receipt{}, ErrAgain
	}
	return Receipt{ID: k.MessageID, Replayed: true}, nil
}

// sameDecisions compares who was accepted; the fingerprint has settled that
// the same were offered.
func sameDecisions(stored []Decision, offered []Offer) bool {
	return maps.Equal(accepted(stored), accepted(decisions(offered)))
}

func accepted(all []Decision) map[string]bool {
	names := make(map[string]bool, len(all))
	for _, d := range all {
		if d.Code/100 == 2 {
			names[wire.LowerDomain(d.Address)] = true
		}
	}
	return names
}

// Admit is the look at MAIL, before a message is uploaded in vain. It answers
// a Replay when the batch was accepted before, and otherwise ErrClosed,
// ErrBlocked, ErrEnded, *QuotaError where not even one recipient of the
// declared size (0: none) fits, or *PaceError where not even one may be let
// through now. It reserves nothing: Accept decides.
func (a *Acceptor) Admit(ctx context.Context, accountID, envelopeID string, size units.ByteSize) (*Replay, error) {
	replay, err := a.admit(ctx, accountID, envelopeID, size)
	if err != nil && a.Observe != nil {
		a.Observe(Observation{Reason: Reason(err)})
	}
	return replay, err
}

func (a *Acceptor) admit(ctx context.Context, accountID, envelopeID string, size units.ByteSize) (*Replay, error) {
	if e, err := wire.ParseEnvelopeID(envelopeID); err == nil {
		k, err := a.Store.Key(ctx, accountID, e.Key())
		switch {
		case err == nil && k.State == store.KeyAccepted:
			return &Replay{key: k}, nil
		case err == nil:
			return nil, ErrClosed
		case !errors.Is(err, store.ErrNotFound):
			return nil, err
		}
	}
	now := a.Now()
	row, err := a.Store.Terms(ctx, accountID, now)
	if err != nil {
		return nil, err
	}
	t, err := a.terms(row, now)
	if err != nil {
		return nil, err
	}
	if err := t.refused(); err != nil {
		return nil, err
	}
	if t.late() {
		return nil, nil // what is left of credits is known when Accept has closed the period before
	}
	used, err := a.Store.Used(ctx, accountID, t.start)
	if err != nil {
		return nil, err
	}
	if err := t.fits(used, account.ChargeFor(size, 1)); err != nil {
		return nil, err
	}
	if t.Pace.Turned(store.Micros(now)) { // only Accept can put that right
		return nil, nil
	}
	if no := t.paced(t.Pace, 1, now); no != nil {
		return nil, no
	}
	return nil, nil
}
