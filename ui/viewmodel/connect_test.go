package viewmodel

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"servicesmtp.net/companion/app"
	"servicesmtp.net/companion/app/say"
)

func TestConnectFields(t *testing.T) {
	for _, c := range []struct {
		name  string
		login app.Login
		want  []Field
		note  bool
	}{
		{"with a password", app.Login{Address: "127.0.0.1:2525", User: "local", Password: "s3cret", Auth: "required"},
			[]Field{{"Server", "127.0.0.1", false}, {"Port", "2525", false}, {"Security", "None", false}, {"User name", "local", false}, {"Password", "s3cret", true}}, true},
		{"without", app.Login{Address: "[::1]:2526", Auth: "off"},
			[]Field{{"Server", "::1", false}, {"Port", "2526", false}, {"Security", "None", false}, {"Sign-in", "Not needed", false}}, true},
		{"for the whole network", app.Login{Address: "0.0.0.0:2525", Auth: "off"},
			[]Field{{"Server", "127.0.0.1", false}, {"Port", "2525", false}, {"Security", "None", false}, {"Sign-in", "Not needed", false}}, false},
		{"for the whole network, IPv6", app.Login{Address: "[::]:2525", Auth: "off"},
			[]Field{{"Server", "::1", false}, {"Port", "2525", false}, {"Security", "None", false}, {"Sign-in", "Not needed", false}}, false},
		{"with TLS too", app.Login{Address: "127.0.0.1:2525", TLS: []string{"127.0.0.1:4650"}, CAFile: "/data/local-ca.pem", Auth: "off"},
			[]Field{{"Server", "127.0.0.1", false}, {"Port", "2525", false}, {"Security", "None", false}, {"Sign-in", "Not needed", false}}, true},
		{"only with TLS", app.Login{Address: "127.0.0.1:4650", TLS: []string{"127.0.0.1:4650"}, CAFile: "/data/local-ca.pem", Auth: "off"},
			[]Field{{"Server", "127.0.0.1", false}, {"Port", "4650", false}, {"Security", "SSL/TLS", false}, {"Sign-in", "Not needed", false}}, false},
		{"nothing listens", app.Login{Auth: "required"}, []Field{}, false},
	} {
		got := NewConnect(say.English, state(app.MoodIdle), c.login, time.Time{}, nine)
		if diff := cmp.Diff(c.want, got.Fields); diff != "" || (got.Note != "") != c.note || got.Trouble != nil {
			t.Errorf("%s: note %q, trouble %v, want -, got +\n%s", c.name, got.Note, got.Trouble, diff)
		}
		checkSaid(t, NewConnect(marked, state(app.MoodIdle), c.login, time.Time{}, nine), ".Value", ".Tone", ".Deed")
	}
}

func TestConnectTrouble(t *testing.T) {
	s := state(app.MoodAttention)
	s.Listen = []app.ListenState{{Address: "[::1]:2525", OK: false}, // a family that is missing is no trouble
		{Address: "127.0.0.1:2525", Sentence: "Port 2525 is in use.", Said: said("Port 2525 is in use.", "Choose another."), Do: app.DeedListen}}
	got := NewConnect(say.English, s, app.Login{}, time.Time{}, nine).Trouble
	if got == nil || got.Title != "Port 2525 is in use." || got.Text != "Choose another." || got.Deed != app.DeedListen || got.Button == "" {
		t.Errorf("got %+v", got)
	}
}

func TestLastMail(t *testing.T) {
	mail := app.LastMail{At: nine, Family: "ipv4", Hello: "laptop", Auth: "PLAIN", Recipients: 1}
	with := func(change func(*app.LastMail)) *app.LastMail { m := mail; change(&m); return &m }
	const fine = " Everything works."
	const plain = " The program signed in with the password (PLAIN)."
	waits := "Waiting for the first message. Send one from your mail program, to yourself for example."
	for _, c := range []struct {
		name string
		mail *app.LastMail
		want string
	}{
		{"none", nil, waits},
		{"before this page", with(func(m *app.LastMail) { m.At = nine.Add(-2 * time.Minute) }), waits},
		{"plain", &mail, "A message to 1 recipient came from “laptop” over IPv4, at 09:00." + plain + fine},
		{"no password", with(func(m *app.LastMail) { m.Auth = "" }),
			"A message to 1 recipient came from “laptop” over IPv4, at 09:00. It came without a password." + fine},
		{"Thunderbird", with(func(m *app.LastMail) { m.Hello, m.Family, m.Recipients = "[IPV6:0:0:0:0:0:0:0:1]", "ipv6", 3 }),
			"A message to 3 recipients came from your mail program over IPv6, at 09:00." + plain + fine},
		{"an address", with(func(m *app.LastMail) { m.Hello = "127.0.0.1" }), "A message to 1 recipient came from your mail program over IPv4, at 09:00." + plain + fine},
		{"localhost", with(func(m *app.LastMail) { m.Hello = "LocalHost.localdomain" }), "A message to 1 recipient came from your mail program over IPv4, at 09:00." + plain + fine},
		{"nothing", with(func(m *app.LastMail) { m.Hello = "" }), "A message to 1 recipient came from your mail program over IPv4, at 09:00." + plain + fine},
		{"over TLS", with(func(m *app.LastMail) { m.TLS = true }),
			"A message to 1 recipient came from “laptop” over IPv4, at 09:00." + plain + " The connection was encrypted." + fine},
		{"a template as a name", with(func(m *app.LastMail) { m.Hello = "{{.Way}}" }), "A message to 1 recipient came from “{{.Way}}” over IPv4, at 09:00." + plain + fine},
	} {
		got := newLastMail(say.English, c.mail, nine.Add(-time.Minute), nine)
		if got.Text != c.want || got.Come != (c.want != waits) {
			t.Errorf("%s: %q, %v", c.name, got.Text, got.Come)
		}
		if c.name != "a template as a name" {
			checkSaid(t, newLastMail(marked, c.mail, time.Time{}, nine), ".Tone")
		}
	}
	long := newLastMail(say.English, with(func(m *app.LastMail) { m.Hello = strings.Repeat("x", 1000) + "\r\n" }), time.Time{}, nine)
	if len(long.Text) > 250 || strings.ContainsAny(long.Text, "\r\n") {
		t.Errorf("%q", long.Text)
	}
}

func TestConnectSecure(t *testing.T) {
	renewed := state(app.MoodIdle)
	renewed.Certificate = &app.CertificateState{Said: said("The certificate was renewed.", "Give it on.")}
	if got := NewConnect(say.English, renewed, app.Login{TLS: []string{"127.0.0.1:4650"}}, time.Time{}, nine).Secure.Note; got != "The certificate was renewed. Give it on." {
		t.Errorf("renewed: %q", got)
	}
	file := Field{"Certificate", "/data/local-ca.pem", false}
	for _, c := range []struct {
		name  string
		login app.Login
		want  []Field
	}{
		{"none", app.Login{Address: "127.0.0.1:2525"}, nil},
		{"beside the other", app.Login{Address: "127.0.0.1:2525", TLS: []string{"0.0.0.0:4650", "[::1]:4650"}, CAFile: "/data/local-ca.pem"},
			[]Field{{"Server", "127.0.0.1", false}, {"Port", "4650", false}, {"Security", "SSL/TLS", false}, file}},
		{"alone", app.Login{Address: "127.0.0.1:4650", TLS: []string{"127.0.0.1:4650"}, CAFile: "/data/local-ca.pem"}, []Field{file}},
	} {
		got := NewConnect(say.English, state(app.MoodIdle), c.login, time.Time{}, nine).Secure
		if diff := cmp.Diff(c.want, got.Fields); diff != "" || (got.Note != "") != (c.want != nil) {
			t.Errorf("%s: note %q (-want +got)\n%s", c.name, got.Note, diff)
		}
		checkSaid(t, NewConnect(marked, state(app.MoodIdle), c.login, time.Time{}, nine), ".Value", ".Tone", ".Deed")
	}
}

// A program that could not get in stands where the first message is awaited.
func TestConnectRefused(t *testing.T) {
	s := state(app.MoodIdle)
	s.LastMail = &app.LastMail{At: nine.Add(-time.Hour), Family: "ipv4"}
	s.Refused = &app.Refused{At: nine, Said: said("“pc” came with a wrong password, at 09:00.", "Enter the right one.")}
	got := NewConnect(say.English, s, app.Login{}, nine.Add(-time.Minute), nine).Mail
	if want := (LastMail{Tone: Warn, Text: "“pc” came with a wrong password, at 09:00. Enter the right one."}); got != want {
		t.Errorf("got %+v", got)
	}
	if got := NewConnect(say.English, s, app.Login{}, nine.Add(time.Minute), nine).Mail; got.Tone == Warn {
		t.Errorf("one from before the page: %+v", got)
	}
}
