package api

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"servicesmtp.net/companion/internal/money"
	"servicesmtp.net/companion/server/account"
	"servicesmtp.net/companion/server/billing"
	"servicesmtp.net/companion/server/store"
)

// statusOf is an account's status for people: the operator's word, or what its
// subscriptions make of it.
func statusOf(a store.Account, now time.Time) string {
	switch {
	case a.Status != statusActive:
		return a.Status
	case a.Subscription.ID == "":
		return string(account.Waiting)
	}
	return string(account.StatusAt([]account.Subscription{a.Subscription}, now))
}

// broken turns what the rules refuse into words for the operator.
func broken(err error) error {
	var no *account.Error
	switch {
	case errors.As(err, &no):
		return refuse(http.StatusConflict, "%s", no.Detail)
	case errors.Is(err, billing.ErrReference):
		return refuse(http.StatusConflict, "%v: give it a reference of its own", err)
	case errors.Is(err, store.ErrNotFound):
		return refuse(http.StatusNotFound, "there is no such order")
	}
	return err
}

// billingCalls are the operator's calls about plans, money and use.
func (a *Admin) billingCalls() map[string]adminCall {
	return map[string]adminCall{
		"GET /plans":                                   a.listPlans,
		"POST /plans/check":                            a.checkPlans,
		"GET /accounts":                                a.listAccounts,
		"GET /accounts/{name}":                         a.showAccount,
		"PUT /accounts/{name}/plan":                    a.setPlan,
		"PUT /accounts/{name}/policy":                  a.setPolicy,
		"PUT /accounts/{name}/misuse":                  a.setMisuse,
		"GET /accounts/{name}/usage":                   a.showUsage,
		"GET /accounts/{name}/bills/{period}":          a.showBill,
		"POST /accounts/{name}/bills/{period}/payment": a.payBill,
		"GET /bills":                                   a.listBills,
		"POST /periods/close":                          a.closePeriods,
		"GET /orders":                                  a.listOrders,
		"POST /orders":                                 a.addOrder,
		"GET /orders/{id}":                             a.showOrder,
		"POST /orders/{id}/payment":                    a.payOrder,
		"POST /orders/{id}/activate":                   a.activateOrder,
		"POST /orders/{id}/cancel":                     a.cancelOrder,
		"POST /orders/{id}/refund":                     a.refundOrder,
	}
}

// OrderView is an order as commands print it.
type OrderView struct {
	Order
	Account  string        `json:"account"`
	Customer string        `json:"customer,omitempty"`
	Zone     string        `json:"zone"`                // of the account
	Due      *time.Time    `json:"active_by,omitempty"` // when what was paid must be active
	Over     int64         `json:"overpaid_minor"`
	Quote    bool          `json:"quote,omitempty"`           // only the price was asked for: there is no such order
	Payments []PaymentView `json:"payments,omitempty"`        // of one order alone
	Back     int64         `json:"give_back_minor,omitempty"` // what the customer is to be given back
}

// PaymentView is money that came for an order, as commands print it.
type PaymentView struct {
	Method    string    `json:"method"`
	Reference string    `json:"reference"`
	Amount    int64     `json:"amount_minor"`
	Currency  string    `json:"currency"`
	Received  time.Time `json:"received_at"`
}

// NewOrder asks for an order, or for its price.
type NewOrder struct {
	Account   string `json:"account"`
	Plan      string `json:"plan"`
	Kind      string `json:"kind"`      // new, renewal, upgrade, chained
	Reference string `json:"reference"` // "": one is made
	Quote     bool   `json:"quote"`
}

// NewPayment enters money that came.
type NewPayment struct {
	Amount    string `json:"amount"` // as written: 48.00
	Method    string `json:"method"`
	Reference string `json:"reference"`
	Received  string `json:"received"` // day in the account's zone; "": now
}

func viewOwned(o account.Order, acc store.Account, paid int64) OrderView {
	v := OrderView{Order: viewOrder(o, paid), Account: acc.Name, Customer: acc.Customer, Zone: acc.Zone, Over: max(0, paid-o.Price)}
	by, _ := account.ActivationDue(o, time.Now())
	v.Due = optional(by)
	if o.State == account.OrderCancelled || o.State == account.OrderRefunded {
		v.Over, v.Back = 0, paid
	}
	return v
}

// orderStates are those that lists can be cut down to.
var orderStates = []account.OrderState{account.OrderWaiting, account.OrderPaid, account.OrderActive, account.OrderCancelled, account.OrderRefunded}

// choice reads which accounts a list is about.
func (a *Admin) choice(r *http.Request) (store.Choice, error) {
	q := r.URL.Query()
	c := store.Choice{Customer: q.Get("customer"), State: account.OrderState(q.Get("state")), Unpaid: q.Get("unpaid") == "true"}
	if c.State != "" && !slices.Contains(orderStates, c.State) {
		return c, refuse(http.StatusUnprocessableEntity, "%q is no state of an order: write waiting, paid, active, cancelled or refunded", string(c.State))
	}
	if name := q.Get("account"); name != "" {
		acc, err := a.byName(r.Context(), name)
		if err != nil {
			return c, err
		}
		c.AccountID = acc.ID
	}
	return c, nil
}

func (a *Admin) listOrders(r *http.Request) (any, error) {
	c, err := a.choice(r)
	if err != nil {
		return nil, err
	}
	rows, err := a.Store.ListOrders(r.Context(), c)
	if err != nil {
		return nil, err
	}
	return viewOwnedOrders(rows), nil
}

func viewOwnedOrders(rows []store.Owned[account.Order]) []OrderView {
	all := make([]OrderView, 0, len(rows))
	for _, o := range rows {
		all = append(all, viewOwned(o.One, store.Account{Name: o.Account, Customer: o.Customer, Zone: o.Zone}, o.Paid))
	}
	return all
}

func (a *Admin) addOrder(r *http.Request) (any, error) {
	var in NewOrder
	if err := decode(r, &in); err != nil {
		return nil, err
	}
	acc, err := a.customerByName(r.Context(), in.Account)
	if err != nil {
		return nil, err
	}
	if _, ok := a.Plans.Plan(in.Plan); !ok {
		return nil, a.noPlan(in.Plan)
	}
	w := account.Wish{Kind: account.OrderKind(in.Kind), Plan: in.Plan}
	if in.Quote {
		o, err := a.billing.Quote(r.Context(), acc.ID, w)
		if err != nil {
			return nil, broken(err)
		}
		v := viewOwned(o, acc, 0)
		v.Quote, v.Due = true, nil
		return v, nil
	}
	o, err := a.billing.Order(r.Context(), acc.ID, in.Reference, w)
	if err != nil {
		return nil, broken(err)
	}
	a.Log.Info("order made", "account", acc.ID, "order", o.ID, "kind", o.Kind, "plan", o.Plan)
	return a.orderView(r.Context(), o.ID)
}

func (a *Admin) showOrder(r *http.Request) (any, error) {
	return a.orderView(r.Context(), orderID(r))
}

// orderID is the one in a request's path; people may write it in lower case.
func orderID(r *http.Request) string { return strings.ToUpper(r.PathValue("id")) }

// orderView reads an order as it is now.
func (a *Admin) orderView(ctx context.Context, id string) (OrderView, error) {
	o, paid, err := a.Store.Order(ctx, id)
	if err != nil {
		return OrderView{}, broken(err)
	}
	acc, err := a.Store.AccountByID(ctx, o.AccountID)
	if err != nil {
		return OrderView{}, err
	}
	var sum int64
	var payments []PaymentView
	for _, p := range paid {
		sum += p.Amount
		payments = append(payments, PaymentView{Method: p.Method, Reference: p.Reference, Amount: p.Amount, Currency: p.Currency, Received: p.ReceivedAt})
	}
	v := viewOwned(o, acc, sum)
	v.Payments = payments
	return v, nil
}

func (a *Admin) payOrder(r *http.Request) (any, error) {
	var in NewPayment
	if err := decode(r, &in); err != nil {
		return nil, err
	}
	return a.pay(r.Context(), orderID(r), in)
}

// pay enters money for an order. The same method and reference again change
// nothing.
func (a *Admin) pay(ctx context.Context, id string, in NewPayment) (OrderView, error) {
	v, err := a.orderView(ctx, id)
	if err != nil {
		return v, err
	}
	sum, err := money.Parse(in.Amount, v.Currency)
	if err != nil {
		return v, refuse(http.StatusUnprocessableEntity, "%v", err)
	}
	if in.Method == "" || in.Reference == "" {
		return v, refuse(http.StatusUnprocessableEntity, "a payment needs a method and the reference under which it came, so that it is not entered twice")
	}
	p := account.Payment{OrderID: id, Method: in.Method, Reference: in.Reference, Amount: sum.Minor, Currency: sum.Currency}
	if in.Received != "" {
		if p.ReceivedAt, err = dayOf(in.Received, v.Zone); err != nil {
			return v, err
		}
	}
	if _, err := a.billing.Pay(ctx, p); err != nil {
		return v, broken(err)
	}
	a.Log.Info("payment entered", "order", id, "amount_minor", p.Amount, "currency", p.Currency)
	return a.orderView(ctx, id)
}

// dayOf is the beginning of a day in a zone.
func dayOf(day, zone string) (time.Time, error) {
	at, err := time.ParseInLocation(time.DateOnly, day, account.Location(zone))
	if err != nil {
		return at, refuse(http.StatusUnprocessableEntity, "%q is not a day: write YYYY-MM-DD", day)
	}
	return at.UTC(), nil
}

func (a *Admin) activateOrder(r *http.Request) (any, error) {
	return a.orderEvent(r, "activated", a.billing.Activate)
}

func (a *Admin) cancelOrder(r *http.Request) (any, error) {
	return a.orderEvent(r, "cancelled", a.billing.Cancel)
}

func (a *Admin) orderEvent(r *http.Request, what string, event func(context.Context, string) (account.Order, error)) (any, error) {
	o, err := event(r.Context(), orderID(r))
	if err != nil {
		return nil, broken(err)
	}
	a.Log.Info("order "+what, "account", o.AccountID, "order", o.ID)
	return a.orderView(r.Context(), o.ID)
}

func (a *Admin) refundOrder(r *http.Request) (any, error) {
	back, err := a.billing.Refund(r.Context(), orderID(r))
	if err != nil {
		return nil, broken(err)
	}
	v, err := a.orderView(r.Context(), orderID(r))
	v.Back = back
	a.Log.Info("order refunded", "order", v.ID, "amount_minor", back, "currency", v.Currency)
	return v, err
}
