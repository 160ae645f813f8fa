package authority

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

// clock is a time that tests move.
type clock struct{ at time.Time }

func (c *clock) now() time.Time { return c.at }

const (
	certificateFile = "ca.pem"
	keyFile         = "ca-key.pem"
)

// options are those of an authority that vouches for relay.example too.
func options(dir string, now func() time.Time) Options {
	return Options{Dir: dir, Certificate: certificateFile, Key: keyFile, Name: "test authority", Host: "relay.example", Now: now}
}

func open(t *testing.T, dir string, now func() time.Time) *Authority {
	t.Helper()
	a, err := Open(options(dir, now))
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
		want   error
	}{
		{"key lost", func(dir string) error { return os.Remove(filepath.Join(dir, keyFile)) }, ErrKeyLost},
		{"key of another", func(dir string) error {
			return os.Rename(filepath.Join(other, keyFile), filepath.Join(dir, keyFile))
		}, ErrMismatch},
		{"certificate damaged", func(dir string) error {
			return os.WriteFile(filepath.Join(dir, certificateFile), []byte("x"), 0o600)
		}, ErrDamaged},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			open(t, dir, time.Now)
			if err := c.damage(dir); err != nil {
				t.Fatal(err)
			}
			if _, err := Open(options(dir, time.Now)); !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
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

// A companion that runs for eleven years without a restart renews its
// authority by itself; clients have a year to get the new certificate.
func TestAuthorityIsRenewedWhileServing(t *testing.T) {
	dir := t.TempDir()
	c := &clock{at: time.Date(2026, 11, 25, 0, 0, 0, 0, time.UTC)}
	o := options(dir, c.now)
	o.Constrained = true
	a, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	first := pool(t, dir)
	begin, end := c.at, a.NotAfter()
	var renewed time.Time
	for c.at.Before(begin.Add(11 * 365 * 24 * time.Hour)) {
		cert := leaf(t, a.GetCertificate)
		if left := cert.NotAfter.Sub(c.at); left < 20*24*time.Hour || left > 398*24*time.Hour {
			t.Fatalf("%v: the certificate has %v left", c.at, left)
		}
		if c.at.Before(end) {
			if _, err := cert.Verify(x509.VerifyOptions{Roots: first, DNSName: "localhost", CurrentTime: c.at}); err != nil {
				t.Fatalf("%v: who trusts the first certificate: %v", c.at, err)
			}
		}
		if _, err := cert.Verify(x509.VerifyOptions{Roots: pool(t, dir), DNSName: "localhost", CurrentTime: c.at}); err != nil {
			t.Fatalf("%v: %v", c.at, err)
		}
		until, ok := a.Superseded()
		if ok && renewed.IsZero() {
			renewed = c.at
		}
		if ok != (!renewed.IsZero() && c.at.Before(end)) || ok && !until.Equal(end) {
			t.Fatalf("%v: superseded %v, %v", c.at, until, ok)
		}
		c.at = c.at.Add(10 * 24 * time.Hour)
	}
	if notice := end.Sub(renewed); notice < 270*24*time.Hour || notice > renewEarly {
		t.Errorf("renewed %v before the end", notice)
	}
	again, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(again.PEM(), a.PEM()) {
		t.Error("the renewed certificate is another after a restart")
	}
}

// A full disk at the renewal must not end service while the old one is valid.
func TestRenewalThatCannotBeWritten(t *testing.T) {
	dir := t.TempDir()
	c := &clock{at: time.Date(2026, 11, 25, 0, 0, 0, 0, time.UTC)}
	a := open(t, dir, c.now)
	end := a.NotAfter()
	// Root may write anywhere, so the folder itself is away.
	if err := os.Rename(dir, dir+"-away"); err != nil {
		t.Fatal(err)
	}
	c.at = end.Add(-24 * time.Hour)
	if got := leaf(t, a.GetCertificate); got.NotAfter.After(end) {
		t.Errorf("it ends at %v, after its authority", got.NotAfter)
	}
	c.at = end.Add(time.Hour)
	if _, err := a.GetCertificate(nil); err == nil {
		t.Error("a certificate of an authority that has ended")
	}
	if err := os.Rename(dir+"-away", dir); err != nil {
		t.Fatal(err)
	}
	if got := leaf(t, a.GetCertificate); !got.NotAfter.After(c.at) {
		t.Errorf("it ended at %v", got.NotAfter)
	}
}

// The clock was years ahead when the authority was made, and is right now.
func TestAuthorityFromTheFuture(t *testing.T) {
	dir := t.TempDir()
	now := time.Date(2026, 11, 25, 0, 0, 0, 0, time.UTC)
	c := &clock{at: now.AddDate(30, 0, 0)}
	a := open(t, dir, c.now)
	c.at = now
	for _, a := range []*Authority{a, open(t, dir, c.now)} {
		if _, err := leaf(t, a.GetCertificate).Verify(x509.VerifyOptions{Roots: pool(t, dir), DNSName: "localhost", CurrentTime: now}); err != nil {
			t.Error(err)
		}
	}
}

// A constrained authority vouches for its computer's names and no others,
// whoever has its key.
func TestConstrainedAuthority(t *testing.T) {
	dir := t.TempDir()
	o := options(dir, time.Now)
	o.Host, o.Constrained = "Lap-Top", true
	a, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	cert := leaf(t, a.GetCertificate)
	for _, name := range []string{"localhost", "127.0.0.1", "::1", "lap-top"} {
		if _, err := cert.Verify(x509.VerifyOptions{Roots: pool(t, dir), DNSName: name}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	// The computer gets another name: its certificate goes without one.
	o.Host = "renamed"
	if a, err = Open(o); err != nil {
		t.Fatal(err)
	}
	cert = leaf(t, a.GetCertificate)
	if _, err := cert.Verify(x509.VerifyOptions{Roots: pool(t, dir), DNSName: "localhost"}); err != nil {
		t.Error(err)
	}
	// A certificate for a bank, signed with the stolen key.
	a.certs[0].PermittedDNSDomains = nil // issue asks this
	a.o.Host = "bank.example"
	stolen, err := a.issue()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := stolen.Leaf.Verify(x509.VerifyOptions{Roots: pool(t, dir), DNSName: "bank.example"}); err == nil {
		t.Error("the authority can vouch for bank.example")
	}
}

func TestNames(t *testing.T) {
	own := []string{"localhost", "127.0.0.1", "::1"}
	for _, c := range []struct {
		host string
		want string
	}{
		{"", ""}, {"localhost", ""}, {"::1", ""}, {"PC-1", "pc-1"}, {"mac.local", "mac.local"}, {"192.0.2.1", "192.0.2.1"}, {"2001:db8::1", "2001:db8::1"},
		{"büro", ""}, {"a b", ""}, {"a:b", ""}, {"-a", ""}, {"a.", ""}, {"*", ""}, {"pc_1", ""},
	} {
		got := (&Authority{o: Options{Host: c.host}}).names()
		want := own
		if c.want != "" {
			want = append(slices.Clone(own), c.want)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%q: got %q, want %q", c.host, got, want)
		}
	}
}

// OpenSSL, which most clients outside of Go build on, accepts the constraints
// and holds them.
func TestOpenSSLVerifies(t *testing.T) {
	dir := t.TempDir()
	o := options(dir, time.Now)
	o.Host, o.Constrained = "laptop", true
	a, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	verify := func(c *tls.Certificate, args ...string) (string, error) {
		t.Helper()
		path := filepath.Join(t.TempDir(), "leaf.pem")
		if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: certificateBlock, Bytes: c.Certificate[0]}), 0o600); err != nil {
			t.Fatal(err)
		}
		args = append([]string{"verify", "-x509_strict", "-purpose", "sslserver", "-no-CApath", "-CAfile", a.Path()}, append(args, path)...)
		out, err := exec.CommandContext(t.Context(), "openssl", args...).CombinedOutput()
		return string(out), err
	}
	good, err := a.GetCertificate(nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"-verify_hostname", "localhost"}, {"-verify_ip", "127.0.0.1"}, {"-verify_ip", "::1"}, {"-verify_hostname", "laptop"}} {
		if out, err := verify(good, args...); err != nil {
			t.Errorf("%v: %v\n%s", args, err, out)
		}
	}
	a.certs[0].PermittedDNSDomains = nil
	a.o.Host = "bank.example"
	stolen, err := a.issue()
	if err != nil {
		t.Fatal(err)
	}
	if out, err := verify(stolen); err == nil || !strings.Contains(out, "permitted subtree violation") {
		t.Errorf("bank.example: %v\n%s", err, out)
	}
}
