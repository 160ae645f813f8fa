package app

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"servicesmtp.net/companion/app/mail"
	"servicesmtp.net/companion/app/say"
	"servicesmtp.net/companion/app/secret"
	"servicesmtp.net/companion/app/settings"
	"servicesmtp.net/companion/app/uplink"
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

// Accounts lists the configured accounts, without secrets.
func (e *Engine) Accounts(context.Context) ([]AccountInfo, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	out := []AccountInfo{}
	for _, a := range e.settings.Accounts {
		kind := "keyring"
		if a.Credential != settings.Keyring {
			kind = "file"
		}
		out = append(out, AccountInfo{Name: a.Name, User: a.User, Endpoints: a.Endpoints, API: a.API, CAFile: a.CAFile, Credential: kind, Senders: a.Senders})
	}
	return out, nil
}

// SetAccount adds or changes an account. Unless in.Skip is set, the relay is
// asked first whether it accepts name and password; nothing is changed when it
// does not.
func (e *Engine) SetAccount(ctx context.Context, in AccountInput) error {
	old, _ := e.account(in.Name) // nil for a new one
	s := settings.Account{Name: in.Name, User: in.User, Endpoints: in.Endpoints, API: in.API, CAFile: in.CAFile, Senders: in.Senders, Credential: settings.Keyring}
	switch service := e.current().Service; {
	case old != nil:
		s.Credential = old.settings.Credential
	case len(s.Endpoints) == 0: // the user names no relay, so it is the usual one
		s.Endpoints, s.API, s.CAFile = service.Endpoints, cmp.Or(s.API, service.API), cmp.Or(s.CAFile, service.CAFile)
	}
	if err := e.checkAccount(s); err != nil {
		return err
	}
	if !in.Skip {
		if err := e.testAccount(ctx, s, in.Password); err != nil {
			return err
		}
	}
	e.change.Lock()
	defer e.change.Unlock()
	if in.Password != "" {
		e.cfg.Secrets.Use(s.Name, s.Credential)
		credential, err := e.cfg.Secrets.Keep(ctx, s.Name, in.Password)
		if err != nil {
			return secretError(err)
		}
		s.Credential = credential
	}
	if err := settings.SetAccount(e.cfg.SettingsPath, s); err != nil {
		return settingsError(say.T("The account cannot be stored in the settings."), say.T("Check the settings file."), err)
	}
	return e.replaceAccount(ctx, s.Name, &s)
}

// checkAccount refuses what the settings would refuse.
func (e *Engine) checkAccount(s settings.Account) error {
	next := e.current()
	next.Accounts = append(slices.DeleteFunc(slices.Clone(next.Accounts), func(a settings.Account) bool { return a.Name == s.Name }), s)
	if err := next.Validate(); err != nil {
		return invalid(err)
	}
	return nil
}

// testAccount asks the relay with the password given, or with the stored one.
func (e *Engine) testAccount(ctx context.Context, s settings.Account, password string) error {
	ask := func(ctx context.Context) (string, error) {
		if password != "" {
			return password, nil
		}
		return e.cfg.Secrets.Get(ctx, secret.RelayKey(s.Name))
	}
	session, err := e.connect(ctx, s, ask)
	if err == nil {
		session.Close()
		return nil
	}
	var failed *uplink.ConnectError
	if !errors.As(err, &failed) {
		return err
	}
	w, away := testWords[failed.Hold.Reason]
	_, said := detailWords[failed.Hold.Detail]
	if away && !said {
		err = fmt.Errorf("%w: %w", ErrUnreachable, err)
	} else {
		w = wordsOf(failed.Hold.Reason, failed.Hold.Detail)
	}
	u := w.problem(err)
	if failed.Hold.Detail != "" && !said {
		u.Sentence += " " + failed.Hold.Detail // English, whatever the skin's language; Said leaves it to the details view
	}
	return u
}

// ForgetAccount removes an account and its secrets. An account whose mail still
// waits, or one of whose senders is still to be told of failures, is not removed.
func (e *Engine) ForgetAccount(ctx context.Context, name string) error {
	if _, err := e.account(name); err != nil {
		return err
	}
	totals, err := e.spool.Totals(ctx, time.Now())
	if err != nil {
		return spoolError(err)
	}
	waits, err := e.spool.Owes(ctx, name) // reports that only this account can send
	if err != nil {
		return spoolError(err)
	}
	for _, l := range totals.Lanes {
		waits = waits || l.Account == name && l.Messages > 0
	}
	if waits {
		return words{
			sentence: say.T("Mail of this account still waits."),
			action:   say.T("Let it leave, or take it back in the queue."),
			terminal: "Let it leave, or take it back with: companionctl queue cancel",
		}.problem(nil)
	}
	e.change.Lock()
	defer e.change.Unlock()
	if err := settings.ForgetAccount(e.cfg.SettingsPath, name); err != nil {
		return settingsError(say.T("The account cannot be removed from the settings."), say.Text{}, err)
	}
	ctx = context.WithoutCancel(ctx) // its password must not stay behind
	if err := e.replaceAccount(ctx, name, nil); err != nil {
		return err
	}
	if err := e.reports.Forget(ctx, name); err != nil {
		return err
	}
	for _, key := range []string{secret.RelayKey(name), secret.TokenKey(name)} {
		if err := e.cfg.Secrets.Delete(ctx, key); err != nil && !errors.Is(err, secret.ErrAbsent) {
			return secretError(err)
		}
	}
	return nil
}

// replaceAccount ends the account's sender and starts one with new settings,
// or none. Once it has begun it does not end with ctx: a person who does not
// want to wait must not leave an account without a sender.
func (e *Engine) replaceAccount(ctx context.Context, name string, s *settings.Account) error {
	ctx = context.WithoutCancel(ctx)
	e.mu.Lock()
	old := e.accounts[name] // stays there until the new one is: it can be paused, and has a state to show
	if s == nil {
		delete(e.accounts, name)
	}
	e.settings.Accounts = withAccount(e.settings.Accounts, name, s)
	e.mu.Unlock()
	if old != nil && old.stop != nil {
		old.stop()
		<-old.done // its transactions in hand end first; they have a limit
	}
	defer e.pub.changed()
	if s == nil {
		return nil
	}
	if old != nil && (old.settings.API != s.API || old.settings.User != s.User) {
		if err := e.forgetLogin(ctx, name); err != nil {
			e.log.Error("what another login was told cannot be forgotten", "account", name, "err", err)
		}
	}
	if err := e.addAccount(ctx, *s); err != nil {
		return err
	}
	a, err := e.account(name)
	if err != nil {
		return err
	}
	select {
	case e.starts <- a:
		e.spool.RecheckReports() // one may have been due while there was no such account
		return nil
	case <-e.stopped.Done():
		return ErrStopped
	}
}

// withAccount is a list in which the account is s, or is not where s is nil.
func withAccount(list []settings.Account, name string, s *settings.Account) []settings.Account {
	i := slices.IndexFunc(list, func(a settings.Account) bool { return a.Name == name })
	list = slices.Clone(list)
	switch {
	case s != nil && i >= 0:
		list[i] = *s
	case s != nil:
		list = append(list, *s)
	case i >= 0:
		list = slices.Delete(list, i, i+1)
	}
	return list
}

// forgetLogin forgets what the relay told an account, and its token: they are
// of one login at one relay, and another relay must not see the token.
func (e *Engine) forgetLogin(ctx context.Context, name string) error {
	err := e.cfg.Secrets.Delete(ctx, secret.TokenKey(name))
	if errors.Is(err, secret.ErrAbsent) {
		err = nil
	}
	return errors.Join(err, e.reports.Forget(ctx, name))
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
