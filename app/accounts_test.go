package app

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"servicesmtp.net/companion/app/apptest"
)

// Why an account is not stored: each cause has a sentence and an action of its
// own, and nothing is changed.
func TestSetAccountSaysWhatIsWrong(t *testing.T) {
	const closed = "tls://127.0.0.1:1" // no other program is ever given this port
	for _, c := range []struct {
		name             string
		options          apptest.Options
		change           func(e *engineTest, in *AccountInput)
		sentence, action string
	}{
		{"wrong password", apptest.Options{User: "alice", Password: "right"}, func(_ *engineTest, in *AccountInput) { in.Password = "wrong" },
			"does not accept this account's name or password", "Enter the password again."},
		{"no password", apptest.Options{}, func(_ *engineTest, in *AccountInput) { in.Name = "new" },
			"password cannot be read", "enter the password again."},
		{"certificate of nobody", apptest.Options{}, func(_ *engineTest, in *AccountInput) { in.CAFile = "" },
			"certificate is not trusted", "Check this computer's clock"},
		{"certificate of another", apptest.Options{Certificate: apptest.OtherName}, func(*engineTest, *AccountInput) {},
			"certificate is not trusted", "Check this computer's clock"},
		{"nobody answers", apptest.Options{}, func(_ *engineTest, in *AccountInput) { in.Endpoints = []string{closed} },
			"cannot be reached", "Check the server's name and the network"},
		{"no such server", apptest.Options{}, func(_ *engineTest, in *AccountInput) { in.Endpoints = []string{"tls://nobody.invalid:465"} },
			"cannot be reached", "Check the server's name and the network"},
		{"nothing protects the password", apptest.Options{Omit: []string{"STARTTLS"}}, func(e *engineTest, in *AccountInput) { in.Endpoints = []string{e.relay.StartTLS()} },
			"not protected", "Use another network"},
		{"another password is wanted", apptest.Options{}, func(e *engineTest, _ *AccountInput) {
			e.relay.Script(apptest.Auth, apptest.Answer(534, "5.7.9 Application-specific password required"))
		}, "refuses to take mail from here", "Read the relay's own words"},
		{"no login that is known", apptest.Options{Mechanisms: []string{"CRAM-MD5"}}, func(*engineTest, *AccountInput) {},
			"offers no way to log in", "Check the server's name"},
		{"no server", apptest.Options{}, func(_ *engineTest, in *AccountInput) { in.Endpoints = nil },
			"Enter at least one server", ""},
		{"a server without a port", apptest.Options{}, func(_ *engineTest, in *AccountInput) { in.Endpoints = []string{"tls://relay.example"} },
			"Enter at least one server", ""},
		{"no user", apptest.Options{}, func(_ *engineTest, in *AccountInput) { in.User = "" }, "Enter the user name", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := newEngineTest(t, engineOptions{relay: c.options})
			e.closed()
			before := e.file()
			in := AccountInput{Name: "office", User: "alice", Endpoints: []string{e.relay.TLS()}, CAFile: filepath.Join(e.dir, "ca.pem")}
			c.change(e, &in)
			err := e.SetAccount(t.Context(), in)
			said, ok := Words(err)
			if !ok || !strings.Contains(said.Sentence.String(), c.sentence) || !strings.Contains(said.Action.String(), c.action) {
				t.Errorf("%q / %q, want %q / %q in them", said.Sentence, said.Action, c.sentence, c.action)
			}
			if got, want := errors.Is(err, ErrUnreachable), strings.Contains(c.sentence, "cannot be reached"); got != want {
				t.Errorf("the relay could not be asked: got %v, want %v", got, want)
			}
			if e.file() != before {
				t.Error("the settings were changed")
			}
			if n := e.relay.ClearAuth(); n != 0 {
				t.Errorf("%d passwords went out in the clear", n)
			}
		})
	}
}

// A new account that names no relay gets the usual one, which the organisation
// that installed the companion has written down.
func TestANewAccountUsesTheRelayOfTheService(t *testing.T) {
	e := newEngineTest(t, engineOptions{settings: "[service]\nname = \"Ours\"\nendpoints = [\"tls://localhost:1\"]\napi = \"\"\n"})
	e.run()
	for _, in := range []AccountInput{
		{Name: "new", User: "bob", Senders: []string{"b.example"}, Skip: true},
		{Name: "own", User: "bob", Senders: []string{"c.example"}, Skip: true, Endpoints: []string{"tls://localhost:2"}},
	} {
		if err := e.SetAccount(t.Context(), in); err != nil {
			t.Fatal(err)
		}
	}
	got, err := e.Accounts(t.Context())
	want := []AccountInfo{
		{Name: "new", User: "bob", Endpoints: []string{"tls://localhost:1"}, Credential: "keyring", Senders: []string{"b.example"}},
		{Name: "own", User: "bob", Endpoints: []string{"tls://localhost:2"}, Credential: "keyring", Senders: []string{"c.example"}},
	}
	if diff := cmp.Diff(want, got[1:]); diff != "" || err != nil {
		t.Errorf("%v %s", err, diff)
	}
}
