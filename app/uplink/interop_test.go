package uplink

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
	"github.com/google/go-cmp/cmp"

	"servicesmtp.net/companion/app/apptest"
	"servicesmtp.net/companion/app/mail"
)

// backend is a real server's idea of what was sent.
type backend struct {
	mu   sync.Mutex // guards got
	got  []taken
	code *smtp.SMTPError // answer to the dot
}

type taken struct {
	From       string
	Mail       smtp.MailOptions
	To         []string
	Rcpt       []smtp.RcptOptions
	Body       string
	User, Pass string
}

type backendSession struct {
	b *backend
	t taken
}

func (b *backend) NewSession(*smtp.Conn) (smtp.Session, error) { return &backendSession{b: b}, nil }
func (s *backendSession) AuthMechanisms() []string             { return []string{sasl.Plain} }
func (s *backendSession) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, user, password string) error {
		s.t.User, s.t.Pass = user, password
		if password != "secret" {
			return smtp.ErrAuthFailed
		}
		return nil
	}), nil
}
func (s *backendSession) Mail(from string, o *smtp.MailOptions) error {
	s.t.From, s.t.Mail = from, *o
	return nil
}
func (s *backendSession) Rcpt(to string, o *smtp.RcptOptions) error {
	if to == "bad@example.org" {
		return &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "unknown"}
	}
	s.t.To, s.t.Rcpt = append(s.t.To, to), append(s.t.Rcpt, *o)
	return nil
}
func (s *backendSession) Data(r io.Reader) error {
	body, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	s.t.Body = string(body)
	s.b.mu.Lock()
	defer s.b.mu.Unlock()
	s.b.got = append(s.b.got, s.t)
	if s.b.code != nil {
		return s.b.code
	}
	return nil
}
func (s *backendSession) Reset()        { s.t = taken{User: s.t.User, Pass: s.t.Pass} }
func (s *backendSession) Logout() error { return nil }

// TestGoSMTPServer speaks with the server that the relay is built on.
func TestGoSMTPServer(t *testing.T) {
	web := httptest.NewUnstartedServer(http.NotFoundHandler()) // for its certificate
	web.StartTLS()
	defer web.Close()
	pool := x509.NewCertPool()
	pool.AddCert(web.Certificate())

	b := &backend{code: &smtp.SMTPError{Code: 250, EnhancedCode: smtp.EnhancedCode{2, 0, 0}, Message: "queued as X1 (replayed)"}}
	server := smtp.NewServer(b)
	server.TLSConfig = &tls.Config{Certificates: web.TLS.Certificates}
	server.EnableDSN, server.EnableSMTPUTF8, server.MaxRecipients, server.MaxMessageBytes = true, true, 3, 1000000
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(ln) }()
	defer func() {
		server.Close()
		if err := <-served; err != nil && !errors.Is(err, smtp.ErrServerClosed) {
			t.Error(err)
		}
	}()

	cfg := Config{Endpoints: []Endpoint{{StartTLS, ln.Addr().String()}}, RootCAs: pool, User: "alice",
		Password: func(context.Context) (string, error) { return "secret", nil }}
	s := connect(t, cfg)
	if !s.OffersDSN() || s.RecipientLimit() != 3 || s.SizeLimit() != 1000000 {
		t.Errorf("offers %v", s.offers)
	}
	batch := batchOf(1, testBody, "a", "bad", "c", "d", "e")
	batch.ClientID, batch.Return = "x+y", "HDRS"
	batch.Recipients[0].Notify, batch.Recipients[0].Original = []string{"FAILURE"}, "rfc822;A+1@example.org"
	res := s.Send(t.Context(), batch, strings.NewReader(testBody), openGate)
	if letters(res) != "done afaad" || !res.Replayed || res.QueueID != "X1" || !res.Reusable {
		t.Errorf("got %s %+v", letters(res), res)
	}
	if code := res.Outcomes[4].Reply.Code.String(); code != "452 4.5.3" {
		t.Errorf("one recipient too many: %s", code)
	}
	want := taken{From: "alice@example.com", To: []string{"a@example.org", "c@example.org", "d@example.org"}, Body: testBody,
		Mail: smtp.MailOptions{Size: int64(len(testBody)), Body: smtp.Body8BitMIME, Return: smtp.DSNReturnHeaders, EnvelopeID: key + ".x+y"},
		Rcpt: []smtp.RcptOptions{{Notify: []smtp.DSNNotify{smtp.DSNNotifyFailure}, OriginalRecipientType: smtp.DSNAddressTypeRFC822,
			OriginalRecipient: "A+1@example.org"}, {}, {}}, User: "alice", Pass: "secret"}
	b.mu.Lock()
	if diff := cmp.Diff([]taken{want}, b.got); diff != "" {
		t.Error(diff)
	}
	b.mu.Unlock()
	if err := s.Check(t.Context()); err != nil {
		t.Error(err)
	}

	cfg.Password = func(context.Context) (string, error) { return "wrong", nil }
	_, err = Connect(t.Context(), cfg)
	var ce *ConnectError
	if !errors.As(err, &ce) || ce.Hold.Reason != mail.HoldCredentials {
		t.Errorf("wrong password: %v", err)
	}
}

// The log holds keys, counts and codes, and nothing of people.
func TestLogTellsNothing(t *testing.T) {
	bubble(t, apptest.Options{}, func(t *testing.T, r *apptest.Relay) {
		var out bytes.Buffer
		cfg := config(t, r, "starttls://nowhere.test", r.StartTLS())
		cfg.Log = slog.New(slog.NewJSONHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug}))
		s := connect(t, cfg)
		r.ScriptRecipient("b@example.org", apptest.Answer(550, "5.1.1 <b@example.org> unknown"))
		send(t, s, 1)
		r.Script(apptest.Dot, apptest.HangUp())
		send(t, s, 2)
		text := out.String()
		for _, secret := range []string{"example.org", "example.com", "alice", "secret", "Subject"} {
			if strings.Contains(text, secret) {
				t.Errorf("the log holds %q: %s", secret, text)
			}
		}
		lines := strings.Split(strings.TrimSpace(text), "\n")
		var last struct {
			Batch, Verdict string
		}
		if err := json.Unmarshal([]byte(lines[len(lines)-1]), &last); err != nil || last.Verdict != "unknown" || last.Batch != batch(2).EnvelopeID().Key() {
			t.Errorf("last line %s", lines[len(lines)-1])
		}
	})
}
