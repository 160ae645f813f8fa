package app

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"servicesmtp.net/companion/app/mail"
	"servicesmtp.net/companion/app/say"
	"servicesmtp.net/companion/app/secret"
	"servicesmtp.net/companion/app/settings"
	"servicesmtp.net/companion/internal/durable"
)

// State is the last State made.
func (e *Engine) State() State { return e.pub.latest() }

// Watch sends the present State, then the latest, until ctx ends.
func (e *Engine) Watch(ctx context.Context) <-chan State { return e.pub.watch(ctx) }

// Pause stops an account's sending, or all (""), until Resume, over restarts
// too. Mail goes on being taken.
func (e *Engine) Pause(ctx context.Context, account string) error { return e.pause(ctx, account, true) }

// Resume ends a pause.
func (e *Engine) Resume(ctx context.Context, account string) error {
	return e.pause(ctx, account, false)
}

func (e *Engine) pause(ctx context.Context, name string, paused bool) error {
	all, err := e.chosen(name)
	if err != nil {
		return err
	}
	e.mu.Lock()
	for _, a := range all {
		e.paused[a.settings.Name] = paused
	}
	err = e.writePaused()
	e.mu.Unlock()
	if err != nil {
		return &UserError{Sentence: "The pause cannot be stored.", Action: "Make room on the disk, or check the data folder's permissions.", Err: err}
	}
	for _, a := range all {
		a.sender.setPaused(paused)
		if !paused {
			a.sender.retryNow()
		}
	}
	e.pub.publish(ctx)
	return nil
}

// readPaused and writePaused keep which accounts are paused. The caller of
// writePaused holds mu.
func (e *Engine) readPaused() error {
	text, err := os.ReadFile(filepath.Join(e.cfg.DataDir, pausedName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	var names []string
	if err == nil {
		err = json.Unmarshal(text, &names)
	}
	if err != nil {
		return userError(say.T("It cannot be read which accounts are paused."),
			say.T("Remove {{.File}} from the data folder; nothing is paused then.").With("File", pausedName), err)
	}
	for _, n := range names {
		e.paused[n] = true
	}
	return nil
}

func (e *Engine) writePaused() error {
	names := []string{}
	for n, p := range e.paused {
		if p {
			names = append(names, n)
		}
	}
	slices.Sort(names)
	text, err := json.Marshal(names)
	if err != nil {
		return err
	}
	return durable.WriteFile(filepath.Join(e.cfg.DataDir, pausedName), bytes.NewReader(text))
}

// Retry makes a job's deferred batches due at once; without a job it forgets
// what holds the accounts up and tries again.
func (e *Engine) Retry(ctx context.Context, job mail.JobID) error {
	all, err := e.chosen("")
	if err != nil {
		return err
	}
	if job != "" {
		if err := e.spool.Retry(ctx, job); err != nil {
			return jobError(job, err)
		}
	}
	for _, a := range all {
		a.relay.loginWorks()
		a.sender.retryNow()
	}
	e.pub.publish(ctx)
	return nil
}

// Cancel takes a job back as far as it has not left: batches that the relay
// may know are closed there first.
func (e *Engine) Cancel(ctx context.Context, job mail.JobID) error {
	j, err := e.spool.Job(ctx, job)
	if err != nil {
		return jobError(job, err)
	}
	if _, err := e.spool.Cancel(ctx, job, time.Now()); err != nil {
		return jobError(job, err)
	}
	if a, err := e.account(j.Account); err == nil {
		token(a.sender.doubt)
		a.sender.poke()
	}
	e.pub.publish(ctx)
	return nil
}

// Resolve is a person's word about a batch of which nobody knows whether it
// was accepted: offer it again, or let it be.
func (e *Engine) Resolve(ctx context.Context, job mail.JobID, number int, sendAgain bool) error {
	j, err := e.spool.Job(ctx, job)
	if err != nil {
		return jobError(job, err)
	}
	if err := e.spool.Resolve(ctx, job, number, sendAgain, time.Now()); err != nil {
		return jobError(job, err)
	}
	if a, err := e.account(j.Account); err == nil {
		a.sender.poke()
	}
	e.pub.publish(ctx)
	return nil
}

// Login is what a mail program needs to hand mail in.
func (e *Engine) Login(ctx context.Context) (Login, error) {
	l := Login{Auth: e.current().Listen.Auth}
	for _, a := range e.proxy.Listeners() {
		switch {
		case !a.OK:
			continue
		case a.TLS:
			l.TLS = append(l.TLS, a.Address)
		case l.Address == "":
			l.Address = a.Address
		}
		l.All = append(l.All, a.Address)
	}
	if len(l.TLS) > 0 {
		l.Address = cmp.Or(l.Address, l.TLS[0])
		ca, err := e.openAuthority()
		if err != nil {
			return Login{}, certificateWords(err).problem(err)
		}
		l.CAFile = ca.Path()
	}
	local := e.localLogin()
	if local == nil || l.Auth == settings.AuthOff {
		return l, nil
	}
	password, err := local.Password(ctx)
	if err != nil {
		return Login{}, secretError(err)
	}
	l.User, l.Password = secret.LocalUser, password
	return l, nil
}
