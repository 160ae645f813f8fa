package proxy

import (
	"bytes"
	"crypto/tls"
	"io"
	"net"
	"strings"
	"testing"
)

// A program of the time of TLS 1.0, or with ciphers of that time, sees its
// connection end and cannot say why; the companion must.
func TestOldTLSIsTold(t *testing.T) {
	_, secure, log, told := bothPorts(t, nil)
	for _, old := range []*tls.Config{
		{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS10},
		{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11},
		{MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{tls.TLS_RSA_WITH_3DES_EDE_CBC_SHA}},
	} {
		old.InsecureSkipVerify = true
		if c, err := tls.Dial("tcp", secure, old); err == nil {
			c.Close()
			t.Errorf("%x is let in", old.MaxVersion)
		}
		told.wait(t)
	}
	if got, want := told.reasons(), "tls_too_old tls_too_old tls_too_old"; got != want {
		t.Errorf("told %q, want %q", got, want)
	}
	if n := strings.Count(log.String(), "no TLS that is safe"); n != 3 {
		t.Errorf("log:\n%s", log)
	}
}

// What a client or the network ends inside the handshake says nothing of its age.
func TestAnUnfinishedHandshakeIsNotOld(t *testing.T) {
	_, secure, _, told := bothPorts(t, nil)
	var hello bytes.Buffer
	// It fails, because nothing answers; what it said first is wanted.
	_ = tls.Client(recorder{w: &hello}, &tls.Config{InsecureSkipVerify: true}).HandshakeContext(t.Context())
	for _, n := range []int{1, 5, hello.Len() / 2, hello.Len()} {
		nc, err := net.Dial("tcp", secure)
		if err != nil {
			t.Fatal(err)
		}
		nc.Write(hello.Bytes()[:n])
		nc.(*net.TCPConn).CloseWrite()
		_, _ = io.Copy(io.Discard, nc) // until the server has given it up
		nc.Close()
	}
	if got := told.reasons(); hello.Len() < 100 || got != "" {
		t.Errorf("%d octets of hello, told %q", hello.Len(), got)
	}
}

// recorder is a network that takes everything and says nothing.
type recorder struct {
	net.Conn
	w io.Writer
}

func (r recorder) Write(p []byte) (int, error) { return r.w.Write(p) }
func (r recorder) Read([]byte) (int, error)    { return 0, io.EOF }
func (r recorder) Close() error                { return nil }

func TestAProgramWithoutAPasswordIsTold(t *testing.T) {
	plain, _, log, told := bothPorts(t, func(cfg *Config) { cfg.RequireAuth = true })
	c := connect(t, plain)
	c.say("MAIL FROM:<a@example.com>", "530 5.7.0")
	if got := told.reasons(); got != "no_password" || told.list[0].Client.Hello != "client" || !strings.Contains(log.String(), "no password") {
		t.Errorf("told %q %+v, log:\n%s", got, told.list, log)
	}
	c.say("AUTH PLAIN AGxvY2FsAHMzY3JldA==", "235")
	c.say("MAIL FROM:<a@example.com>", "250")
	if got := told.reasons(); got != "no_password" {
		t.Errorf("told %q", got)
	}
}
