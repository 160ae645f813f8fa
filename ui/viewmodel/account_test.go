package viewmodel

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"servicesmtp.net/companion/app"
	"servicesmtp.net/companion/app/say"
)

func TestAccountFormCheck(t *testing.T) {
	good := AccountForm{User: "alice", Password: "secret"}
	other := AccountForm{User: "alice", Password: "secret", Other: true, Host: "smtp.example.com", Port: "587", Security: SecurityStartTLS}
	for _, c := range []struct {
		name   string
		form   AccountForm
		change func(*AccountForm)
		want   []string // fields
	}{
		{"good", good, func(*AccountForm) {}, nil},
		{"nothing", AccountForm{}, func(*AccountForm) {}, []string{FieldPassword, FieldUser}},
		{"user with a blank behind", good, func(f *AccountForm) { f.User = "alice " }, []string{FieldUser}},
		{"password with a line break behind", good, func(f *AccountForm) { f.Password = "secret\n" }, []string{FieldPassword}},
		{"password with a line break inside", good, func(f *AccountForm) { f.Password = "sec\r\nret" }, []string{FieldPassword}},
		{"password with a blank before", good, func(f *AccountForm) { f.Password = " secret" }, []string{FieldPassword}},
		{"password with a hard blank behind", good, func(f *AccountForm) { f.Password = "secret\u00a0" }, []string{FieldPassword}},
		{"password with a blank inside", good, func(f *AccountForm) { f.Password = "se cret" }, nil},
		{"password with a control character", good, func(f *AccountForm) { f.Password = "se\x00cret" }, []string{FieldPassword}},
		{"existing account keeps its password", good, func(f *AccountForm) { f.Name, f.Password = "alice", "" }, nil},
		{"existing account with a bad password", good, func(f *AccountForm) { f.Name, f.Password = "alice", "x " }, []string{FieldPassword}},
		{"fields of another relay do not count", good, func(f *AccountForm) { f.Port = "x" }, nil},
		{"another relay", other, func(*AccountForm) {}, nil},
		{"no server", other, func(f *AccountForm) { f.Host = "" }, []string{FieldHost}},
		{"server with a scheme", other, func(f *AccountForm) { f.Host = "smtp://smtp.example.com" }, []string{FieldHost}},
		{"server with a port", other, func(f *AccountForm) { f.Host = "smtp.example.com:587" }, []string{FieldHost}},
		{"server with a user", other, func(f *AccountForm) { f.Host = "alice@smtp.example.com" }, []string{FieldHost}},
		{"server with a path", other, func(f *AccountForm) { f.Host = "smtp.example.com/x" }, []string{FieldHost}},
		{"server with a blank", other, func(f *AccountForm) { f.Host = "smtp example.com" }, []string{FieldHost}},
		{"server as IPv6", other, func(f *AccountForm) { f.Host = "2001:db8::1" }, nil},
		{"port 0", other, func(f *AccountForm) { f.Port = "0" }, []string{FieldPort}},
		{"port too high", other, func(f *AccountForm) { f.Port = "65536" }, []string{FieldPort}},
		{"port with a sign", other, func(f *AccountForm) { f.Port = "+587" }, []string{FieldPort}},
		{"no port", other, func(f *AccountForm) { f.Port = "" }, []string{FieldPort}},
		{"API", other, func(f *AccountForm) { f.API = "https://api.example.com/" }, nil},
		{"API with a port", other, func(f *AccountForm) { f.API = "https://api.example.com:8443" }, nil},
		{"API without TLS", other, func(f *AccountForm) { f.API = "http://api.example.com" }, []string{FieldAPI}},
		{"API with a password", other, func(f *AccountForm) { f.API = "https://a:b@api.example.com" }, []string{FieldAPI}},
		{"certificate file without its folder", other, func(f *AccountForm) { f.CAFile = "ca.pem" }, []string{FieldCAFile}},
	} {
		t.Run(c.name, func(t *testing.T) {
			form := c.form
			c.change(&form)
			wrong := form.Check(say.English)
			var got []string
			for field, words := range wrong {
				got = append(got, field)
				if words == "" {
					t.Errorf("field %s is wrong without words", field)
				}
			}
			slices.Sort(got)
			if !slices.Equal(got, c.want) {
				t.Errorf("wrong fields %v, want %v", got, c.want)
			}
		})
	}
}

func TestPastedPasswordInWords(t *testing.T) {
	for password, want := range map[string]string{
		"":         "Enter the password.",
		"secret\n": "There is a line break in it, as after a paste. Remove it.",
		" secret":  "There is a blank before or behind it, as after a paste. Remove it.",
		"secret":   "",
	} {
		if got := CheckPassword(say.English, password); got != want {
			t.Errorf("CheckPassword(%q) = %q, want %q", password, got, want)
		}
	}
}

func TestAccountFormInput(t *testing.T) {
	office := app.AccountInfo{
		Name: "office", User: "alice", Endpoints: []string{"starttls://smtp.example.com:587", "tls://smtp.example.com:465"},
		API: "https://api.example.com", CAFile: "/etc/ca.pem", Senders: []string{"example.com"},
	}
	existing := []app.AccountInfo{office}
	edit := func(change func(*AccountForm)) AccountForm {
		f := EditAccount(office)
		change(&f)
		return f
	}
	kept := app.AccountInput{Name: "office", User: "alice", Endpoints: office.Endpoints, API: office.API, CAFile: office.CAFile, Senders: office.Senders}
	with := func(change func(*app.AccountInput)) app.AccountInput {
		in := kept
		change(&in)
		return in
	}
	for _, c := range []struct {
		name string
		form AccountForm
		want app.AccountInput
	}{
		{"new, the service's relay", AccountForm{User: "bob", Password: "secret"},
			app.AccountInput{Name: "bob", User: "bob", Password: "secret", Senders: []string{}}},
		{"new, another relay", AccountForm{User: "bob", Password: "secret", Other: true, Host: "relay.example", Port: "465", Security: SecurityTLS, API: "https://x.example"},
			app.AccountInput{Name: "bob", User: "bob", Password: "secret", Endpoints: []string{"tls://relay.example:465"}, API: "https://x.example", Senders: []string{}}},
		{"new, IPv6", AccountForm{User: "bob", Password: "secret", Other: true, Host: "::1", Port: "587"},
			app.AccountInput{Name: "bob", User: "bob", Password: "secret", Endpoints: []string{"starttls://[::1]:587"}, Senders: []string{}}},
		{"nothing changed", edit(func(*AccountForm) {}), kept},
		{"another user", edit(func(f *AccountForm) { f.User = "carol" }), with(func(in *app.AccountInput) { in.User = "carol" })},
		{"only the password", edit(func(f *AccountForm) { f.Other, f.Password = false, "new" }), with(func(in *app.AccountInput) { in.Password = "new" })},
		{"another server", edit(func(f *AccountForm) { f.Host = "mx.example.com" }),
			with(func(in *app.AccountInput) { in.Endpoints = []string{"starttls://mx.example.com:587"} })},
		{"no certificate file any more", edit(func(f *AccountForm) { f.CAFile = "" }), with(func(in *app.AccountInput) { in.CAFile = "" })},
		{"senders", edit(func(f *AccountForm) { f.Senders = "a@example.org; b.example,\tc.example" }),
			with(func(in *app.AccountInput) { in.Senders = []string{"a@example.org", "b.example", "c.example"} })},
		{"no senders", edit(func(f *AccountForm) { f.Senders = " " }), with(func(in *app.AccountInput) { in.Senders = []string{} })},
	} {
		if diff := cmp.Diff(c.want, c.form.Input(existing)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
	}
}

func TestAccountName(t *testing.T) {
	long := strings.Repeat("é", 40) // 80 bytes
	for _, c := range []struct {
		user     string
		existing []string
		want     string
	}{
		{"alice", nil, "alice"},
		{"alice@example.com", nil, "alice-example.com"},
		{"..alice ", nil, "alice"},
		{"müller", nil, "müller"},
		{"@", nil, "account"},
		{"", nil, "account"},
		{"a\xff", nil, "a"},
		{"alice", []string{"Alice"}, "alice-2"},
		{"alice", []string{"alice", "alice-2"}, "alice-3"},
		{long, nil, strings.Repeat("é", 32)},
		{strings.Repeat("a", 62) + "-.example.com", nil, strings.Repeat("a", 62)}, // the cut is behind a dot
		{strings.Repeat("a", 61) + ".com", []string{strings.Repeat("a", 61) + ".co", strings.Repeat("a", 61) + ".com"}, strings.Repeat("a", 61) + "-2"},
		{"a" + long, nil, "a" + strings.Repeat("é", 31)}, // the limit is inside a letter
		{long, []string{strings.Repeat("é", 32)}, strings.Repeat("é", 31) + "-2"},
	} {
		var existing []app.AccountInfo
		for _, n := range c.existing {
			existing = append(existing, app.AccountInfo{Name: n})
		}
		if got := accountName(c.user, existing); got != c.want {
			t.Errorf("accountName(%q, %q) = %q, want %q", c.user, c.existing, got, c.want)
		}
	}
}
