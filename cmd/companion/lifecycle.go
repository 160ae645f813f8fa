package main

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"fyne.io/fyne/v2/lang"

	"servicesmtp.net/companion/app"
	"servicesmtp.net/companion/app/control"
	"servicesmtp.net/companion/app/say"
	"servicesmtp.net/companion/app/secret"
	"servicesmtp.net/companion/app/settings"
	"servicesmtp.net/companion/app/spool"
	"servicesmtp.net/companion/internal/folders"
	"servicesmtp.net/companion/internal/socket"
	"servicesmtp.net/companion/ui"
)

// lifecycle starts the engine beside the window, and ends it.
type lifecycle struct {
	data, config, logFile string
	log                   *slog.Logger
	ui                    *ui.UI

	mu     sync.Mutex // guards what follows
	cancel context.CancelFunc
	done   chan struct{}
	err    error
}

// start opens and runs the engine on a goroutine of its own. takeOver ends the
// engine that already runs in another process first.
func (l *lifecycle) start(takeOver bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	ctx, cancel := context.WithCancel(context.Background())
	before := l.done
	done := make(chan struct{})
	l.cancel, l.done = cancel, done
	go func() {
		defer close(done)
		if before != nil {
			<-before
		}
		err := l.run(ctx, takeOver)
		l.mu.Lock()
		l.err = err
		l.mu.Unlock()
		if err != nil {
			l.log.Error("the engine has ended", "err", err)
			l.ui.Fail(failure(err))
		}
	}()
}

// stop ends the engine in good order and waits for it.
func (l *lifecycle) stop() error {
	l.mu.Lock()
	cancel, done := l.cancel, l.done
	l.mu.Unlock()
	cancel()
	<-done
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.err
}

func (l *lifecycle) run(ctx context.Context, takeOver bool) (err error) {
	path := filepath.Join(l.data, folders.SocketName)
	if takeOver {
		if err := endOther(ctx, path); err != nil {
			return err
		}
	}
	s, err := settings.Load(l.config)
	if err != nil {
		return err
	}
	for _, w := range s.Warnings() {
		l.log.Warn("settings: "+w.Sentence, "key", w.Key)
	}
	secrets := secret.Open(secret.Config{Dir: filepath.Join(l.data, folders.SecretsName), Log: l.log.With("part", "secret")})
	defer func() { err = errors.Join(err, secrets.Close()) }()
	e, err := app.New(ctx, app.Config{
		Settings: s, SettingsPath: l.config, DataDir: l.data, Secrets: secrets, Log: l.log, Version: version, LogFile: l.logFile,
		Locale: lang.SystemLocale().LanguageString(),
	})
	if err != nil {
		return err
	}
	// The engine holds the folder's lock now, so the socket is ours to replace.
	ln, err := socket.Listen(path)
	if err != nil {
		return errors.Join(err, e.Close())
	}
	l.log.Info("companion starts", "version", version)
	server := control.New(e, l.log.With("part", "control"))
	server.Raise = l.ui.RaiseFromElsewhere
	l.ui.Attach(e)
	err = server.Host(ctx, e, ln, func() error {
		return json.NewEncoder(os.Stdout).Encode(ready{Event: "ready", SMTP: append([]string{}, e.SMTPAddrs()...), Control: path})
	})
	l.log.Info("companion has ended")
	if err == nil && ctx.Err() == nil {
		l.ui.QuitFromElsewhere() // somebody stopped it over the socket
	}
	return err
}

// ready is the line that says that everything listens; see docs/json.md.
type ready struct {
	Event   string   `json:"event"`
	SMTP    []string `json:"smtp"`
	API     *string  `json:"api"` // the companion has none
	Control string   `json:"control"`
}

// endOther stops the engine of another process and waits until it has ended.
func endOther(ctx context.Context, path string) error {
	c := control.Dial(path)
	defer c.Close()
	err := c.Stop(ctx)
	for err == nil {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
		_, err = c.State(ctx)
	}
	if errors.Is(err, socket.ErrNotRunning) {
		return nil
	}
	return err
}

// failure puts an error at the start into words.
func failure(err error) ui.Failure {
	f := ui.Failure{Runs: errors.Is(err, spool.ErrLocked), Details: err.Error()}
	said, ok := app.Words(err)
	var wrong *settings.Error
	switch {
	case errors.As(err, &wrong):
		said.Sentence, said.Action = wrong.Words(), say.Words{say.T("Correct the settings file, then try again.")}
	case !ok:
		said.Sentence, said.Action = say.Words{say.T("The companion cannot be started.")}, say.Words{say.T("Look at the details.")}
	}
	f.Said = said
	return f
}
