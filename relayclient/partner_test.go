package relayclient

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"
)

// TestPartnerCalls sends every call and looks at what the relay gets.
func TestPartnerCalls(t *testing.T) {
	ctx := context.Background()
	email := "b@example.com"
	day := time.Date(2026, 11, 2, 0, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		name, answer string
		call         func(p *Partner) (bool, error)
		want         seen
	}{
		{"order", `{"account":{"id":"A"},"order":{"id":"O"},"password":"p"}`, func(p *Partner) (bool, error) {
			made, err := p.Order(ctx, PartnerOrderForm{Reference: "1", Name: "n", Email: "a@example.com", Plan: "entry"})
			return made.Account.ID == "A" && made.Order.ID == "O" && *made.Password == "p", err
		}, seen{"POST", "/v1/partner/accounts", "Bearer " + token, `{"email":"a@example.com","name":"n","plan":"entry","reference":"1"}`}},
		{"accounts", `{"accounts":[{"id":"A"}],"cursor":"c2","more":true}`, func(p *Partner) (bool, error) {
			page, err := p.Accounts(ctx, Page{Cursor: "c1", Limit: 3})
			return len(page.Accounts) == 1 && page.Cursor == "c2" && page.More, err
		}, seen{"GET", "/v1/partner/accounts?cursor=c1&limit=3", "Bearer " + token, ""}},
		{"account", `{"id":"A"}`, func(p *Partner) (bool, error) {
			a, err := p.Account(ctx, "A")
			return a.ID == "A", err
		}, seen{"GET", "/v1/partner/accounts/A", "Bearer " + token, ""}},
		{"change", `{"id":"A","email":"b@example.com"}`, func(p *Partner) (bool, error) {
			a, err := p.Change(ctx, "A", PartnerAccountChange{Email: &email})
			return a.Email == email, err
		}, seen{"PATCH", "/v1/partner/accounts/A", "Bearer " + token, `{"email":"b@example.com"}`}},
		{"password", `{"id":"A","name":"n","password":"p"}`, func(p *Partner) (bool, error) {
			a, err := p.ResetPassword(ctx, "A")
			return a.Password == "p", err
		}, seen{"POST", "/v1/partner/accounts/A/password", "Bearer " + token, ""}},
		{"usage", `{"plan":"entry","emails":7}`, func(p *Partner) (bool, error) {
			u, err := p.Usage(ctx, "A", day, day.AddDate(0, 0, 1))
			return u.Emails == 7, err
		}, seen{"GET", "/v1/partner/accounts/A/usage?from=2026-11-02&to=2026-11-03", "Bearer " + token, ""}},
		{"quota", `{"plan":"entry","emails_used":7}`, func(p *Partner) (bool, error) {
			q, err := p.Quota(ctx, "A")
			return q.EmailsUsed == 7, err
		}, seen{"GET", "/v1/partner/accounts/A/quota", "Bearer " + token, ""}},
		{"orders", `{"orders":[{"id":"O"}]}`, func(p *Partner) (bool, error) {
			all, err := p.Orders(ctx, "A")
			return len(all) == 1 && all[0].ID == "O", err
		}, seen{"GET", "/v1/partner/accounts/A/orders", "Bearer " + token, ""}},
	} {
		t.Run(c.name, func(t *testing.T) {
			client, got := relay(t, http.StatusOK, asJSON, c.answer)
			ok, err := c.call(&Partner{client})
			if err != nil || !ok {
				t.Errorf("answered %v, %v", ok, err)
			}
			if *got != c.want {
				t.Errorf("sent %+v, want %+v", *got, c.want)
			}
		})
	}
}

// TestPartnerPasswordIsAskedForOnce: also where calls are repeated.
func TestPartnerPasswordIsAskedForOnce(t *testing.T) {
	var asked atomic.Int32
	srv := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		w.WriteHeader(http.StatusServiceUnavailable)
	}))
	defer srv.Close()
	p, err := NewPartner(Options{BaseURL: srv.URL, Token: token, HTTPClient: srv.Client(), Retries: 3})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.ResetPassword(t.Context(), "A"); !errors.Is(err, ErrUnavailable) || asked.Load() != 1 {
		t.Errorf("asked %d times, %v", asked.Load(), err)
	}
	if _, err := NewPartner(Options{BaseURL: "http://relay.example"}); err == nil {
		t.Error("a partner's token over plain HTTP")
	}
}
