// Command companionctl is the companion in a terminal: `run` is the engine
// without a window, every other command talks to the engine that runs.
//
// It is a composition root: flags, paths, logs and wiring. What it prints for
// programs is described in docs/json.md. Without a running engine `account`
// still works, on the settings and the keyring directly, because a first start
// needs an account.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"

	"servicesmtp.net/companion/app"
	"servicesmtp.net/companion/app/control"
	"servicesmtp.net/companion/app/secret"
	"servicesmtp.net/companion/internal/folders"
	"servicesmtp.net/companion/internal/socket"
)

// What the program ends with; see docs/json.md.
const (
	exitDone       = 0
	exitFailed     = 1
	exitUsage      = 2
	exitNotRunning = 3
	exitAttention  = 4
)

// version is set by the linker in releases.
var version = "dev"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the program at once
	code := run(ctx, os.Args[1:], &invocation{console: system(), open: openEngine})
	stop()
	os.Exit(code)
}

// commands is the command line.
type commands struct {
	Data   string `placeholder:"DIR" help:"Data folder. Default: ${data}."`
	Config string `placeholder:"FILE" help:"Settings file. Default: companion.toml in the data folder."`

	Run     runCommand     `cmd:"" help:"Run the companion until it is stopped."`
	Stop    stopCommand    `cmd:"" help:"Stop the running companion; what waits leaves after the next start."`
	Status  statusCommand  `cmd:"" help:"Show what the companion does, and what it waits for."`
	Connect connectCommand `cmd:"" help:"Show what to enter in a mail program."`
	Queue   queueGroup     `cmd:"" help:"Mail that waits."`

	Certificate certificateCommand `cmd:"" help:"Print the certificate that mail programs must trust to use encryption."`

	Account accountGroup  `cmd:"" help:"Accounts at the relay."`
	Usage   usageCommand  `cmd:"" help:"Show what was used of the plan in the present period."`
	Errors  errorsCommand `cmd:"" help:"Show the addresses that failed for good."`
	Version versionFlag   `help:"Print the version."`
}

type versionFlag bool

// BeforeReset prints before anything else is looked at.
func (versionFlag) BeforeReset(k *kong.Kong) error {
	fmt.Fprintln(k.Stdout, version)
	k.Exit(exitDone)
	return nil
}

// invocation is what every command gets.
type invocation struct {
	*console
	ctx    context.Context
	data   string // folder
	config string // settings file
	open   func(context.Context, app.Config) (engine, error)
}

// ended leaves the parser when it has printed help or version.
type ended struct{ code int }

// run is the whole program.
func run(ctx context.Context, args []string, inv *invocation) (code int) {
	defer func() {
		if p := recover(); p != nil {
			e, ok := p.(ended)
			if !ok {
				panic(p)
			}
			code = e.code
		}
	}()
	fallback, fallbackErr := folders.Default()
	var c commands
	parser, err := kong.New(&c, kong.Name("companionctl"), kong.Description("The ServiceSMTP companion in a terminal."),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}), kong.Writers(inv.out, inv.err), kong.Vars{"data": fallback},
		kong.Exit(func(code int) { panic(ended{code}) }))
	if err != nil {
		fmt.Fprintln(inv.err, "companionctl:", err)
		return exitFailed
	}
	command, err := parser.Parse(args)
	if err != nil {
		fmt.Fprintf(inv.err, "companionctl: %v\nTry companionctl --help.\n", err)
		return exitUsage
	}
	inv.ctx = ctx
	if inv.data, inv.config, err = folders.Resolve(c.Data, c.Config, fallback, fallbackErr); err == nil {
		err = command.Run(inv)
	}
	return inv.exit(err)
}

// exit prints an error in words and says what the program ends with.
func (inv *invocation) exit(err error) int {
	if err == nil {
		return exitDone
	}
	usage := usageError("")
	switch {
	case errors.Is(err, errAttention):
		return exitAttention // what to do was printed
	case errors.As(err, &usage):
		fmt.Fprintf(inv.err, "companionctl: %s\nTry companionctl --help.\n", usage)
		return exitUsage
	case errors.Is(err, socket.ErrNotRunning):
		fmt.Fprintln(inv.err, "The companion is not running. Start it with: companionctl run")
		return exitNotRunning
	case errors.Is(err, context.Canceled):
		fmt.Fprintln(inv.err, "Interrupted.")
		return exitFailed
	}
	fmt.Fprintln(inv.err, clean(inWords(err)))
	return exitFailed
}

// errAttention ends a command with exitAttention.
var errAttention = errors.New("a person must act")

// usageError is a command line that cannot be carried out.
type usageError string

// Error implements error.
func (e usageError) Error() string { return string(e) }

// inWords prefers what was written for people.
func inWords(err error) string {
	if e, ok := errors.AsType[*app.UserError](err); ok {
		return e.Error()
	}
	if e, ok := errors.AsType[*secret.Error](err); ok {
		return strings.TrimSpace(e.Sentence + " " + e.Action)
	}
	return err.Error()
}

// socketPath is where the engine of the data folder listens.
func (inv *invocation) socketPath() string { return filepath.Join(inv.data, folders.SocketName) }

// ask opens a client for one command and closes it.
func (inv *invocation) ask(f func(*control.Client) error) error {
	c := control.Dial(inv.socketPath())
	defer c.Close()
	return f(c)
}
