package proxy

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// stumbles are what a server told of programs that are set up wrongly.
type stumbles struct {
	mu   sync.Mutex // guards list
	list []Stumble
	come chan struct{}
}

func newStumbles() *stumbles { return &stumbles{come: make(chan struct{}, 100)} }

func (s *stumbles) add(one Stumble) {
	s.mu.Lock()
	s.list = append(s.list, one)
	s.mu.Unlock()
	s.come <- struct{}{}
}

// wait waits for one more.
func (s *stumbles) wait(t *testing.T) {
	t.Helper()
	select {
	case <-s.come:
	case <-time.After(time.Minute):
		t.Fatalf("nothing was told beside %q", s.reasons())
	}
}

// reasons are those so far, in their order.
func (s *stumbles) reasons() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []string
	for _, one := range s.list {
		out = append(out, string(one.Reason))
	}
	return strings.Join(out, " ")
}

// bothPorts is a server with a plain address and one for TLS.
func bothPorts(t *testing.T, change func(*Config)) (plain, secure string, log *transcript, told *stumbles) {
	t.Helper()
	noLeaks(t)
	serverTLS, _ := certificate(t)
	log, told = &transcript{}, newStumbles()
	cfg := testConfig(&memory{})
	cfg.TLSAddresses = []string{"127.0.0.1:0"}
	cfg.TLS = func() (*tls.Config, error) { return serverTLS, nil }
	cfg.Log = slog.New(slog.NewTextHandler(log, nil))
	cfg.Stumbled = told.add
	if change != nil {
		change(&cfg)
	}
	l := start(t, cfg).Listeners()
	return l[0].Address, l[1].Address, log, told
}

// readAllFrom says something to an address and returns all that comes back.
func readAllFrom(t *testing.T, address, say string) string {
	t.Helper()
	nc, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	nc.SetDeadline(time.Now().Add(20 * time.Second))
	if _, err := io.WriteString(nc, say); err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(nc)
	if err != nil && !isReset(err) {
		t.Fatal(err)
	}
	return string(got)
}

// Whatever speaks the wrong protocol gets a clear end, a line in the log, and
// where a person can put it right, a word to the engine.
func TestWrongProtocol(t *testing.T) {
	const post = "POST / HTTP/1.1\r\nHost: localhost\r\n\r\nEHLO x\r\nMAIL FROM:<a@example.com>\r\nRCPT TO:<b@example.com>\r\nDATA\r\nSubject: x\r\n.\r\n"
	for _, c := range []struct {
		name    string
		secure  bool
		say     string
		answer  string // after the greeting, which the plain port always says
		logged  string
		stumble string
	}{
		{"GET on the plain port", false, "GET / HTTP/1.1\r\n\r\n", "", "web browser", ""},
		{"POST on the plain port", false, post, "", "web browser", ""},
		{"GET on the TLS port", true, "GET / HTTP/1.1\r\n\r\n", "", "web browser", ""},
		{"POST on the TLS port", true, post, "", "web browser", ""},
		{"plain SMTP on the TLS port", true, "EHLO client\r\n", "421 4.7.0 This port is for encrypted connections", "without TLS on a port for TLS", "plain_on_tls_port"},
		{"QUIT on the TLS port", true, "QUIT\r\n", "421 4.7.0 ", "without TLS", "plain_on_tls_port"},
		{"ClientHello on the plain port", false, "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "", "spoke TLS on the port without", "tls_on_plain_port"},
		{"one octet of it", false, "\x16", "", "spoke TLS on the port without", "tls_on_plain_port"},
		{"half a ClientHello on the TLS port", true, "\x16\x03\x01\x00\x05hello", "\x15", "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			plain, secure, log, told := bothPorts(t, nil)
			address := plain
			if c.secure {
				address = secure
			}
			got := readAllFrom(t, address, c.say)
			if !c.secure {
				rest, ok := strings.CutPrefix(got, "220 localhost ESMTP Service Ready\r\n")
				if !ok && got != "" {
					t.Errorf("got %q", got)
				}
				got = rest
			}
			if !strings.HasPrefix(got, c.answer) || (c.answer == "") != (got == "") {
				t.Errorf("got %q, want %q", got, c.answer)
			}
			if !strings.Contains(log.String(), c.logged) || strings.Contains(log.String(), "level=ERROR") {
				t.Errorf("log:\n%s", log)
			}
			if got := told.reasons(); got != c.stumble {
				t.Errorf("told %q, want %q", got, c.stumble)
			}
		})
	}
}

// A real TLS client on the plain port, one that does not trust the certificate
// (in TLS 1.2 and 1.3 its alert comes at different times), and one that does.
func TestTLSClients(t *testing.T) {
	plain, secure, _, told := bothPorts(t, nil)
	if _, err := tls.Dial("tcp", plain, &tls.Config{InsecureSkipVerify: true}); err == nil {
		t.Error("TLS on the plain port")
	}
	told.wait(t)
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		c, err := tls.Dial("tcp", secure, &tls.Config{RootCAs: x509.NewCertPool(), ServerName: "localhost", MaxVersion: version})
		if err == nil {
			c.Close()
			t.Error("trusted without a reason")
		}
		told.wait(t)
	}
	// OpenSSL tells it in a way of its own.

	if out, err := exec.CommandContext(t.Context(), "curl", "--silent", "--show-error", "smtps://"+secure, "--mail-from", "a@example.com", "--mail-rcpt", "b@example.com", "--upload-file", "opening.go").CombinedOutput(); err == nil {
		t.Errorf("curl trusts anybody: %s", out)
	}
	told.wait(t)
	if got, want := told.reasons(), "tls_on_plain_port certificate_refused certificate_refused certificate_refused"; got != want {
		t.Errorf("told %q, want %q", got, want)
	}
	c, err := tls.Dial("tcp", secure, &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	p := &pipeClient{t: t, Conn: c, r: newReader(c)}
	p.expect("220")
	p.say("QUIT", "221")
	p.ends()
}

// A program without TLS waits for a greeting that never comes; it is told why
// before it gives up. One with TLS may take its time after its first octet.
func TestSilenceOnTheTLSPort(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		serverTLS, clientTLS := certificate(t)
		told := newStumbles()
		cfg := testConfig(&memory{})
		cfg.Addresses, cfg.TLSAddresses = nil, []string{"127.0.0.1:4650"}
		cfg.TLS = func() (*tls.Config, error) { return serverTLS, nil }
		cfg.Stumbled = told.add
		client, stop := pipeServer(t, cfg)

		c := client()
		began := time.Now()
		if waited := c.expect("421 4.7.0").Sub(began); waited != helloWait {
			t.Errorf("told after %v, want %v", waited, helloWait)
		}
		c.ends()

		slow := client()
		time.Sleep(helloWait - 2*time.Second) // and one for the first octet
		upper := tls.Client(slowly{slow.Conn}, clientTLS)
		if err := upper.Handshake(); err != nil {
			t.Fatalf("a slow handshake: %v", err)
		}
		s := &pipeClient{t: t, Conn: upper, r: newReader(upper)}
		s.expect("220")
		s.say("QUIT", "221")
		if got := told.reasons(); got != "plain_on_tls_port" {
			t.Errorf("told %q", got)
		}
		go io.Copy(io.Discard, slow.Conn) // the server's close_notify
		synctest.Wait()

		waiting := client() // nor does it hold up the stop
		synctest.Wait()
		began = time.Now()
		stop()
		if took := time.Since(began); took > patience {
			t.Errorf("stop took %v", took)
		}
		waiting.Close()
	})
}

// slowly writes an octet a second.
type slowly struct{ net.Conn }

func (s slowly) Write(p []byte) (int, error) {
	for i := range p {
		time.Sleep(time.Second)
		if _, err := s.Conn.Write(p[i : i+1]); err != nil {
			return i, err
		}
	}
	return len(p), nil
}

// The address of TLS follows its certificate: without one it is a state that
// ends by itself, and the plain port does not care.
func TestCertificateComesLater(t *testing.T) {
	noLeaks(t)
	serverTLS, clientTLS := certificate(t)
	var mu sync.Mutex
	why := io.ErrUnexpectedEOF
	changed := make(chan struct{}, 100)
	cfg := testConfig(&memory{})
	cfg.TLSAddresses = []string{"127.0.0.1:0"}
	cfg.Changed = func() { changed <- struct{}{} }
	cfg.TLS = func() (*tls.Config, error) {
		mu.Lock()
		defer mu.Unlock()
		if why != nil {
			return nil, why
		}
		return serverTLS, nil
	}
	s := start(t, cfg)
	for _, want := range []error{io.ErrUnexpectedEOF, io.ErrClosedPipe} { // another cause is another state
		mu.Lock()
		why = want
		mu.Unlock()
		until(t, s, changed, func(l []Listener) bool {
			return l[0].OK && !l[1].OK && strings.Contains(l[1].Err.Error(), want.Error())
		})
	}
	mu.Lock()
	why = nil
	mu.Unlock()
	l := until(t, s, changed, func(l []Listener) bool { return l[1].OK })
	c, err := tls.Dial("tcp", l[1].Address, clientTLS)
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
}

// 1,000 programs at once are served, the next one is told to come again, and
// is served once there is room.
func TestThousandConnections(t *testing.T) {
	noLeaks(t)
	log := &transcript{}
	cfg := testConfig(&memory{})
	cfg.Log = slog.New(slog.NewTextHandler(log, nil))
	s := start(t, cfg)
	open := make([]*pipeClient, maxConns)
	for i := range open {
		nc := dial(t, s)
		nc.SetDeadline(time.Now().Add(time.Minute))
		open[i] = &pipeClient{t: t, Conn: nc, r: newReader(nc)}
		open[i].expect("220")
	}
	for range 3 {
		nc := dial(t, s)
		c := &pipeClient{t: t, Conn: nc, r: newReader(nc)}
		c.expect("421 4.3.2 Too many connections")
		c.ends()
	}
	if n := strings.Count(log.String(), "too many connections"); n != 1 {
		t.Errorf("logged %d times", n)
	}
	for i, c := range open {
		c.say(fmt.Sprintf("EHLO client%d", i), "250")
	}
	open[0].say("QUIT", "221")
	open[0].ends()
	nc := dial(t, s)
	c := &pipeClient{t: t, Conn: nc, r: newReader(nc)}
	c.expect("220")
	c.say("QUIT", "221")
}

// A body that trickles for half an hour arrives; RFC 5321 §4.5.3.2.7 lets a
// server give up after five minutes without an octet, and no earlier.
func TestHalfAnHourOfBody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		spool := &memory{}
		client, stop := pipeServer(t, testConfig(spool)) // with the default limit
		c := client()
		c.toData()
		began := time.Now()
		line := []byte(strings.Repeat("x", 998) + "\r\n")
		for range 30 * 60 { // 1 KB/s
			time.Sleep(time.Second)
			c.Conn.Write(line)
		}
		time.Sleep(5*time.Minute - time.Second)
		c.say(".", "250 2.0.0 queued")
		if took := time.Since(began); took < 30*time.Minute {
			t.Fatalf("it took %v", took)
		}
		if got := []byte(spool.one(t).withoutTrace(t)); !bytes.Equal(got, bytes.Repeat(line, 30*60)) {
			t.Errorf("%d octets arrived", len(got))
		}
		for _, silent := range []struct {
			name string
			lead func(*pipeClient)
			ends []string
		}{
			{"after the greeting", func(c *pipeClient) { c.expect("220") }, []string{"421 4.4.2"}},
			{"after RCPT", func(c *pipeClient) {
				c.expect("220")
				c.say("EHLO client", "250")
				c.say("MAIL FROM:<a@example.com>", "250")
				c.say("RCPT TO:<b@example.com>", "250")
			}, []string{"421 4.4.2"}},
			{"inside a command", func(c *pipeClient) { c.expect("220"); io.WriteString(c.Conn, "NO") }, []string{"421 4.4.2"}},
			{"inside AUTH", func(c *pipeClient) {
				c.expect("220")
				c.say("EHLO client", "250")
				c.say("AUTH LOGIN", "334")
			}, nil},
			{"inside the data", func(c *pipeClient) { c.toData(); io.WriteString(c.Conn, "Subject: x\r\n") }, []string{"451 4.4.2", "421 4.4.2"}},
			{"inside a chunk", func(c *pipeClient) {
				c.expect("220")
				c.say("EHLO client", "250")
				c.say("MAIL FROM:<a@example.com>", "250")
				c.say("RCPT TO:<b@example.com>", "250")
				io.WriteString(c.Conn, "BDAT 10 LAST\r\nX: y")
			}, []string{"451 4.4.2", "421 4.3.0"}}, // 554 with the system's words, without us
		} {
			c := client()
			silent.lead(c)
			began := time.Now()
			for _, want := range silent.ends {
				c.expect(want)
			}
			_, _ = io.Copy(io.Discard, c.r)
			if took := time.Since(began); took != 5*time.Minute {
				t.Errorf("%s: cut after %v", silent.name, took)
			}
		}
		stop()
		spool.one(t)
		spool.balanced(t)
	})
}
