package api

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"time"

	"servicesmtp.net/companion/internal/listen"
	"servicesmtp.net/companion/server/account"
	"servicesmtp.net/companion/server/login"
	"servicesmtp.net/companion/server/store"
)

// sessionLasts is how long an operator's login is good.
const sessionLasts = 12 * time.Hour

// OperatorSession is an operator's login; the token is told this once.
type OperatorSession struct {
	Operator string    `json:"operator"`
	Role     string    `json:"role"` // admin, support, read
	Token    string    `json:"token"`
	Expires  time.Time `json:"expires_at"`
}

// OperatorLogin asks for a session.
type OperatorLogin struct {
	Name     string `json:"name"`
	Password string `json:"password"`
}

// AccountsView is a page of accounts.
type AccountsView struct {
	Accounts []AccountView `json:"accounts"` // by name
	Next     string        `json:"next"`     // where the next page begins; "": there is none
}

// OrdersView lists orders.
type OrdersView struct {
	Orders []OrderView `json:"orders"` // oldest first
}

// Operators is the operators' API, for pages: what the control socket shows,
// read only, to who has logged in. It is served on a port of its own.
type Operators struct {
	admin   *Admin
	server  *Server // whose manners it has
	login   *login.Verifier
	log     *slog.Logger
	handler http.Handler
}

// operatorAccounts lets the verifier of accounts verify operators. One that is
// disabled is not there.
type operatorAccounts struct{ *store.Store }

// AccountByName implements login.Accounts.
func (o operatorAccounts) AccountByName(ctx context.Context, name string) (store.Account, error) {
	op, err := o.Operator(ctx, name)
	if err == nil && !op.DisabledAt.IsZero() {
		err = store.ErrNotFound
	}
	return store.Account{ID: op.Name, Name: op.Name, PasswordHash: op.PasswordHash}, err
}

// NewOperators makes the API.
func NewOperators(s *Server, a *Admin) *Operators {
	o := &Operators{admin: a, server: s, login: login.New(operatorAccounts{s.Store}), log: s.Log}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/operator/session", o.logIn)
	for pattern, call := range map[string]operatorCall{
		"DELETE /v1/operator/session":              o.logOut,
		"GET /v1/operator/accounts":                reads(o.accounts),
		"GET /v1/operator/accounts/{name}":         reads(a.showAccount),
		"GET /v1/operator/accounts/{name}/usage":   reads(a.showUsage),
		"GET /v1/operator/accounts/{name}/orders":  reads(o.orders),
		"GET /v1/operator/accounts/{name}/notices": reads(o.notices),
		"GET /v1/operator/orders":                  reads(o.openOrders),
	} {
		mux.Handle(pattern, o.answer(call))
	}
	mux.HandleFunc("/", fallback(mux))
	o.handler = s.observe(s.Proxies.seeThrough(s.holdBack(mux)))
	return o
}

// Run serves ln over TLS until ctx ends.
func (o *Operators) Run(ctx context.Context, ln net.Listener, conf *tls.Config) error {
	srv := overTLS(o.handler, conf)
	return serve(ctx, srv, func() error {
		return srv.ServeTLS(lasting{listen.New(ln, listen.Limits{Conns: maxConns})}, "", "")
	}, nil)
}

// visitor is an operator who has logged in.
type visitor struct {
	session  string
	operator store.Operator
}

// operatorCall answers one request with a value for JSON; nil is none.
type operatorCall func(r *http.Request, v visitor) (any, error)

// reads is a call that does not ask who reads: every role may.
func reads(call adminCall) operatorCall {
	return func(r *http.Request, _ visitor) (any, error) { return call(r) }
}

func (o *Operators) answer(call operatorCall) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		v, err := o.visitor(r)
		if err != nil {
			o.refuse(w, err)
			return
		}
		value, err := call(r, v)
		if err != nil {
			o.refuse(w, err)
			return
		}
		o.log.Info("operator's call", "operator", v.operator.Name, "session", v.session, "call", r.Pattern)
		if value == nil {
			w.WriteHeader(http.StatusNoContent)
			return
		}
		o.write(w, http.StatusOK, value)
	})
}

func (o *Operators) write(w http.ResponseWriter, status int, value any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if err := json.NewEncoder(w).Encode(value); err != nil {
		o.log.Debug("answer not written", "error", err)
	}
}

// visitor finds who calls by the session's token.
func (o *Operators) visitor(r *http.Request) (visitor, error) {
	token := bearerIn(r.Header.Get("Authorization"))
	if token == "" {
		return visitor{}, login.ErrWrong
	}
	id, op, err := o.server.Store.OperatorBySession(r.Context(), login.TokenHash(token), time.Now())
	if errors.Is(err, store.ErrNotFound) {
		err = login.ErrWrong
	}
	if err != nil {
		return visitor{}, err
	}
	if wait := o.server.limits.wait(id, time.Now()); wait > 0 {
		return visitor{}, &login.Throttled{Retry: wait}
	}
	return visitor{id, op}, nil
}

// refuse answers an error, telling nothing of the inside.
func (o *Operators) refuse(w http.ResponseWriter, err error) {
	var no *refusal
	var throttled *login.Throttled
	switch {
	case errors.As(err, &no):
		writeProblem(w, no.status, no.detail)
	case errors.As(err, &throttled):
		w.Header().Set("Retry-After", strconv.Itoa(int(throttled.Retry.Seconds())+1))
		writeProblem(w, http.StatusTooManyRequests, "Too many requests: wait as long as Retry-After says.")
	case errors.Is(err, login.ErrWrong):
		w.Header().Set("WWW-Authenticate", `Bearer realm="operators"`)
		writeProblem(w, http.StatusUnauthorized, "Log in: name and password are not known here, or the session has ended.")
	default:
		o.log.Error("operator's call failed", "error", err)
		writeProblem(w, http.StatusInternalServerError, unexpected)
	}
}

// logIn makes a session for a name and its password.
func (o *Operators) logIn(w http.ResponseWriter, r *http.Request) {
	var in OperatorLogin
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 4096)).Decode(&in); err != nil {
		writeProblem(w, http.StatusBadRequest, `Write {"name": …, "password": …}.`)
		return
	}
	acc, err := o.login.Verify(r.Context(), in.Name, in.Password, hostOf(r.RemoteAddr))
	if err != nil {
		o.refuse(w, err)
		return
	}
	op, err := o.server.Store.Operator(r.Context(), acc.Name)
	if err != nil {
		o.refuse(w, err)
		return
	}
	now, token := time.Now(), login.NewToken()
	l := store.OperatorSession{ID: store.NewID(now), Operator: op.Name, TokenHash: login.TokenHash(token), CreatedAt: now, ExpiresAt: now.Add(sessionLasts)}
	if err := o.server.Store.AddOperatorSession(r.Context(), l, acc.PasswordHash); err != nil {
		if errors.Is(err, store.ErrNotFound) { // the password was changed while it was verified
			err = login.ErrWrong
		}
		o.refuse(w, err)
		return
	}
	o.log.Info("operator logged in", "operator", op.Name, "session", l.ID)
	o.write(w, http.StatusCreated, OperatorSession{Operator: op.Name, Role: op.Role, Token: token, Expires: l.ExpiresAt})
}

func (o *Operators) logOut(r *http.Request, v visitor) (any, error) {
	o.log.Info("operator logged out", "operator", v.operator.Name, "session", v.session)
	return nil, o.server.Store.EndOperatorSession(r.Context(), v.session, time.Now())
}

// ordersView is what was chosen, each choice the oldest first.
func (o *Operators) ordersView(ctx context.Context, chosen ...store.Choice) (OrdersView, error) {
	v := OrdersView{Orders: []OrderView{}}
	for _, c := range chosen {
		rows, err := o.server.Store.ListOrders(ctx, c)
		if err != nil {
			return v, err
		}
		v.Orders = append(v.Orders, viewOwnedOrders(rows)...)
	}
	return v, nil
}

// accountsAtOnce is how many accounts one answer has.
const accountsAtOnce = 200

func (o *Operators) accounts(r *http.Request) (any, error) {
	q := r.URL.Query()
	rows, err := o.server.Store.SearchAccounts(r.Context(), q.Get("search"), q.Get("after"), accountsAtOnce+1)
	if err != nil {
		return nil, err
	}
	rows, more := cut(rows, accountsAtOnce)
	page := AccountsView{Accounts: make([]AccountView, 0, len(rows))}
	for _, a := range rows {
		page.Accounts = append(page.Accounts, viewAccount(a))
	}
	if more {
		page.Next = rows[len(rows)-1].Name
	}
	return page, nil
}

func (o *Operators) orders(r *http.Request) (any, error) {
	acc, err := o.admin.named(r)
	if err != nil {
		return nil, err
	}
	return o.ordersView(r.Context(), store.Choice{AccountID: acc.ID})
}

// openOrders lists what waits for payment or activation.
func (o *Operators) openOrders(r *http.Request) (any, error) {
	return o.ordersView(r.Context(), store.Choice{State: account.OrderPaid}, store.Choice{State: account.OrderWaiting})
}

func (o *Operators) notices(r *http.Request) (any, error) {
	acc, err := o.admin.named(r)
	if err != nil {
		return nil, err
	}
	rows, err := o.server.Store.Notices(r.Context(), acc.ID, 0, 1000)
	all := make([]Notice, 0, len(rows))
	for _, n := range rows {
		all = append(all, viewNotice(n))
	}
	return map[string][]Notice{"notices": all}, err
}
