package config

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"servicesmtp.net/companion/internal/units"
)

func write(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "relay.toml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestEmptyFileIsTheDefault(t *testing.T) {
	got, err := Load(write(t, ""))
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(Default(), got); d != "" {
		t.Error(d)
	}
	def := Default()
	if err := def.check(); err != nil {
		t.Errorf("the default is refused: %v", err)
	}
}

// TestEverySetting reads a file with every section and key.
func TestEverySetting(t *testing.T) {
	path := write(t, `
[submission]
starttls = ["127.0.0.1:5870", "[::1]:5870"]
tls = ["127.0.0.1:4650"]
hostname = "relay.example"
[tls]
mode = "files"
cert = "tls/chain.pem"
key = "/etc/tls/key.pem"
[api]
listen = "127.0.0.1:0"
trusted_proxies = ["192.0.2.1", "10.0.0.0/8"]
[web]
listen = ""
[store]
dsn = "postgres://relay@db/relay"
bodies = "shared"
[delivery]
route = "maildir:out"
dns = "127.0.0.1:53"
[inbound]
listen = ["127.0.0.1:2500"]
bounce_domain = "bounce.localhost"
[limits]
max_message = "90MB"
recipients_per_minute = 600
per_provider = {"gmail.com" = 20}
[retention]
bodies = "delivered"
logs = "7d"
[notify]
mail = false
from = "Grüße <reports@relay.example>"
`)
	got, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Dir(path)
	want := Config{
		Submission: Submission{StartTLS: []string{"127.0.0.1:5870", "[::1]:5870"}, TLS: []string{"127.0.0.1:4650"}, Hostname: "relay.example"},
		TLS:        TLS{Mode: "files", Cert: filepath.Join(dir, "tls", "chain.pem"), Key: "/etc/tls/key.pem"},
		API:        API{Listen: "127.0.0.1:0", TrustedProxies: []string{"192.0.2.1", "10.0.0.0/8"}},
		Store:      Store{DSN: "postgres://relay@db/relay", Lease: Span(30 * time.Second), Bodies: filepath.Join(dir, "shared")},
		Delivery:   Delivery{Route: "maildir:" + filepath.Join(dir, "out"), DNS: "127.0.0.1:53"},
		Inbound:    Inbound{Listen: []string{"127.0.0.1:2500"}, BounceDomain: "bounce.localhost"},
		Limits:     Limits{MaxMessage: 90 * units.MB, RecipientsPerMinute: 600, PerProvider: map[string]int64{"gmail.com": 20}},
		Retention:  Retention{Bodies: "delivered", Logs: Span(7 * 24 * time.Hour)},
		Notify:     Notify{From: "Grüße <reports@relay.example>"},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestErrorsSayWhereAndWhat(t *testing.T) {
	for _, c := range []struct {
		name, text string
		want       []string
	}{
		{"unknown key", "[api]\nlisten = \"127.0.0.1:1\"\nlisen = \"x\"\n", []string{"relay.toml", "line 3", "api.lisen"}},
		{"unknown section", "[apis]\nlisten = \"127.0.0.1:1\"\n", []string{"line 1", "apis"}},
		{"two at once", "[api]\na = 1\nb = 2\n", []string{"api.a", "api.b"}},
		{"not TOML", "[api\n", []string{"line 1"}},
		{"wrong type", "[submission]\nstarttls = 5\n", []string{"line 2", "starttls"}},
		{"size", "[limits]\nmax_message = \"huge\"\n", []string{"line 2", "100MB"}},
		{"no rate", "[limits]\nrecipients_per_minute = -1\n", []string{"limits.recipients_per_minute", "0 for no limit"}},
		{"no domain", "[limits]\nper_provider = {\"a@Gmail.com\" = 20}\n", []string{"limits.per_provider", "gmail.com"}},
		{"no provider's rate", "[limits]\nper_provider = {\"gmail.com\" = 0}\n", []string{"limits.per_provider", "gmail.com"}},
		{"too small", "[limits]\nmax_message = \"1KB\"\n", []string{"limits.max_message"}},
		{"sender", "[notify]\nfrom = \"postmaster\"\n", []string{"notify.from", "Name <address>"}},
		{"sender in foreign letters", "[notify]\nfrom = \"ö@relay.example\"\n", []string{"notify.from"}},
		{"time", "[retention]\nlogs = \"-3d\"\n", []string{"line 2", "30d"}},
		{"address without port", "[submission]\nstarttls = [\"127.0.0.1\"]\n", []string{"submission.starttls", "host:port"}},
		{"port too high", "[api]\nlisten = \"127.0.0.1:99999\"\n", []string{"api.listen"}},
		{"proxy by name", "[api]\ntrusted_proxies = [\"proxy.example\"]\n", []string{"api.trusted_proxies", "proxy.example", "10.0.0.0/8"}},
		{"every proxy", "[api]\ntrusted_proxies = [\"::/0\"]\n", []string{"api.trusted_proxies", "everybody"}},
		{"no way in", "[submission]\nstarttls = []\ntls = []\n", []string{"at least one"}},
		{"hostname", "[submission]\nhostname = \"a b\"\n", []string{"submission.hostname"}},
		{"acme", "[tls]\nmode = \"acme\"\n", []string{"tls.mode", "not in this version"}},
		{"files without paths", "[tls]\nmode = \"files\"\n", []string{"cert and key"}},
		{"internal with paths", "[tls]\ncert = \"a\"\n", []string{"internal"}},
		{"mode", "[tls]\nmode = \"none\"\n", []string{`"none"`}},
		{"web", "[web]\nlisten = \"here\"\n", []string{"web.listen", "host:port"}},
		{"route", "[delivery]\nroute = \"pigeon\"\n", []string{"delivery.route", "maildir:PATH"}},
		{"smarthost without port", "[delivery]\nroute = \"smtp://a\"\n", []string{"smtp://host:port"}},
		{"smarthost with login", "[delivery]\nroute = \"smtp://u:p@a:25\"\n", []string{"smtp://host:port"}},
		{"maildir without path", "[delivery]\nroute = \"maildir:\"\n", []string{"delivery.route"}},
		{"resolver", "[delivery]\ndns = \"1.1.1.1\"\n", []string{"delivery.dns"}},
		{"inbound", "[inbound]\nlisten = [\"x\"]\n", []string{"inbound.listen"}},
		{"folder of bodies without PostgreSQL", "[store]\nbodies = \"/mnt/relays\"\n", []string{"store.bodies", "store.dsn"}},
		{"bodies", "[retention]\nbodies = \"never\"\n", []string{"retention.bodies"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Load(write(t, c.text))
			if err == nil {
				t.Fatal("accepted")
			}
			for _, w := range c.want {
				if !strings.Contains(err.Error(), w) {
					t.Errorf("%q does not say %q", err, w)
				}
			}
		})
	}
}

func TestMissingFile(t *testing.T) {
	if _, err := Load(filepath.Join(t.TempDir(), "none.toml")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}
