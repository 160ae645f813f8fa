package app

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"servicesmtp.net/companion/app/reports"
	"servicesmtp.net/companion/app/say"
	"servicesmtp.net/companion/relayclient"
)

// MaxStateNotices bounds the notices in a State.
const MaxStateNotices = 20

// NoticeState is a word of the service for the customer, or of the spool for
// whoever uses this computer.
type NoticeState struct {
	Account  string    `json:"account"` // "": of the spool
	ID       int64     `json:"id"`
	At       time.Time `json:"at"`
	Severity string    `json:"severity"` // "info", "warning" or "critical"
	Subject  string    `json:"subject"`
	Body     string    `json:"body"`
	Said     Said      `json:"-"` // Subject and Body for any language, where they are ours
}

// SeeNotice marks a notice as seen, here at once and at the relay, which is
// told later where it cannot be reached now.
func (e *Engine) SeeNotice(ctx context.Context, account string, id int64) error {
	if account == "" {
		return e.seeDamage(ctx, id)
	}
	a, err := e.account(account)
	if err != nil {
		return err
	}
	telling, cancel := context.WithTimeout(ctx, refreshWait)
	defer cancel()
	err = a.follower.Seen(telling, id)
	if errors.Is(err, reports.ErrNoNotice) {
		return noSuchNotice()
	}
	if err != nil {
		return err
	}
	e.pub.publish(ctx)
	return nil
}

func noSuchNotice() error {
	return userError(say.T("This notice is not known any more."), say.Text{}, ErrNotFound)
}

// unseenNotices are those of the spool and of all accounts, newest first.
func (e *Engine) unseenNotices(ctx context.Context, all []*account) []NoticeState {
	out := e.damages()
	for _, a := range all {
		list, err := e.reports.Notices(ctx, a.settings.Name, true)
		if err != nil && ctx.Err() == nil {
			e.log.Error("notices cannot be read", "err", err)
		}
		for _, n := range list {
			out = append(out, NoticeState{Account: a.settings.Name, ID: n.ID, At: n.At, Severity: severity(n.Severity), Subject: n.Subject, Body: n.Body})
		}
	}
	slices.SortStableFunc(out, func(a, b NoticeState) int { return cmp.Compare(b.At.UnixMicro(), a.At.UnixMicro()) })
	return out[:min(len(out), MaxStateNotices)]
}

// severity is the window's word for the relay's. One that a newer relay
// invents is better shown as a warning than overlooked.
func severity(s relayclient.NoticeSeverity) string {
	switch s {
	case relayclient.NoticeSeverityInfo, relayclient.NoticeSeverityWarning:
		return string(s)
	case relayclient.NoticeSeverityAction:
		return "critical"
	}
	return string(relayclient.NoticeSeverityWarning)
}
