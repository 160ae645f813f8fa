package main

import (
	"context"
	"errors"
	"log/slog"

	golocale "github.com/jeandeaual/go-locale"

	"servicesmtp.net/companion/app"
	"servicesmtp.net/companion/app/control"
	"servicesmtp.net/companion/app/settings"
	"servicesmtp.net/companion/internal/socket"
)

// engine is *app.Engine.
type engine interface {
	control.Engine
	Run(ctx context.Context) error
	Ready() <-chan struct{}
	SMTPAddrs() []string
	Close() error
}

// openEngine is the only place that makes the real one.
func openEngine(ctx context.Context, c app.Config) (engine, error) {
	e, err := app.New(ctx, c)
	if err != nil {
		return nil, err // not a nil *app.Engine inside an engine
	}
	return e, nil
}

type runCommand struct {
	Debug bool `help:"Log more."`
}

// ready is the line that says that everything listens; see docs/json.md.
type ready struct {
	Event   string   `json:"event"`
	SMTP    []string `json:"smtp"`
	API     *string  `json:"api"` // the companion has none
	Control string   `json:"control"`
}

// Run is the companion without a window: it serves until a signal comes, or
// `companionctl stop`.
func (r *runCommand) Run(inv *invocation) (err error) {
	level := slog.LevelInfo
	if r.Debug {
		level = slog.LevelDebug
	}
	log := slog.New(slog.NewTextHandler(inv.err, &slog.HandlerOptions{Level: level}))
	s, err := settings.Load(inv.config)
	if err != nil {
		return err
	}
	for _, w := range s.Warnings() {
		log.Warn("settings: "+w.Sentence, "key", w.Key)
	}
	secrets := openSecrets(inv.data, log.With("part", "secret"))
	defer func() { err = errors.Join(err, secrets.Close()) }()
	locale, err := golocale.GetLocale()
	if err != nil {
		log.Warn("the system's language is not known, reports to senders are in English", "err", err)
	}
	e, err := inv.open(inv.ctx, app.Config{Settings: s, SettingsPath: inv.config, DataDir: inv.data, Secrets: secrets, Log: log, Version: version, Locale: locale})
	if err != nil {
		return err
	}
	// The engine holds the folder's lock now, so the socket is ours to replace.
	ln, err := socket.Listen(inv.socketPath())
	if err != nil {
		return errors.Join(err, e.Close())
	}
	log.Info("companion starts", "version", version)
	err = control.New(e, log.With("part", "control")).Host(inv.ctx, e, ln, func() error {
		return inv.json(ready{Event: "ready", SMTP: append([]string{}, e.SMTPAddrs()...), Control: inv.socketPath()})
	})
	log.Info("companion has ended")
	return err
}
