package relayclient

import (
	"context"
	"net/http"
)

// Orders is a page of what the account bought and was asked to pay, the oldest
// first. Wait is not asked for.
func (c *Client) Orders(ctx context.Context, p Page) (Orders, error) {
	params := &GetOrdersParams{Cursor: p.cursor(), Limit: p.limit()}
	return call[Orders](ctx, c, 0, func(ctx context.Context, edit RequestEditorFn) (*http.Response, error) {
		return c.calls.GetOrders(ctx, params, edit)
	})
}

// Bills is a page of what the account's closed periods came to, the oldest
// first. Wait is not asked for.
func (c *Client) Bills(ctx context.Context, p Page) (Bills, error) {
	params := &GetBillsParams{Cursor: p.cursor(), Limit: p.limit()}
	return call[Bills](ctx, c, 0, func(ctx context.Context, edit RequestEditorFn) (*http.Response, error) {
		return c.calls.GetBills(ctx, params, edit)
	})
}

// Credits is a page of what the account was credited, the oldest first. Wait
// is not asked for.
func (c *Client) Credits(ctx context.Context, p Page) (Credits, error) {
	params := &GetCreditsParams{Cursor: p.cursor(), Limit: p.limit()}
	return call[Credits](ctx, c, 0, func(ctx context.Context, edit RequestEditorFn) (*http.Response, error) {
		return c.calls.GetCredits(ctx, params, edit)
	})
}
