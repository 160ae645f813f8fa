package proxy

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	stdsmtp "net/smtp"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"servicesmtp.net/companion/app/mail"
)

const testBody = "From: a@example.com\r\nSubject: test\r\n\r\n.text\r\n"

// certificate is for localhost, self-signed.
func certificate(t *testing.T) (server, client *tls.Config) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"localhost"}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(leaf)
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}},
		&tls.Config{RootCAs: roots, ServerName: "localhost"}
}

// Everything that MAIL and RCPT can say arrives in the envelope.
func TestEnvelope(t *testing.T) {
	noLeaks(t)
	spool := &memory{}
	cfg := testConfig(spool)
	cfg.RequireAuth = true
	cfg.Route = func(from string) (string, error) { return "account of " + from, nil }
	var serverTLS, clientTLS = certificate(t)
	cfg.TLS = func() (*tls.Config, error) { return serverTLS, nil }
	cfg.TLSAddresses, cfg.Addresses = []string{"127.0.0.1:0"}, nil
	accepted := make(chan mail.Envelope, 1)
	cfg.Accepted = func(e mail.Envelope) { accepted <- e }
	s := start(t, cfg)

	c, err := smtp.DialTLS(address(t, s), clientTLS)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(c.Hello("pc-of-alice"))
	must(c.Auth(sasl.NewPlainClient("", "local", "s3cret")))
	must(c.Mail("bücher@example.com", &smtp.MailOptions{Size: 1000, UTF8: true, Body: smtp.Body8BitMIME, Return: smtp.DSNReturnHeaders, EnvelopeID: "id of client"}))
	must(c.Rcpt("b@example.com", &smtp.RcptOptions{Notify: []smtp.DSNNotify{smtp.DSNNotifyDelayed, smtp.DSNNotifyFailure},
		OriginalRecipientType: smtp.DSNAddressTypeRFC822, OriginalRecipient: "b+1@example.com"}))
	must(c.Rcpt("müller@example.com", nil))
	must(c.Rcpt("b@example.com", nil)) // repeated: kept, judged later
	w, err := c.Data()
	must(err)
	_, err = io.WriteString(w, testBody)
	must(err)
	response, err := w.CloseWithResponse()
	must(err)
	must(c.Quit())

	got := spool.one(t)
	want := mail.Envelope{
		Account: "account of bücher@example.com", From: "bücher@example.com",
		Recipients: []mail.Recipient{
			{Address: "b@example.com", Notify: []string{"DELAY", "FAILURE"}, Original: "RFC822;b+1@example.com"},
			{Address: "müller@example.com"}, {Address: "b@example.com"},
		},
		Size: mail.ByteSize(len(got.body)), UTF8: true, EightBit: true, Return: "HDRS", ClientID: "id of client",
		Client: mail.Client{Family: "ipv4", Hello: "pc-of-alice", Auth: "PLAIN", TLS: true},
	}
	if d := cmp.Diff(want, got.env, cmpopts.IgnoreFields(mail.Envelope{}, "Job", "AcceptedAt")); d != "" {
		t.Errorf("envelope (-want +got):\n%s", d)
	}
	if age := time.Since(got.env.AcceptedAt); age < 0 || age > time.Minute {
		t.Errorf("accepted at %v", got.env.AcceptedAt)
	}
	if d := cmp.Diff(got.env, <-accepted); d != "" {
		t.Errorf("Accepted saw another envelope:\n%s", d)
	}
	if want := "2.0.0 queued as " + string(got.env.Job); !strings.Contains(fmt.Sprintf("%v %s", response, response.StatusText), "queued as "+string(got.env.Job)) {
		t.Errorf("reply %v, want %q", response, want)
	}
	trace := regexp.MustCompile(`^Received: from localhost \(\[127\.0\.0\.1\]\)\r\n\tby localhost with UTF8SMTPSA id [0-9A-Z]{26};\r\n\t\w{3}, \d\d \w{3} \d{4} [\d:]{8} \+0000\r\nFrom: `)
	if !trace.Match(got.body) {
		t.Errorf("trace: %q", got.body)
	}
	if strings.Contains(string(got.body), "pc-of-alice") {
		t.Error("the computer's name is in the message")
	}
	if got.withoutTrace(t) != testBody {
		t.Errorf("body: %q", got.body)
	}
}

// net/smtp of the standard library, as many Go programs use it; PLAIN over
// plain loopback.
func TestStandardLibraryClient(t *testing.T) {
	spool := &memory{}
	cfg := testConfig(spool)
	cfg.RequireAuth = true
	s := start(t, cfg)
	auth := stdsmtp.PlainAuth("", "local", "s3cret", "127.0.0.1")
	if err := stdsmtp.SendMail(address(t, s), auth, "a@example.com", []string{"b@example.com", "c@example.com"}, []byte(testBody)); err != nil {
		t.Fatal(err)
	}
	if got := spool.one(t); got.withoutTrace(t) != testBody || got.env.Client.Auth != "PLAIN" {
		t.Errorf("got %q, %+v", got.body, got.env)
	}
}

func TestTraceSaysHowItCame(t *testing.T) {
	for hello, want := range map[string]string{"HELO x": "with SMTP id", "EHLO x": "with ESMTP id", "helo x": "with SMTP id", "ehlo x": "with ESMTP id"} {
		spool := &memory{}
		nc := dial(t, start(t, testConfig(spool)))
		c := &pipeClient{t: t, Conn: nc, r: newReader(nc)}
		c.expect("220")
		c.say(hello, "250")
		c.say("MAIL FROM:<a@example.com>", "250")
		c.say("RCPT TO:<b@example.com>", "250")
		c.say("DATA", "354")
		c.say("Subject: x\r\n.", "250")
		if got := spool.one(t); !bytes.Contains(got.body, []byte(want)) {
			t.Errorf("%s: got %q, want %s", hello, got.body, want)
		}
	}
}

// SMTPUTF8 is handed on only where it is needed: a program that always asks
// for it must not make plain mail fail at servers that do not know it.
func TestUTF8OnlyWhereNeeded(t *testing.T) {
	for _, test := range []struct {
		name, parameters, from, to, message string
		want                                bool
	}{
		{"asked, plain", " SMTPUTF8", "a@example.com", "b@example.com", "Subject: x\r\n\r\nGrüße\r\n", false},
		{"asked, header", " SMTPUTF8", "a@example.com", "b@example.com", "Subject: Grüße\r\n\r\nx\r\n", true},
		{"asked, sender", " SMTPUTF8", "ä@example.com", "b@example.com", "Subject: x\r\n\r\nx\r\n", true},
		{"asked, recipient", " SMTPUTF8", "a@example.com", "b@bücher.example", "Subject: x\r\n\r\nx\r\n", true},
		{"not asked, header", "", "a@example.com", "b@example.com", "Subject: Grüße\r\n\r\nx\r\n", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			spool := &memory{}
			nc := dial(t, start(t, testConfig(spool)))
			c := &pipeClient{t: t, Conn: nc, r: newReader(nc)}
			c.expect("220")
			c.say("EHLO client", "250")
			c.say("MAIL FROM:<"+test.from+">"+test.parameters, "250")
			c.say("RCPT TO:<"+test.to+">", "250")
			c.say("DATA", "354")
			c.say(test.message+".", "250")
			if got := spool.one(t).env.UTF8; got != test.want {
				t.Errorf("got %v, want %v", got, test.want)
			}
		})
	}
}

// Job ids are ULIDs, all different.
func TestJobIDs(t *testing.T) {
	spool := &memory{}
	s := start(t, testConfig(spool))
	n := 50
	if err := handIn(address(t, s), []byte(testBody+".\r\n"), func() bool { n--; return n >= 0 }); err != nil {
		t.Fatal(err)
	}
	seen := map[mail.JobID]bool{}
	for _, m := range spool.messages() {
		if seen[m.env.Job] || !regexp.MustCompile(`^0[0-9A-HJKMNP-TV-Z]{25}$`).MatchString(string(m.env.Job)) {
			t.Errorf("job %q", m.env.Job)
		}
		seen[m.env.Job] = true
	}
	if len(seen) != 50 {
		t.Errorf("%d jobs", len(seen))
	}
}

// transcript collects what the log and the client see.
type transcript struct {
	mu sync.Mutex
	b  strings.Builder
}

func (l *transcript) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *transcript) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// Whatever the spool does, the mail program gets a reply of its own, learns no
// detail, and can go on with the same connection; nothing is stored.
func TestSpoolFailures(t *testing.T) {
	wrap := func(err error) error { return fmt.Errorf("write /home/a/spool for secret@example.com: %w", err) }
	for _, fault := range []struct {
		name string
		do   func() error
		want string
	}{
		{"full", func() error { return wrap(errTestFull) }, "452 4.3.1"},
		{"too large", func() error { return wrap(errTestLarge) }, "552 5.3.4"},
		{"unknown", func() error { return wrap(io.ErrClosedPipe) }, "451 4.3.0"},
		{"closed", func() error { return wrap(errTestStop) }, "421 4.3.2"},
		{"panic", func() error { panic("secret@example.com in /home/a") }, "451 4.3.0"},
		{"nil pointer", func() error { var p *memory; p.creates++; return nil }, "451 4.3.0"},
	} {
		for _, step := range []string{"create", "write", "later write", "commit"} {
			for _, by := range []string{"DATA", "BDAT"} {
				t.Run(fmt.Sprintf("%s at %s by %s", fault.name, step, by), func(t *testing.T) {
					noLeaks(t)
					var log transcript
					failing := true
					spool := &memory{}
					switch step {
					case "create":
						spool.onCreate = func() error { return once(&failing, fault.do) }
					case "write":
						spool.onWrite = func([]byte) error { return once(&failing, fault.do) }
					case "later write":
						spool.onWrite = func(p []byte) error {
							if !bytes.Contains(p, []byte("xxxx")) {
								return nil
							}
							return once(&failing, fault.do)
						}
					case "commit":
						spool.onCommit = func(context.Context) error { return once(&failing, fault.do) }
					}
					cfg := testConfig(spool)
					cfg.Log = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
					s := start(t, cfg)
					failThenGoOn(t, dial(t, s), by, fault.want)
					if fault.want[:3] != "421" {
						spool.one(t)
					} else if n := len(spool.messages()); n != 0 {
						t.Errorf("%d committed", n)
					}
					spool.balanced(t)
					text := log.String()
					if strings.Contains(text, "example.com") || strings.Contains(text, "/home/a") {
						t.Errorf("the log tells too much:\n%s", text)
					}
					if !strings.Contains(text, "message refused") || !strings.Contains(text, "job_id=") {
						t.Errorf("the log tells too little:\n%s", text)
					}
				})
			}
		}
	}
}

func once(on *bool, f func() error) error {
	if !*on {
		return nil
	}
	*on = false
	return f()
}

// failThenGoOn hands in a message that must be refused with want, and, unless
// that ends the connection, a second that must be taken.
func failThenGoOn(t *testing.T, nc net.Conn, by, want string) {
	t.Helper()
	nc.SetDeadline(time.Now().Add(20 * time.Second))
	var seen transcript
	c := &pipeClient{t: t, Conn: nc, r: newReader(io.TeeReader(nc, &seen))}
	c.expect("220")
	c.say("EHLO client", "250")
	message := "Subject: x\r\n\r\n" + strings.Repeat(strings.Repeat("x", 78)+"\r\n", 3000)
	for _, reply := range []string{want, "250 2.0.0 queued"} {
		c.say("MAIL FROM:<a@example.com>", "250")
		c.say("RCPT TO:<b@example.com>", "250")
		if by == "DATA" {
			c.say("DATA", "354")
			c.say(message+".", reply)
		} else {
			c.say(fmt.Sprintf("BDAT %d\r\n%s", len(message), strings.TrimSuffix(message, "\r\n")), "250")
			c.say("BDAT 0 LAST", reply)
		}
		if strings.HasPrefix(reply, "421") {
			c.ends()
			break
		}
	}
	if strings.Contains(seen.String(), "/home/a") || strings.Contains(seen.String(), "secret") {
		t.Errorf("a reply tells too much: %s", seen.String())
	}
}

// A message that is committed is acknowledged, whatever the engine does with
// the news: another reply would make the mail program send it twice.
func TestPanicAfterCommit(t *testing.T) {
	spool := &memory{}
	cfg := testConfig(spool)
	cfg.Accepted = func(mail.Envelope) { panic("engine") }
	s := start(t, cfg)
	n := 2
	if err := handIn(address(t, s), []byte(testBody+".\r\n"), func() bool { n--; return n >= 0 }); err != nil {
		t.Fatal(err)
	}
	if got := len(spool.messages()); got != 2 {
		t.Errorf("%d committed", got)
	}
}

// A panic elsewhere ends one connection, not the program.
func TestPanicInRouteAndVerify(t *testing.T) {
	noLeaks(t)
	var log transcript
	t.Cleanup(func() { // after Run has ended
		if text := log.String(); strings.Contains(text, "secret") || strings.Count(text, `level=ERROR msg="panic in a session"`) != 2 {
			t.Errorf("log:\n%s", text)
		}
	})
	cfg := testConfig(&memory{})
	cfg.RequireAuth = true
	cfg.Log = slog.New(slog.NewTextHandler(&log, nil))
	cfg.Route = func(from string) (string, error) { panic(from) }
	cfg.Verify = func(_ context.Context, user, _ string) bool {
		if user != "local" {
			panic(user)
		}
		return true
	}
	s := start(t, cfg)
	for _, line := range []string{"AUTH PLAIN AHNlY3JldABzZWNyZXQ=", "AUTH PLAIN AGxvY2FsAHNlY3JldA==\r\nMAIL FROM:<secret@example.com>"} {
		nc := dial(t, s)
		c := &pipeClient{t: t, Conn: nc, r: newReader(nc)}
		c.expect("220")
		c.say("EHLO client", "250")
		if strings.Contains(line, "MAIL") {
			c.say(line, "235")
			c.expect("421 4.0.0")
		} else {
			c.say(line, "421 4.0.0")
		}
		c.ends()
	}
}

func TestRouteRefuses(t *testing.T) {
	cfg := testConfig(&memory{})
	cfg.Route = func(from string) (string, error) {
		switch from {
		case "nobody@example.com":
			return "", fmt.Errorf("find account: %w", errTestRoute)
		case "broken@example.com":
			return "", io.ErrUnexpectedEOF
		}
		return "office", nil
	}
	nc := dial(t, start(t, cfg))
	c := &pipeClient{t: t, Conn: nc, r: newReader(nc)}
	c.expect("220")
	c.say("EHLO client", "250")
	c.say("MAIL FROM:<nobody@example.com>", "550 5.7.1 No account")
	c.say("MAIL FROM:<broken@example.com>", "451 4.3.0")
	c.say("MAIL FROM:<a@example.com>", "250")
}
