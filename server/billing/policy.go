package billing

import (
	"context"

	"servicesmtp.net/companion/server/account"
)

// SetPolicy chooses what happens at the limit, from now on, and tells how the
// account stands with it.
func (b *Billing) SetPolicy(ctx context.Context, accountID string, policy account.Policy) (Standing, error) {
	r, err := b.Store.Rows(ctx, b.Store.Reader(), accountID)
	if err != nil {
		return Standing{}, err
	}
	if err := r.MayChoose(b.Plans, policy, b.now()); err != nil {
		return Standing{}, err
	}
	if err := b.Store.SetAccountOverage(ctx, accountID, string(policy)); err != nil {
		return Standing{}, err
	}
	return b.Standing(ctx, accountID)
}
