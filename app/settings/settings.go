// Package settings reads and writes companion.toml, the one file that window
// and terminal share.
//
// It promises that what Load returns is complete and valid: a key that it does
// not know, a value of the wrong kind and a value out of range are errors that
// name line, key and what to write instead, all of them at once. A missing
// file is the defaults without an account. Changes keep a copy of the file as
// it was (companion.toml.bak), go to disk as one step, and leave everything
// that they are not about as the user wrote it, comments too.
//
// It never holds a password, never looks at the network, and starts no
// goroutine. Two programs that change the file at the same time overwrite each
// other; the running engine is the one that writes.
package settings

import (
	"cmp"
	"time"

	"servicesmtp.net/companion/app/mail"
)

// Settings is the whole file.
type Settings struct {
	Accounts []Account `toml:"account"`
	Listen   Listen    `toml:"listen"`
	Pace     Pace      `toml:"pace"`
	Timeouts Timeouts  `toml:"timeouts"`
	Network  Network   `toml:"network"`
	Spool    Spool     `toml:"spool"`
	Window   Window    `toml:"window"`
	Service  Service   `toml:"service"`
}

// Keyring is the Credential of an account whose password is in the keyring.
const Keyring = "keyring"

// FilePrefix begins the Credential of an account whose password is in a file.
const FilePrefix = "file:"

// Account is one account at the relay.
type Account struct {
	Name       string   `toml:"name"`
	User       string   `toml:"user"`
	Credential string   `toml:"credential" comment:"\"keyring\", or \"file:/path\" of a file that only you can read"`
	Senders    []string `toml:"senders" comment:"addresses or domains that choose this account; empty: all others"`
	Endpoints  []string `toml:"endpoints"`
	API        string   `toml:"api"`
	CAFile     string   `toml:"ca_file" comment:"a private certificate authority; verification is never turned off"`
}

// AuthRequired and AuthOff are the values of Listen.Auth.
const (
	AuthRequired = "required"
	AuthOff      = "off"
)

// Listen is the local SMTP listener.
type Listen struct {
	Addresses     []string      `toml:"addresses"`
	TLSAddresses  []string      `toml:"tls_addresses"`
	Auth          string        `toml:"auth" comment:"\"required\" or \"off\""`
	MaxRecipients int           `toml:"max_recipients"`
	MaxMessage    mail.ByteSize `toml:"max_message"`
}

// Pace is how fast mail may leave. 0 means no such limit.
type Pace struct {
	PerMinute             int            `toml:"recipients_per_minute" comment:"0: no such limit"`
	PerHour               int            `toml:"recipients_per_hour"`
	PerDay                int            `toml:"recipients_per_day"`
	MessagesPerMinute     int            `toml:"messages_per_minute"`
	Batch                 int            `toml:"batch"`
	PersonalMaxRecipients int            `toml:"personal_max_recipients"`
	PersonalBurst         int            `toml:"personal_burst"`
	Quiet                 []Quiet        `toml:"quiet" comment:"hours in which newsletters wait, for example [\"22:00-07:00\"]"`
	PerProvider           map[string]int `toml:"per_provider,inline" comment:"recipients a minute, for example {\"gmail.com\" = 20}"`
	Adaptive              bool           `toml:"adaptive" comment:"slow down by itself when servers ask for it"`
}

// Timeouts of connections to the relay.
type Timeouts struct {
	Connect  Span `toml:"connect"`
	Progress Span `toml:"progress" comment:"no byte moved for this long"`
	FinalDot Span `toml:"final_dot" comment:"wait for the answer to a whole message"`
}

// Network says which way leads out.
type Network struct {
	Proxy string `toml:"proxy" comment:"\"system\", \"none\", \"socks5://host:port\" or \"http://host:port\""`
}

// Spool is the store of accepted mail.
type Spool struct {
	MaxSize     mail.ByteSize `toml:"max_size"`
	KeepHistory Span          `toml:"keep_history"`
}

// System is the Language and the Theme that follow the computer's.
const System = "system"

// Values of Window.Theme beside System.
const (
	ThemeLight = "light"
	ThemeDark  = "dark"
)

// Window is how the window looks.
type Window struct {
	Language string `toml:"language" comment:"\"system\", or a language as two letters"`
	Theme    string `toml:"theme" comment:"\"system\", \"light\" or \"dark\""`
}

// Service is the relay that a new account uses unless it names another: an
// organisation that installs the companion for its people writes its own here.
type Service struct {
	Name      string   `toml:"name"`
	Endpoints []string `toml:"endpoints"`
	API       string   `toml:"api"`
	CAFile    string   `toml:"ca_file"`
}

// MaxBatch is the most recipients that the relay takes in one transaction.
const MaxBatch = 50

// Default is what a missing file means: no account, and careful limits.
func Default() Settings {
	return Settings{
		Listen: Listen{
			Addresses:     []string{"127.0.0.1:2525", "[::1]:2525"},
			TLSAddresses:  []string{},
			Auth:          AuthRequired,
			MaxRecipients: 50_000,
			MaxMessage:    100_000_000,
		},
		Pace: Pace{
			PerMinute:             60,
			Batch:                 MaxBatch,
			PersonalMaxRecipients: 10,
			PersonalBurst:         5,
			Quiet:                 []Quiet{},
			PerProvider:           map[string]int{},
			Adaptive:              true,
		},
		Timeouts: Timeouts{
			Connect:  Span(30 * time.Second),
			Progress: Span(5 * time.Minute),
			FinalDot: Span(10 * time.Minute), // RFC 5321 §4.5.3.2.6
		},
		Network: Network{Proxy: "system"},
		Spool:   Spool{MaxSize: 5_000_000_000, KeepHistory: Span(90 * day)},
		Window:  Window{Language: System, Theme: System},
		Service: Service{
			Name:      "ServiceSMTP",
			Endpoints: []string{"starttls://smtp.servicesmtp.net:587", "tls://smtp.servicesmtp.net:465"},
			API:       "https://api.servicesmtp.net",
		},
	}
}

// complete fills in what an account leaves out.
func (a Account) complete() Account {
	a.Credential = cmp.Or(a.Credential, Keyring)
	if a.Senders == nil {
		a.Senders = []string{}
	}
	return a
}
