package main

import (
	"fmt"
	"net/http"
	"net/url"

	"servicesmtp.net/companion/internal/money"
	"servicesmtp.net/companion/server/account"
	"servicesmtp.net/companion/server/api"
)

type orderGroup struct {
	List     orderList     `cmd:"" help:"List orders and payment requests."`
	Show     orderShow     `cmd:"" help:"Show one order and what was paid for it."`
	Add      orderAdd      `cmd:"" help:"Order a plan for an account, or ask for its price."`
	Pay      orderPay      `cmd:"" help:"Enter money that came for an order."`
	Activate orderActivate `cmd:"" help:"Give what a paid order bought."`
	Cancel   orderCancel   `cmd:"" help:"Give up an order that waits for its payment."`
	Refund   orderRefund   `cmd:"" help:"End what an order bought and give the money back, where the rules allow it."`
}

type orderList struct {
	Account  string `placeholder:"NAME" help:"Only of this account."`
	Customer string `placeholder:"C" help:"Only of this customer."`
	State    string `placeholder:"S" help:"Only waiting, paid, active, cancelled or refunded ones."`
}

// Run lists orders.
func (c *orderList) Run(inv *invocation) error {
	var out []api.OrderView
	if err := inv.ask(http.MethodGet, "/orders"+query("account", c.Account, "customer", c.Customer, "state", c.State), nil, &out); err != nil {
		return err
	}
	rows := [][]string{{"ORDER", "ACCOUNT", "KIND", "PLAN", "STATE", "PRICE", "PAID", "MADE"}}
	for _, o := range out {
		rows = append(rows, []string{o.ID, o.Account, o.Kind, o.Plan, o.State, o.Price(), sum(o.PaidMinor, o.Currency), dayIn(o.CreatedAt, o.Zone)})
	}
	return inv.list(out, rows, "No orders.")
}

// sum is an amount for people.
func sum(minor int64, currency string) string {
	return money.Amount{Minor: minor, Currency: currency}.String()
}

// orderSentence says what an order is and what it waits for.
func orderSentence(o api.Order) string {
	what := fmt.Sprintf("%s %s for %s", o.Kind, o.Plan, o.Price())
	switch {
	case o.State == string(account.OrderWaiting) && o.PaidMinor > 0:
		return what + ": " + o.Missing() + " is missing"
	case o.State == string(account.OrderWaiting):
		return what + ": waits for the payment"
	case o.State == string(account.OrderPaid) && o.Kind != string(account.OrderSurcharge):
		return what + ": paid, waits to be activated"
	}
	return what + ": " + o.State
}

// orderNamed is a command about one order.
type orderNamed struct {
	ID string `arg:"" placeholder:"ID" help:"The order's id; see order list."`
}

func (o orderNamed) path(rest string) string { return "/orders/" + url.PathEscape(o.ID) + rest }

// changeOrder sends a request that answers with the order.
func (inv *invocation) changeOrder(method, path string, in any) error {
	var o api.OrderView
	if err := inv.ask(method, path, in, &o); err != nil {
		return err
	}
	return inv.printOrder(o)
}

func (inv *invocation) printOrder(o api.OrderView) error {
	if inv.json {
		return inv.printJSON(o)
	}
	rows := [][]string{{"order", orDash(o.ID)}, {"account", o.Account}}
	if o.Customer != "" {
		rows = append(rows, []string{"customer", o.Customer})
	}
	rows = append(rows, []string{"buys", o.Kind + " " + o.Plan})
	if o.PeriodStart != nil {
		rows = append(rows, []string{"for the period from", dayIn(*o.PeriodStart, o.Zone)})
	}
	rows = append(rows, []string{"price", o.Price()})
	if o.Quote {
		return inv.table(append(rows, []string{"state", "only asked for: nothing was ordered"})...)
	}
	rows = append(rows, []string{"state", o.State}, []string{"made", minuteIn(o.CreatedAt, o.Zone)})
	for _, p := range o.Payments {
		rows = append(rows, []string{"payment", fmt.Sprintf("%s by %s, %s, on %s", sum(p.Amount, p.Currency), p.Method, p.Reference, dayIn(p.Received, o.Zone))})
	}
	switch {
	case o.State == string(account.OrderWaiting) && o.PaidMinor > 0:
		rows = append(rows, []string{"missing", o.Missing() + ": the order waits until it is paid in whole"})
	case o.State == string(account.OrderWaiting):
		rows = append(rows, []string{"missing", o.Missing()})
	case o.Due != nil:
		rows = append(rows, []string{"next", "relayd order activate " + o.ID + ", by " + minuteIn(*o.Due, o.Zone)})
	}
	if o.Over > 0 {
		rows = append(rows, []string{"overpaid", sum(o.Over, o.Currency) + ": give it back to the customer"})
	}
	if o.ActivatedAt != nil {
		rows = append(rows, []string{"activated", minuteIn(*o.ActivatedAt, o.Zone)})
	}
	if o.ClosedAt != nil {
		rows = append(rows, []string{o.State, minuteIn(*o.ClosedAt, o.Zone)})
	}
	if o.Back > 0 {
		rows = append(rows, []string{"give back", sum(o.Back, o.Currency)})
	}
	return inv.table(rows...)
}

type orderShow struct{ orderNamed }

// Run shows an order.
func (c *orderShow) Run(inv *invocation) error {
	return inv.changeOrder(http.MethodGet, c.path(""), nil)
}

type orderAdd struct {
	Account   string `arg:"" placeholder:"ACCOUNT" help:"Name of the account."`
	Plan      string `required:"" help:"Plan; see plan list."`
	Kind      string `default:"renewal" enum:"renewal,upgrade,chained,new" help:"What it is: ${enum}. chained: a monthly unlimited plan beside an unlimited one."`
	Reference string `help:"Your own reference; the same again makes no second order."`
	Quote     bool   `help:"Only tell the price."`
}

// Run makes an order.
func (c *orderAdd) Run(inv *invocation) error {
	return inv.changeOrder(http.MethodPost, "/orders", api.NewOrder{Account: c.Account, Plan: c.Plan, Kind: c.Kind, Reference: c.Reference, Quote: c.Quote})
}

// payment is money that came, as a person enters it.
type payment struct {
	Amount    string `required:"" placeholder:"48.00" help:"What came, in the order's currency."`
	Method    string `required:"" placeholder:"transfer" help:"How: transfer, card, paypal or whatever you call it."`
	Reference string `required:"" help:"The payment's own number; the same again is not entered twice."`
	Received  string `placeholder:"YYYY-MM-DD" help:"Day on which it came, in the account's zone. Default: now."`
}

func (p payment) request() api.NewPayment {
	return api.NewPayment{Amount: p.Amount, Method: p.Method, Reference: p.Reference, Received: p.Received}
}

type orderPay struct {
	orderNamed
	payment
}

// Run enters a payment.
func (c *orderPay) Run(inv *invocation) error {
	return inv.changeOrder(http.MethodPost, c.path("/payment"), c.request())
}

type orderActivate struct{ orderNamed }

// Run activates an order.
func (c *orderActivate) Run(inv *invocation) error {
	return inv.changeOrder(http.MethodPost, c.path("/activate"), nil)
}

type orderCancel struct{ orderNamed }

// Run cancels an order.
func (c *orderCancel) Run(inv *invocation) error {
	return inv.changeOrder(http.MethodPost, c.path("/cancel"), nil)
}

type orderRefund struct{ orderNamed }

// Run refunds what an order bought.
func (c *orderRefund) Run(inv *invocation) error {
	return inv.changeOrder(http.MethodPost, c.path("/refund"), nil)
}
