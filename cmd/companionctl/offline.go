package main

import (
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"

	"servicesmtp.net/companion/app"
	"servicesmtp.net/companion/app/secret"
	"servicesmtp.net/companion/app/settings"
	"servicesmtp.net/companion/internal/folders"
)

// offline works on the settings and the keyring while no engine runs, so that
// a first account can be there before the first start.
type offline struct {
	inv     *invocation
	secrets *secret.Store
}

func newOffline(inv *invocation, log *slog.Logger) *offline {
	return &offline{inv: inv, secrets: openSecrets(inv.data, log)}
}

func openSecrets(data string, log *slog.Logger) *secret.Store {
	return secret.Open(secret.Config{Dir: filepath.Join(data, folders.SecretsName), Log: log})
}

func (o *offline) close() error { return o.secrets.Close() }

func (o *offline) list() ([]app.AccountInfo, error) {
	s, err := settings.Load(o.inv.config)
	if err != nil {
		return nil, err
	}
	out := make([]app.AccountInfo, len(s.Accounts))
	for i, a := range s.Accounts {
		o.secrets.Use(a.Name, a.Credential)
		out[i] = app.AccountInfo{Name: a.Name, User: a.User, Endpoints: a.Endpoints, API: a.API, CAFile: a.CAFile, Credential: "file", Senders: a.Senders}
		if a.Credential == settings.Keyring {
			out[i].Credential = settings.Keyring
		}
	}
	return out, nil
}

func (o *offline) set(in app.AccountInput) error {
	s, err := settings.Load(o.inv.config)
	if err != nil {
		return err
	}
	a := settings.Account{Name: in.Name, User: in.User, Endpoints: in.Endpoints, API: in.API, CAFile: in.CAFile, Senders: in.Senders, Credential: settings.Keyring}
	if old, ok := s.Account(in.Name); ok {
		a.Credential = old.Credential
	}
	// Settings first: what they refuse must not leave a password behind.
	if err := settings.SetAccount(o.inv.config, a); err != nil || in.Password == "" {
		return err
	}
	credential, err := o.secrets.Keep(o.inv.ctx, in.Name, in.Password)
	if err != nil || credential == a.Credential {
		return err
	}
	a.Credential = credential
	fmt.Fprintln(o.inv.err, "This computer has no keyring: the password is in a file that only you can read.")
	return settings.SetAccount(o.inv.config, a)
}

func (o *offline) forget(name string) error {
	if err := settings.ForgetAccount(o.inv.config, name); err != nil {
		return err
	}
	for _, key := range []string{secret.RelayKey(name), secret.TokenKey(name)} {
		if err := o.secrets.Delete(o.inv.ctx, key); err != nil && !errors.Is(err, secret.ErrAbsent) {
			return err
		}
	}
	return nil
}
