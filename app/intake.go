package app

import (
	"context"
	"errors"
	"maps"
	"slices"

	"servicesmtp.net/companion/app/mail"
	"servicesmtp.net/companion/app/proxy"
	"servicesmtp.net/companion/app/settings"
	"servicesmtp.net/companion/app/spool"
)

// errNoAccount: nobody sends mail of this sender.
var errNoAccount = errors.New("no account for this sender")

// proxyConfig joins the listener with the spool.
func (e *Engine) proxyConfig() proxy.Config {
	l := e.settings.Listen
	return proxy.Config{
		Addresses: l.Addresses, TLSAddresses: l.TLSAddresses, TLS: e.localTLS,
		RequireAuth: l.Auth != settings.AuthOff,
		Verify: func(_ context.Context, user, password string) bool {
			local := e.localLogin()
			return local != nil && local.Verify(user, password)
		},
		MaxRecipients: l.MaxRecipients, MaxMessage: l.MaxMessage,
		Route: e.route, Spool: intake{e}, Classify: classify, Log: e.log.With("part", "proxy"),
		Accepted: e.accepted, Changed: e.pub.changed, Stumbled: e.stumbled, SignedIn: e.gotIn,
	}
}

// route says which account sends mail of a reverse-path.
func (e *Engine) route(from string) (string, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	name, ok := e.settings.Route(from)
	if !ok {
		return "", errNoAccount
	}
	return name, nil
}

// classify puts failures into the listener's classes.
func classify(err error) proxy.Problem {
	switch {
	case errors.Is(err, spool.ErrFull), errors.Is(err, spool.ErrDiskFull):
		return proxy.Full
	case errors.Is(err, spool.ErrClosed):
		return proxy.Stopping
	case errors.Is(err, errNoAccount):
		return proxy.NoAccount
	}
	return proxy.Unexpected
}

// accepted wakes the sender of a message that has just been stored.
func (e *Engine) accepted(env mail.Envelope) {
	e.mu.Lock()
	a := e.accounts[env.Account]
	e.lastMail = &LastMail{At: env.AcceptedAt, Family: env.Client.Family, Hello: env.Client.Hello, Auth: env.Client.Auth, TLS: env.Client.TLS, Recipients: len(env.Recipients)}
	e.refused = nil
	e.mu.Unlock()
	if a != nil {
		a.sender.poke()
	}
	e.pub.changed()
}

// intake is the spool as the listener sees it: it adds the lane, and watches
// whether the spool can be written.
type intake struct{ e *Engine }

func (i intake) Create(ctx context.Context, job mail.JobID, declared mail.ByteSize) (proxy.Incoming, error) {
	in, err := i.e.spool.Create(ctx, job, declared)
	if err != nil {
		i.e.met(err)
		return nil, err
	}
	return incoming{Incoming: in, e: i.e, declared: declared}, nil
}

type incoming struct {
	*spool.Incoming
	e        *Engine
	declared mail.ByteSize // by the client; 0: not known
}

// note remembers whether the spool took what came.
func (in incoming) note(err error) {
	if errors.Is(err, spool.ErrDiskFull) {
		in.e.lacks.refused(max(in.declared, in.Size()))
	}
	in.e.met(err)
}

// met is spoolProblem for a message: that its connection or the engine has ended
// says nothing of the spool.
func (e *Engine) met(err error) {
	if !errors.Is(err, context.Canceled) {
		e.spoolProblem(err)
	}
}

func (in incoming) Write(p []byte) (int, error) {
	n, err := in.Incoming.Write(p)
	if err != nil {
		in.note(err)
	}
	return n, err
}

func (in incoming) Commit(ctx context.Context, env mail.Envelope) error {
	in.e.storing.RLock()
	defer in.e.storing.RUnlock()
	if !in.e.configured(env.Account) { // it was taken away since MAIL: nobody would send this
		in.Discard()
		return errNoAccount
	}
	env.Lane = mail.Bulk
	if len(env.Recipients) <= in.e.current().Pace.PersonalMaxRecipients {
		env.Lane = mail.Personal
	}
	err := in.Incoming.Commit(ctx, env)
	in.note(err)
	return err
}

// configured says that the settings have an account.
func (e *Engine) configured(name string) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.ContainsFunc(e.settings.Accounts, func(a settings.Account) bool { return a.Name == name })
}

// spoolReports hears what the spool says of itself. A database that was rebuilt
// is no trouble any more: the notice of it stays until a person has seen it
// (damages). Batches may have become unknown, so the relay is asked.
func (e *Engine) spoolReports(err error) {
	var damage *spool.DamageError
	if !errors.As(err, &damage) {
		e.spoolProblem(err)
		return
	}
	e.log.Error("spool: "+damageSubject.String(), "err", err)
	e.mu.Lock()
	all := slices.Collect(maps.Values(e.accounts))
	e.mu.Unlock()
	for _, a := range all {
		token(a.sender.doubt)
		a.sender.poke()
	}
	e.pub.changed()
}

// spoolProblem remembers how the spool is; nil means that a write went well.
// A problem is logged when it begins and when it ends.
func (e *Engine) spoolProblem(err error) {
	e.mu.Lock()
	was := e.problem
	e.problem = err
	e.mu.Unlock()
	same := was != nil && err != nil && spoolWords(was).sentence.Key == spoolWords(err).sentence.Key
	if same || (was == nil && err == nil) {
		return
	}
	if err != nil {
		e.log.Error("spool: "+spoolWords(err).sentence.String(), "err", err)
		select {
		case e.troubled <- struct{}{}:
		default:
		}
	} else {
		e.log.Info("spool works again")
	}
	e.pub.changed()
}
