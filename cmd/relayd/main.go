// Command relayd is the relay: the server and its administration.
//
// Administration talks to the running relay through its control socket. When
// none runs, the same handlers work on the data folder directly, under the
// same lock that keeps two relays from sharing it.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"

	"servicesmtp.net/companion/server/account"
	"servicesmtp.net/companion/server/config"
)

// What the program ends with; see docs/json.md.
const (
	exitDone   = 0
	exitFailed = 1
	exitUsage  = 2
	exitAct    = 4 // done, but a person must act
)

// version is set by the linker in releases.
var version = "dev"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// commands is the command line.
type commands struct {
	Data   string `placeholder:"DIR" help:"Data folder. Default: $$STATE_DIRECTORY, or relay in your own data folder."`
	Config string `placeholder:"FILE" help:"Settings. Default: relay.toml in the data folder, where there is one."`
	JSON   bool   `help:"Print JSON."`

	Serve    serveCommand   `cmd:"" help:"Run the relay until SIGTERM."`
	Account  accountGroup   `cmd:"" help:"Accounts of customers."`
	Plan     planGroup      `cmd:"" help:"Plans on offer."`
	Partner  partnerGroup   `cmd:"" help:"Partners, who sell the service to customers of their own."`
	Operator operatorGroup  `cmd:"" help:"Logins of those who run the service."`
	Order    orderGroup     `cmd:"" help:"What customers buy and pay."`
	Bill     billGroup      `cmd:"" help:"What closed periods came to."`
	Period   periodGroup    `cmd:"" help:"Periods of accounts."`
	Usage    usageCommand   `cmd:"" help:"What an account has used, and what its limit is."`
	Errors   errorsCommand  `cmd:"" help:"Addresses of an account that failed for good."`
	Report   reportGroup    `cmd:"" help:"Reports of accounts by month."`
	Queue    queueGroup     `cmd:"" help:"Mail that waits."`
	Backup   backupCommand  `cmd:"" help:"Write everything into one file; the relay may run."`
	Restore  restoreCommand `cmd:"" help:"Bring a backup back into an empty data folder."`
	Node     nodeGroup      `cmd:"" help:"Relays that share the database."`
	Store    storeGroup     `cmd:"" help:"The database."`
	Version  versionFlag    `help:"Print the version."`
}

type versionFlag bool

// BeforeReset prints before anything else is looked at.
func (versionFlag) BeforeReset(app *kong.Kong) error {
	fmt.Fprintln(app.Stdout, version)
	app.Exit(exitDone)
	return nil
}

// invocation is what every command gets.
type invocation struct {
	ctx            context.Context
	stdin          io.Reader
	stdout, stderr io.Writer
	data           string // folder
	config         string // file, or ""
	json           bool
	plans          *account.Catalogue // nil: as the settings say
}

// run is the whole program.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	var c commands
	parser, err := kong.New(&c, kong.Name("relayd"), kong.Description("The ServiceSMTP relay and its administration."),
		kong.UsageOnError(), kong.ConfigureHelp(kong.HelpOptions{Compact: true}), kong.Writers(stdout, stderr))
	if err != nil {
		fmt.Fprintln(stderr, "relayd:", err)
		return exitFailed
	}
	command, err := parser.Parse(args)
	if err != nil {
		fmt.Fprintf(stderr, "relayd: %v\nTry relayd --help.\n", err)
		return exitUsage
	}
	inv := &invocation{ctx: ctx, stdin: stdin, stdout: stdout, stderr: stderr, config: c.Config, json: c.JSON}
	if inv.data, err = dataFolder(c.Data); err == nil {
		err = command.Run(inv)
	}
	if err != nil {
		fmt.Fprintln(stderr, "relayd:", err)
		if errors.Is(err, errAct) {
			return exitAct
		}
		return exitFailed
	}
	return exitDone
}

// dataFolder is where the relay keeps everything.
func dataFolder(flag string) (string, error) {
	if flag != "" {
		return filepath.Abs(flag)
	}
	// systemd.exec(5): several folders are separated by colons; one is ours.
	if dir, _, _ := strings.Cut(os.Getenv("STATE_DIRECTORY"), ":"); dir != "" {
		return dir, nil
	}
	if dir := os.Getenv("XDG_DATA_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "servicesmtp-relay"), nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", fmt.Errorf("find the data folder: %w: name one with --data", err)
	}
	return filepath.Join(home, ".local", "share", "servicesmtp-relay"), nil
}

// settings reads relay.toml.
func (inv *invocation) settings() (config.Config, error) {
	path := inv.config
	if path == "" {
		path = filepath.Join(inv.data, "relay.toml")
		if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
			return config.Default(), nil
		}
	}
	return config.Load(path)
}
