// Package config reads relay.toml.
//
// It promises that a file that was read can be served: every address, size
// and route was looked at, and whatever is unknown or cannot be done by this
// version is an error with its line and what to write instead. Everything has
// a default, so an empty file is a working relay. It starts no goroutine and
// opens nothing but the one file.
package config

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/pelletier/go-toml/v2"

	"servicesmtp.net/companion/internal/units"
)

// Config is relay.toml. The names are those of the file.
type Config struct {
	Submission Submission `toml:"submission"`
	TLS        TLS        `toml:"tls"`
	API        API        `toml:"api"`
	Web        Web        `toml:"web"`
	Store      Store      `toml:"store"`
	Delivery   Delivery   `toml:"delivery"`
	Inbound    Inbound    `toml:"inbound"`
	Limits     Limits     `toml:"limits"`
	Retention  Retention  `toml:"retention"`
	Notify     Notify     `toml:"notify"`
	Plans      Plans      `toml:"plans"`
}

// Submission is where customers hand in mail.
type Submission struct {
	StartTLS []string `toml:"starttls"` // host:port
	TLS      []string `toml:"tls"`      // host:port, TLS from the first byte
	Hostname string   `toml:"hostname"` // in the greeting, Received and the certificate
}

// TLS says where the certificate comes from.
type TLS struct {
	Mode string `toml:"mode"` // internal, files
	Cert string `toml:"cert"` // mode files: chain in PEM
	Key  string `toml:"key"`  // mode files: key in PEM
}

// API is where companions ask.
type API struct {
	Listen  string `toml:"listen"`
	Metrics string `toml:"metrics"` // host:port for Prometheus, plain HTTP; "": none
	// TrustedProxies are the web servers in front of the API and of [web]
	// whose X-Forwarded-For is believed: addresses or networks.
	TrustedProxies []string `toml:"trusted_proxies"`
}

// Web is where operators log in: HTTPS with the same certificate; "": nowhere.
type Web struct {
	Listen string `toml:"listen"`
}

// Store is the database.
type Store struct {
	DSN    string `toml:"dsn"`    // "": SQLite in the data folder
	Lease  Span   `toml:"lease"`  // how long a node that is not heard of counts as alive; PostgreSQL only
	Bodies string `toml:"bodies"` // folder of large messages, which all relays of a PostgreSQL database share; "": the data folder
}

// Delivery is the way to the recipients.
type Delivery struct {
	Route string `toml:"route"` // mx, smtp://host:port (smtps: TLS from the first byte), maildir:PATH
	DNS   string `toml:"dns"`   // a resolver's host:port; "": the system's
}

// Inbound is where bounces come in.
type Inbound struct {
	Listen       []string `toml:"listen"`
	BounceDomain string   `toml:"bounce_domain"`
}

// Limits of one message, and of an account's pace. The pace counts recipients.
type Limits struct {
	MaxMessage          units.ByteSize   `toml:"max_message"`
	RecipientsPerMinute int64            `toml:"recipients_per_minute"` // of an account with no rate of its own; 0: no rate
	PerProvider         map[string]int64 `toml:"per_provider"`          // domain to recipients a minute, told to companions
}

// Retention says what is kept how long.
type Retention struct {
	Bodies string `toml:"bodies"` // delivered: until the last recipient is done
	Logs   Span   `toml:"logs"`   // events and errors
}

// Span is a time.Duration that may be written in days: "30d", "12h".
type Span time.Duration

// UnmarshalText implements encoding.TextUnmarshaler.
func (s *Span) UnmarshalText(text []byte) error {
	if days, ok := strings.CutSuffix(string(text), "d"); ok {
		if n, err := strconv.Atoi(days); err == nil && n > 0 && n < 100_000 {
			*s = Span(time.Duration(n) * 24 * time.Hour)
			return nil
		}
	}
	d, err := time.ParseDuration(string(text))
	if err != nil || d <= 0 {
		return fmt.Errorf("time %q: write for example \"30d\" or \"12h\"", text)
	}
	*s = Span(d)
	return nil
}

// Default is an empty relay.toml.
func Default() Config {
	return Config{
		Submission: Submission{StartTLS: []string{"127.0.0.1:5870"}, TLS: []string{"127.0.0.1:4650"}, Hostname: "localhost"},
		TLS:        TLS{Mode: "internal"},
		API:        API{Listen: "127.0.0.1:8443"},
		Store:      Store{Lease: Span(defaultLease)},
		Delivery:   Delivery{Route: "mx"},
		Inbound:    Inbound{Listen: []string{"127.0.0.1:2500"}, BounceDomain: "bounce.localhost"},
		Limits:     Limits{MaxMessage: 150 * units.MB},
		Retention:  Retention{Bodies: "delivered", Logs: Span(30 * 24 * time.Hour)},
		Notify:     Notify{Mail: true},
	}
}

// Load reads and checks a file. Relative paths in it count from its folder.
func Load(path string) (Config, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return Config{}, fmt.Errorf("read settings: %w", err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return Config{}, fmt.Errorf("read settings: %w", err)
	}
	c := Default()
	name := filepath.Base(path)
	if err := toml.NewDecoder(bytes.NewReader(text)).DisallowUnknownFields().Decode(&c); err != nil {
		return Config{}, fmt.Errorf("%s: %w", name, explain(err))
	}
	if err := c.check(); err != nil {
		return Config{}, fmt.Errorf("%s: %w", name, err)
	}
	c.resolve(filepath.Dir(path))
	return c, nil
}

// explain names line, column and key of what toml did not like.
func explain(err error) error {
	var strict *toml.StrictMissingError
	if errors.As(err, &strict) {
		var all []error
		for _, e := range strict.Errors {
			line, _ := e.Position()
			all = append(all, fmt.Errorf("line %d: there is no setting %q: remove it, or look for a typing error", line, strings.Join(e.Key(), ".")))
		}
		return errors.Join(all...)
	}
	var decode *toml.DecodeError
	if errors.As(err, &decode) {
		line, column := decode.Position()
		if key := strings.Join(decode.Key(), "."); key != "" {
			return fmt.Errorf("line %d, column %d: %s: %w", line, column, key, err)
		}
		return fmt.Errorf("line %d, column %d: %w", line, column, err)
	}
	return err
}
