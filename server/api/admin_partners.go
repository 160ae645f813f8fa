package api

import (
	"errors"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"servicesmtp.net/companion/server/login"
	"servicesmtp.net/companion/server/store"
)

// PartnerView is a partner as commands print it.
type PartnerView struct {
	Name        string     `json:"name"`
	Email       string     `json:"email"`
	Plans       []string   `json:"plans"`        // that it may order; empty: all
	MaxAccounts int64      `json:"max_accounts"` // 0: no limit
	Accounts    int64      `json:"accounts"`
	Created     time.Time  `json:"created_at"`
	Disabled    *time.Time `json:"disabled_at,omitempty"`

	Tokens []PartnerTokenView `json:"tokens,omitempty"` // of one that is shown
}

// PartnerTokenView is a partner's token as commands print it.
type PartnerTokenView struct {
	ID      string     `json:"id"`
	Partner string     `json:"partner"`
	Token   string     `json:"token,omitempty"` // printed once, when it is made
	Scopes  []string   `json:"scopes"`
	Created time.Time  `json:"created_at"`
	Expires *time.Time `json:"expires_at,omitempty"` // not included
	Revoked *time.Time `json:"revoked_at,omitempty"`
	Seen    time.Time  `json:"seen_at"` // to the hour
}

// NewPartner asks for a partner.
type NewPartner struct {
	Name        string   `json:"name"`
	Email       string   `json:"email"`
	Plans       []string `json:"plans"`
	MaxAccounts int64    `json:"max_accounts"`
}

// NewPartnerToken asks for a token.
type NewPartnerToken struct {
	Scopes  []string   `json:"scopes"`     // none: all
	Expires *time.Time `json:"expires_at"` // not included; null: never
}

// partnerName goes into customers' names, where a colon ends it.
var partnerName = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,62}$`)

func (a *Admin) registerPartners() {
	for pattern, handle := range map[string]adminCall{
		"GET /partners":                    a.listPartners,
		"POST /partners":                   a.addPartner,
		"GET /partners/{name}":             a.showPartner,
		"POST /partners/{name}/{action}":   a.changePartner,
		"POST /partners/{name}/tokens":     a.addPartnerToken,
		"POST /partner-tokens/{id}/revoke": a.revokePartnerToken,
	} {
		a.mux.Handle(pattern, a.answer(handle))
	}
}

func (a *Admin) viewPartner(r *http.Request, p store.Partner) (PartnerView, error) {
	n, err := a.Store.CountPartnerAccounts(r.Context(), p.Name)
	return PartnerView{Name: p.Name, Email: p.Email, Plans: append([]string{}, p.Plans...), MaxAccounts: p.MaxAccounts, Accounts: n,
		Created: p.CreatedAt, Disabled: optional(p.DisabledAt)}, err
}

func viewPartnerToken(k store.PartnerToken) PartnerTokenView {
	return PartnerTokenView{ID: k.ID, Partner: k.Partner, Scopes: strings.Fields(k.Scopes), Created: k.CreatedAt, Expires: optional(k.ExpiresAt),
		Revoked: optional(k.RevokedAt), Seen: k.SeenAt}
}

func (a *Admin) listPartners(r *http.Request) (any, error) {
	rows, err := a.Store.Partners(r.Context())
	if err != nil {
		return nil, err
	}
	all := make([]PartnerView, 0, len(rows))
	for _, p := range rows {
		v, err := a.viewPartner(r, p)
		if err != nil {
			return nil, err
		}
		all = append(all, v)
	}
	return all, nil
}

func (a *Admin) addPartner(r *http.Request) (any, error) {
	var in NewPartner
	if err := decode(r, &in); err != nil {
		return nil, err
	}
	p := store.Partner{Name: login.Name(in.Name), Email: in.Email, Plans: in.Plans, MaxAccounts: in.MaxAccounts, CreatedAt: time.Now()}
	if !partnerName.MatchString(p.Name) {
		return nil, refuse(http.StatusUnprocessableEntity, "the name %q cannot be used: take letters, digits and hyphens, at most 63", p.Name)
	}
	if err := checkEmail(p.Email); err != nil {
		return nil, err
	}
	for _, plan := range p.Plans {
		if _, ok := a.Plans.Plan(plan); !ok {
			return nil, a.noPlan(plan)
		}
	}
	if p.MaxAccounts < 0 {
		return nil, refuse(http.StatusUnprocessableEntity, "%d accounts cannot be: write a number, or 0 for no limit", p.MaxAccounts)
	}
	err := a.Store.AddPartner(r.Context(), p)
	if errors.Is(err, store.ErrExists) {
		return nil, refuse(http.StatusConflict, "there is a partner %q already", p.Name)
	}
	if err != nil {
		return nil, err
	}
	a.Log.Info("partner added", "partner", p.Name)
	return a.viewPartner(r, p)
}

// partner is the partner in a request's path.
func (a *Admin) partner(r *http.Request) (store.Partner, error) {
	name := login.Name(r.PathValue("name"))
	p, err := a.Store.Partner(r.Context(), name)
	if errors.Is(err, store.ErrNotFound) {
		return p, refuse(http.StatusNotFound, "there is no partner %q", name)
	}
	return p, err
}

func (a *Admin) showPartner(r *http.Request) (any, error) {
	p, err := a.partner(r)
	if err != nil {
		return nil, err
	}
	v, err := a.viewPartner(r, p)
	if err != nil {
		return nil, err
	}
	tokens, err := a.Store.PartnerTokens(r.Context(), p.Name)
	for _, k := range tokens {
		v.Tokens = append(v.Tokens, viewPartnerToken(k))
	}
	return v, err
}

// changePartner disables a partner or enables it again.
func (a *Admin) changePartner(r *http.Request) (any, error) {
	p, err := a.partner(r)
	if err != nil {
		return nil, err
	}
	switch action := r.PathValue("action"); {
	case action == "disable" && p.DisabledAt.IsZero():
		p.DisabledAt = time.Now()
	case action == "enable":
		p.DisabledAt = time.Time{}
	case action != "disable":
		return nil, refuse(http.StatusNotFound, "there is no action %q", action)
	}
	if err := a.Store.SetPartnerDisabled(r.Context(), p.Name, p.DisabledAt); err != nil {
		return nil, err
	}
	a.Log.Info("partner changed", "partner", p.Name, "disabled", !p.DisabledAt.IsZero())
	return a.viewPartner(r, p)
}

func (a *Admin) addPartnerToken(r *http.Request) (any, error) {
	var in NewPartnerToken
	if err := decode(r, &in); err != nil {
		return nil, err
	}
	p, err := a.partner(r)
	if err != nil {
		return nil, err
	}
	for _, scope := range in.Scopes {
		if !slices.Contains(partnerScopes, scope) {
			return nil, refuse(http.StatusUnprocessableEntity, "there is no scope %q: write some of %s", scope, strings.Join(partnerScopes, ", "))
		}
	}
	now, token := time.Now(), login.NewToken()
	k := store.PartnerToken{ID: store.NewID(now), Partner: p.Name, TokenHash: login.TokenHash(token), Scopes: chosen(partnerScopes, in.Scopes), CreatedAt: now, SeenAt: now}
	if in.Expires != nil {
		if k.ExpiresAt = *in.Expires; !k.ExpiresAt.After(now) {
			return nil, refuse(http.StatusUnprocessableEntity, "the token would have expired already: name a later day")
		}
	}
	if err := a.Store.AddPartnerToken(r.Context(), k); err != nil {
		return nil, err
	}
	a.Log.Info("partner's token made", "partner", p.Name, "token", k.ID, "scopes", k.Scopes)
	v := viewPartnerToken(k)
	v.Token = token
	return v, nil
}

func (a *Admin) revokePartnerToken(r *http.Request) (any, error) {
	id := r.PathValue("id")
	k, err := a.Store.RevokePartnerToken(r.Context(), id, time.Now())
	if errors.Is(err, store.ErrNotFound) {
		return nil, refuse(http.StatusNotFound, "there is no token %q: relayd partner show NAME lists them", id)
	}
	if err != nil {
		return nil, err
	}
	a.Log.Info("partner's token revoked", "partner", k.Partner, "token", k.ID)
	return viewPartnerToken(k), nil
}
