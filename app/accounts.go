package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"servicesmtp.net/companion/app/say"
	"servicesmtp.net/companion/app/secret"
	"servicesmtp.net/companion/app/settings"
	"servicesmtp.net/companion/app/uplink"
)

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
	e.change.Lock()
	defer e.change.Unlock()
	if err := e.strike(ctx, name); err != nil {
		return err
	}
	ctx = context.WithoutCancel(ctx) // what belongs to it goes with it
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

// strike takes an account out of the settings, unless something waits for it. No
// message and no report is stored meanwhile, and afterwards none for this
// account, also not one whose MAIL was let in before. Where nothing waits no
// failure can come, so debts are looked for last.
func (e *Engine) strike(ctx context.Context, name string) error {
	e.storing.Lock()
	defer e.storing.Unlock()
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
	if err := settings.ForgetAccount(e.cfg.SettingsPath, name); err != nil {
		return settingsError(say.T("The account cannot be removed from the settings."), say.Text{}, err)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.settings.Accounts = withAccount(e.settings.Accounts, name, nil)
	return nil
}

// replaceAccount ends the account's sender and starts one with new settings,
// or none. Once it has begun it does not end with ctx: a person who does not
// want to wait must not leave an account whose mail is taken and never sent.
func (e *Engine) replaceAccount(ctx context.Context, name string, s *settings.Account) error {
	ctx = context.WithoutCancel(ctx)
	e.mu.Lock()
	old := e.accounts[name] // stays there until the new one is: it can be paused, and has a state to show
	if s == nil {
		delete(e.accounts, name)
	}
	if old != nil && old.stop == nil { // the engine only starts: it never begins
		old.stop = func() {}
		close(old.done)
	}
	e.settings.Accounts = withAccount(e.settings.Accounts, name, s)
	e.mu.Unlock()
	if old != nil {
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
