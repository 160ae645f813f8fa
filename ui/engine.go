package ui

import (
	"context"
	"time"

	"servicesmtp.net/companion/app"
	"servicesmtp.net/companion/app/mail"
)

// Engine is the façade as far as the window needs it; *app.Engine is one.
type Engine interface {
	State() app.State
	Watch(ctx context.Context) <-chan app.State

	Accounts(ctx context.Context) ([]app.AccountInfo, error)
	SetAccount(ctx context.Context, in app.AccountInput) error
	ForgetAccount(ctx context.Context, name string) error
	Login(ctx context.Context) (app.Login, error)
	Certificate(ctx context.Context) (app.Certificate, error)

	Pause(ctx context.Context, account string) error
	Resume(ctx context.Context, account string) error
	Retry(ctx context.Context, job mail.JobID) error
	Cancel(ctx context.Context, job mail.JobID) error
	Resolve(ctx context.Context, job mail.JobID, batch int, sendAgain bool) error

	Job(ctx context.Context, id mail.JobID, cursor string, limit int) (app.JobDetail, error)
	BrowseJobs(ctx context.Context, f app.JobFilter, offset, limit int) (app.JobList, error)
	BrowseRecipients(ctx context.Context, job mail.JobID, f app.RecipientFilter, offset, limit int) (app.RecipientList, error)
	AllErrors(ctx context.Context, q app.ErrorQuery) (list []app.AddressError, more, stale bool, err error)
	Usage(ctx context.Context, account string) (app.Usage, error)
	Sent(ctx context.Context, account string, since time.Time, span time.Duration) ([]app.SentSpan, error)
	LogTail(ctx context.Context, lines int) ([]app.LogLine, error)
	SeeNotice(ctx context.Context, account string, id int64) error

	Preferences() app.Preferences
	SetPace(ctx context.Context, p app.PacePreferences) error
	SetListen(ctx context.Context, p app.ListenPreferences) error
	SetWindow(ctx context.Context, p app.WindowPreferences) error
}

var _ Engine = (*app.Engine)(nil)
