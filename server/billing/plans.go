package billing

import (
	"context"
	"errors"
	"fmt"

	"servicesmtp.net/companion/server/store"
)

// Missing lists the plans that the catalogue lacks although accounts have
// them, have ordered them or are still to be billed for them.
func (b *Billing) Missing(ctx context.Context) ([]store.PlanUse, error) {
	used, err := b.Store.PlansInUse(ctx, b.now())
	if err != nil {
		return nil, err
	}
	var missing []store.PlanUse
	for _, u := range used {
		if _, ok := b.Plans.Plan(u.Plan); !ok {
			missing = append(missing, u)
		}
	}
	return missing, nil
}

// Check is an error that names what is Missing.
func (b *Billing) Check(ctx context.Context) error {
	missing, err := b.Missing(ctx)
	errs := []error{err}
	for _, m := range missing {
		errs = append(errs, Lacks(m))
	}
	return errors.Join(errs...)
}

// Lacks says that a plan is missing, and what to do.
func Lacks(m store.PlanUse) error {
	have := "accounts have or wait for it"
	if m.Accounts == 1 {
		have = "account has or waits for it"
	}
	return fmt.Errorf("plan %q is not in the catalogue, but %d %s: put it back", m.Plan, m.Accounts, have)
}
