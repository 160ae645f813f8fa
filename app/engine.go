package app

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"sync"
	"time"

	"servicesmtp.net/companion/app/batch"
	"servicesmtp.net/companion/app/mail"
	"servicesmtp.net/companion/app/pace"
	"servicesmtp.net/companion/app/proxy"
	"servicesmtp.net/companion/app/reports"
	"servicesmtp.net/companion/app/secret"
	"servicesmtp.net/companion/app/settings"
	"servicesmtp.net/companion/app/spool"
	"servicesmtp.net/companion/app/uplink"
	"servicesmtp.net/companion/internal/authority"
	"servicesmtp.net/companion/internal/durable"
)

// Names in the data folder.
const (
	spoolName     = "spool"
	localHashName = "local-login"
	pausedName    = "paused.json"
)

// Config says what an Engine works with.
type Config struct {
	Settings     settings.Settings
	SettingsPath string // where changes of settings and accounts are written
	DataDir      string
	Secrets      *secret.Store // stays the caller's to close, after Run
	Log          *slog.Logger
	LogFile      string // where Log writes slog's JSON lines, for LogTail; "": to no file
	Version      string
	Locale       string // of the system, such as "it-IT", for what senders read; "": English
}

// Engine is the companion. Make it with New, then call Run once; Close it when
// Run was never called.
type Engine struct {
	cfg      Config
	log      *slog.Logger
	spool    *spool.Spool
	reports  *reports.Cache
	proxy    *proxy.Server
	pub      *publisher
	ready    chan struct{}
	starts   chan *account // accounts whose sender Run must start
	troubled chan struct{} // see problem
	stop     context.CancelFunc
	stopped  context.Context // ends with Stop; held here because Stop comes from outside of Run

	encrypted uplink.Encrypted

	change  sync.Mutex   // held while the settings are changed, in the file and here; taken before storing and mu
	storing sync.RWMutex // held for reading while a message or a report is committed, for writing while an account is taken away; taken before mu

	mu        sync.Mutex // guards what follows; of settings, only Accounts, Listen's addresses and Auth, Pace and Window ever change
	settings  settings.Settings
	local     *secret.LocalLogin   // nil while no password was ever asked for
	authority *authority.Authority // nil while nothing needed it
	accounts  map[string]*account
	paused    map[string]bool
	lacks     lacks // of the disk
	problem   error // of the spool, as met last; troubled holds a token when it has come
	lastMail  *LastMail
	refused   *Refused // the last program that is set up wrongly, in no words yet
}

// account is one account at work.
type account struct {
	settings settings.Account
	sender   *sender
	relay    *relay
	follower *reports.Follower
	news     chan struct{}      // holds a token when the reports have changed
	stop     context.CancelFunc // set when it was started
	done     chan struct{}      // closed when it has ended

	pacing sync.Mutex   // held while limits are put together and in force, so that the latest word is the last; guards policy
	policy *pace.Limits // the relay's, as last read; nil: it told none
}

// New opens the spool and reads what is stored, and binds nothing yet. The
// error is a *UserError.
func New(ctx context.Context, cfg Config) (*Engine, error) {
	if err := durable.MkdirAll(cfg.DataDir); err != nil {
		return nil, folderWords.problem(err)
	}
	e := &Engine{
		cfg: cfg, log: cfg.Log, settings: cfg.Settings, ready: make(chan struct{}), starts: make(chan *account), troubled: make(chan struct{}, 1),
		accounts: make(map[string]*account), paused: make(map[string]bool),
	}
	e.stopped, e.stop = context.WithCancel(context.WithoutCancel(ctx))
	e.pub = newPublisher(e.compose)
	e.warnOfIdleSettings()
	if err := e.open(ctx); err != nil {
		return nil, errors.Join(err, e.Close())
	}
	e.proxy = proxy.New(e.proxyConfig())
	for _, a := range cfg.Settings.Accounts {
		if err := e.addAccount(ctx, a); err != nil {
			return nil, errors.Join(err, e.Close())
		}
	}
	e.pub.publish(ctx)
	return e, nil
}

// warnOfIdleSettings says which settings somebody made that this version does
// not obey yet.
func (e *Engine) warnOfIdleSettings() {
	s := e.settings
	for key, set := range map[string]bool{
		"network.proxy": s.Network.Proxy != "system" && s.Network.Proxy != "none",
	} {
		if set {
			e.log.Warn("a setting is not in force yet in this version", "key", key)
		}
	}
}

func (e *Engine) open(ctx context.Context) (err error) {
	e.spool, err = e.openSpool(ctx)
	if err != nil {
		return spoolError(err)
	}
	if e.reports, err = reports.Open(ctx, e.cfg.DataDir, e.log.With("part", "reports")); err != nil {
		return &UserError{Sentence: "The cache of reports cannot be opened.", Action: "Check the data folder's permissions.", Err: err}
	}
	if err := e.readPaused(); err != nil {
		return err
	}
	if e.settings.Listen.Auth == settings.AuthOff {
		return nil
	}
	return e.openLocal(ctx)
}

// openLocal makes sure that there is a password for mail programs.
func (e *Engine) openLocal(ctx context.Context) error {
	if e.localLogin() != nil {
		return nil
	}
	local, err := secret.OpenLocalLogin(ctx, e.cfg.Secrets, filepath.Join(e.cfg.DataDir, localHashName), e.log.With("part", "secret"))
	if err != nil {
		return &UserError{Sentence: "The password for mail programs cannot be made.", Action: "Check the data folder's permissions.", Err: err}
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.local = local
	return nil
}

func (e *Engine) localLogin() *secret.LocalLogin {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.local
}

// current are the settings in force.
func (e *Engine) current() settings.Settings {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.settings
}

// lockWait is how long a spool may be held by a process that is just ending:
// after kill -9 the system needs a moment to take its lock away.
const lockWait = 3 * time.Second

func (e *Engine) openSpool(ctx context.Context) (*spool.Spool, error) {
	ctx, cancel := context.WithTimeout(ctx, lockWait)
	defer cancel()
	for {
		s, err := spool.Open(context.WithoutCancel(ctx), spool.Options{
			Dir: filepath.Join(e.cfg.DataDir, spoolName), MaxSize: e.settings.Spool.MaxSize, KeepHistory: time.Duration(e.settings.Spool.KeepHistory),
			Split: func(r []mail.Recipient) [][]mail.Recipient { return batch.Split(r, e.limits(nil).MaxBatch()) },
			Log:   e.log.With("part", "spool"), OnProblem: e.spoolReports,
		})
		if !errors.Is(err, spool.ErrLocked) || sleepUntil(ctx, time.Now().Add(50*time.Millisecond), nil) != nil {
			return s, err
		}
	}
}

// Close gives up what New opened. Run does it by itself.
func (e *Engine) Close() error {
	e.stop()
	var err error
	if e.reports != nil {
		err = e.reports.Close()
	}
	if e.spool != nil {
		err = errors.Join(e.spool.Close(), err)
	}
	return err
}

// limits are the user's, made stricter by the relay's policy.
func (e *Engine) limits(policy *pace.Limits) pace.Limits {
	p := e.current().Pace
	l := pace.Limits{
		PerMinute: p.PerMinute, PerHour: p.PerHour, PerDay: p.PerDay, MessagesPerMinute: p.MessagesPerMinute,
		Batch: min(cmp.Or(p.Batch, settings.MaxBatch), settings.MaxBatch), PersonalBurst: p.PersonalBurst, Adaptive: p.Adaptive,
		PerProvider: perProvider(p.PerProvider),
	}
	for _, q := range p.Quiet {
		if span, err := pace.ParseSpan(q.String()); err == nil { // settings have checked it
			l.Quiet = append(l.Quiet, span)
		}
	}
	if policy != nil {
		l = l.Stricter(*policy)
	}
	return l
}

// addAccount makes an account's sender; Run starts it.
func (e *Engine) addAccount(ctx context.Context, s settings.Account) error {
	now := time.Now()
	attempts, err := e.spool.Attempts(ctx, s.Name, now.Add(-24*time.Hour))
	if err != nil {
		return spoolError(err)
	}
	e.cfg.Secrets.Use(s.Name, s.Credential)
	left := leaves(attempts)
	rebuilt, err := e.spool.Rebuilt()
	if err != nil {
		return spoolError(err)
	}
	if now.Sub(rebuilt) < 24*time.Hour {
		// What could not be read may have left right before, so a minute's
		// worth counts as sent.
		left = append(left, pace.Attempt{At: rebuilt, Recipients: e.current().Pace.PerMinute, Lane: mail.Bulk, Finished: true})
	}
	state := pace.Restore(e.limits(nil), left, now)
	a := &account{settings: s, done: make(chan struct{}), news: make(chan struct{}, 1)}
	a.relay = &relay{account: s, secrets: e.cfg.Secrets, agent: "ServiceSMTP-Companion/" + e.cfg.Version}
	a.sender = e.newSender(a, state)
	a.follower = e.newFollower(a)
	a.sender.full = a.follower.Now
	a.sender.working = a.follower.Working
	a.sender.slowed = a.follower.Share
	a.sender.handed = func() {
		a.follower.Soon()
		a.relay.loginWorks()
	}
	e.learn(ctx, a) // what was known before the restart
	e.mu.Lock()
	defer e.mu.Unlock()
	a.sender.paused = e.paused[s.Name]
	a.sender.gate.shut = a.sender.paused
	e.accounts[s.Name] = a
	return nil
}

// leaves are the stored attempts as the pace counts them: those that sent
// DATA, and those of which nobody knows.
func leaves(attempts []spool.Attempt) []pace.Attempt {
	var out []pace.Attempt
	for _, a := range attempts {
		p := pace.Attempt{At: a.Left, Recipients: a.Recipients, Lane: a.Lane, Finished: true}
		switch {
		case a.Result == spool.AttemptOpen:
			p.Finished = false
		case a.Left.IsZero() && a.Result == spool.AttemptLost:
			p.At = a.Ended
		case a.Left.IsZero():
			continue
		}
		out = append(out, p)
	}
	return out
}

// account finds an account at work.
func (e *Engine) account(name string) (*account, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	a, ok := e.accounts[name]
	if !ok {
		return nil, noSuchAccount(name)
	}
	return a, nil
}

// chosen are the accounts that a command means: the one named, or all.
func (e *Engine) chosen(name string) ([]*account, error) {
	if name != "" {
		a, err := e.account(name)
		return []*account{a}, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	var out []*account
	for _, s := range e.settings.Accounts {
		if a := e.accounts[s.Name]; a != nil {
			out = append(out, a)
		}
	}
	return out, nil
}
