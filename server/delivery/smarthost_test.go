package delivery

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/emersion/go-smtp"
	"github.com/google/go-cmp/cmp"
)

func TestMessageArrivesByteForByte(t *testing.T) {
	f := newFar(t, "127.0.0.1:0", nil)
	body := "Subject: x\r\nBcc-like: kept\r\n\r\n.dot\r\n..two\r\n.\r\nlong " + strings.Repeat("ü", 70_000) + "\r\n.end\r\n"
	m := message(body, "b@far.example", "550.c@far.example", "451.d@far.example", "e@far.example")
	m.Ret, m.ClientID, m.EightBit = "HDRS", "my id=1", true
	m.Recipients[0].Notify, m.Recipients[0].ORCPT = "SUCCESS,FAILURE", "rfc822;b+c@far.example"
	m.Recipients[3].Notify = "NEVER"
	conn := open(t, Config{Route: "smtp://" + f.addr})
	var marked []int64
	got := conn.Deliver(context.Background(), m, func(ids []int64) error { marked = ids; return nil })
	want := map[int64]string{1: "delivered 250", 2: "failed 550", 3: "deferred 451", 4: "delivered 250"}
	if d := cmp.Diff(want, byID(got)); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]int64{1, 4}, marked); d != "" {
		t.Error("marked before DATA:", d)
	}
	for _, r := range got {
		if r.ID == 2 && (r.Enhanced != "5.1.1" || r.Reply != "as you wish" || r.Remote != "127.0.0.1") {
			t.Errorf("refusal %+v", r)
		}
	}
	all := f.taken()
	if len(all) != 1 {
		t.Fatalf("%d transactions", len(all))
	}
	if all[0].data != received+body {
		t.Error("message was changed on the way")
	}
	o := all[0].opts
	if o.Return != smtp.DSNReturnHeaders || o.EnvelopeID != "my id=1" || o.Size != int64(len(received)+len(body)+2) || o.Body != smtp.Body8BitMIME {
		t.Errorf("MAIL parameters %+v", o)
	}
	if r := all[0].rcpt[0]; r.OriginalRecipient != "b+c@far.example" || len(r.Notify) != 2 {
		t.Errorf("RCPT parameters %+v", r)
	}
	if r := all[0].rcpt[1]; len(r.Notify) != 1 || r.Notify[0] != smtp.DSNNotifyNever {
		t.Errorf("RCPT parameters %+v", r)
	}
}

// The envelope goes out in one piece where the server takes it so, and waits
// for every answer where it does not.
func TestPipelining(t *testing.T) {
	for _, c := range []struct {
		name string
		ext  []string
		want bool
	}{{"offered", []string{"PIPELINING"}, true}, {"not offered", nil, false}} {
		t.Run(c.name, func(t *testing.T) {
			piped := false
			addr := newScript(t, func(s *script) {
				s.hello(c.ext...)
				s.hear("MAIL FROM:<a@sender.example>")
				piped = s.r.Buffered() > 0
				s.say("250 ok")
				for range 120 {
					s.hear("RCPT TO:<")
					s.say("250 ok")
				}
				s.hear("DATA")
				s.say("354 go")
				s.content()
				s.say("250 2.0.0 taken")
				s.hang()
			})
			var to []string
			for i := range 120 {
				to = append(to, fmt.Sprintf("r%d@far.example", i))
			}
			conn := open(t, Config{Route: "smtp://" + addr})
			got := conn.Deliver(context.Background(), message("a\r\n", to...), yes)
			if len(got) != 120 || got[119].Status != Delivered || got[0].Reply != "taken" || got[0].Enhanced != "2.0.0" {
				t.Errorf("%d results, last %+v", len(got), got[len(got)-1])
			}
			if piped != c.want {
				t.Errorf("pipelined %v, want %v", piped, c.want)
			}
		})
	}
}

func TestOldServerWithoutEHLO(t *testing.T) {
	addr := newScript(t, func(s *script) {
		s.say("220 old")
		s.hear("EHLO")
		s.say("502 what")
		s.hear("HELO relay.example")
		s.say("250 hello")
		if got := s.hear("MAIL"); got != "MAIL FROM:<a@sender.example>" {
			t.Errorf("got %q: parameters that were not offered", got)
		}
		s.say("250 ok")
		if got := s.hear("RCPT"); got != "RCPT TO:<b@far.example>" {
			t.Errorf("got %q", got)
		}
		s.say("250 ok")
		s.hear("DATA")
		s.say("354 go")
		s.content()
		s.say("250 ok")
		s.hang()
	})
	m := message("a\r\n", "b@far.example")
	m.Ret, m.ClientID, m.EightBit, m.Recipients[0].Notify = "FULL", "x", true, "NEVER"
	got := open(t, Config{Route: "smtp://" + addr, Hostname: "relay.example"}).Deliver(context.Background(), m, yes)
	if d := cmp.Diff(map[int64]string{1: "delivered 250"}, byID(got)); d != "" {
		t.Error(d)
	}
}

// A connection that the server closed while it was idle, or ended with 421, is
// opened again without a trace.
func TestIdleConnectionClosedByServer(t *testing.T) {
	for _, farewell := range []string{"", "421 4.4.2 idle too long"} {
		t.Run(farewell, func(t *testing.T) {
			closed := make(chan struct{})
			first := func(s *script) {
				upTo("dot", func(s *script) { s.say("250 one") })(s)
				if farewell != "" {
					s.say(farewell)
				}
				s.nc.Close()
				close(closed)
			}
			second := upTo("dot", func(s *script) { s.say("250 two"); s.hang() })
			conn := open(t, Config{Route: "smtp://" + newScript(t, first, second)})
			for _, want := range []string{"one", "two"} {
				got := conn.Deliver(context.Background(), message("a\r\n", "b@far.example", "c@far.example"), yes)
				if len(got) != 2 || got[0].Status != Delivered || got[0].Reply != want {
					t.Fatalf("got %+v, want %q", got, want)
				}
				<-closed
			}
		})
	}
}

func TestSessionGoesOnAfterRefusals(t *testing.T) {
	f := newFar(t, "127.0.0.1:0", nil)
	conn := open(t, Config{Route: "smtp://" + f.addr})
	for i, c := range []struct {
		to   string
		want string
	}{{"550.x@far.example", "failed 550"}, {"b@far.example", "delivered 250"}, {"451.x@far.example", "deferred 451"}, {"c@far.example", "delivered 250"}} {
		got := conn.Deliver(context.Background(), message("a\r\n", c.to), yes)
		if d := cmp.Diff(map[int64]string{1: c.want}, byID(got)); d != "" || !conn.Alive() {
			t.Fatalf("message %d: %s, alive %v", i, d, conn.Alive())
		}
	}
	if n := len(f.taken()); n != 2 {
		t.Errorf("%d messages arrived, want 2", n)
	}
}

// A transaction that ended before DATA is reset before the next begins.
func TestReset(t *testing.T) {
	addr := newScript(t, func(s *script) {
		s.hello("PIPELINING")
		s.hear("MAIL")
		s.hear("RCPT")
		s.say("250 ok", "550 no")
		s.hear("RSET")
		s.hear("MAIL")
		s.hear("RCPT")
		s.say("250 reset", "250 ok", "250 ok")
		s.hear("DATA")
		s.say("354 go")
		s.content()
		s.say("250 taken")
		s.hear("MAIL")
		s.hear("RCPT")
		s.say("450 later", "503 no")
		s.hear("RSET")
		s.hear("MAIL")
		s.hear("RCPT")
		s.say("502 what", "503 no", "503 no")
		s.hang()
	})
	conn := open(t, Config{Route: "smtp://" + addr})
	for i, want := range []string{"failed 550", "delivered 250", "deferred 450", "deferred 451 lost"} {
		got := conn.Deliver(context.Background(), message("a\r\n", "b@far.example"), yes)
		if d := cmp.Diff(map[int64]string{1: want}, byID(got)); d != "" {
			t.Errorf("message %d: %s", i+1, d)
		}
	}
}

// Taking a message back at the last moment sends nothing, and the connection
// serves the next message.
func TestBeforeDataRefuses(t *testing.T) {
	f := newFar(t, "127.0.0.1:0", nil)
	conn := open(t, Config{Route: "smtp://" + f.addr})
	got := conn.Deliver(context.Background(), message("a\r\n", "b@far.example", "550.c@far.example"), func([]int64) error { return errors.New("taken") })
	if d := cmp.Diff(map[int64]string{2: "failed 550"}, byID(got)); d != "" {
		t.Error(d)
	}
	if n := len(f.taken()); n != 0 {
		t.Fatalf("%d messages arrived", n)
	}
	got = conn.Deliver(context.Background(), message("a\r\n", "d@far.example"), yes)
	if d := cmp.Diff(map[int64]string{1: "delivered 250"}, byID(got)); d != "" {
		t.Error(d)
	}
}

// Half a message is never finished with a dot.
func TestBodyThatCannotBeRead(t *testing.T) {
	for _, c := range []struct {
		name string
		body func(context.Context) (io.ReadCloser, error)
	}{
		{"missing", func(context.Context) (io.ReadCloser, error) { return nil, io.ErrUnexpectedEOF }},
		{"too short", func(context.Context) (io.ReadCloser, error) { return io.NopCloser(strings.NewReader("a\r\n")), nil }},
		{"too long", func(context.Context) (io.ReadCloser, error) {
			return io.NopCloser(strings.NewReader("abcdefgh\r\n")), nil
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFar(t, "127.0.0.1:0", nil)
			m := message("abcde\r\n", "b@far.example")
			m.Body = c.body
			conn := open(t, Config{Route: "smtp://" + f.addr})
			got := conn.Deliver(context.Background(), m, yes)
			if d := cmp.Diff(map[int64]string{1: "deferred 451"}, byID(got)); d != "" {
				t.Error(d)
			}
			conn.Close()
			if n := len(f.taken()); n != 0 {
				t.Errorf("%d messages arrived", n)
			}
		})
	}
}

// Recipients above the server's limit follow at once, unless nobody was taken.
func TestTooManyRecipients(t *testing.T) {
	f := newFar(t, "127.0.0.1:0", func(s *smtp.Server) { s.MaxRecipients = 2 })
	conn := open(t, Config{Route: "smtp://" + f.addr})
	got := conn.Deliver(context.Background(), message("a\r\n", "b@far.example", "c@far.example", "d@far.example"), yes)
	if d := cmp.Diff(map[int64]string{1: "delivered 250", 2: "delivered 250", 3: "deferred 452 soon"}, byID(got)); d != "" {
		t.Error(d)
	}
	got = conn.Deliver(context.Background(), message("a\r\n", "452.b@far.example", "552.c@far.example"), yes)
	if d := cmp.Diff(map[int64]string{1: "deferred 452", 2: "deferred 552"}, byID(got)); d != "" {
		t.Error(d)
	}
}

func TestLettersBeyondASCII(t *testing.T) {
	m := message("a\r\n", "ü@far.example", "b@far.example")
	m.UTF8 = true
	t.Run("offered", func(t *testing.T) {
		f := newFar(t, "127.0.0.1:0", nil)
		got := open(t, Config{Route: "smtp://" + f.addr}).Deliver(context.Background(), m, yes)
		if d := cmp.Diff(map[int64]string{1: "delivered 250", 2: "delivered 250"}, byID(got)); d != "" || !f.taken()[0].opts.UTF8 {
			t.Error(d)
		}
	})
	f := newFar(t, "127.0.0.1:0", func(s *smtp.Server) { s.EnableSMTPUTF8 = false })
	conn := open(t, Config{Route: "smtp://" + f.addr})
	for _, c := range []struct {
		name   string
		change func(*Message)
		want   map[int64]string
	}{
		{"one address", func(*Message) {}, map[int64]string{1: "failed 550", 2: "delivered 250"}},
		{"header", func(m *Message) { m.EightBit = true }, map[int64]string{1: "failed 550", 2: "failed 550"}},
		{"sender", func(m *Message) { m.From = "ö@sender.example" }, map[int64]string{1: "failed 550", 2: "failed 550"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := m
			c.change(&m)
			if d := cmp.Diff(c.want, byID(conn.Deliver(context.Background(), m, yes))); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestEncryption(t *testing.T) {
	cert, pool := certificate(t)
	config := &tls.Config{Certificates: []tls.Certificate{cert}}
	seen := make(chan bool, 10)
	withTLS := func(s *smtp.Server) {
		s.TLSConfig = config
		backend := s.Backend
		s.Backend = smtp.BackendFunc(func(c *smtp.Conn) (smtp.Session, error) {
			_, encrypted := c.TLSConnectionState()
			seen <- encrypted
			return backend.NewSession(c)
		})
	}
	t.Run("STARTTLS with a certificate that nobody trusts", func(t *testing.T) {
		f := newFar(t, "127.0.0.1:0", withTLS)
		got := open(t, Config{Route: "smtp://" + f.addr}).Deliver(context.Background(), message("a\r\n", "b@far.example"), yes)
		if d := cmp.Diff(map[int64]string{1: "delivered 250"}, byID(got)); d != "" {
			t.Error(d)
		}
		<-seen // before STARTTLS
		if !<-seen {
			t.Error("not encrypted")
		}
	})
	t.Run("STARTTLS that does not work", func(t *testing.T) {
		first := func(s *script) {
			s.hello("STARTTLS")
			s.hear("STARTTLS")
			s.say("220 go", "this is no TLS")
		}
		addr := newScript(t, first, func(s *script) { upTo("dot", func(s *script) { s.say("250 ok"); s.hang() })(s) })
		got := open(t, Config{Route: "smtp://" + addr}).Deliver(context.Background(), message("a\r\n", "b@far.example", "c@far.example"), yes)
		if d := cmp.Diff(map[int64]string{1: "delivered 250", 2: "delivered 250"}, byID(got)); d != "" {
			t.Error(d)
		}
	})
	addr := newScript(t, func(s *script) {
		tc := tls.Server(s.nc, config)
		if tc.Handshake() != nil {
			return
		}
		s.nc = tc
		s.r.Reset(tc)
		upTo("dot", func(s *script) { s.say("250 ok"); s.hang() })(s)
	})
	t.Run("implicit TLS", func(t *testing.T) {
		got := open(t, Config{Route: "smtps://" + addr, RootCAs: pool}).Deliver(context.Background(), message("a\r\n", "b@far.example", "c@far.example"), yes)
		if d := cmp.Diff(map[int64]string{1: "delivered 250", 2: "delivered 250"}, byID(got)); d != "" {
			t.Error(d)
		}
	})
	t.Run("implicit TLS is verified", func(t *testing.T) {
		_, err := route(t, Config{Route: "smtps://" + addr}).Open(context.Background(), "smarthost")
		var open *OpenError
		if !errors.As(err, &open) || open.Enhanced != "4.7.5" || open.Status != Deferred {
			t.Errorf("got %v", err)
		}
	})
}

// The end of the context ends a transaction at once: before the dot nothing
// has happened, after it nobody knows.
func TestContextEnds(t *testing.T) {
	for _, c := range []struct{ step, want string }{{"MAIL", "deferred 451 lost"}, {"dot", "deferred 451 lost dup"}} {
		ctx, cancel := context.WithCancel(context.Background())
		conn := open(t, Config{Route: "smtp://" + newScript(t, upTo(c.step, func(s *script) { cancel(); s.hang() }))})
		got := conn.Deliver(ctx, message("a\r\n", "b@far.example", "c@far.example"), yes)
		if d := cmp.Diff(map[int64]string{1: c.want, 2: c.want}, byID(got)); d != "" {
			t.Error(d)
		}
		_, err := route(t, Config{Route: "smtp://127.0.0.1:1"}).Open(ctx, "smarthost")
		if !errors.Is(err, context.Canceled) || len(Results(message("a\r\n", "b@far.example"), err)) != 0 {
			t.Errorf("open after the end: %v", err)
		}
	}
}

func TestRoutes(t *testing.T) {
	for _, r := range []string{"", "mxx", "smtp://", "smtp://user:pw@host", "smtp://h/path", "http://h", "maildir:", "h:25"} {
		if _, err := New(Config{Route: r}); err == nil {
			t.Errorf("%q was taken", r)
		}
	}
	for r, want := range map[string]string{"smtp://h": "h:25", "smtps://h": "h:465", "smtp://[::1]:26": "[::1]:26"} {
		if got := route(t, Config{Route: r}).(*smarthost).addr; got != want {
			t.Errorf("%q leads to %q, want %q", r, got, want)
		}
	}
}
