package accept

import (
	"context"
	"errors"
	"slices"
	"time"

	"servicesmtp.net/companion/internal/wire"
	"servicesmtp.net/companion/server/account"
	"servicesmtp.net/companion/server/store"
)

// Decision is what was answered to one offered recipient.
type Decision = store.Decision

// Offer is one RCPT with its answer. Only those answered with 2yz are
// delivered; the others are remembered with the key.
type Offer struct {
	Decision
	Notify   string // comma-separated (RFC 3461 §4.1), or ""
	Original string // ORCPT with its type, decoded (RFC 3461 §4.2), or ""
}

func (o Offer) accepted() bool { return o.Code/100 == 2 }

// Submission is one transaction after its final dot.
type Submission struct {
	ID         string // of the message, from store.NewID
	AccountID  string
	EnvelopeID string // ENVID as received, or ""; a foreign one carries no key
	From       string // reverse-path, "" for the null sender
	Offered    []Offer
	Body       *Body
	UTF8       bool
	EightBit   bool
	Return     string    // RET: FULL, HDRS or ""
	Received   string    // our Received field, with its CRLF
	NotBefore  time.Time // nothing leaves earlier; zero: at once. No part of the fingerprint

	Patience time.Duration // the answer may be held back for the pace for so long at most; 0: for a minute or two

	// Held is told that the answer is held back now. The context that it returns
	// ends when nobody waits for the answer any more. nil: the same context.
	Held func(context.Context) (_ context.Context, done func())
}

// Receipt is the answer to an accepted submission.
type Receipt struct {
	ID       string // of the message; the first one's when replayed
	Replayed bool
}

// request is a submission on its way through the writer, with everything
// computed that the writer need not compute.
type request struct {
	message     store.Message
	body        *Body
	key         string // "": none
	fingerprint string
	offered     []Offer
	decisions   string // JSON, when there is a key
	recipients  []store.Addressee
	lanes       []string
	charge      account.Charge
	behind      bool        // others of its account go first, see queues
	lost        bool        // a transaction with it may have been committed: the connection was lost
	answer      chan answer // buffered: the writer never waits for a reader
}

type answer struct {
	receipt Receipt
	err     error
}

// prepare computes what needs no database.
func (a *Acceptor) prepare(s Submission) (*request, error) {
	if s.Body == nil || s.Body.draft == nil {
		return nil, errors.New("submission without a stored body")
	}
	r := &request{
		message: store.Message{ID: s.ID, AccountID: s.AccountID, EnvelopeID: s.EnvelopeID, ClientID: s.EnvelopeID, From: s.From,
			SHA256: s.Body.draft.SHA256(), Size: s.Body.draft.Size(), UTF8: s.UTF8, EightBit: s.EightBit, Return: s.Return, Received: s.Received, NotBefore: s.NotBefore},
		body:    s.Body,
		offered: s.Offered,
		answer:  make(chan answer, 1),
	}
	if e, err := wire.ParseEnvelopeID(s.EnvelopeID); err == nil {
		r.key, r.message.ClientID = e.Key(), e.Client
		r.fingerprint = fingerprint(s.From, s.Offered, s.Body.Sum)
		if r.decisions, err = store.EncodeDecisions(decisions(s.Offered)); err != nil {
			return nil, err
		}
	}
	a.address(r)
	if len(r.recipients) == 0 {
		return nil, errors.New("submission without recipients")
	}
	r.charge = account.ChargeFor(s.Body.Size, len(r.recipients))
	return r, nil
}

// address finds who gets the message. A recipient named twice in one
// transaction gets it, and is charged, once.
func (a *Acceptor) address(r *request) {
	seen := make(map[string]bool, len(r.offered))
	for _, o := range r.offered {
		name := wire.LowerDomain(o.Address)
		if !o.accepted() || seen[name] {
			continue
		}
		seen[name] = true
		lane := a.Route(o.Address)
		r.recipients = append(r.recipients, store.Addressee{Address: o.Address, Notify: o.Notify, Original: o.Original, Lane: lane})
		if !slices.Contains(r.lanes, lane) {
			r.lanes = append(r.lanes, lane)
		}
	}
}

func decisions(offered []Offer) []Decision {
	all := make([]Decision, len(offered))
	for i, o := range offered {
		all[i] = o.Decision
	}
	return all
}

func fingerprint(from string, offered []Offer, sum wire.BodySum) string {
	addresses := make([]string, len(offered))
	for i, o := range offered {
		addresses[i] = o.Address
	}
	return wire.Fingerprint(from, addresses, sum)
}

// terms is what holds for an account at one moment.
type terms struct {
	store.Terms
	plan       account.Plan
	zone       *time.Location
	start, end time.Time // of the period
	limit      account.Charge
	none       account.Status // not "": why no plan is in force
	perMinute  int64          // recipients; 0: no rate
}

// terms works out an account's plan, period and limit.
func (a *Acceptor) terms(t store.Terms, now time.Time) (terms, error) {
	w := terms{Terms: t, zone: a.zone(t.Zone)}
	s := t.Subscription
	if s.ID == "" || !s.At(now) {
		if w.none = account.Waiting; s.ID != "" {
			w.none = account.Ended
		}
		return w, nil
	}
	var ok bool
	if w.plan, ok = a.Catalogue.Plan(s.Plan); !ok {
		return terms{}, errors.New("the account's plan is not in the catalogue")
	}
	w.start, w.end = account.Rows{Zone: w.zone, Subscriptions: []account.Subscription{s}}.Period(w.plan, s, now)
	w.limit = w.plan.Limit(account.Policy(t.Overage), t.Credit(w.plan.Unit()))
	w.perMinute, _ = RateOf(w.plan, t.PerMinute, a.PerMinute)
	return w, nil
}

// late says that an earlier period is to be closed before this one counts.
func (t terms) late() bool { return t.none == "" && !t.Open.IsZero() && t.Open.Before(t.start) }

// refused says whether the account's state forbids mail. A held account's mail
// is accepted, and waits.
func (t terms) refused() error {
	switch {
	case t.none == account.Ended, t.Status == "ended":
		return ErrEnded
	case t.none != "":
		return ErrBlocked // its payment is waited for
	case t.Status == "active", t.Status == "held":
		return nil
	}
	return ErrBlocked
}

// fits says whether there is room for more. Counters start again when the
// period ends; where the plan ends with it, that is said then.
func (t terms) fits(used, more account.Charge) error {
	if !t.limit.Fits(used, more) {
		return &QuotaError{Reset: t.end}
	}
	return nil
}
