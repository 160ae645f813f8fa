package account

import "time"

// Replace gives the account another plan from now on, as the operator may:
// free of charge, whatever plan it has or had. Where an upgrade allows it the
// contract goes on, with its end and its credits; else it ends now, and
// another begins. A renewal that waits for its day is left alone, and refuses
// a plan that would run into it.
func (r Rows) Replace(c Catalogue, plan, orderID, newID string, now time.Time) (Changes, error) {
	w := Wish{ID: orderID, Kind: OrderUpgrade, Plan: plan, Free: true}
	o, err := r.NewOrder(c, w, now)
	var done Changes
	if err != nil {
		if done, err = r.giveUp(now); err != nil {
			return Changes{}, err
		}
		r = r.Apply(done)
		w.Kind = OrderNew
		if o, err = r.NewOrder(c, w, now); err != nil {
			return Changes{}, err
		}
	}
	r.Orders = append(r.Orders, o)
	more, err := r.Activate(c, o.ID, newID, now)
	if err != nil {
		return Changes{}, err
	}
	more.Subscriptions = append(done.Subscriptions, more.Subscriptions...)
	more.Credits = append(done.Credits, more.Credits...)
	return more, nil
}

// giveUp ends the contract in force, with its credits.
func (r Rows) giveUp(now time.Time) (Changes, error) {
	s, ok := InForce(r.Subscriptions, now)
	if !ok {
		return Changes{}, nil
	}
	if after, _ := last(r.Subscriptions); after.Start.After(now) {
		return Changes{}, refuse("set plan", AlreadyRenewed, "the account is renewed from %s on: refund that first", after.Start.Format(time.RFC3339))
	}
	s.End, s.State = now, SubscriptionReplaced
	done := Changes{Subscriptions: []Subscription{s}}
	for _, k := range r.Credits {
		if k.Contract == s.Contract {
			k.ExpiresAt = now
			done.Credits = append(done.Credits, k)
		}
	}
	return done, nil
}
