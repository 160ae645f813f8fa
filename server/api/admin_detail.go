package api

import (
	"context"
	"net/http"
	"time"

	"servicesmtp.net/companion/server/account"
	"servicesmtp.net/companion/server/store"
)

// AccountView is an account as commands print it.
type AccountView struct {
	ID      string    `json:"id"`
	Name    string    `json:"name"`
	Email   string    `json:"email"`
	Plan    string    `json:"plan"`
	Status  string    `json:"status"`
	Overage string    `json:"overage"`
	Zone    string    `json:"zone"`
	Created time.Time `json:"created_at"`

	Customer string     `json:"customer,omitempty"`
	Start    *time.Time `json:"plan_start,omitempty"` // of what was bought; missing: nothing is in force yet
	End      *time.Time `json:"plan_end,omitempty"`   // not included; missing: no end
	Misuse   bool       `json:"misuse,omitempty"`     // marked by the operator: no refund
	Reason   string     `json:"misuse_reason,omitempty"`
	Partner  string     `json:"partner,omitempty"` // whose customer it is; missing: the operator's own
}

// AccountDetail is all that an operator is asked about an account.
type AccountDetail struct {
	AccountView
	PlanTitle   string       `json:"plan_title,omitempty"`
	PeriodStart *time.Time   `json:"period_start,omitempty"`
	PeriodEnd   *time.Time   `json:"period_end,omitempty"`
	Limits      Limits       `json:"limits"`
	RenewedFrom *time.Time   `json:"renewed_from,omitempty"` // when the plan that follows begins
	RenewalLink string       `json:"renewal_link,omitempty"` // where none is bought
	Credits     []Credit     `json:"credits"`                // that are left
	Orders      []Order      `json:"open_orders"`            // that wait for payment or activation
	Unpaid      []PeriodBill `json:"unpaid_bills"`
}

func viewAccount(a store.Account) AccountView {
	v := AccountView{ID: a.ID, Name: a.Name, Email: a.Email, Customer: a.Customer, Plan: a.Subscription.Plan, Status: statusOf(a, time.Now()),
		Overage: a.Overage, Zone: a.Zone, Created: a.CreatedAt, Misuse: a.Misuse, Reason: a.MisuseReason, Partner: a.Partner}
	v.Start, v.End = planTimes(a.Subscription)
	return v
}

// listAccounts lists all, or those of a customer or in a status.
func (a *Admin) listAccounts(r *http.Request) (any, error) {
	q := r.URL.Query()
	rows, err := a.Store.Accounts(r.Context(), q.Get("customer"))
	if err != nil {
		return nil, err
	}
	all := make([]AccountView, 0, len(rows))
	for _, acc := range rows {
		v := viewAccount(acc)
		if status := q.Get("status"); status == "" || status == v.Status {
			all = append(all, v)
		}
	}
	return all, nil
}

func (a *Admin) showAccount(r *http.Request) (any, error) {
	acc, err := a.named(r)
	if err != nil {
		return nil, err
	}
	return a.detail(r.Context(), acc)
}

func (a *Admin) detail(ctx context.Context, acc store.Account) (AccountDetail, error) {
	d := AccountDetail{AccountView: viewAccount(acc), Credits: []Credit{}, Orders: []Order{}, Unpaid: []PeriodBill{}}
	st, err := a.billing.Standing(ctx, acc.ID)
	if err != nil {
		return d, err
	}
	now := time.Now()
	d.PlanTitle, d.Limits = st.Plan.Title, limitsOf(st)
	d.PeriodStart, d.PeriodEnd = optional(st.Start), optional(st.End)
	d.RenewedFrom, d.RenewalLink = renewalOf(a.Plans, acc, st.Rows, now)
	for _, c := range st.Rows.Credits {
		if c.Left > 0 && (c.ExpiresAt.IsZero() || now.Before(c.ExpiresAt)) {
			d.Credits = append(d.Credits, viewCredit(c))
		}
	}
	// What Standing closes is reckoned, not written: its orders cannot be paid yet.
	orders, err := a.Store.Orders(ctx, acc.ID)
	if err != nil {
		return d, err
	}
	for _, o := range orders {
		if o.Kind == account.OrderSurcharge || o.State != account.OrderWaiting && o.State != account.OrderPaid {
			continue // a surcharge is a bill
		}
		d.Orders = append(d.Orders, viewOrder(o, st.Rows.Paid(o.ID)))
	}
	bills, err := a.Store.Bills(ctx, acc.ID)
	if err != nil {
		return d, err
	}
	for _, b := range bills {
		if v := viewBill(b, stateOf(st.Rows, b.OrderID)); v.State == due {
			d.Unpaid = append(d.Unpaid, v)
		}
	}
	return d, nil
}

// UsageView is an account's usage as commands print it.
type UsageView struct {
	Account string `json:"account"`
	Zone    string `json:"zone"`
	Usage
	Limits // of the present period, whatever days are listed
}

func (a *Admin) showUsage(r *http.Request) (any, error) {
	acc, err := a.customer(r)
	if err != nil {
		return nil, err
	}
	st, err := a.billing.Standing(r.Context(), acc.ID)
	if err != nil {
		return nil, err
	}
	v := UsageView{Account: acc.Name, Zone: acc.Zone, Limits: limitsOf(st)}
	if q := r.URL.Query(); q.Has("from") || q.Has("to") {
		if err := (Days{From: q.Get("from"), To: q.Get("to")}).narrow(&st); err != nil {
			return nil, err
		}
	}
	v.Usage, err = usageOf(r.Context(), a.Store, st)
	return v, err
}

// PolicyChange asks for another policy.
type PolicyChange struct {
	Policy string `json:"policy"`
}

func (a *Admin) setPolicy(r *http.Request) (any, error) {
	var in PolicyChange
	if err := decode(r, &in); err != nil {
		return nil, err
	}
	acc, err := a.customer(r)
	if err != nil {
		return nil, err
	}
	v, err := choosePolicy(r.Context(), a.billing, acc.ID, account.Policy(in.Policy))
	if err != nil {
		return nil, broken(err)
	}
	a.Log.Info("account's policy changed", "account", acc.ID, "policy", v.Policy)
	return v, nil
}

// MisuseChange asks for a mark, or for it to be taken away.
type MisuseChange struct {
	Misuse bool   `json:"misuse"`
	Reason string `json:"reason"`
}

// longestReason keeps one on a few lines.
const longestReason = 500

func (a *Admin) setMisuse(r *http.Request) (any, error) {
	var in MisuseChange
	if err := decode(r, &in); err != nil {
		return nil, err
	}
	acc, err := a.customer(r)
	if err != nil {
		return nil, err
	}
	switch {
	case in.Misuse && in.Reason == "":
		return nil, refuse(http.StatusUnprocessableEntity, "a mark needs its reason: it refuses every refund")
	case len(in.Reason) > longestReason:
		return nil, refuse(http.StatusUnprocessableEntity, "the reason is too long: write at most %d bytes", longestReason)
	}
	if err := a.Store.SetAccountMisuse(r.Context(), acc.ID, in.Misuse, in.Reason); err != nil {
		return nil, err
	}
	a.Log.Info("account's mark changed", "account", acc.ID, "misuse", in.Misuse)
	return a.showAccount(r)
}
