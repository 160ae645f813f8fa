package api

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"time"

	"servicesmtp.net/companion/server/login"
	"servicesmtp.net/companion/server/queue"
	"servicesmtp.net/companion/server/store"
)

// Queue is what operators do with mail that waits.
type Queue interface {
	List(ctx context.Context, f store.Selection) ([]queue.Group, error)
	Hold(ctx context.Context, f store.Selection) (int64, error)
	Release(ctx context.Context, f store.Selection) (int64, error)
	Drop(ctx context.Context, f store.Selection) (int64, error)
	Rebuild(ctx context.Context) (int, error)
}

var _ Queue = (*queue.Queue)(nil)

// QueueView is the queue as commands print it.
type QueueView struct {
	Groups []QueueGroup `json:"groups"`
}

// QueueGroup is what one account has waiting for one domain.
type QueueGroup struct {
	Domain     string     `json:"domain"`
	Account    string     `json:"account"`
	Recipients int        `json:"recipients"`
	Held       int        `json:"held"`
	Attempts   int        `json:"attempts"` // most made for one of them
	Oldest     time.Time  `json:"oldest"`
	Next       *time.Time `json:"next,omitempty"` // missing: all are held
	LastError  string     `json:"last_error"`
}

// QueueChange tells how many recipients a command changed.
type QueueChange struct {
	Recipients int64 `json:"recipients"`
}

// QueueRebuilt tells how many lanes got new jobs.
type QueueRebuilt struct {
	Lanes int `json:"lanes"`
}

// QueueSelection names a part of the queue. Empty fields select everything.
type QueueSelection struct {
	Account string `json:"account"`
	Domain  string `json:"domain"`
	Message string `json:"message"`
	All     bool   `json:"all"`
}

// Query writes the selection for listQueue.
func (q QueueSelection) Query() string {
	return url.Values{"account": {q.Account}, "domain": {q.Domain}, "message": {q.Message}}.Encode()
}

// selection finds the account by its name.
func (a *Admin) selection(ctx context.Context, q QueueSelection) (store.Selection, error) {
	f := store.Selection{Domain: q.Domain, MessageID: q.Message}
	if q.Account == "" {
		return f, nil
	}
	acc, err := a.Store.AccountByName(ctx, login.Name(q.Account))
	if errors.Is(err, store.ErrNotFound) {
		return f, refuse(http.StatusNotFound, "there is no account %q", q.Account)
	}
	f.AccountID = acc.ID
	return f, err
}

func (a *Admin) listQueue(r *http.Request) (any, error) {
	q := r.URL.Query()
	f, err := a.selection(r.Context(), QueueSelection{Account: q.Get("account"), Domain: q.Get("domain"), Message: q.Get("message")})
	if err != nil {
		return nil, err
	}
	groups, err := a.Queue.List(r.Context(), f)
	if err != nil {
		return nil, err
	}
	view := QueueView{Groups: make([]QueueGroup, 0, len(groups))}
	for _, g := range groups {
		view.Groups = append(view.Groups, QueueGroup{Domain: g.Domain, Account: g.Account, Recipients: g.Count, Held: g.Held, Attempts: g.Attempts,
			Oldest: g.Oldest, Next: optional(g.Next), LastError: g.LastError})
	}
	return view, nil
}

func (a *Admin) changeQueue(r *http.Request) (any, error) {
	var in QueueSelection
	if err := decode(r, &in); err != nil {
		return nil, err
	}
	action := r.PathValue("action")
	if action == "rebuild" {
		n, err := a.Queue.Rebuild(r.Context())
		return QueueRebuilt{Lanes: n}, err
	}
	change, ok := map[string]func(context.Context, store.Selection) (int64, error){
		"hold": a.Queue.Hold, "release": a.Queue.Release, "drop": a.Queue.Drop}[action]
	if !ok {
		return nil, refuse(http.StatusNotFound, "there is no action %q", action)
	}
	// A forgotten flag must not drop everybody's mail.
	if (in.Account+in.Domain+in.Message == "") != in.All {
		return nil, refuse(http.StatusUnprocessableEntity, "say what: --account, --domain or --message, or --all for everything")
	}
	f, err := a.selection(r.Context(), in)
	if err != nil {
		return nil, err
	}
	n, err := change(r.Context(), f)
	if err != nil {
		return nil, err
	}
	a.Log.Info("queue changed", "action", action, "rcpt_count", n)
	return QueueChange{Recipients: n}, nil
}
