package api

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"servicesmtp.net/companion/server/account"
	"servicesmtp.net/companion/server/billing"
	"servicesmtp.net/companion/server/store"
)

// registerBilling hangs on what the account bought and what it costs. All of
// it is read; what costs money is ordered elsewhere.
func (s *Server) registerBilling(a huma.API) {
	add(s, a, operation("getOrders", http.MethodGet, "/orders", "What was bought, and payment requests", http.StatusGone), s.orders)
	add(s, a, operation("getBills", http.MethodGet, "/bills", "What closed periods came to", http.StatusGone), s.bills)
	add(s, a, operation("getCredits", http.MethodGet, "/credits", "What was credited", http.StatusGone), s.credits)
}

func (s *Server) account(ctx context.Context, _ *noInput) (*out[Account], error) {
	a, now := from(ctx).account, time.Now()
	r, err := s.Store.Rows(ctx, s.Store.Reader(), a.ID)
	if err != nil {
		return nil, err
	}
	v := Account{Name: a.Name, Plan: a.Subscription.Plan, Email: a.Email, Status: statusOf(a, now), Overage: a.Overage,
		Zone: a.Zone, Created: a.CreatedAt}
	v.PlanStart, v.PlanEnd = planTimes(a.Subscription)
	v.RenewedFrom, v.RenewalLink = renewalOf(s.Plans, a, r, now)
	return &out[Account]{Body: v}, nil
}

// planTimes are those of what was bought, not of the upgrade in its place.
func planTimes(s account.Subscription) (start, end *time.Time) {
	if s.ID == "" {
		return nil, nil
	}
	return optional(s.Since), optional(s.End)
}

// renewalOf is the beginning of the plan that follows, or the link at which
// one is bought.
func renewalOf(c account.Catalogue, a store.Account, r account.Rows, now time.Time) (from *time.Time, link string) {
	for _, s := range r.Subscriptions {
		if s.Start.After(now) && (s.End.IsZero() || s.End.After(s.Start)) {
			return optional(s.Start), ""
		}
	}
	if s := a.Subscription; s.ID != "" && !s.End.IsZero() {
		return nil, c.Renewal(a.Name, s.Plan)
	}
	return nil, ""
}

// setOverage chooses a policy, which counts at once: acceptance asks for it
// with every message, and closing a period does not ask.
func (s *Server) setOverage(ctx context.Context, in *policyIn) (*out[PolicyInForce], error) {
	v, err := s.choose(ctx, from(ctx).account.ID, in.Body.Policy)
	if err != nil {
		return nil, err
	}
	return &out[PolicyInForce]{Body: v}, nil
}

// choose is choosePolicy with an error for customers and partners.
func (s *Server) choose(ctx context.Context, accountID, policy string) (PolicyInForce, error) {
	v, err := choosePolicy(ctx, s.billing, accountID, account.Policy(policy))
	var no *account.Error
	if errors.As(err, &no) {
		err = huma.Error409Conflict("The policy cannot be chosen: " + no.Detail + ".")
	}
	return v, err
}

func choosePolicy(ctx context.Context, b *billing.Billing, accountID string, policy account.Policy) (PolicyInForce, error) {
	st, err := b.SetPolicy(ctx, accountID, policy)
	if err != nil {
		return PolicyInForce{}, err
	}
	l := limitsOf(st)
	return PolicyInForce{Policy: l.Policy, Effective: time.Now().UTC(), AtLimit: l.AtLimit, AtLimitText: l.AtLimitText}, nil
}

func (s *Server) orders(ctx context.Context, in *Page) (*out[Orders], error) {
	after, err := s.cursors.readKey(orderList, in.Cursor)
	if err != nil {
		return nil, err
	}
	r, err := s.Store.Rows(ctx, s.Store.Reader(), from(ctx).account.ID)
	if err != nil {
		return nil, err
	}
	rows, last, more := page(r.Orders, after, in.Limit, func(o account.Order) string { return o.ID })
	answer := Orders{Orders: make([]Order, 0, len(rows)), Cursor: s.cursors.writeKey(orderList, last), More: more}
	for _, o := range rows {
		answer.Orders = append(answer.Orders, viewOrder(o, r.Paid(o.ID)))
	}
	return &out[Orders]{Body: answer}, nil
}

func (s *Server) bills(ctx context.Context, in *Page) (*out[Bills], error) {
	after, err := s.cursors.read(billList, in.Cursor)
	if err != nil {
		return nil, err
	}
	id := from(ctx).account.ID
	bills, err := s.Store.Bills(ctx, id)
	if err != nil {
		return nil, err
	}
	r, err := s.Store.Rows(ctx, s.Store.Reader(), id)
	if err != nil {
		return nil, err
	}
	for len(bills) > 0 && store.Micros(bills[0].Start) <= after {
		bills = bills[1:]
	}
	rows, more := cut(bills, in.Limit)
	answer := Bills{Bills: make([]PeriodBill, 0, len(rows)), More: more}
	for _, b := range rows {
		after = store.Micros(b.Start)
		answer.Bills = append(answer.Bills, viewBill(b, stateOf(r, b.OrderID)))
	}
	answer.Cursor = s.cursors.write(billList, after)
	return &out[Bills]{Body: answer}, nil
}

func stateOf(r account.Rows, orderID string) account.OrderState {
	for _, o := range r.Orders {
		if o.ID == orderID {
			return o.State
		}
	}
	return ""
}

func (s *Server) credits(ctx context.Context, in *Page) (*out[Credits], error) {
	after, err := s.cursors.readKey(creditList, in.Cursor)
	if err != nil {
		return nil, err
	}
	r, err := s.Store.Rows(ctx, s.Store.Reader(), from(ctx).account.ID)
	if err != nil {
		return nil, err
	}
	rows, last, more := page(r.Credits, after, in.Limit, func(c account.Credit) string { return c.ID })
	answer := Credits{Credits: make([]Credit, 0, len(rows)), Cursor: s.cursors.writeKey(creditList, last), More: more}
	for _, c := range rows {
		answer.Credits = append(answer.Credits, viewCredit(c))
	}
	return &out[Credits]{Body: answer}, nil
}

// page is the rows after a key, of all that are in the order of their keys. An
// account has some dozens, so that reading all is no burden.
func page[T any](all []T, after string, limit int, key func(T) string) (rows []T, last string, more bool) {
	for len(all) > 0 && key(all[0]) <= after {
		all = all[1:]
	}
	rows, more = cut(all, limit)
	if len(rows) > 0 {
		after = key(rows[len(rows)-1])
	}
	return rows, after, more
}
