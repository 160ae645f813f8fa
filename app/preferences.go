package app

import "context"

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
	Addresses []string // "127.0.0.1:2525"
	Auth      string   // "required" or "off"
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
func (e *Engine) Preferences() Preferences { return Preferences{} }

// SetPace stores the pace and obeys it from the next batch on.
func (e *Engine) SetPace(ctx context.Context, p PacePreferences) error { return nil }

// SetListen stores the addresses and moves the listener there. Mail programs
// that are connected finish what they are at.
func (e *Engine) SetListen(ctx context.Context, p ListenPreferences) error { return nil }

// SetWindow stores how the window looks.
func (e *Engine) SetWindow(ctx context.Context, p WindowPreferences) error { return nil }
