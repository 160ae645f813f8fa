package app

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/textproto"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"servicesmtp.net/companion/app/proxy"
)

const withTLS = "[listen]\naddresses = [\"127.0.0.1:0\"]\ntls_addresses = [\"127.0.0.1:0\"]\nauth = \"required\"\n"

// secureDial speaks to an address with TLS, trusting what the file holds, and
// returns the greeting.
func secureDial(t *testing.T, address, caFile string) (*tls.Conn, string, error) {
	t.Helper()
	text, err := os.ReadFile(caFile)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(text)
	c, err := tls.Dial("tcp", address, &tls.Config{RootCAs: roots, ServerName: "localhost"})
	if err != nil {
		return nil, "", err
	}
	t.Cleanup(func() { c.Close() })
	line, err := textproto.NewConn(c).ReadLine()
	return c, line, err
}

func TestPortWithTLS(t *testing.T) {
	e := newEngineTest(t, engineOptions{settings: withTLS})
	e.run()
	s := e.until("it serves", func(s State) bool { return s.Listen[0].OK && s.Listen[1].OK && s.Mood != MoodStarting })
	file := filepath.Join(e.cfg.DataDir, localCAName)
	if len(s.Listen) != 2 || !s.Listen[0].OK || !s.Listen[1].OK || !s.Listen[1].TLS || s.Certificate == nil || s.Certificate.File != file || s.Certificate.Sentence != "" {
		t.Fatalf("listen %+v, certificate %+v", s.Listen, s.Certificate)
	}
	if _, greeting, err := secureDial(t, s.Listen[1].Address, file); err != nil || !strings.HasPrefix(greeting, "220 ") {
		t.Errorf("got %q, %v", greeting, err)
	}
	l, err := e.Login(t.Context())
	if err != nil || l.Address != s.Listen[0].Address || len(l.TLS) != 1 || l.TLS[0] != s.Listen[1].Address || len(l.All) != 2 || l.CAFile != file {
		t.Errorf("login %+v, %v", l, err)
	}
	text, _ := os.ReadFile(file)
	if c, err := e.Certificate(t.Context()); err != nil || c.PEM != string(text) || c.File != file {
		t.Errorf("certificate %+v, %v", c, err)
	}
	if st, err := os.Stat(filepath.Join(e.cfg.DataDir, localCAKeyName)); err != nil || st.Mode().Perm()&0o077 != 0 {
		t.Errorf("the key: %v, %v", st.Mode(), err)
	}

	// Given up and taken up again while the companion runs, with the same authority.
	if l := e.setListen(ListenPreferences{Addresses: []string{"127.0.0.1:0"}, Auth: "off"}); len(l) != 1 || l[0].TLS {
		t.Errorf("listeners %+v", l)
	}
	if _, err := net.Dial("tcp", s.Listen[1].Address); err == nil {
		t.Error("the port with TLS is still open")
	}
	if s := e.State(); s.Certificate != nil {
		t.Errorf("certificate %+v", s.Certificate)
	}
	if _, err := e.Certificate(t.Context()); !errors.Is(err, ErrNotFound) {
		t.Errorf("got %v", err)
	}
	all := e.setListen(ListenPreferences{Auth: "off", TLSAddresses: []string{"127.0.0.1:0"}})
	if len(all) != 1 || !all[0].OK || !all[0].TLS {
		t.Fatalf("listeners %+v", all)
	}
	if _, _, err := secureDial(t, all[0].Address, file); err != nil {
		t.Error(err)
	}
	if after, _ := os.ReadFile(file); string(after) != string(text) {
		t.Error("the authority has changed")
	}
	if l, err := e.Login(t.Context()); err != nil || l.Address != all[0].Address {
		t.Errorf("only TLS: login %+v, %v", l, err)
	}
}

// What is wrong with the certificate closes the ports that need it, with a
// sentence, and no others; nothing is replaced, and once it is put right they
// open by themselves.
func TestDamagedCertificate(t *testing.T) {
	for _, c := range []struct {
		name, sentence string
		damage         func(t *testing.T, ca, key string) (repair func())
	}{
		{"key lost", "The key of the certificate for mail programs is missing", func(t *testing.T, _, key string) func() {
			move(t, key, key+".away")
			return func() { move(t, key+".away", key) }
		}},
		{"certificate damaged", "The certificate for mail programs is damaged", func(t *testing.T, ca, _ string) func() {
			text, _ := os.ReadFile(ca)
			os.WriteFile(ca, []byte("damaged"), 0o600)
			return func() { os.WriteFile(ca, text, 0o600) }
		}},
		{"key cannot be read", "The certificate for mail programs cannot be read or written", func(t *testing.T, _, key string) func() {
			move(t, key, key+".away")
			if err := os.Mkdir(key, 0o700); err != nil {
				t.Fatal(err)
			}
			return func() { os.Remove(key); move(t, key+".away", key) }
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := newEngineTest(t, engineOptions{settings: withTLS})
			if _, err := e.Certificate(t.Context()); err != nil { // makes it, as an earlier start did
				t.Fatal(err)
			}
			e.authority = nil
			ca, key := filepath.Join(e.cfg.DataDir, localCAName), filepath.Join(e.cfg.DataDir, localCAKeyName)
			before, _ := os.ReadFile(ca)
			repair := c.damage(t, ca, key)
			damaged, _ := os.ReadFile(ca)
			e.run()
			s := e.until("it serves", func(s State) bool { return s.Listen[0].OK && s.Listen[1].Sentence != "" && s.Mood != MoodStarting })
			if s.Listen[1].OK || !strings.HasPrefix(s.Listen[1].Sentence, c.sentence) || s.Listen[1].Action == "" {
				t.Errorf("listeners %+v", s.Listen)
			}
			if strings.Contains(s.Listen[1].Sentence+s.Listen[1].Action, e.dir) || s.Mood != MoodAttention || s.Sentence != s.Listen[1].Sentence || s.Certificate != nil {
				t.Errorf("state %+v", s)
			}
			dial(t, s.Listen[0].Address) // served all the same
			if _, err := e.Certificate(t.Context()); err == nil || !strings.HasPrefix(err.Error(), c.sentence) {
				t.Errorf("got %v", err)
			}
			if now, _ := os.ReadFile(ca); string(now) != string(damaged) {
				t.Error("the damaged file was replaced")
			}
			repair()
			e.until("the port is open", func(s State) bool { return s.Listen[1].OK && s.Mood != MoodAttention })
			if now, _ := os.ReadFile(ca); string(now) != string(before) {
				t.Error("the authority has changed")
			}
		})
	}
}

func move(t *testing.T, from, to string) {
	t.Helper()
	if err := os.Rename(from, to); err != nil {
		t.Fatal(err)
	}
}

// Whoever comes and cannot get in is shown until somebody gets in.
func TestRefusedPrograms(t *testing.T) {
	e := newEngineTest(t, engineOptions{settings: withTLS})
	e.run()
	login, err := e.Login(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	plainAddress, tlsAddress := login.Address, login.TLS[0]
	for _, c := range []struct {
		reason proxy.StumbleReason
		words  string
		come   func()
	}{
		{proxy.StumblePassword, "“client” came with a wrong password", func() {
			p := dial(t, plainAddress)
			p.say("AUTH PLAIN "+plain(login.User, "wrong"), "535")
		}},
		{proxy.StumbleNoPassword, "“client” came without a password", func() {
			p := dial(t, plainAddress)
			p.say("MAIL FROM:<alice@example.com>", "530")
		}},
		{proxy.StumbleOldTLS, "A program knows only encryption that is no longer safe", func() {
			if _, err := tls.Dial("tcp", tlsAddress, &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS10}); err == nil {
				t.Error("TLS 1.0 is let in")
			}
		}},
		{proxy.StumbleTLS, "A program asked for encryption on the port without it", func() {
			if _, err := tls.Dial("tcp", plainAddress, &tls.Config{InsecureSkipVerify: true}); err == nil {
				t.Error("TLS on the plain port")
			}
		}},
		{proxy.StumblePlain, "A program came without encryption", func() {
			nc, err := net.Dial("tcp", tlsAddress)
			if err != nil {
				t.Fatal(err)
			}
			defer nc.Close()
			p := textproto.NewConn(nc)
			if err := p.PrintfLine("EHLO client"); err != nil {
				t.Fatal(err)
			}
			if line, err := p.ReadLine(); err != nil || !strings.HasPrefix(line, "421 4.7.0 ") {
				t.Errorf("got %q, %v", line, err)
			}
		}},
		{proxy.StumbleCertificate, "A program did not trust the companion's certificate", func() {
			if _, err := tls.Dial("tcp", tlsAddress, &tls.Config{RootCAs: x509.NewCertPool(), ServerName: "localhost"}); err == nil {
				t.Error("trusted without a reason")
			}
		}},
	} {
		t.Run(string(c.reason), func(t *testing.T) {
			c.come()
			s := e.until("it is shown", func(s State) bool { return s.Refused != nil && s.Refused.Reason == string(c.reason) })
			if !strings.HasPrefix(s.Refused.Sentence, c.words) || s.Refused.Action == "" || s.Refused.Family != "ipv4" {
				t.Errorf("got %+v", s.Refused)
			}
			if s.Mood == MoodAttention {
				t.Errorf("the state is %s: %s", s.Mood, s.Sentence)
			}
			p := dial(t, plainAddress)
			p.say("AUTH PLAIN "+plain(login.User, login.Password), "235")
			e.until("it is forgotten", func(s State) bool { return s.Refused == nil })
		})
	}
}
