package settings

import (
	"errors"
	"strings"
	"testing"
)

func TestEveryProblemHasWords(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"form":       {"[[account]]\nname = \"a\"\nuser = \"u\"\nendpoints = [\"tls://h:1\"]\napi = \"http://h\"\n", "companion.toml, line 5: The address of the service must begin with https://."},
		"no form":    {"[pace]\nbatch = 0\n", "companion.toml, line 2: The setting pace.batch has a value that cannot be used."},
		"wrong kind": {"[listen]\nauth = 3\n", "companion.toml, line 2: The setting listen.auth has a value that cannot be used."},
		"unknown":    {"[listen]\nbatch = 3\n", "companion.toml, line 2: The setting listen.batch is not known."},
		"no TOML":    {"[listen\n", "companion.toml, line 1: The settings file cannot be read."},
		"exposed": {"[listen]\naddresses = [\"0.0.0.0:2525\"]\nauth = \"off\"\n",
			"companion.toml, line 3: Mail programs must give a password, because other computers can reach the companion at 0.0.0.0:2525."},
	} {
		_, err := parse("/x/companion.toml", []byte(c.text))
		var wrong *Error
		if !errors.As(err, &wrong) || wrong.Words().String() != c.want {
			t.Errorf("%s: %v, said %q", name, err, wrong.Words())
		}
	}
	s := Default()
	s.Accounts = []Account{{}}
	s.Pace.PerMinute, s.Pace.PerHour = -1, -1
	var wrong *Error
	if !errors.As(s.Validate(), &wrong) {
		t.Fatal("an empty account was taken")
	}
	said := wrong.Words().String()
	if strings.Count(said, "A limit is") != 1 || strings.Contains(said, "line") || strings.Contains(said, "\"office\"") {
		t.Errorf("said %q", said)
	}
	for _, w := range append(s.Warnings(), (Settings{Listen: Listen{Addresses: []string{"0.0.0.0:1"}}}).Warnings()...) {
		if w.Said.IsZero() {
			t.Errorf("%s is not said", w)
		}
	}
}
