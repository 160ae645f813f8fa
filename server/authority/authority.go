// Package authority provides the relay's TLS certificate: from an authority of
// its own in the data folder (internal/authority), or from files that somebody
// else renews.
//
// It promises that a certificate in use is never taken away by files that
// cannot be read. It starts no goroutine: files are looked at when a connection
// asks for the certificate.
package authority

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"servicesmtp.net/companion/internal/authority"
	"servicesmtp.net/companion/internal/durable"
)

// Open reads the relay's own authority in dir, making it when there is none.
// Companions that trust its ca.pem go on trusting it over restarts. They reach
// the relay by names that the operator may change, so it is not constrained to
// those of today.
func Open(dir, host string, now func() time.Time) (*authority.Authority, error) {
	return authority.Open(authority.Options{
		Dir: dir, Certificate: "ca.pem", Key: "ca-key.pem", Name: "ServiceSMTP relay authority", Host: host, Now: now,
	})
}

// lookEvery is how often the files are looked at, at most.
const lookEvery = time.Minute

// Files serves a certificate from files and notices when they are replaced.
type Files struct {
	certPath, keyPath string
	now               func() time.Time
	log               *slog.Logger

	mu      sync.Mutex // guards the rest
	cert    *tls.Certificate
	changed time.Time // newest change of the files that cert was read from
	looked  time.Time
}

// OpenFiles reads a certificate chain and its key, both PEM.
func OpenFiles(certPath, keyPath string, log *slog.Logger, now func() time.Time) (*Files, error) {
	f := &Files{certPath: certPath, keyPath: keyPath, log: log, now: now}
	var err error
	if f.changed, err = f.newest(); err != nil {
		return nil, fmt.Errorf("read certificate: %w", err)
	}
	if f.cert, err = f.read(); err != nil {
		return nil, err
	}
	f.looked = now()
	return f, nil
}

// GetCertificate fits tls.Config. Files that cannot be read, for example in
// the middle of being replaced, leave the certificate as it was.
func (f *Files) GetCertificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.now().Sub(f.looked) < lookEvery {
		return f.cert, nil
	}
	f.looked = f.now()
	changed, err := f.newest()
	if err == nil && changed.Equal(f.changed) {
		return f.cert, nil
	}
	cert, err := f.read()
	if err != nil {
		f.log.Error("the new certificate cannot be used, the old one stays", "error", durable.WithoutPath(err))
		return f.cert, nil
	}
	f.cert, f.changed = cert, changed
	f.log.Info("certificate read again", "expires", cert.Leaf.NotAfter)
	return f.cert, nil
}

func (f *Files) read() (*tls.Certificate, error) {
	cert, err := tls.LoadX509KeyPair(f.certPath, f.keyPath)
	if err != nil {
		return nil, fmt.Errorf("read certificate: %w", err)
	}
	return &cert, nil
}

func (f *Files) newest() (time.Time, error) {
	c, err := os.Stat(f.certPath)
	if err != nil {
		return time.Time{}, err
	}
	k, err := os.Stat(f.keyPath)
	if err != nil {
		return time.Time{}, err
	}
	if k.ModTime().After(c.ModTime()) {
		return k.ModTime(), nil
	}
	return c.ModTime(), nil
}
