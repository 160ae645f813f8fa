package authority

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

// clock is a time that tests move.
type clock struct{ at time.Time }

func (c *clock) now() time.Time { return c.at }

func open(t *testing.T, dir string, now func() time.Time) *Authority {
	t.Helper()
	a, err := Open(dir, "relay.example", now)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func leaf(t *testing.T, get func(*tls.ClientHelloInfo) (*tls.Certificate, error)) *x509.Certificate {
	t.Helper()
	c, err := get(nil)
	if err != nil {
		t.Fatal(err)
	}
	return c.Leaf
}

func pool(t *testing.T, dir string) *x509.CertPool {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, certificateFile))
	if err != nil {
		t.Fatal(err)
	}
	p := x509.NewCertPool()
	if !p.AppendCertsFromPEM(text) {
		t.Fatal("ca.pem holds no certificate")
	}
	return p
}

func TestClientsThatTrustTheAuthorityConnect(t *testing.T) {
	dir := t.TempDir()
	a := open(t, dir, time.Now)
	ln, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{GetCertificate: a.GetCertificate})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			c.(*tls.Conn).Handshake() // the client judges
			c.Close()
		}
	}()
	defer func() { ln.Close(); <-done }()
	for _, c := range []struct {
		name string
		fine bool
	}{{"localhost", true}, {"127.0.0.1", true}, {"::1", true}, {"relay.example", true}, {"other.example", false}} {
		conn, err := tls.DialWithDialer(&net.Dialer{Timeout: 10 * time.Second}, "tcp", ln.Addr().String(), &tls.Config{RootCAs: pool(t, dir), ServerName: c.name})
		if (err == nil) != c.fine {
			t.Errorf("%s: %v", c.name, err)
		}
		if err == nil {
			conn.Close()
		}
	}
}

func TestAuthorityIsKeptOverRestarts(t *testing.T) {
	dir := t.TempDir()
	open(t, dir, time.Now)
	before, err := os.ReadFile(filepath.Join(dir, certificateFile))
	if err != nil {
		t.Fatal(err)
	}
	again := open(t, dir, time.Now)
	after, err := os.ReadFile(filepath.Join(dir, certificateFile))
	if err != nil || !bytes.Equal(before, after) {
		t.Fatalf("ca.pem changed, %v", err)
	}
	if st, err := os.Stat(filepath.Join(dir, keyFile)); err != nil || (runtime.GOOS != "windows" && st.Mode().Perm() != 0o600) {
		t.Errorf("mode of the key %v, %v", st.Mode(), err)
	}
	if _, err := leaf(t, again.GetCertificate).Verify(x509.VerifyOptions{Roots: pool(t, dir), DNSName: "localhost"}); err != nil {
		t.Error(err)
	}
}

// TestRenewalWhileServing walks a relay that never restarts through two years.
func TestRenewalWhileServing(t *testing.T) {
	dir := t.TempDir()
	c := &clock{at: time.Date(2026, 11, 25, 0, 0, 0, 0, time.UTC)}
	a := open(t, dir, c.now)
	roots := pool(t, dir)
	serials := make(map[string]bool)
	for day := range 730 {
		cert := leaf(t, a.GetCertificate)
		serials[cert.SerialNumber.String()] = true
		if _, err := cert.Verify(x509.VerifyOptions{Roots: roots, DNSName: "localhost", CurrentTime: c.at}); err != nil {
			t.Fatalf("day %d: %v", day, err)
		}
		if left := cert.NotAfter.Sub(c.at); left < 29*24*time.Hour {
			t.Fatalf("day %d: only %v left", day, left)
		}
		c.at = c.at.Add(24 * time.Hour)
	}
	if len(serials) < 12 || len(serials) > 14 {
		t.Errorf("%d certificates in two years, want one for each 60 days", len(serials))
	}
}

func TestAuthorityNearItsEndIsIssuedAgainWithTheSameKey(t *testing.T) {
	dir := t.TempDir()
	c := &clock{at: time.Date(2026, 11, 25, 0, 0, 0, 0, time.UTC)}
	open(t, dir, c.now)
	old := pool(t, dir)
	c.at = c.at.Add(authorityLife - 30*24*time.Hour)
	a := open(t, dir, c.now)
	cert := leaf(t, a.GetCertificate)
	for name, roots := range map[string]*x509.CertPool{"old ca.pem": old, "new ca.pem": pool(t, dir)} {
		if _, err := cert.Verify(x509.VerifyOptions{Roots: roots, DNSName: "localhost", CurrentTime: c.at}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	c.at = c.at.Add(60 * 24 * time.Hour)
	if _, err := leaf(t, a.GetCertificate).Verify(x509.VerifyOptions{Roots: pool(t, dir), DNSName: "localhost", CurrentTime: c.at}); err != nil {
		t.Errorf("after the end of the first: %v", err)
	}
}

func TestDamagedFolderIsAClearError(t *testing.T) {
	other := t.TempDir()
	open(t, other, time.Now)
	for _, c := range []struct {
		name   string
		damage func(dir string) error
		want   string
	}{
		{"key lost", func(dir string) error { return os.Remove(filepath.Join(dir, keyFile)) }, "restore it"},
		{"key of another", func(dir string) error {
			return os.Rename(filepath.Join(other, keyFile), filepath.Join(dir, keyFile))
		}, "do not belong together"},
		{"certificate damaged", func(dir string) error {
			return os.WriteFile(filepath.Join(dir, certificateFile), []byte("x"), 0o600)
		}, "ca.pem holds no CERTIFICATE"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			open(t, dir, time.Now)
			if err := c.damage(dir); err != nil {
				t.Fatal(err)
			}
			if _, err := Open(dir, "localhost", time.Now); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

// TestCrashBetweenKeyAndCertificate finds the key without a certificate.
func TestCrashBetweenKeyAndCertificate(t *testing.T) {
	dir := t.TempDir()
	open(t, dir, time.Now)
	if err := os.Remove(filepath.Join(dir, certificateFile)); err != nil {
		t.Fatal(err)
	}
	a := open(t, dir, time.Now)
	if _, err := leaf(t, a.GetCertificate).Verify(x509.VerifyOptions{Roots: pool(t, dir), DNSName: "::1"}); err != nil {
		t.Error(err)
	}
}

func TestFilesAreReadAgainWhenReplaced(t *testing.T) {
	dir := t.TempDir()
	c := &clock{at: time.Now()}
	certPath, keyPath := filepath.Join(dir, "chain.pem"), filepath.Join(dir, "key.pem")
	replace := func(from string, at time.Time) {
		t.Helper()
		for src, dst := range map[string]string{certificateFile: certPath, keyFile: keyPath} {
			text, err := os.ReadFile(filepath.Join(from, src))
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(dst, text, 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.Chtimes(dst, at, at); err != nil {
				t.Fatal(err)
			}
		}
	}
	first, second := t.TempDir(), t.TempDir()
	open(t, first, c.now)
	open(t, second, c.now)
	if _, err := OpenFiles(certPath, keyPath, slog.New(slog.DiscardHandler), c.now); err == nil {
		t.Fatal("missing files were accepted")
	}
	replace(first, c.at)
	f, err := OpenFiles(certPath, keyPath, slog.New(slog.DiscardHandler), c.now)
	if err != nil {
		t.Fatal(err)
	}
	old := leaf(t, f.GetCertificate)

	if err := os.WriteFile(certPath, []byte("half written"), 0o600); err != nil {
		t.Fatal(err)
	}
	c.at = c.at.Add(2 * lookEvery)
	if got := leaf(t, f.GetCertificate); !got.Equal(old) {
		t.Error("a damaged file took the certificate away")
	}
	replace(second, c.at.Add(time.Hour))
	if got := leaf(t, f.GetCertificate); !got.Equal(old) {
		t.Error("looked at the files again within a minute")
	}
	c.at = c.at.Add(2 * lookEvery)
	if got := leaf(t, f.GetCertificate); got.Equal(old) {
		t.Error("the new certificate is not served")
	}
}
