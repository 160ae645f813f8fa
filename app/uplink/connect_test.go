package uplink

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"servicesmtp.net/companion/app/apptest"
	"servicesmtp.net/companion/app/mail"
)

// reason is the hold of a failed Connect, or "session".
func reason(t *testing.T, s *Session, err error) string {
	t.Helper()
	if err == nil {
		s.Close()
		return "session"
	}
	var ce *ConnectError
	if !errors.As(err, &ce) {
		t.Fatalf("got %T %v, want a ConnectError", err, err)
	}
	if ce.Hold.Detail == "" || ce.Hold.Since.IsZero() || ce.Err == nil || ce.Endpoint.Addr == "" {
		t.Errorf("hold without detail, time, cause or endpoint: %+v", ce)
	}
	if strings.ContainsAny(ce.Hold.Detail, "@/") || strings.Contains(ce.Hold.Detail, "secret") {
		t.Errorf("detail %q says too much", ce.Hold.Detail)
	}
	return string(ce.Hold.Reason)
}

// At each step of the set-up the relay does each thing that it can do. The
// steps: greeting, EHLO, STARTTLS, handshake, EHLO inside TLS, AUTH.
func TestConnectStepByBehaviour(t *testing.T) {
	steps := []apptest.Step{apptest.Banner, apptest.EHLO, apptest.StartTLS, apptest.TLS, "ehlo inside", apptest.Auth}
	answer := apptest.Answer
	const busy, lost, noTLS, ok = "busy", "unreachable", "no_tls", "session"
	for _, c := range []struct {
		name      string
		behaviour apptest.Behaviour
		want      [6]string
	}{
		{"usual", apptest.Usual(), [6]string{ok, ok, ok, ok, ok, ok}},
		{"slow", apptest.Slow(14 * time.Second), [6]string{ok, ok, ok, ok, ok, ok}},
		{"too slow", apptest.Slow(35 * time.Second), [6]string{lost, lost, lost, lost, lost, lost}},
		{"silent", apptest.Silent(), [6]string{lost, lost, lost, lost, lost, lost}},
		{"stops reading", apptest.StopReading(), [6]string{lost, lost, lost, lost, lost, lost}},
		{"hangs up", apptest.HangUp(), [6]string{lost, lost, lost, lost, lost, lost}},
		{"garbage", apptest.Garbage(), [6]string{lost, lost, lost, noTLS, lost, lost}},
		{"421", answer(421, "4.3.2 closing"), [6]string{busy, busy, noTLS, noTLS, busy, busy}},
		{"421 moved", answer(421, "4.3.2 SSMTP-MOVED see=/v1/endpoints"), [6]string{busy, busy, noTLS, noTLS, busy, busy}},
		{"432", answer(432, "4.7.12 password transition"), [6]string{busy, busy, noTLS, noTLS, busy, busy}},
		{"454", answer(454, "4.7.0 temporary"), [6]string{busy, busy, noTLS, noTLS, busy, busy}},
		{"500", answer(500, "5.5.1 unknown"), [6]string{busy, noTLS, noTLS, noTLS, busy, busy}},
		{"502", answer(502, "5.5.1 not here"), [6]string{busy, noTLS, noTLS, noTLS, busy, busy}},
		{"530", answer(530, "5.7.0 no"), [6]string{busy, busy, noTLS, noTLS, busy, "credentials"}},
		{"534", answer(534, "5.7.9 too weak"), [6]string{busy, busy, noTLS, noTLS, busy, busy}},
		{"535", answer(535, "5.7.8 wrong"), [6]string{busy, busy, noTLS, noTLS, busy, "credentials"}},
		{"554", answer(554, "5.0.0 no service"), [6]string{busy, busy, noTLS, noTLS, busy, busy}},
		{"another success", answer(251, "2.0.0 hm"), [6]string{lost, "-", noTLS, noTLS, "-", lost}},
		{"endless reply", apptest.Raw(strings.Repeat("250-x\r\n", 1000)), [6]string{lost, lost, lost, noTLS, lost, lost}},
		{"a challenge that is none", apptest.Raw("334 %%%\r\n"), [6]string{lost, lost, noTLS, noTLS, lost, lost}},
	} {
		for i, step := range steps {
			if c.want[i] == "-" {
				continue
			}
			t.Run(fmt.Sprintf("%s/%s", c.name, step), func(t *testing.T) {
				bubble(t, apptest.Options{}, func(t *testing.T, r *apptest.Relay) {
					if step == "ehlo inside" {
						r.Script(apptest.EHLO, apptest.Usual(), c.behaviour)
					} else {
						r.Script(step, c.behaviour)
					}
					s, err := Connect(t.Context(), config(t, r))
					if got := reason(t, s, err); got != c.want[i] {
						t.Errorf("got %s, want %s (%v)", got, c.want[i], err)
					}
					if r.ClearAuth() != 0 || (i < 5 && err != nil && r.Logins() != 0) {
						t.Error("the password left before TLS, or after a failure")
					}
					var ce *ConnectError
					if errors.As(err, &ce) && c.name == "421 moved" && c.want[i] == busy && ce.Hold.Detail != Moved {
						t.Errorf("detail %q, want %q", ce.Hold.Detail, Moved)
					}
				})
			})
		}
	}
}

// With TLS from the first byte the steps come in another order.
func TestConnectImplicitTLS(t *testing.T) {
	for _, c := range []struct {
		step      apptest.Step
		behaviour apptest.Behaviour
		want      string
	}{
		{apptest.TLS, apptest.Usual(), "session"},
		{apptest.TLS, apptest.Raw("220 relay.test ESMTP\r\n"), "no_tls"}, // a plain server on this port
		{apptest.TLS, apptest.Silent(), "unreachable"},
		{apptest.TLS, apptest.HangUp(), "unreachable"},
		{apptest.Banner, apptest.Silent(), "unreachable"},
		{apptest.Banner, apptest.Answer(554, "no"), "busy"},
		{apptest.EHLO, apptest.Answer(502, "no"), "busy"},
		{apptest.Auth, apptest.Answer(535, "5.7.8 wrong"), "credentials"},
	} {
		bubble(t, apptest.Options{}, func(t *testing.T, r *apptest.Relay) {
			r.Script(c.step, c.behaviour)
			s, err := Connect(t.Context(), config(t, r, r.TLS()))
			if got := reason(t, s, err); got != c.want {
				t.Errorf("%s: got %s, want %s (%v)", c.step, got, c.want, err)
			}
		})
	}
}

func TestNoDowngrade(t *testing.T) {
	bubble(t, apptest.Options{Omit: []string{"STARTTLS"}}, func(t *testing.T, r *apptest.Relay) {
		s, err := Connect(t.Context(), config(t, r))
		if got := reason(t, s, err); got != "no_tls" {
			t.Errorf("got %s", got)
		}
		if got := r.Commands(); !slices.Equal(got, []string{"EHLO"}) {
			t.Errorf("commands %v", got)
		}
	})
}

// Bytes behind the 220 of STARTTLS came in plain text.
func TestInjectedReply(t *testing.T) {
	bubble(t, apptest.Options{}, func(t *testing.T, r *apptest.Relay) {
		r.Script(apptest.StartTLS, apptest.Raw("220 go\r\n250-evil\r\n250 AUTH PLAIN\r\n"))
		s, err := Connect(t.Context(), config(t, r))
		if got := reason(t, s, err); got != "no_tls" || !strings.Contains(err.Error(), "after the answer") {
			t.Errorf("got %s %v", got, err)
		}
	})
}

func TestCertificates(t *testing.T) {
	for _, c := range []struct {
		name   string
		o      apptest.Options
		reason string
		detail string
	}{
		{"good", apptest.Options{}, "session", ""},
		{"other name", apptest.Options{Certificate: apptest.OtherName}, "certificate", "for another server"},
		{"unknown authority", apptest.Options{Certificate: apptest.UnknownAuthority}, "certificate", "authority"},
		{"expired", apptest.Options{Certificate: apptest.Expired}, "certificate", "has expired"},
		{"not yet valid", apptest.Options{Certificate: apptest.NotYetValid}, "certificate", "date of this computer"},
		{"Avast", apptest.Options{Certificate: apptest.UnknownAuthority, Issuer: "Avast! Mail Scanner Root"}, "certificate", "program Avast opens"},
		{"AVG", apptest.Options{Certificate: apptest.UnknownAuthority, Issuer: "AVG Web/Mail Shield Root"}, "certificate", "program AVG opens"},
		{"Kaspersky", apptest.Options{Certificate: apptest.UnknownAuthority, Issuer: "Kaspersky Anti-Virus Personal Root Certificate"}, "certificate", "Kaspersky"},
		{"ESET", apptest.Options{Certificate: apptest.UnknownAuthority, Issuer: "ESET SSL Filter CA"}, "certificate", "ESET"},
		{"Bitdefender", apptest.Options{Certificate: apptest.UnknownAuthority, Issuer: "Bitdefender Personal CA.Net-Defender"}, "certificate", "Bitdefender"},
		{"Norton", apptest.Options{Certificate: apptest.UnknownAuthority, Issuer: "Norton Web/Mail Shield Root"}, "certificate", "Norton"},
		{"Avira", apptest.Options{Certificate: apptest.UnknownAuthority, Issuer: "Avira Web Protection Root"}, "certificate", "program Avira opens"},
		{"Dr.Web", apptest.Options{Certificate: apptest.UnknownAuthority, Issuer: "SpIDer Gate Trusted Root Certificate"}, "certificate", "program Dr.Web opens"},
		{"G DATA", apptest.Options{Certificate: apptest.UnknownAuthority, Issuer: "G DATA Mail Scanner Root"}, "certificate", "program G DATA opens"},
		{"McAfee", apptest.Options{Certificate: apptest.UnknownAuthority, Issuer: "McAfee Web Gateway"}, "certificate", "filter McAfee Web Gateway opens"},
		{"Trend Micro", apptest.Options{Certificate: apptest.UnknownAuthority, Issuer: "Trend Micro CA"}, "certificate", "program Trend Micro opens"},
		{"Sophos", apptest.Options{Certificate: apptest.UnknownAuthority, Issuer: "Sophos SSL CA_C01001A"}, "certificate", "filter Sophos opens"},
		{"Fortinet", apptest.Options{Certificate: apptest.UnknownAuthority, Issuer: "FortiGate CA"}, "certificate", "filter Fortinet opens"},
		{"Zscaler", apptest.Options{Certificate: apptest.UnknownAuthority, Issuer: "Zscaler Intermediate Root CA (zscaler.net)"}, "certificate", "filter Zscaler opens"},
		{"Palo Alto", apptest.Options{Certificate: apptest.UnknownAuthority, Issuer: "Palo Alto Networks Inc-Root-CA"}, "certificate", "filter Palo Alto Networks opens"},
		{"Cisco Umbrella", apptest.Options{Certificate: apptest.UnknownAuthority, Issuer: "Cisco Umbrella Primary SubCA"}, "certificate", "filter Cisco Umbrella opens"},
		{"words apart", apptest.Options{Certificate: apptest.UnknownAuthority, Issuer: "Palo CA Alto, Trend of Micro"}, "certificate", "authority"},
		{"no shield", apptest.Options{Certificate: apptest.UnknownAuthority, Issuer: "Reset Savgard Nortonia"}, "certificate", "authority"},
	} {
		for _, implicit := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/implicit %v", c.name, implicit), func(t *testing.T) {
				bubble(t, c.o, func(t *testing.T, r *apptest.Relay) {
					endpoint := r.StartTLS()
					if implicit {
						endpoint = r.TLS()
					}
					s, err := Connect(t.Context(), config(t, r, endpoint))
					if got := reason(t, s, err); got != c.reason {
						t.Fatalf("got %s, want %s (%v)", got, c.reason, err)
					}
					var ce *ConnectError
					if errors.As(err, &ce) && !strings.Contains(ce.Hold.Detail, c.detail) {
						t.Errorf("detail %q, want %q", ce.Hold.Detail, c.detail)
					}
					if err != nil && r.Logins() != 0 {
						t.Error("AUTH over an unverified connection")
					}
				})
			})
		}
	}
}

// The server ends the handshake with an alert, which is no lost connection.
func TestNoCommonTLS(t *testing.T) {
	for _, implicit := range []bool{false, true} {
		bubble(t, apptest.Options{OldTLS: true}, func(t *testing.T, r *apptest.Relay) {
			endpoint := r.StartTLS()
			if implicit {
				endpoint = r.TLS()
			}
			s, err := Connect(t.Context(), config(t, r, endpoint))
			if got := reason(t, s, err); got != "no_tls" {
				t.Errorf("got %s (%v)", got, err)
			}
		})
	}
}

func TestPassword(t *testing.T) {
	locked := errors.New("locked")
	for _, c := range []struct {
		name     string
		password string
		err      error
		o        apptest.Options
		want     string
	}{
		{"right", "secret", nil, apptest.Options{User: "alice", Password: "secret"}, "session"},
		{"wrong", "other", nil, apptest.Options{User: "alice", Password: "secret"}, "credentials"},
		{"LOGIN only", "secret", nil, apptest.Options{User: "alice", Password: "secret", Mechanisms: []string{"XOAUTH2", "LOGIN"}}, "session"},
		{"LOGIN only, wrong", "other", nil, apptest.Options{User: "alice", Password: "secret", Mechanisms: []string{"LOGIN"}}, "credentials"},
		{"no known mechanism", "secret", nil, apptest.Options{Mechanisms: []string{"CRAM-MD5"}}, "busy"},
		{"no AUTH", "secret", nil, apptest.Options{Omit: []string{"AUTH"}}, "busy"},
		{"keyring fails", "", locked, apptest.Options{}, "no_password"},
		{"empty", "", nil, apptest.Options{}, "no_password"},
	} {
		t.Run(c.name, func(t *testing.T) {
			bubble(t, c.o, func(t *testing.T, r *apptest.Relay) {
				cfg := config(t, r, r.StartTLS(), r.TLS())
				asked := 0
				cfg.Password = func(context.Context) (string, error) {
					asked++
					time.Sleep(20 * time.Second) // a prompt; the relay is not to blame for it
					return c.password, c.err
				}
				s, err := Connect(t.Context(), cfg)
				if got := reason(t, s, err); got != c.want {
					t.Errorf("got %s, want %s (%v)", got, c.want, err)
				}
				if c.err != nil && !errors.Is(err, c.err) {
					t.Errorf("the cause is lost: %v", err)
				}
				if asked != 1 {
					t.Errorf("asked %d times", asked)
				}
				if c.want == "no_password" && r.Connections() != 1 {
					t.Errorf("%d connections without a password", r.Connections())
				}
			})
		})
	}
}

func TestPasswordIsNotAskedForWithoutTLS(t *testing.T) {
	bubble(t, apptest.Options{Certificate: apptest.Expired}, func(t *testing.T, r *apptest.Relay) {
		cfg := config(t, r, r.StartTLS(), r.TLS())
		cfg.Password = func(context.Context) (string, error) { t.Error("asked"); return "", nil }
		if _, err := Connect(t.Context(), cfg); err == nil {
			t.Error("connected")
		}
	})
}

// Several endpoints: the first that works, or else the failure that tells most.
func TestEndpointsInOrder(t *testing.T) {
	const dead = "starttls://nowhere.test:587"
	for _, c := range []struct {
		name   string
		script func(r *apptest.Relay)
		list   func(r *apptest.Relay) []string
		want   string
		used   int // index of the endpoint that is named
	}{
		{"first works", nil, func(r *apptest.Relay) []string { return []string{r.StartTLS(), r.TLS()} }, "session", 0},
		{"first is dead", nil, func(r *apptest.Relay) []string { return []string{dead, r.TLS()} }, "session", 1},
		{"first has no STARTTLS", func(r *apptest.Relay) { r.Script(apptest.StartTLS, apptest.Answer(454, "4.7.0 no")) },
			func(r *apptest.Relay) []string { return []string{r.StartTLS(), r.TLS()} }, "session", 1},
		{"535 ends the round: a wrong password is not tried twice", func(r *apptest.Relay) { r.Script(apptest.Auth, apptest.Answer(535, "5.7.8 no"), apptest.Usual()) },
			func(r *apptest.Relay) []string { return []string{r.StartTLS(), r.TLS()} }, "credentials", 0},
		{"dead, then busy", func(r *apptest.Relay) { r.Script(apptest.Banner, apptest.Answer(421, "no")) },
			func(r *apptest.Relay) []string { return []string{dead, r.TLS(), dead} }, "busy", 1},
		{"busy, then no TLS", func(r *apptest.Relay) {
			r.Script(apptest.TLS, apptest.Raw("220 x\r\n"))
			r.Script(apptest.EHLO, apptest.Answer(451, "no"))
		},
			func(r *apptest.Relay) []string { return []string{r.StartTLS(), r.TLS()} }, "no_tls", 1},
		{"credentials, then busy", func(r *apptest.Relay) {
			r.Script(apptest.Auth, apptest.Answer(535, "5.7.8 no"), apptest.Answer(454, "no"))
		},
			func(r *apptest.Relay) []string { return []string{r.StartTLS(), r.TLS(), dead} }, "credentials", 0},
		{"all dead", nil, func(*apptest.Relay) []string { return []string{dead, "tls://nowhere.test"} }, "unreachable", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			bubble(t, apptest.Options{}, func(t *testing.T, r *apptest.Relay) {
				if c.script != nil {
					c.script(r)
				}
				cfg := config(t, r, c.list(r)...)
				s, err := Connect(t.Context(), cfg)
				named := Endpoint{}
				var ce *ConnectError
				if errors.As(err, &ce) {
					named = ce.Endpoint
				} else if s != nil {
					named = s.Endpoint()
				}
				if got := reason(t, s, err); got != c.want || named != cfg.Endpoints[c.used] {
					t.Errorf("got %s by %v, want %s by %v (%v)", got, named, c.want, cfg.Endpoints[c.used], err)
				}
			})
		})
	}
}

func TestNoEndpoints(t *testing.T) {
	_, err := Connect(t.Context(), Config{})
	var ce *ConnectError
	if !errors.As(err, &ce) || ce.Hold.Reason != mail.HoldUnreachable || ce.Hold.Detail == "" {
		t.Errorf("got %v", err)
	}
}

func TestClosedPort(t *testing.T) {
	r := apptest.NewRelay(t, apptest.Options{})
	cfg := config(t, r, "starttls://127.0.0.1:1", "tls://127.0.0.1:1") // no other program is ever given this port
	s, err := Connect(t.Context(), cfg)
	if got := reason(t, s, err); got != "unreachable" || !strings.Contains(err.(*ConnectError).Hold.Detail, "blocked") {
		t.Errorf("got %s %v", got, err)
	}
}

// A black hole costs Connect for each endpoint and no more.
func TestConnectTakesItsTime(t *testing.T) {
	for _, step := range []apptest.Step{apptest.Banner, apptest.EHLO, apptest.StartTLS, apptest.TLS, apptest.Auth} {
		bubble(t, apptest.Options{}, func(t *testing.T, r *apptest.Relay) {
			r.Script(step, apptest.Silent())
			began := time.Now()
			_, err := Connect(t.Context(), config(t, r, r.StartTLS(), r.StartTLS()))
			var ce *ConnectError
			if took := time.Since(began); took != time.Minute || !errors.As(err, &ce) || ce.Hold.Detail != "There was no answer in time." {
				t.Errorf("%s: %v after %v", step, err, took)
			}
		})
	}
	synctest.Test(t, func(t *testing.T) { // a dial that hangs
		e, _ := ParseEndpoint("tls://relay.test")
		began := time.Now()
		_, err := Connect(t.Context(), Config{Endpoints: []Endpoint{e}, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}})
		if got := reason(t, nil, err); got != "unreachable" || time.Since(began) != 30*time.Second {
			t.Errorf("got %s after %v", got, time.Since(began))
		}
	})
}
