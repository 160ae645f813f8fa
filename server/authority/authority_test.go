package authority

import (
	"crypto/tls"
	"crypto/x509"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// clock is a time that tests move.
type clock struct{ at time.Time }

func (c *clock) now() time.Time { return c.at }

func leaf(t *testing.T, get func(*tls.ClientHelloInfo) (*tls.Certificate, error)) *x509.Certificate {
	t.Helper()
	c, err := get(nil)
	if err != nil {
		t.Fatal(err)
	}
	return c.Leaf
}

func TestFilesAreReadAgainWhenReplaced(t *testing.T) {
	dir := t.TempDir()
	c := &clock{at: time.Now()}
	certPath, keyPath := filepath.Join(dir, "chain.pem"), filepath.Join(dir, "key.pem")
	replace := func(from string, at time.Time) {
		t.Helper()
		for src, dst := range map[string]string{"ca.pem": certPath, "ca-key.pem": keyPath} {
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
	for _, dir := range []string{first, second} {
		if _, err := Open(dir, "relay.example", c.now); err != nil {
			t.Fatal(err)
		}
	}
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
