package api

import (
	"net/http"

	"servicesmtp.net/companion/server/store"
)

// ErrorsView is an account's errors as commands print them.
type ErrorsView struct {
	Errors []Failure `json:"errors"`
}

func (a *Admin) listErrors(r *http.Request) (any, error) {
	acc, err := a.named(r)
	if err != nil {
		return nil, err
	}
	const atOnce = 1000
	var all []store.Event
	for after := int64(0); ; {
		rows, err := a.Store.Failures(r.Context(), acc.ID, after, atOnce)
		if err != nil {
			return nil, err
		}
		all = append(all, rows...)
		if len(rows) < atOnce {
			return ErrorsView{Errors: viewFailures(all)}, nil
		}
		after = rows[len(rows)-1].ID
	}
}
