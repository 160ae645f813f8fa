// Package authority provides the relay's TLS certificate: from files that
// somebody else renews, or from an authority of its own in the data folder.
//
// It promises that the authority's certificate and key stay the same over
// restarts, so that a companion that trusts ca.pem goes on trusting it, and
// that a certificate in use is never allowed to expire. The authority's key
// never leaves the data folder (mode 0600); the key of the served certificate
// is never on disk. It starts no goroutine: certificates are renewed when a
// connection asks for them.
package authority

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"servicesmtp.net/companion/internal/durable"
)

const (
	certificateFile = "ca.pem"
	keyFile         = "ca-key.pem"

	authorityLife = 10 * 365 * 24 * time.Hour
	leafLife      = 90 * 24 * time.Hour
	renewBefore   = 30 * 24 * time.Hour // a leaf with less than this left is replaced
	skew          = time.Hour           // clocks of other computers may be slow by this
)

// Authority issues certificates for the relay's own names.
type Authority struct {
	cert  *x509.Certificate
	key   crypto.Signer
	names []string
	now   func() time.Time

	mu   sync.Mutex // guards leaf
	leaf *tls.Certificate
}

// Open reads the authority in dir, making it when there is none. Certificates
// are for localhost, both loopback addresses and host.
func Open(dir, host string, now func() time.Time) (*Authority, error) {
	a := &Authority{names: []string{"localhost", "127.0.0.1", "::1"}, now: now}
	if host != "" && !slices.Contains(a.names, host) {
		a.names = append(a.names, host)
	}
	if err := a.load(dir); err != nil {
		return nil, err
	}
	if _, err := a.GetCertificate(nil); err != nil {
		return nil, err
	}
	return a, nil
}

// load reads or makes key and certificate. The key is written first: a
// certificate without its key could not be used or replaced.
func (a *Authority) load(dir string) error {
	keyPath, certPath := filepath.Join(dir, keyFile), filepath.Join(dir, certificateFile)
	key, err := readKey(keyPath)
	if errors.Is(err, fs.ErrNotExist) {
		if _, err := os.Stat(certPath); err == nil {
			return fmt.Errorf("%s is missing: restore it from a backup, or remove %s and give companions the new one", keyFile, certificateFile)
		}
		key, err = makeKey(keyPath)
	}
	if err != nil {
		return err
	}
	a.key = key
	cert, err := readCertificate(certPath)
	if err == nil && !cert.PublicKey.(interface{ Equal(crypto.PublicKey) bool }).Equal(key.Public()) {
		return fmt.Errorf("%s and %s do not belong together: restore both from a backup", certificateFile, keyFile)
	}
	// Near its end the certificate is issued again with the same name and
	// key: what the old ca.pem verified, the new one does too.
	if errors.Is(err, fs.ErrNotExist) || (err == nil && a.now().Add(leafLife).After(cert.NotAfter)) {
		cert, err = a.issueAuthority(certPath)
	}
	a.cert = cert
	return err
}

func readKey(path string) (crypto.Signer, error) {
	block, err := readPEM(path, "PRIVATE KEY")
	if err != nil {
		return nil, err
	}
	key, err := x509.ParsePKCS8PrivateKey(block)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", keyFile, err)
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("read %s: not a signing key", keyFile)
	}
	return signer, nil
}

func makeKey(path string) (crypto.Signer, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make authority's key: %w", err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("make authority's key: %w", err)
	}
	return key, writePEM(path, "PRIVATE KEY", der)
}

func readCertificate(path string) (*x509.Certificate, error) {
	block, err := readPEM(path, "CERTIFICATE")
	if err != nil {
		return nil, err
	}
	cert, err := x509.ParseCertificate(block)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", certificateFile, err)
	}
	return cert, nil
}

// issueAuthority signs the authority's own certificate.
func (a *Authority) issueAuthority(path string) (*x509.Certificate, error) {
	now := a.now()
	template := &x509.Certificate{
		SerialNumber:          serial(),
		Subject:               pkix.Name{CommonName: "ServiceSMTP relay authority"},
		NotBefore:             now.Add(-skew),
		NotAfter:              now.Add(authorityLife),
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		BasicConstraintsValid: true,
		IsCA:                  true,
		MaxPathLenZero:        true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, a.key.Public(), a.key)
	if err != nil {
		return nil, fmt.Errorf("make authority: %w", err)
	}
	if err := writePEM(path, "CERTIFICATE", der); err != nil {
		return nil, err
	}
	return x509.ParseCertificate(der)
}

// GetCertificate fits tls.Config. It renews the certificate when its end is
// near.
func (a *Authority) GetCertificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.leaf != nil && a.now().Add(renewBefore).Before(a.leaf.Leaf.NotAfter) {
		return a.leaf, nil
	}
	leaf, err := a.issue()
	if err != nil {
		return nil, err
	}
	a.leaf = leaf
	return leaf, nil
}

// issue makes a certificate for the relay. RFC 5280 §4.2.1.6: names and
// addresses stand in the subject alternative name.
func (a *Authority) issue() (*tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make certificate: %w", err)
	}
	now := a.now()
	template := &x509.Certificate{
		SerialNumber:          serial(),
		Subject:               pkix.Name{CommonName: a.names[len(a.names)-1]},
		NotBefore:             now.Add(-skew),
		NotAfter:              now.Add(leafLife),
		KeyUsage:              x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true,
	}
	for _, name := range a.names {
		if ip := net.ParseIP(name); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, name)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, key.Public(), a.key)
	if err != nil {
		return nil, fmt.Errorf("make certificate: %w", err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("make certificate: %w", err)
	}
	return &tls.Certificate{Certificate: [][]byte{der, a.cert.Raw}, PrivateKey: key, Leaf: leaf}, nil
}

func serial() *big.Int {
	var raw [16]byte // RFC 5280 §4.1.2.2: positive, at most 20 bytes
	rand.Read(raw[:])
	raw[0] &= 0x7f
	raw[0] |= 0x40
	return new(big.Int).SetBytes(raw[:])
}

func readPEM(path, kind string) ([]byte, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read authority: %w", err)
	}
	block, _ := pem.Decode(text)
	if block == nil || block.Type != kind {
		return nil, fmt.Errorf("read authority: %s holds no %s", filepath.Base(path), kind)
	}
	return block.Bytes, nil
}

func writePEM(path, kind string, der []byte) error {
	if err := durable.WriteFile(path, bytes.NewReader(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))); err != nil {
		return fmt.Errorf("write %s: %w", filepath.Base(path), err)
	}
	return nil
}
