package viewmodel

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"servicesmtp.net/companion/app"
	"servicesmtp.net/companion/app/say"
)

func TestAccountCards(t *testing.T) {
	alice := app.AccountInfo{Name: "alice", User: "alice@example.com", Credential: "keyring",
		Endpoints: []string{"starttls://smtp.example.com:587", "tls://smtp.example.com:465"}}
	bob := app.AccountInfo{Name: "bob", User: "bob", Credential: "file", Endpoints: []string{"tls://[::1]:465"}, Senders: []string{"b.example", "c.example"}}
	want := []AccountCard{{Name: "alice", Password: "in the keyring of this computer", Lines: []Line{
		{"User name", "alice@example.com"}, {"Server", "smtp.example.com, port 587, STARTTLS"}, {"Otherwise", "smtp.example.com, port 465, TLS"},
		{"Password", "in the keyring of this computer"},
	}}}
	if diff := cmp.Diff(want, NewAccountCards(say.English, []app.AccountInfo{alice})); diff != "" {
		t.Errorf("one account (-want +got):\n%s", diff)
	}
	got := NewAccountCards(say.English, []app.AccountInfo{alice, bob})
	want = []AccountCard{{Name: "bob", Password: "in a file that only you can read", Lines: []Line{
		{"User name", "bob"}, {"Server", "::1, port 465, TLS"}, {"Senders", "b.example, c.example"}, {"Password", "in a file that only you can read"},
	}}}
	if diff := cmp.Diff(want, got[1:]); diff != "" {
		t.Errorf("two accounts (-want +got):\n%s", diff)
	}
	if got, want := got[0].Lines[3], (Line{"Senders", "all senders that no other account names"}); got != want {
		t.Errorf("senders %v, want %v", got, want)
	}
}

const means = "Programs that insist on encryption (SSL/TLS) use it; they must trust the certificate on the page Connect."

func TestListenerNamesTheCertificate(t *testing.T) {
	s := app.State{Certificate: &app.CertificateState{File: "/data/local-ca.pem"}}
	want := "Programs that insist on encryption (SSL/TLS) use it; they must trust the certificate in /data/local-ca.pem, which the page Connect hands out."
	if got := NewListener(say.English, app.ListenPreferences{}, s).Means; got != want {
		t.Errorf("got %q", got)
	}
}

func TestListener(t *testing.T) {
	said := app.Said{Sentence: say.Words{say.T("Port 2525 is taken.")}, Action: say.Words{say.T("Choose another.")}}
	s := app.State{Listen: []app.ListenState{
		{Address: "127.0.0.1:2525", Offered: "127.0.0.1:2526", Said: said},
		{Address: "[::1]:2525", Offered: "[::1]:2526", Said: said},
		{Address: "192.0.2.1:25", OK: true},
	}}
	got := NewListener(say.English, app.ListenPreferences{Addresses: []string{"192.0.2.1:25", "127.0.0.1:2525", "[::1]:2525"}, Auth: "required"}, s)
	want := Listener{
		Port: "2525", Auth: true, Means: means, Others: "Other computers can reach the companion at 192.0.2.1:25; only the settings file can change this.",
		Trouble: []Trouble{
			{Title: "Port 2525 is taken.", Text: "Choose another.", Offer: "Use port 2526", Port: "2526"},
			{Title: "Port 2525 is taken.", Text: "Choose another."}, // the same offer is made once
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("listener (-want +got):\n%s", diff)
	}
}

func TestChangeListen(t *testing.T) {
	for _, c := range []struct {
		name  string
		old   []string
		port  string
		auth  bool
		want  app.ListenPreferences
		wrong bool
	}{
		{"both addresses of this computer", []string{"127.0.0.1:2525", "[::1]:2525"}, "2600", true,
			app.ListenPreferences{Addresses: []string{"127.0.0.1:2600", "[::1]:2600"}, Auth: "required"}, false},
		{"others stay", []string{"127.0.0.1:2525", "192.0.2.1:25"}, "2600", false,
			app.ListenPreferences{Addresses: []string{"127.0.0.1:2600", "192.0.2.1:25"}, Auth: "off"}, false},
		{"two ports become one", []string{"127.0.0.1:2525", "127.0.0.1:2526"}, "2600", true,
			app.ListenPreferences{Addresses: []string{"127.0.0.1:2600"}, Auth: "required"}, false},
		{"no port", []string{"127.0.0.1:2525"}, "", true, app.ListenPreferences{}, true},
		{"port 0", []string{"127.0.0.1:2525"}, "0", true, app.ListenPreferences{}, true},
		{"no address of this computer", []string{"192.0.2.1:25"}, "", true,
			app.ListenPreferences{Addresses: []string{"192.0.2.1:25"}, Auth: "required"}, false},
	} {
		next, wrong, _ := ChangeListen(say.English, app.ListenPreferences{Addresses: c.old}, ListenForm{Port: c.port, Auth: c.auth})
		if (wrong != "") != c.wrong {
			t.Errorf("%s: wrong %q, want wrong: %v", c.name, wrong, c.wrong)
		}
		if c.wrong {
			continue
		}
		if diff := cmp.Diff(c.want, next); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
	}
}

func TestChangeListenWithEncryption(t *testing.T) {
	both := []string{"127.0.0.1:2525", "[::1]:2525"}
	for _, c := range []struct {
		name         string
		old          []string
		port, secure string
		want         []string
		wrong        bool
	}{
		{"the first", nil, "2525", "4650", []string{"127.0.0.1:4650", "[::1]:4650"}, false},
		{"another port", []string{"127.0.0.1:4650", "192.0.2.1:465"}, "2525", "4651", []string{"127.0.0.1:4651", "192.0.2.1:465"}, false},
		{"given up", []string{"127.0.0.1:4650", "192.0.2.1:465"}, "2525", "", []string{"192.0.2.1:465"}, false},
		{"none", nil, "2525", "", nil, false},
		{"no port", nil, "2525", "smtps", nil, true},
		{"that of the others", nil, "2525", "2525", nil, true},
	} {
		next, wrong, wrongSecure := ChangeListen(say.English, app.ListenPreferences{Addresses: both, TLSAddresses: c.old}, ListenForm{Port: c.port, Secure: c.secure, Auth: true})
		if wrong != "" || (wrongSecure != "") != c.wrong {
			t.Errorf("%s: wrong %q, %q", c.name, wrong, wrongSecure)
		}
		if diff := cmp.Diff(c.want, next.TLSAddresses); diff != "" && !c.wrong {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
	}
	got := NewListener(say.English, app.ListenPreferences{Addresses: both, TLSAddresses: []string{"[::1]:4650", "192.0.2.1:465"}}, app.State{Listen: []app.ListenState{
		{Address: "[::1]:4650", TLS: true, Offered: "[::1]:4651", Said: said("Port 4650 is taken.", "")}}})
	want := Listener{Port: "2525", Secure: "4650", Auth: true, Means: means, Others: "Other computers can reach the companion at 192.0.2.1:465; only the settings file can change this.",
		Trouble: []Trouble{{Title: "Port 4650 is taken.", Offer: "Use port 4651", Port: "4651", Secure: true}}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("listener (-want +got):\n%s", diff)
	}
}

func TestLanguages(t *testing.T) {
	c := NewLanguages(say.English, []string{"en", "it", "xx"})
	want := Choices{Values: []string{"system", "en", "it", "xx"}, Words: []string{"As the system", "English", "Italiano", "xx"}}
	if diff := cmp.Diff(want, c); diff != "" {
		t.Errorf("languages (-want +got):\n%s", diff)
	}
	if got := c.Index("it"); got != 2 {
		t.Errorf("Index(it) = %d, want 2", got)
	}
	if got := c.Index("de"); got != 0 {
		t.Errorf("Index(de) = %d, want that of the system", got)
	}
}
