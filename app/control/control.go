// Package control carries the engine's façade over the socket in the data
// folder: companionctl, a window in another process and a second start talk
// through it to the engine that runs.
//
// It promises that a client's call means what the engine's method means, its
// errors included (errors.Is and errors.As work on both sides); that requests
// are bounded in size and number; that a watcher that does not read holds up
// nobody; and that Run returns only when every connection has ended. It never
// passes on an error's text as the sentence for a person, and never logs what
// a request holds: it may be a password.
//
// Who may connect is decided by the socket's permissions (internal/socket). Run
// owns all goroutines of the server; the client has none beyond net/http's.
package control

import (
	"context"

	"servicesmtp.net/companion/app"
	"servicesmtp.net/companion/app/mail"
)

// Engine is the façade, *app.Engine in the program. It is as wide as the
// façade is: a control socket that could do less would force people to a
// window.
type Engine interface {
	State() app.State
	Watch(ctx context.Context) <-chan app.State
	Jobs(ctx context.Context, q app.JobQuery) (app.JobPage, error)
	Job(ctx context.Context, id mail.JobID, cursor string, limit int) (app.JobDetail, error)
	Pause(ctx context.Context, account string) error
	Resume(ctx context.Context, account string) error
	Retry(ctx context.Context, job mail.JobID) error
	Cancel(ctx context.Context, job mail.JobID) error
	Resolve(ctx context.Context, job mail.JobID, batch int, sendAgain bool) error
	Usage(ctx context.Context, account string) (app.Usage, error)
	Errors(ctx context.Context, q app.ErrorQuery) (app.ErrorPage, error)
	Accounts(ctx context.Context) ([]app.AccountInfo, error)
	SetAccount(ctx context.Context, in app.AccountInput) error
	ForgetAccount(ctx context.Context, name string) error
	Login(ctx context.Context) (app.Login, error)
	Certificate(ctx context.Context) (app.Certificate, error)
	Stop()
}

// Bodies of the calls that change something. Names and ids travel in bodies
// and queries, never in paths, where an empty or odd one would mean another call.
type (
	ofAccount struct {
		Account string `json:"account"` // "": all
	}
	ofJob struct {
		Job mail.JobID `json:"job"`
	}
	resolution struct {
		Job       mail.JobID `json:"job"`
		Batch     int        `json:"batch"`
		SendAgain bool       `json:"send_again"`
	}
	nothing struct{}
)

// failure is an error on the wire.
type failure struct {
	Kind     string `json:"kind"`
	Sentence string `json:"sentence"`
	Action   string `json:"action,omitempty"`
	Detail   string `json:"detail,omitempty"`
}

// Kinds of failure. They are on the wire; never change them.
const (
	kindUser     = "user"      // an app.UserError
	kindNotFound = "not_found" // app.ErrNotFound
	kindStopped  = "stopped"   // app.ErrStopped
	kindRequest  = "request"   // not understood: another version speaks here
	kindInternal = "internal"  // a defect, or what the engine has no words for
)
