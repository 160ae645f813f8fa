package api

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"servicesmtp.net/companion/server/account"
	"servicesmtp.net/companion/server/billing"
	"servicesmtp.net/companion/server/login"
	"servicesmtp.net/companion/server/store"
)

type (
	partnerOrderIn  struct{ Body PartnerOrderForm }
	partnerIn       = PartnerAccountID
	partnerChangeIn struct {
		PartnerAccountID
		Body PartnerAccountChange
	}
	partnerUsageIn struct {
		PartnerAccountID
		Days
	}
	// made is an answer with a status of its own: 200 for what was there before.
	made struct {
		Status int
		Body   PartnerAccountMade
	}
)

// PartnerAccountID names an account in a path; huma reads embedded fields of
// exported types only.
type PartnerAccountID struct {
	ID string `path:"id" maxLength:"26"`
}

// registerPartners hangs on what partners do with accounts of their own. Every
// one of these looks the account up by the partner, too: another's is not there.
func (s *Server) registerPartners(a huma.API) {
	op := func(id, method, path, summary string, errs ...int) huma.Operation {
		o := operation(id, method, "/partner/accounts"+path, summary, errs...)
		o.Security = []map[string][]string{{"partner": {}}}
		return o
	}
	order := op("createPartnerAccount", http.MethodPost, "", "Order an account for a customer", http.StatusConflict)
	order.DefaultStatus = http.StatusCreated
	order.Description = "The account may send when its order is paid and activated by the operator. The same reference again answers 200 with the account of then, without the password."
	order.Responses = map[string]*huma.Response{"200": {Description: "The account was ordered under this reference before",
		Content: map[string]*huma.MediaType{"application/json": {Schema: &huma.Schema{Ref: "#/components/schemas/PartnerAccountMade"}}}}}
	add(s, a, order, s.createPartnerAccount)
	add(s, a, op("listPartnerAccounts", http.MethodGet, "", "The partner's accounts", http.StatusGone), s.listPartnerAccounts)
	add(s, a, op("getPartnerAccount", http.MethodGet, "/{id}", "One account", http.StatusNotFound), s.partnerAccount)
	add(s, a, op("changePartnerAccount", http.MethodPatch, "/{id}", "Change an account", http.StatusNotFound), s.changePartnerAccount)
	add(s, a, op("resetPartnerPassword", http.MethodPost, "/{id}/password", "Make a new password, and the old one and all tokens invalid", http.StatusNotFound), s.resetPartnerPassword)
	add(s, a, op("getPartnerUsage", http.MethodGet, "/{id}/usage", "What an account sent, by day", http.StatusNotFound), s.partnerUsage)
	add(s, a, op("getPartnerQuota", http.MethodGet, "/{id}/quota", "The plan's present period", http.StatusNotFound), s.partnerQuota)
	add(s, a, op("listPartnerOrders", http.MethodGet, "/{id}/orders", "Orders of an account", http.StatusNotFound), s.partnerOrders)
}

// own finds an account of the calling partner.
func (s *Server) own(ctx context.Context, id string) (store.Account, error) {
	acc, err := s.Store.PartnerAccount(ctx, from(ctx).partner.Name, id)
	if errors.Is(err, store.ErrNotFound) {
		return acc, huma.Error404NotFound("There is no such account among yours.")
	}
	return acc, err
}

func (s *Server) createPartnerAccount(ctx context.Context, in *partnerOrderIn) (*made, error) {
	form := in.Body
	form.Name = login.Name(form.Name)
	if again, err := s.orderedBefore(ctx, form); again != nil || err != nil {
		return again, err
	}
	c := from(ctx)
	if err := s.checkForm(c.partner, form); err != nil {
		return nil, err
	}
	password := login.NewPassword()
	hash, err := login.Hash(password)
	if err != nil {
		return nil, err
	}
	customer := ""
	if form.Customer != "" {
		customer = customerOf(c.partner.Name, form.Customer)
	}
	acc, order, err := s.billing.Open(ctx, billing.NewAccount{Plan: form.Plan, Wait: true,
		Account: store.Account{Name: form.Name, Email: form.Email, Customer: customer, Zone: form.Zone, Status: statusActive, Overage: form.Overage,
			PasswordHash: hash, Partner: c.partner.Name, Reference: form.Reference},
		Check: func(ctx context.Context, tx *sql.Tx) error { return s.mayOpen(ctx, tx, c.partner.Name) }})
	if err != nil {
		// The same order may have come twice at once, and the other was faster.
		if again, before := s.orderedBefore(ctx, form); again != nil || before != nil {
			return again, before
		}
	}
	var no *account.Error
	switch {
	case errors.Is(err, store.ErrExists):
		return nil, huma.Error409Conflict(fmt.Sprintf("The name %q cannot be had: choose another.", form.Name))
	case errors.As(err, &no):
		return nil, huma.Error422UnprocessableEntity(no.Detail)
	case err != nil:
		return nil, err
	}
	s.Log.Info("partner ordered an account", "partner", c.partner.Name, "token", c.token.ID, "account", acc.ID, "plan", form.Plan)
	return &made{Status: http.StatusCreated, Body: PartnerAccountMade{Account: viewPartnerAccount(acc, time.Now()), Order: viewOrder(order, 0), Password: password}}, nil
}

// orderedBefore answers an order that was made before, or nil.
func (s *Server) orderedBefore(ctx context.Context, form PartnerOrderForm) (*made, error) {
	acc, err := s.Store.PartnerAccountByReference(ctx, from(ctx).partner.Name, form.Reference)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	orders, err := s.Store.ListOrders(ctx, store.Choice{AccountID: acc.ID})
	if err != nil {
		return nil, err
	}
	if len(orders) == 0 { // cannot be: it was opened with one
		return nil, store.ErrNotFound
	}
	if acc.Name != form.Name || orders[0].One.Plan != form.Plan {
		return nil, huma.Error409Conflict("This reference was used for another account. Give every order a reference of its own.")
	}
	return &made{Status: http.StatusOK, Body: PartnerAccountMade{Account: viewPartnerAccount(acc, time.Now()), Order: viewOrder(orders[0].One, orders[0].Paid),
		Note: "This account was ordered before, and its password told then. If it was lost, make a new one: POST /v1/partner/accounts/" + acc.ID + "/password."}}, nil
}

// checkForm checks what a partner wants to order.
func (s *Server) checkForm(p store.Partner, f PartnerOrderForm) error {
	_, sold := s.Plans.Plan(f.Plan)
	if len(p.Plans) > 0 {
		sold = sold && slices.Contains(p.Plans, f.Plan)
	}
	if !sold {
		return huma.Error422UnprocessableEntity(fmt.Sprintf("You cannot order the plan %q. These you can: %s.", f.Plan, strings.Join(s.plansOf(p), ", ")))
	}
	return checkPerson(f.Name, f.Email, f.Overage, f.Zone)
}

// plansOf names the plans that a partner may order.
func (s *Server) plansOf(p store.Partner) (names []string) {
	for _, plan := range s.Plans.Plans() {
		if len(p.Plans) == 0 || slices.Contains(p.Plans, plan.Name) {
			names = append(names, plan.Name)
		}
	}
	return names
}

// mayOpen says, in the transaction that opens it, whether a partner may have
// one account more.
func (s *Server) mayOpen(ctx context.Context, tx *sql.Tx, partner string) error {
	p, accounts, err := s.Store.LockPartner(ctx, tx, partner)
	switch {
	case err != nil:
		return err
	case !p.DisabledAt.IsZero():
		return huma.Error403Forbidden(partnerDisabled)
	case p.MaxAccounts > 0 && accounts >= p.MaxAccounts:
		return huma.Error403Forbidden(fmt.Sprintf("You have %d accounts, and may have no more. Ask the operator of the service.", accounts))
	}
	return nil
}

func (s *Server) listPartnerAccounts(ctx context.Context, in *Page) (*out[PartnerAccounts], error) {
	after, err := s.cursors.readKey(partnerList, in.Cursor)
	if err != nil {
		return nil, err
	}
	rows, err := s.Store.PartnerAccounts(ctx, from(ctx).partner.Name, after, in.Limit+1)
	if err != nil {
		return nil, err
	}
	rows, more := cut(rows, in.Limit)
	answer := PartnerAccounts{Accounts: make([]PartnerAccount, 0, len(rows)), More: more}
	for _, a := range rows {
		after = a.ID
		answer.Accounts = append(answer.Accounts, viewPartnerAccount(a, time.Now()))
	}
	answer.Cursor = s.cursors.writeKey(partnerList, after)
	return &out[PartnerAccounts]{Body: answer}, nil
}

func (s *Server) partnerAccount(ctx context.Context, in *partnerIn) (*out[PartnerAccount], error) {
	acc, err := s.own(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	return &out[PartnerAccount]{Body: viewPartnerAccount(acc, time.Now())}, nil
}

func (s *Server) changePartnerAccount(ctx context.Context, in *partnerChangeIn) (*out[PartnerAccount], error) {
	acc, err := s.own(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	if in.Body.Email != nil {
		if err := checkEmail(*in.Body.Email); err != nil {
			return nil, err
		}
	}
	if in.Body.Overage != nil {
		if _, err := s.choose(ctx, acc.ID, *in.Body.Overage); err != nil {
			return nil, err
		}
	}
	if in.Body.Email != nil {
		if err := s.Store.SetAccountEmail(ctx, acc.ID, *in.Body.Email); err != nil {
			return nil, err
		}
	}
	s.Log.Info("partner changed an account", "partner", acc.Partner, "token", from(ctx).token.ID, "account", acc.ID)
	return s.partnerAccount(ctx, &partnerIn{ID: in.ID})
}

func (s *Server) resetPartnerPassword(ctx context.Context, in *partnerIn) (*out[PartnerPassword], error) {
	acc, err := s.own(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	password := login.NewPassword()
	hash, err := login.Hash(password)
	if err != nil {
		return nil, err
	}
	if err := s.Store.SetAccountPassword(ctx, acc.ID, hash, time.Now()); err != nil {
		return nil, err
	}
	s.Log.Info("partner changed an account's password, its tokens revoked", "partner", acc.Partner, "token", from(ctx).token.ID, "account", acc.ID)
	return &out[PartnerPassword]{Body: PartnerPassword{ID: acc.ID, Name: acc.Name, Password: password}}, nil
}

func (s *Server) partnerUsage(ctx context.Context, in *partnerUsageIn) (*out[Usage], error) {
	acc, err := s.own(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	return s.usageIn(ctx, acc.ID, in.Days)
}

func (s *Server) partnerQuota(ctx context.Context, in *partnerIn) (*out[Quota], error) {
	acc, err := s.own(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	return s.quotaOf(ctx, acc.ID)
}

func (s *Server) partnerOrders(ctx context.Context, in *partnerIn) (*out[PartnerOrders], error) {
	acc, err := s.own(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	rows, err := s.Store.ListOrders(ctx, store.Choice{AccountID: acc.ID})
	if err != nil {
		return nil, err
	}
	answer := PartnerOrders{Orders: make([]Order, 0, len(rows))}
	for _, o := range rows {
		answer.Orders = append(answer.Orders, viewOrder(o.One, o.Paid))
	}
	return &out[PartnerOrders]{Body: answer}, nil
}
