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
	"net/mail"
	"regexp"
	"slices"
	"strings"
	"time"

	"servicesmtp.net/companion/server/account"
	"servicesmtp.net/companion/server/login"
	"servicesmtp.net/companion/server/store"
)

// AdminOptions say what an operator administers.
type AdminOptions struct {
	Store *store.Store
	Plans account.Catalogue
	Queue Queue

	PerMinute int64 // recipients of an account that has no rate of its own; 0: no rate

	Wake func(accountID string) // there is a new notice; nil: nobody waits
	Log  *slog.Logger
}

// Admin is the operator's side: an http.Handler that a running relay serves on
// its control socket, and that the command line calls in process when no relay
// runs. Whoever reaches it may do everything.
type Admin struct {
	AdminOptions
	mux *http.ServeMux
}

// NewAdmin makes the handler.
func NewAdmin(o AdminOptions) *Admin {
	if o.Wake == nil {
		o.Wake = func(string) {}
	}
	a := &Admin{AdminOptions: o, mux: http.NewServeMux()}
	for pattern, handle := range map[string]adminCall{
		"GET /accounts":                  a.listAccounts,
		"POST /accounts":                 a.addAccount,
		"GET /accounts/{name}":           a.showAccount,
		"POST /accounts/{name}/{action}": a.changeStatus,
		"PUT /accounts/{name}/plan":      a.setPlan,
		"GET /accounts/{name}/pace":      a.showPace,
		"PUT /accounts/{name}/pace":      a.setPace,
		"PUT /accounts/{name}/password":  a.setPassword,
		"GET /accounts/{name}/usage":     a.showUsage,
		"GET /accounts/{name}/errors":    a.listErrors,
		"GET /plans":                     a.listPlans,
		"GET /queue":                     a.listQueue,
		"POST /queue/{action}":           a.changeQueue,
	} {
		a.mux.Handle(pattern, a.answer(handle))
	}
	return a
}

// ServeHTTP implements http.Handler.
func (a *Admin) ServeHTTP(w http.ResponseWriter, r *http.Request) { a.mux.ServeHTTP(w, r) }

// Run serves ln until ctx ends.
func (a *Admin) Run(ctx context.Context, ln net.Listener) error {
	srv := &http.Server{Handler: a, ReadHeaderTimeout: headerTimeout, ReadTimeout: bodyTimeout, IdleTimeout: idleTimeout,
		ErrorLog: slog.NewLogLogger(a.Log.Handler(), slog.LevelError)}
	return serve(ctx, srv, func() error { return srv.Serve(ln) }, nil)
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
}

func viewAccount(a store.Account) AccountView {
	return AccountView{ID: a.ID, Name: a.Name, Email: a.Email, Plan: a.Plan, Status: a.Status, Overage: a.Overage, Zone: a.Zone, Created: a.CreatedAt}
}

// NewAccount asks for an account.
type NewAccount struct {
	Name     string `json:"name"`
	Plan     string `json:"plan"`
	Email    string `json:"email"`
	Overage  string `json:"overage"`
	Zone     string `json:"zone"`
	Password string `json:"password"` // "": make one
}

// Credentials is an account just made, or given a new password.
type Credentials struct {
	ID       string `json:"id"`
	Name     string `json:"name"`
	Plan     string `json:"plan"`
	Email    string `json:"email"`
	Password string `json:"password"` // "" where the operator chose it
}

// PlanChange asks for another plan.
type PlanChange struct {
	Plan string `json:"plan"`
}

// PasswordChange asks for another password.
type PasswordChange struct {
	Password string `json:"password"` // "": make one
}

// accountName leaves out what SMTP, Basic authentication (a colon) or a path
// would trip over.
var accountName = regexp.MustCompile(`^[a-z0-9][a-z0-9._@+-]{0,63}$`)

func (a *Admin) addAccount(r *http.Request) (any, error) {
	var in NewAccount
	if err := decode(r, &in); err != nil {
		return nil, err
	}
	name := login.Name(in.Name)
	if err := a.checkAccount(name, in); err != nil {
		return nil, err
	}
	hash, made, err := password(in.Password)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	acc := store.Account{ID: store.NewID(now), Name: name, Email: in.Email, Plan: in.Plan, Zone: in.Zone, Status: statusActive,
		Overage: in.Overage, PasswordHash: hash, ActivatedAt: now, CreatedAt: now}
	err = a.Store.AddAccount(r.Context(), acc)
	if errors.Is(err, store.ErrExists) {
		return nil, refuse(http.StatusConflict, "there is an account %q already", name)
	}
	if err != nil {
		return nil, err
	}
	a.Log.Info("account added", "account", acc.ID, "plan", acc.Plan)
	return Credentials{ID: acc.ID, Name: acc.Name, Plan: acc.Plan, Email: acc.Email, Password: made}, nil
}

func (a *Admin) checkAccount(name string, in NewAccount) error {
	if !accountName.MatchString(name) {
		return refuse(http.StatusUnprocessableEntity, "the name %q cannot be used: take letters, digits and . _ @ + -, at most 64", name)
	}
	if _, ok := a.Plans.Plan(in.Plan); !ok {
		return a.noPlan(in.Plan)
	}
	if addr, err := mail.ParseAddress(in.Email); err != nil || addr.Address != in.Email {
		return refuse(http.StatusUnprocessableEntity, "%q is not an e-mail address", in.Email)
	}
	switch account.Policy(in.Overage) {
	case account.Surcharge, account.Stop, account.Block:
	default:
		return refuse(http.StatusUnprocessableEntity, "overage %q is unknown: write surcharge, stop or block", in.Overage)
	}
	if _, err := time.LoadLocation(in.Zone); err != nil || in.Zone == "" || in.Zone == "Local" {
		return refuse(http.StatusUnprocessableEntity, "zone %q is unknown: write a name like Europe/Rome, or UTC", in.Zone)
	}
	return nil
}

func (a *Admin) noPlan(name string) error {
	return refuse(http.StatusUnprocessableEntity, "there is no plan %q: relayd plan list shows them", name)
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

func (a *Admin) listAccounts(r *http.Request) (any, error) {
	rows, err := a.Store.Accounts(r.Context())
	if err != nil {
		return nil, err
	}
	all := make([]AccountView, 0, len(rows))
	for _, acc := range rows {
		all = append(all, viewAccount(acc))
	}
	return all, nil
}

// named is the account in a request's path.
func (a *Admin) named(r *http.Request) (store.Account, error) {
	name := login.Name(r.PathValue("name"))
	acc, err := a.Store.AccountByName(r.Context(), name)
	if errors.Is(err, store.ErrNotFound) {
		return store.Account{}, refuse(http.StatusNotFound, "there is no account %q", name)
	}
	return acc, err
}

func (a *Admin) showAccount(r *http.Request) (any, error) {
	acc, err := a.named(r)
	if err != nil {
		return nil, err
	}
	return viewAccount(acc), nil
}

func (a *Admin) setPlan(r *http.Request) (any, error) {
	var in PlanChange
	if err := decode(r, &in); err != nil {
		return nil, err
	}
	acc, err := a.named(r)
	if err != nil {
		return nil, err
	}
	if _, ok := a.Plans.Plan(in.Plan); !ok {
		return nil, a.noPlan(in.Plan)
	}
	if err := a.Store.SetAccountPlan(r.Context(), acc.ID, in.Plan, time.Now()); err != nil {
		return nil, err
	}
	a.Log.Info("account's plan changed", "account", acc.ID, "plan", in.Plan)
	return a.showAccount(r)
}

func (a *Admin) setPassword(r *http.Request) (any, error) {
	var in PasswordChange
	if err := decode(r, &in); err != nil {
		return nil, err
	}
	acc, err := a.named(r)
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
	return Credentials{ID: acc.ID, Name: acc.Name, Plan: acc.Plan, Email: acc.Email, Password: made}, nil
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
	delivers bool         // mail that was held goes out
	notice   store.Notice // told to the customer
}

var steps = map[string]step{
	"hold": {[]string{statusActive}, statusHeld, false, store.Notice{Kind: "held", Severity: "action", Subject: "Your mail is held",
		Body: "The relay still accepts your mail, but does not deliver it. Contact the service to have it released."}},
	"release": {[]string{statusHeld, statusActive}, statusActive, true, store.Notice{Kind: "released", Severity: "info", Subject: "Your mail is delivered again",
		Body: "The hold on your account has ended. Mail that was accepted meanwhile is being delivered."}},
	"block": {[]string{statusActive, statusHeld}, statusBlocked, false, store.Notice{Kind: "blocked", Severity: "action", Subject: "Your account is blocked",
		Body: "The relay accepts no mail from your account. Contact the service to have the block removed."}},
	"unblock": {[]string{statusBlocked, statusActive}, statusActive, true, store.Notice{Kind: "unblocked", Severity: "info", Subject: "Your account is open again",
		Body: "The block on your account has ended. You can send mail again."}},
}

// changeStatus holds, releases, blocks or unblocks an account.
func (a *Admin) changeStatus(r *http.Request) (any, error) {
	acc, err := a.named(r)
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
		n := st.notice
		n.AccountID, n.CreatedAt = acc.ID, time.Now()
		err := a.Store.Tx(ctx, func(tx *sql.Tx) error {
			if err := a.Store.SetAccountStatus(ctx, tx, acc.ID, acc.Status, st.to); err != nil {
				return err
			}
			_, err := a.Store.AddNotice(ctx, tx, n)
			return err
		})
		if err != nil {
			return AccountView{}, err
		}
		a.Wake(acc.ID)
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
