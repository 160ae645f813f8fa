package api

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"servicesmtp.net/companion/server/account"
	"servicesmtp.net/companion/server/billing"
	"servicesmtp.net/companion/server/login"
	"servicesmtp.net/companion/server/notify"
	"servicesmtp.net/companion/server/steward"
	"servicesmtp.net/companion/server/store"
	"servicesmtp.net/companion/server/tell"
)

// AdminOptions say what an operator administers.
type AdminOptions struct {
	Store  *store.Store
	Plans  account.Catalogue
	Queue  Queue
	Teller *tell.Teller // nil: one that sends no mail and wakes nobody
	Log    *slog.Logger

	Steward *steward.Steward // nil: one of the teller's

	PerMinute int64 // recipients of an account that has no rate of its own; 0: no rate

	Backup func(ctx context.Context, w io.Writer) error // writes one; nil: cannot be
}

// Admin is the operator's side: an http.Handler that a running relay serves on
// its control socket, and that the command line calls in process when no relay
// runs. Whoever reaches it may do everything.
type Admin struct {
	AdminOptions
	billing *billing.Billing
	mux     *http.ServeMux
	backups *backups
}

// NewAdmin makes the handler.
func NewAdmin(o AdminOptions) *Admin {
	if o.Teller == nil {
		o.Teller = tell.New(tell.Options{Store: o.Store, Log: o.Log})
	}
	if o.Steward == nil {
		o.Steward = steward.New(steward.Options{Store: o.Store, Plans: o.Plans, Teller: o.Teller, Log: o.Log})
	}
	a := &Admin{AdminOptions: o, billing: &billing.Billing{Store: o.Store, Plans: o.Plans}, mux: http.NewServeMux(), backups: newBackups()}
	a.mux.HandleFunc("GET /backup", a.makeBackup)
	for pattern, handle := range map[string]adminCall{
		"POST /accounts":                       a.addAccount,
		"POST /accounts/{name}/{action}":       a.changeStatus,
		"GET /accounts/{name}/pace":            a.showPace,
		"PUT /accounts/{name}/pace":            a.setPace,
		"PUT /accounts/{name}/password":        a.setPassword,
		"GET /accounts/{name}/errors":          a.listErrors,
		"GET /accounts/{name}/reports/{month}": a.showReport,
		"GET /nodes":                           a.listNodes,
		"GET /queue":                           a.listQueue,
		"POST /queue/{action}":                 a.changeQueue,
		"POST /reports/run":                    a.runReports,
	} {
		a.mux.Handle(pattern, a.answer(handle))
	}
	for pattern, handle := range a.billingCalls() {
		a.mux.Handle(pattern, a.answer(handle))
	}
	a.registerPartners()
	a.registerOperators()
	return a
}

// ServeHTTP implements http.Handler.
func (a *Admin) ServeHTTP(w http.ResponseWriter, r *http.Request) { a.mux.ServeHTTP(w, r) }

// Run serves ln until ctx ends.
func (a *Admin) Run(ctx context.Context, ln net.Listener) error {
	srv := &http.Server{Handler: a, ReadHeaderTimeout: headerTimeout, ReadTimeout: bodyTimeout, IdleTimeout: idleTimeout,
		ErrorLog: slog.NewLogLogger(a.Log.Handler(), slog.LevelError)}
	defer a.backups.running.Wait() // also one that outlasts the time for stopping
	return serve(ctx, srv, func() error { return srv.Serve(ln) }, a.backups.giveUp)
}

// adminCall answers one request with a value for JSON.
type adminCall func(r *http.Request) (any, error)

// refusal is an error whose text is for the operator.
type refusal struct {
	status int
	detail string
}

func (e *refusal) Error() string { return e.detail }

func refuse(status int, format string, args ...any) error {
	return &refusal{status: status, detail: fmt.Sprintf(format, args...)}
}

func (a *Admin) answer(call adminCall) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		value, err := call(r)
		var no *refusal
		switch {
		case errors.As(err, &no):
			writeProblem(w, no.status, no.detail)
		case err != nil:
			// Over the operator's own socket the cause may be told.
			a.Log.Error("administration failed", "call", r.Pattern, "error", err)
			writeProblem(w, http.StatusInternalServerError, err.Error())
		default:
			w.Header().Set("Content-Type", "application/json")
			if err := json.NewEncoder(w).Encode(value); err != nil {
				a.Log.Debug("answer not written", "error", err)
			}
		}
	})
}

// decode reads a request's body strictly: command line and relay may be of
// different versions, and a setting must not be lost silently.
func decode(r *http.Request, into any) error {
	d := json.NewDecoder(io.LimitReader(r.Body, 1<<20))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return refuse(http.StatusBadRequest, "the running relay does not understand this command: %v; are relay and command of the same version?", err)
	}
	return nil
}

// NewAccount asks for an account.
type NewAccount struct {
	Name     string `json:"name"`
	Plan     string `json:"plan"`
	Email    string `json:"email"`
	Overage  string `json:"overage"`
	Zone     string `json:"zone"`
	Password string `json:"password"` // "": make one

	Customer  string `json:"customer,omitempty"`   // the operator's reference
	OrderOnly bool   `json:"order_only,omitempty"` // wait for payment and activation
	Reference string `json:"reference,omitempty"`  // of the order
	Since     string `json:"since,omitempty"`      // first day of the plan in the zone; "": now
}

// Credentials is an account just made, or given a new password.
type Credentials struct {
	ID       string `json:"id"`
	Name     string `json:"name"`
	Plan     string `json:"plan"`
	Email    string `json:"email"`
	Password string `json:"password"` // "" where the operator chose it
	Order    string `json:"order,omitempty"`
	Due      *Order `json:"due,omitempty"` // the order, where it waits for its payment
}

// PasswordChange asks for another password.
type PasswordChange struct {
	Password string `json:"password"` // "": make one
}

func (a *Admin) addAccount(r *http.Request) (any, error) {
	var in NewAccount
	if err := decode(r, &in); err != nil {
		return nil, err
	}
	name := login.Name(in.Name)
	if err := a.checkAccount(name, in); err != nil {
		return nil, err
	}
	begins, err := sinceDay(in)
	if err != nil {
		return nil, err
	}
	hash, made, err := password(in.Password)
	if err != nil {
		return nil, err
	}
	acc, order, err := a.billing.Open(r.Context(), billing.NewAccount{Plan: in.Plan, Reference: in.Reference, Wait: in.OrderOnly, Begins: begins,
		Account: store.Account{Name: name, Email: in.Email, Customer: in.Customer, Zone: in.Zone, Status: statusActive, Overage: in.Overage, PasswordHash: hash}})
	switch {
	case errors.Is(err, store.ErrExists):
		return nil, refuse(http.StatusConflict, "there is an account %q already", name)
	case err != nil:
		return nil, broken(err)
	}
	a.Log.Info("account added", "account", acc.ID, "plan", in.Plan)
	c := Credentials{ID: acc.ID, Name: acc.Name, Plan: in.Plan, Email: acc.Email, Password: made, Order: order.ID}
	if in.OrderOnly {
		v := viewOrder(order, 0)
		c.Due = &v
	}
	return c, nil
}

func (a *Admin) checkAccount(name string, in NewAccount) error {
	if _, ok := a.Plans.Plan(in.Plan); !ok {
		return a.noPlan(in.Plan)
	}
	return checkPerson(name, in.Email, in.Overage, in.Zone)
}

func (a *Admin) noPlan(name string) error {
	return refuse(http.StatusUnprocessableEntity, "there is no plan %q: relayd plan list shows them", name)
}

// sinceDay is the beginning of the plan that was asked for; zero is now.
func sinceDay(in NewAccount) (time.Time, error) {
	switch {
	case in.Since == "":
		return time.Time{}, nil
	case in.OrderOnly:
		return time.Time{}, refuse(http.StatusUnprocessableEntity, "a plan that waits for its payment begins when it is activated: leave out one of --since and --order-only")
	}
	at, err := dayOf(in.Since, in.Zone)
	if err == nil && at.After(time.Now()) {
		err = refuse(http.StatusUnprocessableEntity, "%s has not come: a plan begins today or on a day before", in.Since)
	}
	return at, err
}

// password hashes what the operator chose, or makes one.
func password(chosen string) (hash, made string, err error) {
	if chosen == "" {
		made = login.NewPassword()
		hash, err = login.Hash(made)
		return hash, made, err
	}
	if hash, err = login.Hash(chosen); err != nil {
		return "", "", refuse(http.StatusUnprocessableEntity, "%v", err)
	}
	return hash, "", nil
}

// named is the account in a request's path.
func (a *Admin) named(r *http.Request) (store.Account, error) {
	return a.byName(r.Context(), r.PathValue("name"))
}

func (a *Admin) byName(ctx context.Context, name string) (store.Account, error) {
	name = login.Name(name)
	acc, err := a.Store.AccountByName(ctx, name)
	if errors.Is(err, store.ErrNotFound) {
		return store.Account{}, refuse(http.StatusNotFound, "there is no account %q", name)
	}
	return acc, err
}

// customer is named, but for the service's own account: that one is as it is.
func (a *Admin) customer(r *http.Request) (store.Account, error) {
	return a.customerByName(r.Context(), r.PathValue("name"))
}

func (a *Admin) customerByName(ctx context.Context, name string) (store.Account, error) {
	acc, err := a.byName(ctx, name)
	if err == nil && acc.ID == store.ServiceID {
		err = refuse(http.StatusConflict, "%s is the service's own account: it has no plan and no password, and cannot be changed", acc.Name)
	}
	return acc, err
}

func (a *Admin) setPassword(r *http.Request) (any, error) {
	var in PasswordChange
	if err := decode(r, &in); err != nil {
		return nil, err
	}
	acc, err := a.customer(r)
	if err != nil {
		return nil, err
	}
	hash, made, err := password(in.Password)
	if err != nil {
		return nil, err
	}
	if err := a.Store.SetAccountPassword(r.Context(), acc.ID, hash, time.Now()); err != nil {
		return nil, err
	}
	a.Log.Info("account's password changed, its tokens revoked", "account", acc.ID)
	return Credentials{ID: acc.ID, Name: acc.Name, Plan: acc.Subscription.Plan, Email: acc.Email, Password: made}, nil
}

// What an account may do, as stored.
const (
	statusActive  = "active"
	statusHeld    = "held"
	statusBlocked = "blocked"
)

// step is one change of status that an operator can make.
type step struct {
	from     []string
	to       string
	delivers bool          // mail that was held goes out
	notice   notify.Notice // told to the customer
}

var steps = map[string]step{
	"hold":    {[]string{statusActive}, statusHeld, false, notify.Held{}},
	"release": {[]string{statusHeld, statusActive}, statusActive, true, notify.Released{}},
	"block":   {[]string{statusActive, statusHeld}, statusBlocked, false, notify.Closed{}},
	"unblock": {[]string{statusBlocked, statusActive}, statusActive, true, notify.Opened{}},
}

// changeStatus holds, releases, blocks or unblocks an account.
func (a *Admin) changeStatus(r *http.Request) (any, error) {
	acc, err := a.customer(r)
	if err != nil {
		return nil, err
	}
	return a.change(r.Context(), acc, r.PathValue("action"))
}

// change takes a step; the customer is told in the same transaction.
func (a *Admin) change(ctx context.Context, acc store.Account, action string) (AccountView, error) {
	st, ok := steps[action]
	if !ok {
		return AccountView{}, refuse(http.StatusNotFound, "there is no action %q", action)
	}
	if !slices.Contains(st.from, acc.Status) {
		return AccountView{}, refuse(http.StatusConflict, "the account %q is %s; this is possible only while it is %s", acc.Name, acc.Status, strings.Join(st.from, " or "))
	}
	if acc.Status != st.to {
		_, err := a.Teller.Tell(ctx, tell.News{Account: acc, Notice: st.notice, With: func(ctx context.Context, tx *sql.Tx) error {
			return a.Store.SetAccountStatus(ctx, tx, acc.ID, acc.Status, st.to)
		}})
		if err != nil {
			return AccountView{}, err
		}
		a.Log.Info("account's status changed", "account", acc.ID, "status", st.to)
	}
	acc.Status = st.to
	if !st.delivers {
		return viewAccount(acc), nil
	}
	// After the status: what is accepted from here on is not held any more. A
	// crash in between is mended by the same command, given again.
	_, err := a.Queue.Release(ctx, store.Selection{AccountID: acc.ID})
	return viewAccount(acc), err
}
