package relayclient

import (
	"context"
	"net/http"
	"time"
)

// Partner asks a relay on behalf of a partner, who sells the service to
// customers of its own. It sees its own accounts only; another's are
// ErrNotFound. It may be used from any goroutine.
type Partner struct{ c *Client }

// NewPartner makes one with a partner's token. It connects to nobody yet.
func NewPartner(o Options) (*Partner, error) {
	c, err := New(o)
	if err != nil {
		return nil, err
	}
	return &Partner{c}, nil
}

// Order orders an account, which may send when the operator has its payment and
// has activated it. The same reference again is the same account: then, also
// after a repetition that Options.Retries allows, the password is missing, and
// Note says what to do.
func (p *Partner) Order(ctx context.Context, form PartnerOrderForm) (PartnerAccountMade, error) {
	return call[PartnerAccountMade](ctx, p.c, 0, func(ctx context.Context, edit RequestEditorFn) (*http.Response, error) {
		return p.c.calls.CreatePartnerAccount(ctx, form, edit)
	})
}

// Accounts is a page of the partner's accounts. Wait is not used.
func (p *Partner) Accounts(ctx context.Context, page Page) (PartnerAccounts, error) {
	params := &ListPartnerAccountsParams{Cursor: page.cursor(), Limit: page.limit()}
	return call[PartnerAccounts](ctx, p.c, 0, func(ctx context.Context, edit RequestEditorFn) (*http.Response, error) {
		return p.c.calls.ListPartnerAccounts(ctx, params, edit)
	})
}

// Account is one account.
func (p *Partner) Account(ctx context.Context, id string) (PartnerAccount, error) {
	return call[PartnerAccount](ctx, p.c, 0, func(ctx context.Context, edit RequestEditorFn) (*http.Response, error) {
		return p.c.calls.GetPartnerAccount(ctx, id, edit)
	})
}

// Change changes what is not nil, and answers the account as it is then.
func (p *Partner) Change(ctx context.Context, id string, change PartnerAccountChange) (PartnerAccount, error) {
	return call[PartnerAccount](ctx, p.c, 0, func(ctx context.Context, edit RequestEditorFn) (*http.Response, error) {
		return p.c.calls.ChangePartnerAccount(ctx, id, change, edit)
	})
}

// ResetPassword makes a new password; the old one and all tokens of the account
// are no good any more. It is never repeated by itself: an earlier request that
// arrives late would take the password back that was told.
func (p *Partner) ResetPassword(ctx context.Context, id string) (PartnerPassword, error) {
	return once[PartnerPassword](ctx, p.c, 0, func(ctx context.Context, edit RequestEditorFn) (*http.Response, error) {
		return p.c.calls.ResetPartnerPassword(ctx, id, edit)
	})
}

// Usage is what an account sent from the day of from up to the day of to, which
// is not included. Zero times stand for the ends of the present period.
func (p *Partner) Usage(ctx context.Context, id string, from, to time.Time) (Usage, error) {
	params := &GetPartnerUsageParams{From: date(from), To: date(to)}
	return call[Usage](ctx, p.c, 0, func(ctx context.Context, edit RequestEditorFn) (*http.Response, error) {
		return p.c.calls.GetPartnerUsage(ctx, id, params, edit)
	})
}

// Quota is the present period of an account's plan.
func (p *Partner) Quota(ctx context.Context, id string) (Quota, error) {
	return call[Quota](ctx, p.c, 0, func(ctx context.Context, edit RequestEditorFn) (*http.Response, error) {
		return p.c.calls.GetPartnerQuota(ctx, id, edit)
	})
}

// Orders lists an account's orders, oldest first.
func (p *Partner) Orders(ctx context.Context, id string) ([]Order, error) {
	o, err := call[PartnerOrders](ctx, p.c, 0, func(ctx context.Context, edit RequestEditorFn) (*http.Response, error) {
		return p.c.calls.ListPartnerOrders(ctx, id, edit)
	})
	return o.Orders, err
}
