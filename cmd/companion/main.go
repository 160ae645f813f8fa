// Command companion is the desktop app: the engine with a window and a tray.
//
// It is a composition root: flags, paths, log and wiring. It is the only
// package that imports fyne.io/fyne/v2/app, and so the only one that needs cgo.
// A second start brings the window of the first in front and ends.
package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/app"
	"github.com/alecthomas/kong"
	"gopkg.in/natefinch/lumberjack.v2"

	"servicesmtp.net/companion/app/control"
	"servicesmtp.net/companion/app/settings"
	"servicesmtp.net/companion/internal/folders"
	"servicesmtp.net/companion/internal/socket"
	"servicesmtp.net/companion/ui"
	"servicesmtp.net/companion/ui/host"
	"servicesmtp.net/companion/ui/look"

	engine "servicesmtp.net/companion/app"
)

// version is set by the linker in releases.
var version = "dev"

type flags struct {
	Data    string           `placeholder:"DIR" help:"Data folder. Default: ${data}."`
	Config  string           `placeholder:"FILE" help:"Settings file. Default: companion.toml in the data folder."`
	Hidden  bool             `help:"Start in the tray, without a window."`
	Debug   bool             `help:"Log more."`
	Version kong.VersionFlag `help:"Print the version."`
}

// folders are the flags with which the same data is found from anywhere.
func (f flags) folders() (args []string) {
	for _, d := range []struct{ name, path string }{{"--data", f.Data}, {"--config", f.Config}} {
		if d.path == "" {
			continue
		}
		if abs, err := filepath.Abs(d.path); err == nil {
			d.path = abs
		}
		args = append(args, d.name, d.path)
	}
	return args
}

func main() {
	host.PinBus() // before anything else asks for a session bus
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "companion:", err)
		os.Exit(1)
	}
}

func run() error {
	fallback, fallbackErr := folders.Default()
	var f flags
	kong.Parse(&f, kong.Name("companion"), kong.Description("The ServiceSMTP companion."), kong.Vars{"data": fallback, "version": version})
	data, config, err := folders.Resolve(f.Data, f.Config, fallback, fallbackErr)
	if err != nil {
		return err
	}
	if raised(data) {
		return nil
	}
	log, logFile, closeLog, err := openLog(data, f.Debug)
	if err != nil {
		return err
	}
	defer closeLog()

	window := engine.WindowPreferences{Language: settings.System, Theme: settings.System}
	if s, err := settings.Load(config); err == nil { // what is wrong with it is said by the window
		window.Language, window.Theme = s.Window.Language, s.Window.Theme
	}
	// The panel shows the name. Without it Fyne looks for a FyneApp.toml wherever the program was started.
	app.SetMetadata(fyne.AppMetadata{ID: host.ID, Name: "ServiceSMTP Companion", Version: version})
	a := app.NewWithID(host.ID)
	a.SetIcon(look.AppIcon())
	fyneLoop := &ui.FyneDispatcher{}
	dispatch := newIdle(fyneLoop)
	l := &lifecycle{data: data, config: config, log: log, logFile: logFile}
	desk := newDesktop(log, f.folders())
	u := ui.New(ui.Config{
		App: a, Dispatch: dispatch, Desktop: desk, Tray: newTray(log), Window: window, Version: version,
		Log: log.With("part", "ui"), Retry: l.start, Rest: dispatch.rest,
		// From here on Fyne would run what is given to it on any goroutine.
		Quit: func() { fyneLoop.End(); a.Quit() },
	})
	desk.chosen, desk.opened = u.NoteChosen, dispatch.stir
	onTrayClick(u.RaiseFromElsewhere)
	l.ui = u
	a.Lifecycle().SetOnStopped(fyneLoop.End) // a signal
	l.start(false)
	u.Start(f.Hidden)
	a.Run() // until quit, or a signal
	fyneLoop.End()
	u.Stop()
	desk.close()
	err = l.stop()
	logLeftovers(log)
	return err
}

// raised asks the companion that already runs, if any, to show its window.
func raised(data string) bool {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	c := control.Dial(filepath.Join(data, folders.SocketName))
	defer c.Close()
	err := c.Raise(ctx)
	return err == nil || !errors.Is(err, socket.ErrNotRunning) && !isUserError(err)
}

func isUserError(err error) bool {
	var u *engine.UserError
	return errors.As(err, &u)
}

// The log for support: 5 MB a file, three old ones.
func openLog(data string, debug bool) (log *slog.Logger, name string, closing func(), err error) {
	if err := os.MkdirAll(data, 0o700); err != nil {
		return nil, "", nil, fmt.Errorf("make the data folder: %w", err)
	}
	name = filepath.Join(data, folders.LogName)
	file := &lumberjack.Logger{Filename: name, MaxSize: 5, MaxBackups: 3}
	level := slog.LevelInfo
	if debug {
		level = slog.LevelDebug
	}
	handler := slog.NewJSONHandler(file, &slog.HandlerOptions{Level: level, ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Value.Kind() == slog.KindDuration {
			a.Value = slog.StringValue(a.Value.Duration().String())
		}
		return a
	}})
	return slog.New(handler), name, func() { _ = file.Close() }, nil
}
