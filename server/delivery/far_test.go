package delivery

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-smtp"
)

// TestMain fails the package when a test leaves a goroutine behind.
func TestMain(m *testing.M) {
	before := runtime.NumGoroutine()
	code := m.Run()
	for range 1000 {
		if runtime.NumGoroutine() <= before {
			break
		}
		time.Sleep(20 * time.Millisecond) // connections that a test closed take a moment to be noticed
	}
	fuzzing := flag.Lookup("test.fuzz").Value.String() != "" // which listens to signals until the end
	if n := runtime.NumGoroutine(); code == 0 && n > before && !fuzzing {
		buf := make([]byte, 1<<20)
		fmt.Fprintf(os.Stderr, "%d goroutines before, %d after:\n%s\n", before, n, buf[:runtime.Stack(buf, true)])
		code = 1
	}
	os.Exit(code)
}

// far is a real go-smtp server that keeps what it takes.
type far struct {
	addr string
	port int

	mu   sync.Mutex // guards mail
	mail []taken
}

type taken struct {
	from string
	opts smtp.MailOptions
	to   []string
	rcpt []smtp.RcptOptions
	data string
}

type farSession struct {
	far *far
	cur taken
}

func (s *farSession) Reset()        { s.cur = taken{} }
func (s *farSession) Logout() error { return nil }
func (s *farSession) Mail(from string, o *smtp.MailOptions) error {
	s.cur = taken{from: from, opts: *o}
	return nil
}

// Rcpt answers as the address says: "550.x@…" is refused with 550.
func (s *farSession) Rcpt(to string, o *smtp.RcptOptions) error {
	var code int
	if _, err := fmt.Sscanf(to, "%3d.", &code); err == nil {
		return &smtp.SMTPError{Code: code, EnhancedCode: smtp.EnhancedCode{code / 100, 1, 1}, Message: "as you wish"}
	}
	s.cur.to, s.cur.rcpt = append(s.cur.to, to), append(s.cur.rcpt, *o)
	return nil
}

func (s *farSession) Data(r io.Reader) error {
	b, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	s.cur.data = string(b)
	s.far.mu.Lock()
	s.far.mail = append(s.far.mail, s.cur)
	s.far.mu.Unlock()
	return nil
}

func (f *far) taken() []taken {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]taken(nil), f.mail...)
}

// newFar serves on a loopback address; change may alter the server first.
func newFar(t *testing.T, address string, change func(*smtp.Server)) *far {
	t.Helper()
	ln, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	f := &far{addr: ln.Addr().String(), port: ln.Addr().(*net.TCPAddr).Port}
	srv := smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) { return &farSession{far: f}, nil }))
	srv.Domain, srv.EnableDSN, srv.EnableSMTPUTF8, srv.MaxRecipients, srv.MaxLineLength = "far.example", true, true, 50, 1<<20
	srv.ErrorLog = quietLog{}
	if change != nil {
		change(srv)
	}
	done := make(chan struct{})
	go func() { srv.Serve(ln); close(done) }()
	t.Cleanup(func() { srv.Close(); <-done })
	return f
}

type quietLog struct{}

func (quietLog) Printf(string, ...any) {}
func (quietLog) Println(...any)        {}

// script is a server that says and expects lines, or ends.
type script struct {
	t  *testing.T
	nc net.Conn
	r  *bufio.Reader
}

func (s *script) say(lines ...string) {
	for _, l := range lines {
		fmt.Fprintf(s.nc, "%s\r\n", l)
	}
}

// hear reads a line that must begin with prefix.
func (s *script) hear(prefix string) string {
	line, err := s.r.ReadString('\n')
	if err != nil || !strings.HasPrefix(line, prefix) {
		s.t.Errorf("server heard %q %v, wants %q", line, err, prefix)
		panic(errScript)
	}
	return strings.TrimRight(line, "\r\n")
}

// hello greets and offers the extensions.
func (s *script) hello(extensions ...string) {
	s.say("220 far.example ready")
	s.hear("EHLO ")
	s.say("250-far.example")
	for _, e := range extensions {
		s.say("250-" + e)
	}
	s.say("250 HELP")
}

// content reads up to the final dot and returns what came before.
func (s *script) content() string {
	var b strings.Builder
	for {
		line, err := s.r.ReadString('\n')
		if err != nil {
			s.t.Errorf("content ends with %v", err)
			panic(errScript)
		}
		if line == ".\r\n" {
			return b.String()
		}
		b.WriteString(line)
	}
}

// hang waits until the client gives up, or says goodbye.
func (s *script) hang() {
	for {
		line, err := s.r.ReadString('\n')
		if line == "QUIT\r\n" {
			s.say("221 bye")
		}
		if err != nil {
			return
		}
	}
}

var errScript = errors.New("script ended")

// newScript serves one connection after the other with the scripts given, the
// last again and again.
func newScript(t *testing.T, scripts ...func(*script)) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	all.Go(func() {
		for n := 0; ; n++ {
			nc, err := ln.Accept()
			if err != nil {
				return
			}
			run := scripts[min(n, len(scripts)-1)]
			all.Go(func() {
				defer nc.Close()
				defer func() {
					if e := recover(); e != nil && e != errScript {
						panic(e)
					}
				}()
				run(&script{t: t, nc: nc, r: bufio.NewReader(nc)})
			})
		}
	})
	t.Cleanup(func() { ln.Close(); all.Wait() })
	return ln.Addr().String()
}

// Time-outs for tests that wait for one of them. The others, and all where the
// server answers, are those of service: a slow machine is no silent server.
var (
	commandEnds = Timeouts{Command: 2 * time.Second} // also waited for by commands that are answered
	blockEnds   = Timeouts{Block: 100 * time.Millisecond}
	dotEnds     = Timeouts{Dot: 100 * time.Millisecond}
)

func route(t *testing.T, c Config) Route {
	t.Helper()
	r, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func open(t *testing.T, c Config) Conn {
	t.Helper()
	conn, err := route(t, c).Open(context.Background(), "smarthost")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

const received = "Received: from client by relay;\r\n Wed, 25 Nov 2026 09:00:00 +0000\r\n"

// message to recipients with ids from 1.
func message(body string, to ...string) Message {
	m := Message{ID: "01KMESSAGE", From: "a@sender.example", Received: received, Size: int64(len(body)),
		Body: func(context.Context) (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(body)), nil }}
	for i, a := range to {
		m.Recipients = append(m.Recipients, Recipient{ID: int64(i + 1), Address: a})
	}
	return m
}

func yes([]int64) error { return nil }

// byID is results in a form to compare: "deferred 451 4.1.1 lost dup soon".
func byID(results []Result) map[int64]string {
	all := make(map[int64]string)
	for _, r := range results {
		s := fmt.Sprint(r.Status, " ", r.Code)
		for _, f := range []struct {
			set  bool
			name string
		}{{r.Lost, "lost"}, {r.MaybeDup, "dup"}, {r.Soon, "soon"}} {
			if f.set {
				s += " " + f.name
			}
		}
		if _, twice := all[r.ID]; twice {
			s = "twice"
		}
		all[r.ID] = s
	}
	return all
}

// certificate for localhost and 127.0.0.1, signed by itself.
func certificate(t *testing.T) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tpl := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "localhost"}, NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	der, err := x509.CreateCertificate(rand.Reader, tpl, tpl, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(cert)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pool
}
