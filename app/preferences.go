package app

import (
	"context"
	"errors"
	"slices"
	"strings"

	"servicesmtp.net/companion/app/proxy"
	"servicesmtp.net/companion/app/say"
	"servicesmtp.net/companion/app/settings"
)

// Preferences are the settings that the window offers; the file has more.
type Preferences struct {
	Pace   PacePreferences
	Listen ListenPreferences
	Window WindowPreferences
	Relay  RelayDefaults
}

// PacePreferences is how fast mail may leave, as the user wants it. 0 means no
// such limit; the relay's own may be stricter.
type PacePreferences struct {
	PerMinute int // recipients
	PerHour   int
	PerDay    int
	Quiet     []string // hours in which newsletters wait: "22:00-07:00"
	Adaptive  bool     // slow down by itself when servers ask for it
}

// ListenPreferences is where mail programs hand mail in.
type ListenPreferences struct {
	Addresses    []string // "127.0.0.1:2525"
	Auth         string   // "required" or "off"
	TLSAddresses []string // likewise, for programs that insist on encryption
}

// WindowPreferences is how the window looks.
type WindowPreferences struct {
	Language string // "system", or a language as in the translations: "en", "it"
	Theme    string // "system", "light" or "dark"
}

// RelayDefaults is the relay that a new account uses unless the user names
// another: that of the service, or of the organisation that installed the
// companion (the table [service] of companion.toml).
type RelayDefaults struct {
	Name      string // of the service, as the user knows it
	Endpoints []string
	API       string
	CAFile    string
}

// Preferences are the settings in force.
func (e *Engine) Preferences() Preferences {
	s := e.current()
	p := Preferences{
		Pace:   PacePreferences{PerMinute: s.Pace.PerMinute, PerHour: s.Pace.PerHour, PerDay: s.Pace.PerDay, Quiet: []string{}, Adaptive: s.Pace.Adaptive},
		Listen: ListenPreferences{Addresses: slices.Clone(s.Listen.Addresses), Auth: s.Listen.Auth, TLSAddresses: slices.Clone(s.Listen.TLSAddresses)},
		Window: WindowPreferences{Language: s.Window.Language, Theme: s.Window.Theme},
		Relay:  RelayDefaults{Name: s.Service.Name, Endpoints: slices.Clone(s.Service.Endpoints), API: s.Service.API, CAFile: s.Service.CAFile},
	}
	if len(s.Listen.TLSAddresses) == 0 {
		p.Listen.TLSAddresses = nil
	}
	for _, q := range s.Pace.Quiet {
		p.Pace.Quiet = append(p.Pace.Quiet, q.String())
	}
	return p
}

// SetPace stores the pace and obeys it from the next batch on. What was sent
// counts on: a change gives no new start.
func (e *Engine) SetPace(ctx context.Context, p PacePreferences) error {
	quiet := []settings.Quiet{}
	for _, text := range p.Quiet {
		var q settings.Quiet
		if err := q.UnmarshalText([]byte(text)); err != nil {
			return userError(say.T("Enter hours like 22:00-07:00."), say.Text{}, err)
		}
		quiet = append(quiet, q)
	}
	e.change.Lock()
	defer e.change.Unlock()
	err := e.changeSettings(func(s *settings.Settings) {
		s.Pace.PerMinute, s.Pace.PerHour, s.Pace.PerDay = p.PerMinute, p.PerHour, p.PerDay
		s.Pace.Quiet, s.Pace.Adaptive = quiet, p.Adaptive
	})
	if err != nil {
		return err
	}
	all, _ := e.chosen("") // without a name there is nothing that it could miss
	for _, a := range all {
		e.setLimits(ctx, a)
	}
	e.pub.publish(ctx)
	return nil
}

// SetListen stores the addresses and moves the listener there. Mail programs
// that are connected finish what they are at. An address that cannot be bound
// is no error: State tells it, as at the start.
func (e *Engine) SetListen(ctx context.Context, p ListenPreferences) error {
	trimmed := func(list []string) []string {
		out := []string{}
		for _, a := range list {
			out = append(out, strings.TrimSpace(a))
		}
		return out
	}
	addresses, secure := trimmed(p.Addresses), trimmed(p.TLSAddresses)
	change := func(s *settings.Settings) {
		s.Listen.Addresses, s.Listen.TLSAddresses, s.Listen.Auth = addresses, secure, p.Auth
	}
	e.change.Lock()
	defer e.change.Unlock()
	next := e.current()
	change(&next)
	if err := next.Validate(); err != nil {
		return invalid(err)
	}
	if p.Auth != settings.AuthOff { // before anybody is asked for it
		if err := e.openLocal(ctx); err != nil {
			return err
		}
	}
	if err := e.changeSettings(change); err != nil {
		return err
	}
	err := e.proxy.Rebind(ctx, proxy.Binding{
		Addresses: addresses, TLSAddresses: secure, RequireAuth: p.Auth != settings.AuthOff,
	})
	if errors.Is(err, proxy.ErrStopped) {
		return ErrStopped
	}
	e.pub.publish(ctx)
	return err
}

// SetWindow stores how the window looks.
func (e *Engine) SetWindow(_ context.Context, p WindowPreferences) error {
	e.change.Lock()
	defer e.change.Unlock()
	return e.changeSettings(func(s *settings.Settings) {
		s.Window.Language, s.Window.Theme = p.Language, p.Theme
	})
}

// changeSettings changes the settings in the file and then those in force. It
// may change what the comment at Engine.settings says. The caller holds
// e.change.
func (e *Engine) changeSettings(change func(*settings.Settings)) error {
	next := e.current()
	change(&next)
	if err := next.Validate(); err != nil {
		return invalid(err)
	}
	if err := settings.Change(e.cfg.SettingsPath, change); err != nil {
		return settingsError(say.T("The settings cannot be stored."), say.T("Check the settings file."), err)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.settings.Pace, e.settings.Window = next.Pace, next.Window
	e.settings.Listen.Addresses, e.settings.Listen.TLSAddresses, e.settings.Listen.Auth = next.Listen.Addresses, next.Listen.TLSAddresses, next.Listen.Auth
	return nil
}
