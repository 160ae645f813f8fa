package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"servicesmtp.net/companion/app"
	"servicesmtp.net/companion/app/settings"
)

var office = app.AccountInfo{
	Name: "office", User: "alice", Endpoints: []string{"starttls://relay.example:587", "tls://relay.example:465"},
	API: "https://relay.example", CAFile: "/ca.pem", Credential: "keyring", Senders: []string{"example.com"},
}

func TestAccountList(t *testing.T) {
	f := newFake()
	s := newSession(t, f)
	golden(t, "accounts-none.txt", s.must(exitDone, "account", "list"))
	if got := s.must(exitDone, "account", "list", "--json"); got != "[]\n" {
		t.Errorf("got %s", got)
	}
	f.accounts = []app.AccountInfo{office, {Name: "home", User: "bob", Endpoints: []string{"tls://h:465"}, Credential: "file", Senders: []string{}}}
	golden(t, "accounts.txt", s.must(exitDone, "account", "list"))
	golden(t, "accounts.json", s.must(exitDone, "account", "list", "--json"))
}

// TestAccountSet: what reaches the engine, by command line and what is there.
func TestAccountSet(t *testing.T) {
	added := "{Name:main User:alice Password:p w Endpoints:[tls://h:465 starttls://h:587] API: CAFile: Senders:[] Skip:false}"
	kept := "{Name:office User:alice Password:%s Endpoints:[starttls://relay.example:587 tls://relay.example:465] API:https://relay.example CAFile:/ca.pem Senders:[example.com] Skip:false}"
	two := []app.AccountInfo{office, {Name: "home", User: "bob"}}
	for name, c := range map[string]struct {
		have       []app.AccountInfo
		args       string
		in, secret string // standard input; typed unseen
		asks       bool
		want       string // of the call, or of standard error where the exit code is not 0
		code       int
	}{
		"new":                {nil, "--user alice --endpoint tls://h:465 --endpoint starttls://h:587 --password-stdin", "p w\r\nmore", "", false, added, 0},
		"new, asked":         {nil, "--user alice --endpoint tls://h:465 --endpoint starttls://h:587", "", "p w\n", true, added, 0},
		"new, incomplete":    {nil, "x --user alice", "", "p", true, "the account x is new: give --user and --endpoint", 2},
		"new, no password":   {nil, "--user alice --endpoint tls://h:465", "", "", true, "Without a password", 1},
		"new, nobody there":  {nil, "--user alice --endpoint tls://h:465", "p", "", false, "--password-stdin", 2},
		"empty input":        {nil, "--user alice --endpoint tls://h:465 --password-stdin", "\n", "", false, "no password on standard input", 2},
		"password only":      {[]app.AccountInfo{office}, "--password-stdin", "new", "", false, strings.Replace(kept, "%s", "new", 1), 0},
		"asked, kept":        {[]app.AccountInfo{office}, "OFFICE", "", "", true, strings.Replace(kept, "%s", "", 1), 0},
		"nobody there, kept": {[]app.AccountInfo{office}, "office", "", "", false, strings.Replace(kept, "%s", "", 1), 0},
		"changes": {two, "home --user carol --endpoint tls://x:465 --api https://x --ca-file /x.pem --sender a@b.example --sender c.example --skip-test", "", "", false,
			"{Name:home User:carol Password: Endpoints:[tls://x:465] API:https://x CAFile:/x.pem Senders:[a@b.example c.example] Skip:true}", 0},
		"which of two": {two, "--user carol", "", "", false, "office or home", 2},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake()
			f.accounts = c.have
			s := newSession(t, f)
			s.in, s.secret, s.person.asks = c.in, c.secret, c.asks
			out, errs, code := s.ctl(append([]string{"account", "set"}, strings.Fields(c.args)...)...)
			if code != c.code {
				t.Fatalf("exit code %d, want %d; %s", code, c.code, errs)
			}
			if strings.Contains(out+errs, "p w") {
				t.Errorf("the password is shown: %q %q", out, errs)
			}
			if code != exitDone {
				if !strings.Contains(errs, c.want) || len(f.asked()) > 0 {
					t.Errorf("says %q, want %q; asked %q", errs, c.want, f.asked())
				}
				return
			}
			if diff := cmp.Diff([]string{"SetAccount " + c.want}, f.asked()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestAccountsWithoutAnEngine: a first account can be there before the first
// start. No session bus means no keyring, so the password goes into a file.
func TestAccountsWithoutAnEngine(t *testing.T) {
	t.Setenv("DBUS_SESSION_BUS_ADDRESS", "unix:path="+filepath.Join(t.TempDir(), "none"))
	s := newSession(t, nil)
	golden(t, "accounts-none.txt", s.must(exitDone, "account", "list"))
	s.in = "hunter2\n"
	out, errs, code := s.ctl("account", "set", "office", "--user", "alice", "--endpoint", "tls://relay.example:465", "--password-stdin")
	if code != exitDone || !strings.Contains(out, "companionctl run") || !strings.Contains(errs, "no keyring") {
		t.Fatalf("exit code %d, %q, %q", code, out, errs)
	}
	config, err := settings.Load(filepath.Join(s.data, "companion.toml"))
	if err != nil {
		t.Fatal(err)
	}
	file, isFile := strings.CutPrefix(config.Accounts[0].Credential, settings.FilePrefix)
	if text, err := os.ReadFile(file); err != nil || string(text) != "hunter2\n" || !isFile || !strings.HasPrefix(file, s.data) {
		t.Errorf("password: %q in %q, %v", text, file, err)
	}
	if out := s.must(exitDone, "account", "list", "--json"); !strings.Contains(out, `"credential":"file"`) || strings.Contains(out, "hunter2") {
		t.Errorf("list: %s", out)
	}
	s.must(exitDone, "account", "set", "--user", "bob") // nothing else changes
	config, err = settings.Load(filepath.Join(s.data, "companion.toml"))
	if err != nil || config.Accounts[0].User != "bob" || config.Accounts[0].Credential != "file:"+file {
		t.Errorf("%+v, %v", config.Accounts, err)
	}
	_, errs, code = s.ctl("account", "set", "--user", "bob", "--endpoint", "smtp://relay.example:25")
	if code != exitFailed || !strings.Contains(errs, "starttls://") {
		t.Errorf("a server without TLS: exit code %d, %q", code, errs)
	}
	if _, errs, code = s.ctl("account", "forget", "nobody", "--yes"); code != exitFailed || !strings.Contains(errs, "account list") {
		t.Errorf("exit code %d, %q", code, errs)
	}
	s.must(exitDone, "account", "forget", "Office", "--yes")
	if _, err := os.Stat(file); !os.IsNotExist(err) {
		t.Errorf("the password is still there: %v", err)
	}
	golden(t, "accounts-none.txt", s.must(exitDone, "account", "list"))
}

func TestSettingsThatCannotBeRead(t *testing.T) {
	s := newSession(t, nil)
	if err := os.WriteFile(filepath.Join(s.data, "companion.toml"), []byte("[pace]\nbatch = 0\nbtach = 1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range []string{"run", "account list", "account set x --user u --endpoint tls://h:465 --password-stdin", "account forget x --yes"} {
		_, errs, code := s.ctl(strings.Fields(args)...)
		if code != exitFailed || !strings.Contains(errs, "companion.toml, line 3, pace.btach: this key is not known; did you mean pace.batch?") {
			t.Errorf("%s: exit code %d, %q", args, code, errs)
		}
	}
}
