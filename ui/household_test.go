package ui

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"

	"servicesmtp.net/companion/app"
)

// household is a façade with accounts, preferences, usage and a log.
type household struct {
	Engine

	mu       sync.Mutex // guards what follows
	fail     error      // of every change
	hold     chan struct{}
	accounts []app.AccountInfo
	set      []app.AccountInput
	forgot   []string
	p        app.Preferences
	paces    []app.PacePreferences
	listens  []app.ListenPreferences
	looks    []app.WindowPreferences
	usage    app.Usage
	usageErr error
	asked    []string // for whose usage
	log      []app.LogLine
	logErr   error
}

func (h *household) Accounts(context.Context) ([]app.AccountInfo, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.accounts), nil
}

func (h *household) SetAccount(_ context.Context, in app.AccountInput) error {
	if h.hold != nil {
		<-h.hold
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.set = append(h.set, in)
	return h.fail
}

func (h *household) ForgetAccount(_ context.Context, name string) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.forgot = append(h.forgot, name)
	return h.fail
}

func (h *household) Preferences() app.Preferences {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.p
}

func (h *household) SetPace(_ context.Context, p app.PacePreferences) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.paces = append(h.paces, p)
	if h.fail == nil {
		h.p.Pace = p
	}
	return h.fail
}

func (h *household) SetListen(_ context.Context, p app.ListenPreferences) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.listens = append(h.listens, p)
	if h.fail == nil {
		h.p.Listen = p
	}
	return h.fail
}

func (h *household) SetWindow(_ context.Context, p app.WindowPreferences) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.looks = append(h.looks, p)
	return h.fail
}

func (h *household) Usage(_ context.Context, account string) (app.Usage, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.asked = append(h.asked, account)
	return h.usage, h.usageErr
}

func (h *household) LogTail(context.Context, int) ([]app.LogLine, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.log), h.logErr
}

// login is a desktop that only knows whether the companion starts with it.
type login struct {
	Desktop

	mu   sync.Mutex // guards what follows
	on   bool
	fail error
}

func (l *login) Autostart() (bool, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.on, nil
}

func (l *login) SetAutostart(on bool) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.fail == nil {
		l.on = on
	}
	return l.fail
}

var errWords = &app.UserError{Sentence: "The disk is full.", Action: "Make room.", Err: errors.New("ENOSPC")}

func newHousehold() *household {
	return &household{
		accounts: []app.AccountInfo{{Name: "home", User: "alice@example.com", Credential: "keyring",
			Endpoints: []string{"starttls://smtp.servicesmtp.net:587", "tls://smtp.servicesmtp.net:465"}}},
		p: app.Preferences{
			Pace:   app.PacePreferences{PerMinute: 60, Quiet: []string{}, Adaptive: true},
			Listen: app.ListenPreferences{Addresses: []string{"127.0.0.1:2525", "[::1]:2525"}, Auth: "required"},
		},
	}
}

// settingsUI is a UI with the settings in sight, filled.
func settingsUI(t *testing.T, h *household) (*UI, queued, *settingsPage, *login) {
	t.Helper()
	u, d := listUI(t, h, oneAccount)
	desk := &login{}
	u.cfg.Desktop, u.cfg.Version, u.window = desk, "1.2.3", app.WindowPreferences{Language: "system", Theme: "system"}
	p := newSettingsPage(u)
	enterPage(u, p)
	d.until(func() bool { return len(p.accounts.list.Objects) > 0 && !p.window.start.Disabled() })
	return u, d, p, desk
}
