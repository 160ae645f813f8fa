package api

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"servicesmtp.net/companion/server/login"
	"servicesmtp.net/companion/server/store"
)

// operatorRoles are what an operator can be.
var operatorRoles = []string{"admin", "support", "read"}

// OperatorView is an operator as commands print it.
type OperatorView struct {
	Name     string     `json:"name"`
	Role     string     `json:"role"`
	Created  time.Time  `json:"created_at"`
	Disabled *time.Time `json:"disabled_at,omitempty"`

	Password string `json:"password,omitempty"` // printed once, when it is made
}

// NewOperator asks for an operator.
type NewOperator struct {
	Name     string `json:"name"`
	Role     string `json:"role"`
	Password string `json:"password"` // "": make one
}

func (a *Admin) registerOperators() {
	for pattern, handle := range map[string]adminCall{
		"GET /operators":                 a.listOperators,
		"POST /operators":                a.addOperator,
		"PUT /operators/{name}/password": a.setOperatorPassword,
		"POST /operators/{name}/disable": a.disableOperator,
		"POST /operators/{name}/enable":  a.enableOperator,
	} {
		a.mux.Handle(pattern, a.answer(handle))
	}
}

func viewOperator(o store.Operator) OperatorView {
	return OperatorView{Name: o.Name, Role: o.Role, Created: o.CreatedAt, Disabled: optional(o.DisabledAt)}
}

func (a *Admin) listOperators(r *http.Request) (any, error) {
	rows, err := a.Store.Operators(r.Context())
	all := make([]OperatorView, 0, len(rows))
	for _, o := range rows {
		all = append(all, viewOperator(o))
	}
	return all, err
}

func (a *Admin) addOperator(r *http.Request) (any, error) {
	var in NewOperator
	if err := decode(r, &in); err != nil {
		return nil, err
	}
	o := store.Operator{Name: login.Name(in.Name), Role: in.Role, CreatedAt: time.Now()}
	if !accountName.MatchString(o.Name) {
		return nil, refuse(http.StatusUnprocessableEntity, "the name %q cannot be used: take letters, digits and . _ @ + -, at most 64", o.Name)
	}
	if !slices.Contains(operatorRoles, o.Role) {
		return nil, refuse(http.StatusUnprocessableEntity, "the role %q is unknown: write %s", o.Role, strings.Join(operatorRoles, ", "))
	}
	var made string
	var err error
	if o.PasswordHash, made, err = password(in.Password); err != nil {
		return nil, err
	}
	err = a.Store.AddOperator(r.Context(), o)
	if errors.Is(err, store.ErrExists) {
		return nil, refuse(http.StatusConflict, "there is an operator %q already", o.Name)
	}
	if err != nil {
		return nil, err
	}
	a.Log.Info("operator added", "operator", o.Name, "role", o.Role)
	v := viewOperator(o)
	v.Password = made
	return v, nil
}

// operator reads the operator in a request's path as it is after a change.
func (a *Admin) operator(r *http.Request, change func(name string) error) (OperatorView, error) {
	name := login.Name(r.PathValue("name"))
	err := change(name)
	if errors.Is(err, store.ErrNotFound) {
		return OperatorView{}, refuse(http.StatusNotFound, "there is no operator %q", name)
	}
	if err != nil {
		return OperatorView{}, err
	}
	o, err := a.Store.Operator(r.Context(), name)
	a.Log.Info("operator changed", "operator", name, "call", r.Pattern)
	return viewOperator(o), err
}

func (a *Admin) setOperatorPassword(r *http.Request) (any, error) {
	var in PasswordChange
	if err := decode(r, &in); err != nil {
		return nil, err
	}
	hash, made, err := password(in.Password)
	if err != nil {
		return nil, err
	}
	v, err := a.operator(r, func(name string) error { return a.Store.SetOperatorPassword(r.Context(), name, hash, time.Now()) })
	v.Password = made
	return v, err
}

func (a *Admin) disableOperator(r *http.Request) (any, error) {
	return a.operator(r, func(name string) error { return a.Store.DisableOperator(r.Context(), name, time.Now()) })
}

func (a *Admin) enableOperator(r *http.Request) (any, error) {
	return a.operator(r, func(name string) error { return a.Store.EnableOperator(r.Context(), name) })
}
