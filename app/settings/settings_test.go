package settings

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// documented is the file as the manual shows it.
const documented = `[[account]]
name = "office"
user = "alice"
credential = "keyring"              # or "file:/path" (0600)
senders = []
endpoints = ["starttls://relay.example:587", "tls://relay.example:465"]
api = "https://relay.example"
ca_file = ""

[listen]
addresses = ["127.0.0.1:2525", "[::1]:2525"]
tls_addresses = []
auth = "required"                   # or "off"
max_recipients = 50000
max_message = "100MB"

[pace]                              # 0: no such limit
recipients_per_minute = 60
recipients_per_hour = 0
recipients_per_day = 0
messages_per_minute = 0
batch = 50
personal_max_recipients = 10
personal_burst = 5
quiet = []                          # e.g. ["22:00-07:00"]
per_provider = {}                   # e.g. {"gmail.com" = 20}
adaptive = true

[timeouts]
connect = "30s"
progress = "5m"
final_dot = "10m"

[network]
proxy = "system"

[spool]
max_size = "5GB"
keep_history = "90d"

[window]
language = "system"
theme = "system"

[service]
name = "ServiceSMTP"
endpoints = ["starttls://smtp.servicesmtp.net:587", "tls://smtp.servicesmtp.net:465"]
api = "https://api.servicesmtp.net"
ca_file = ""
`

var office = Account{
	Name: "office", User: "alice", Credential: Keyring, Senders: []string{},
	Endpoints: []string{"starttls://relay.example:587", "tls://relay.example:465"}, API: "https://relay.example",
}

func write(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "companion.toml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func load(t *testing.T, path string) Settings {
	t.Helper()
	s, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestDocumentedFileIsTheDefaultWithAnAccount(t *testing.T) {
	want := Default()
	want.Accounts = []Account{office}
	if diff := cmp.Diff(want, load(t, write(t, documented))); diff != "" {
		t.Error(diff)
	}
}

func TestMissingFileIsTheDefault(t *testing.T) {
	got := load(t, filepath.Join(t.TempDir(), "none", "companion.toml"))
	if diff := cmp.Diff(Default(), got); diff != "" {
		t.Error(diff)
	}
	if err := got.Validate(); err != nil {
		t.Errorf("the default is not valid: %v", err)
	}
	if w := got.Warnings(); len(w) > 0 {
		t.Errorf("the default warns: %v", w)
	}
}

func TestValuesAreRead(t *testing.T) {
	s := load(t, write(t, "\xef\xbb\xbf[pace]\r\nquiet = [\"22:00-07:00\", \"12:30-13:00\"]\r\nper_provider = {\"gmail.com\" = 20}\r\n"+
		"recipients_per_minute = 600000\r\n[timeouts]\r\nconnect = \"1m30s\"\r\n[spool]\r\nkeep_history = \"7d\"\r\nmax_size = \"1.5 GB\"\r\n"+
		"[listen]\r\naddresses = [\"127.0.0.1:0\", \"127.0.0.1:0\"]\r\n"))
	if got, want := s.Pace.Quiet, []Quiet{{22 * time.Hour, 7 * time.Hour}, {12*time.Hour + 30*time.Minute, 13 * time.Hour}}; !cmp.Equal(got, want) {
		t.Errorf("quiet: got %v, want %v", got, want)
	}
	if s.Pace.PerProvider["gmail.com"] != 20 || s.Pace.PerMinute != 600_000 || s.Pace.Batch != 50 {
		t.Errorf("pace: %+v", s.Pace)
	}
	if got := time.Duration(s.Timeouts.Connect); got != 90*time.Second {
		t.Errorf("connect: %v", got)
	}
	if got := time.Duration(s.Spool.KeepHistory); got != 7*24*time.Hour {
		t.Errorf("keep_history: %v", got)
	}
	if s.Spool.MaxSize != 1_500_000_000 {
		t.Errorf("max_size: %v", s.Spool.MaxSize)
	}
	if len(s.Listen.Addresses) != 2 {
		t.Errorf("a list in the file must replace the default: %q", s.Listen.Addresses)
	}
}

// TestWrongFiles shows each rule refusing, with line, key and advice.
func TestWrongFiles(t *testing.T) {
	account := func(lines string) string {
		return "[[account]]\nname = \"a\"\nuser = \"u\"\nendpoints = [\"tls://h:465\"]\n" + lines
	}
	for name, c := range map[string]struct{ file, want string }{
		"unknown key":         {"[pace]\nrecipient_per_minute = 3\n", "line 2, pace.recipient_per_minute: this key is not known; did you mean pace.recipients_per_minute?"},
		"unknown table":       {"[pase]\nbatch = 3\n", "line 1, pase: this key is not known; did you mean pace?"},
		"key in wrong table":  {"[listen]\nbatch = 3\n", "line 2, listen.batch: this key is not known; did you mean pace.batch?"},
		"key far from all":    {"[network]\nxylophone = 1\n", "line 2, network.xylophone: this key is not known; network has proxy."},
		"top key far":         {"xylophone = 1\n", "line 1, xylophone: this key is not known; the tables are account, listen, pace, timeouts, network, spool, window, service."},
		"key of an account":   {account("pasword = \"x\"\n"), "line 5, account.pasword: this key is not known; account has name"},
		"number for text":     {"[listen]\nauth = 3\n", `line 2, listen.auth: write "required" or "off".`},
		"text for number":     {"[pace]\n\nbatch = \"50\"\n", "line 3, pace.batch: write a whole number from 1 to 50."},
		"no TOML":             {"[pace\n", "companion.toml, line 1: this cannot be read"},
		"twice":               {"[pace]\nbatch = 3\nbatch = 4\n", "line 3"},
		"batch zero":          {"[pace]\nbatch = 0\n", "line 2, pace.batch: write a whole number from 1 to 50."},
		"batch above":         {"[pace]\nbatch = 51\n", "pace.batch"},
		"negative rate":       {"[pace]\nrecipients_per_hour = -1\n", "pace.recipients_per_hour: write a whole number"},
		"burst":               {"[pace]\npersonal_burst = -1\n", "pace.personal_burst"},
		"quiet form":          {"[pace]\nquiet = [\"22-7\"]\n", `line 2, pace.quiet: write spans of hours in quotes, for example quiet = ["22:00-07:00"].`},
		"quiet all day":       {"[pace]\nquiet = [\"07:00-07:00\"]\n", "pace.quiet"},
		"provider domain":     {"[pace]\nper_provider = {\"gmail\" = 20}\n", "line 2, pace.per_provider: write domains"},
		"provider text":       {"[pace]\nper_provider = {\"gmail.com\" = \"x\"}\n", "line 2, pace.per_provider: write domains"},
		"span without unit":   {"[timeouts]\nconnect = \"30\"\n", `line 2, timeouts.connect: write a time in quotes from "1s" to "10m"`},
		"span as number":      {"[timeouts]\nconnect = 30\n", "line 2, timeouts.connect: write a time"},
		"span too short":      {"[timeouts]\nprogress = \"10ms\"\n", "timeouts.progress: write a time"},
		"size":                {"[spool]\nmax_size = \"5 potatoes\"\n", `line 2, spool.max_size: write a size in quotes of at least "1MB"`},
		"message above spool": {"[spool]\nmax_size = \"10MB\"\n", "listen.max_message: write a size"},
		"history":             {"[spool]\nkeep_history = \"1h\"\n", "spool.keep_history"},
		"proxy":               {"[network]\nproxy = \"relay:8080\"\n", `line 2, network.proxy: write "system", "none"`},
		"proxy password":      {"[network]\nproxy = \"http://a:b@proxy:8080\"\n", "without a password"},
		"all interfaces":      {"[listen]\naddresses = [\":2525\"]\n", `to listen on all interfaces write "0.0.0.0:2525"`},
		"host name":           {"[listen]\naddresses = [\"localhost:2525\"]\n", "line 2, listen.addresses: write IP addresses"},
		"no port":             {"[listen]\naddresses = [\"127.0.0.1\"]\n", "listen.addresses"},
		"no address":          {"[listen]\naddresses = []\n", "listen.addresses"},
		"same address":        {"[listen]\ntls_addresses = [\"127.0.0.1:2525\"]\n", "listen.tls_addresses"},
		"open to others":      {"[listen]\naddresses = [\"0.0.0.0:2525\"]\nauth = \"off\"\n", "line 3, listen.auth: \"off\" is possible on this computer only"},
		"recipients":          {"[listen]\nmax_recipients = 0\n", "listen.max_recipients"},
		"account name":        {"[[account]]\nname = \"a/b\"\nuser = \"u\"\nendpoints = [\"tls://h:465\"]\n", "line 2, account.name: write a short name"},
		"account name hidden": {"[[account]]\nname = \"..\"\nuser = \"u\"\nendpoints = [\"tls://h:465\"]\n", "account.name"},
		"same name":           {account("") + strings.Replace(account(""), `"a"`, `"A"`, 1), "line 6, account.name"},
		"user pasted":         {"[[account]]\nname = \"a\"\nuser = \"u\\n\"\nendpoints = [\"tls://h:465\"]\n", "line 3, account.user"},
		"no endpoint":         {"[[account]]\nname = \"a\"\nuser = \"u\"\n", "companion.toml, account.endpoints: write one server or more"},
		"endpoint plain":      {"[[account]]\nname = \"a\"\nuser = \"u\"\nendpoints = [\"smtp://h:25\"]\n", "line 4, account.endpoints"},
		"endpoint portless":   {"[[account]]\nname = \"a\"\nuser = \"u\"\nendpoints = [\"tls://h\"]\n", "account.endpoints"},
		"credential":          {account("credential = \"secret\"\n"), "line 5, account.credential: write \"keyring\", or \"file:\""},
		"credential relative": {account("credential = \"file:pw\"\n"), "account.credential"},
		"api without TLS":     {account("api = \"http://h\"\n"), "line 5, account.api: write the address of the service beginning with https://"},
		"ca_file relative":    {account("ca_file = \"ca.pem\"\n"), "account.ca_file"},
		"sender":              {account("senders = [\"@example.com\"]\n"), "line 5, account.senders"},
		"language":            {"[window]\nlanguage = \"Italian please\"\n", `line 2, window.language: write "system", or a language as two letters`},
		"theme":               {"[window]\ntheme = \"pink\"\n", `line 2, window.theme: write "system", "light" or "dark".`},
		"service name":        {"[service]\nname = \"\"\n", "line 2, service.name: write the name of the service"},
		"service endpoints":   {"[service]\nendpoints = [\"http://h\"]\n", "line 2, service.endpoints: write one server or more"},
		"service api":         {"[service]\napi = \"relay\"\n", "line 2, service.api: write the address of the service"},
		"service ca_file":     {"[service]\nca_file = \"ca.pem\"\n", "line 2, service.ca_file: write the full path"},
		"sender of two": {account("senders = [\"b.example\"]\n") +
			strings.Replace(account("senders = [\"B.example\"]\n"), `"a"`, `"b"`, 1), "line 10, account.senders"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Load(write(t, c.file))
			var wrong *Error
			if !errors.As(err, &wrong) {
				t.Fatalf("got %v, want an *Error", err)
			}
			if got := err.Error(); !strings.Contains(got, c.want) {
				t.Errorf("got  %q\nwant %q in it", got, c.want)
			}
		})
	}
}

func TestAllProblemsAtOnceInTheOrderOfTheFile(t *testing.T) {
	_, err := Load(write(t, "[spool]\nmax_size = \"1B\"\n[pace]\nbatch = 0\n[listen]\nauth = \"x\"\nmax_message = \"5KB\"\n"))
	want := "companion.toml, line 2, spool.max_size: write " + words["spool.max_size"] + ".\n" +
		"companion.toml, line 4, pace.batch: write " + words["pace.batch"] + ".\n" +
		"companion.toml, line 6, listen.auth: write " + words["listen.auth"] + "."
	if err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("got\n%v\nwant\n%s", err, want)
	}
}

func TestEveryKeyHasWords(t *testing.T) {
	tables := map[string]bool{"account": true, "listen": true, "pace": true, "timeouts": true, "network": true, "spool": true, "window": true, "service": true}
	for _, k := range allKeys() {
		if words[k] == "" && !tables[k] {
			t.Errorf("no words for %s", k)
		}
	}
	if got, want := len(words), len(allKeys())-len(tables); got != want {
		t.Errorf("%d words for %d keys", got, want)
	}
}

func TestWarnings(t *testing.T) {
	s := load(t, write(t, "[listen]\naddresses = [\"127.0.0.1:2525\", \"0.0.0.0:2525\"]\n[timeouts]\nfinal_dot = \"1m\"\n"))
	var keys []string
	for _, p := range s.Warnings() {
		keys = append(keys, p.Key)
	}
	if want := []string{"listen", "timeouts.final_dot"}; !cmp.Equal(keys, want) {
		t.Errorf("got %q, want %q", keys, want)
	}
}

func TestRoute(t *testing.T) {
	s := Settings{Accounts: []Account{
		{Name: "rest"},
		{Name: "domain", Senders: []string{"example.com", "müller.example"}},
		{Name: "address", Senders: []string{"News@Example.com"}},
		{Name: "rest2"},
	}}
	for from, want := range map[string]string{
		"alice@example.com":               "domain",
		"alice@EXAMPLE.com":               "domain",
		"news@example.com":                "address",
		"alice@sub.example.com":           "rest",
		"x@xn--mller-kva.example":         "domain",
		"x@MÜLLER.example":                "domain",
		"":                                "rest",
		"example.com":                     "rest",
		`"odd@example.com"@other.invalid`: "rest",
	} {
		if got, ok := s.Route(from); got != want || !ok {
			t.Errorf("Route(%q) = %q, %v; want %q", from, got, ok, want)
		}
	}
	s.Accounts = s.Accounts[1:3]
	if got, ok := s.Route("bob@other.example"); ok {
		t.Errorf("nobody sends for other.example, got %q", got)
	}
}

func TestQuietContains(t *testing.T) {
	night, noon := Quiet{22 * time.Hour, 7 * time.Hour}, Quiet{12 * time.Hour, 13 * time.Hour}
	for clock, want := range map[time.Duration][2]bool{
		0: {true, false}, 7*time.Hour - 1: {true, false}, 7 * time.Hour: {false, false},
		12 * time.Hour: {false, true}, 13 * time.Hour: {false, false}, 22 * time.Hour: {true, false},
	} {
		if got := [2]bool{night.Contains(clock), noon.Contains(clock)}; got != want {
			t.Errorf("%v: got %v, want %v", clock, got, want)
		}
	}
}

func TestSpanReadsBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := Span(rapid.Int64Range(0, int64(maxSpan)).Draw(t, "span"))
		text, _ := want.MarshalText()
		var got Span
		if err := got.UnmarshalText(text); err != nil || got != want {
			t.Fatalf("%d as %q reads as %d, %v", want, text, got, err)
		}
	})
}

func TestSizesBeyondTheRangeDoNotOverflow(t *testing.T) {
	var s Span
	for _, text := range []string{"9999999999d", "-1s", "d", "", "1e9h"} {
		if err := s.UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q was read as %v", text, s)
		}
	}
}

func FuzzLoad(f *testing.F) {
	f.Add([]byte(documented))
	f.Add([]byte("account = [{name = \"a\", user = \"u\", endpoints = [\"tls://h:1\"]}]\n"))
	f.Add([]byte("[account]\nname = 1\n[[account.x]]\n"))
	f.Add([]byte("pace.batch = \"x\"\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		s, err := parse("f", text)
		if err != nil {
			var wrong *Error
			if !errors.As(err, &wrong) || len(wrong.Problems) == 0 {
				t.Fatalf("error without a problem: %v", err)
			}
			return
		}
		out, err := encode(s)
		if err != nil {
			t.Fatal(err)
		}
		again, err := parse("f", out)
		if err != nil || !equal(again, s) {
			t.Fatalf("does not read back: %v\n%s", err, out)
		}
	})
}
