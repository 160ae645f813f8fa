// Package authority is a certificate authority of one installation: of a relay
// that has no other certificate, and of a companion whose TLS addresses only
// programs on the same computer use.
//
// It promises that certificate and key stay the same over restarts, so that
// whoever trusts the certificate goes on trusting it; that a certificate in use
// is never allowed to expire; and that damaged or missing files are an error,
// never replaced silently. The authority's key never leaves its folder (mode
// 0600); the key of a served certificate is never on disk. A constrained
// authority can vouch for the names of its own computer only, so that its key
// is worth nothing elsewhere (RFC 5280 §4.2.1.10). It starts no goroutine:
// certificates are renewed when a connection asks for them.
package authority

import (
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
	"strings"
	"sync"
	"time"
)

// Why an authority cannot be used. In each case clients may trust a certificate
// that only a person can bring back.
var (
	ErrKeyLost  = errors.New("the authority's key is missing")
	ErrMismatch = errors.New("the authority's certificate and key do not belong together")
	ErrDamaged  = errors.New("the authority's file is damaged")
)

const (
	authorityLife = 10 * 365 * 24 * time.Hour
	renewEarly    = 365 * 24 * time.Hour // an authority with less than this left is renewed: people need time to hand its certificate on
	leafLife      = 90 * 24 * time.Hour  // Apple takes none of more than 398 days
	renewBefore   = 30 * 24 * time.Hour  // a leaf with less than this left is replaced
	skew          = time.Hour            // clocks of other computers may be slow by this
)

// Options say where an authority is and for what it vouches.
type Options struct {
	Dir         string
	Certificate string // name of a file in Dir
	Key         string // likewise
	Name        string // of the authority, as lists of certificates show it
	Host        string // vouched for beside localhost, 127.0.0.1 and ::1; "": none
	Constrained bool   // it can vouch for no other names
	Now         func() time.Time
}

// Authority issues certificates for the names of one computer.
type Authority struct {
	o   Options
	key crypto.Signer

	mu    sync.Mutex          // guards what follows
	certs []*x509.Certificate // its own: the one in force, then one that clients may still trust instead
	leaf  *tls.Certificate
}

// Open reads the authority, making it when there is none.
func Open(o Options) (*Authority, error) {
	a := &Authority{o: o}
	if err := a.load(); err != nil {
		return nil, err
	}
	if _, err := a.GetCertificate(nil); err != nil {
		return nil, err
	}
	return a, nil
}

// load reads or makes key and certificate. The key is written first: a
// certificate without its key could not be used or replaced.
func (a *Authority) load() error {
	key, err := readKey(a.path(a.o.Key))
	if errors.Is(err, fs.ErrNotExist) {
		if _, err := os.Stat(a.path(a.o.Certificate)); !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("%w: restore %s from a backup, or remove %s and give clients the new one", ErrKeyLost, a.o.Key, a.o.Certificate)
		}
		key, err = makeKey(a.path(a.o.Key))
	}
	if err != nil {
		return err
	}
	a.key = key
	certs, err := readCertificates(a.path(a.o.Certificate))
	switch {
	case errors.Is(err, fs.ErrNotExist): // a crash between the two files
		return a.renew()
	case err != nil:
		return err
	case !certs[0].PublicKey.(interface{ Equal(crypto.PublicKey) bool }).Equal(key.Public()):
		return fmt.Errorf("%w: restore %s and %s from a backup", ErrMismatch, a.o.Certificate, a.o.Key)
	}
	a.certs = certs
	if a.due(certs[0]) {
		return a.renew()
	}
	return nil
}

func (a *Authority) path(name string) string { return filepath.Join(a.o.Dir, name) }

// due says that the authority's certificate is to be issued again: near its
// end, or where it was made while the clock was in the future.
func (a *Authority) due(c *x509.Certificate) bool {
	now := a.o.Now()
	return now.Add(renewEarly).After(c.NotAfter) || now.Before(c.NotBefore)
}

// renew issues the authority's certificate with the same name, key and
// constraints as before: what the old one verified, the new one does too. The
// old one stays beside it in the file as long as it is valid.
func (a *Authority) renew() error {
	now := a.o.Now()
	template := &x509.Certificate{
		SerialNumber:          serial(),
		Subject:               pkix.Name{CommonName: a.o.Name},
		NotBefore:             now.Add(-skew),
		NotAfter:              now.Add(authorityLife),
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		BasicConstraintsValid: true,
		IsCA:                  true,
		MaxPathLenZero:        true,
	}
	if a.o.Constrained {
		template.PermittedDNSDomainsCritical = true
		template.PermittedDNSDomains, template.PermittedIPRanges = a.constraints()
	}
	var old []*x509.Certificate
	if len(a.certs) > 0 {
		old = a.certs[:1]
		template.RawSubject = old[0].RawSubject
		template.PermittedDNSDomainsCritical = old[0].PermittedDNSDomainsCritical
		template.PermittedDNSDomains, template.PermittedIPRanges = old[0].PermittedDNSDomains, old[0].PermittedIPRanges
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, a.key.Public(), a.key)
	if err != nil {
		return fmt.Errorf("make authority: %w", err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return fmt.Errorf("make authority: %w", err)
	}
	certs := append([]*x509.Certificate{cert}, old...)
	if err := writeCertificates(a.path(a.o.Certificate), certs); err != nil {
		return err
	}
	a.certs = certs
	return nil
}

// constraints are the names that a new authority can vouch for.
func (a *Authority) constraints() (domains []string, ranges []*net.IPNet) {
	for _, name := range a.names() {
		if ip := net.ParseIP(name); ip != nil {
			bits := 8 * len(shortest(ip))
			ranges = append(ranges, &net.IPNet{IP: shortest(ip), Mask: net.CIDRMask(bits, bits)})
			continue
		}
		domains = append(domains, name)
	}
	return domains, ranges
}

func shortest(ip net.IP) net.IP {
	if four := ip.To4(); four != nil {
		return four
	}
	return ip
}

// names are what a certificate is asked for. A computer's name that no
// certificate can hold is left out.
func (a *Authority) names() []string {
	names := []string{"localhost", "127.0.0.1", "::1"}
	host := strings.ToLower(a.o.Host)
	odd := func(r rune) bool { return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' && r != '.' }
	fine := host != "" && !strings.ContainsFunc(host, odd) && strings.Trim(host, "-.") == host || net.ParseIP(host) != nil
	if fine && !slices.Contains(names, host) {
		names = append(names, host)
	}
	return names
}

// GetCertificate fits tls.Config. It renews the certificate, and the
// authority's own, when the end is near.
func (a *Authority) GetCertificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	now := a.o.Now()
	if a.leaf != nil && now.Add(renewBefore).Before(a.leaf.Leaf.NotAfter) && !now.Before(a.leaf.Leaf.NotBefore) {
		return a.leaf, nil
	}
	if a.due(a.certs[0]) {
		// A full disk must not end service: the certificate at hand is good for
		// a year, and it is tried again with every certificate issued.
		if err := a.renew(); err != nil && !now.Before(a.certs[0].NotAfter) {
			return nil, err
		}
	}
	leaf, err := a.issue()
	if err != nil {
		return nil, err
	}
	a.leaf = leaf
	return leaf, nil
}

// issue makes a certificate. RFC 5280 §4.2.1.6: names and addresses stand in
// the subject alternative name. One name that the authority cannot vouch for
// would make the whole certificate invalid, so it is left out: the computer
// was renamed since.
func (a *Authority) issue() (*tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make certificate: %w", err)
	}
	now, ca := a.o.Now(), a.certs[0]
	template := &x509.Certificate{
		SerialNumber:          serial(),
		NotBefore:             now.Add(-skew),
		NotAfter:              now.Add(leafLife),
		KeyUsage:              x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true,
	}
	if template.NotAfter.After(ca.NotAfter) {
		template.NotAfter = ca.NotAfter
	}
	for _, name := range a.names() {
		if ip := net.ParseIP(name); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else if len(ca.PermittedDNSDomains) == 0 || slices.Contains(ca.PermittedDNSDomains, name) {
			template.DNSNames = append(template.DNSNames, name)
		}
	}
	template.Subject = pkix.Name{CommonName: template.DNSNames[len(template.DNSNames)-1]}
	der, err := x509.CreateCertificate(rand.Reader, template, ca, key.Public(), a.key)
	if err != nil {
		return nil, fmt.Errorf("make certificate: %w", err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("make certificate: %w", err)
	}
	return &tls.Certificate{Certificate: [][]byte{der, ca.Raw}, PrivateKey: key, Leaf: leaf}, nil
}

// PEM is the authority's certificate, for clients to trust.
func (a *Authority) PEM() []byte {
	a.mu.Lock()
	defer a.mu.Unlock()
	return pem.EncodeToMemory(&pem.Block{Type: certificateBlock, Bytes: a.certs[0].Raw})
}

// Path is the file that holds it.
func (a *Authority) Path() string { return a.path(a.o.Certificate) }

// NotAfter is when the authority's certificate ends, unless it is renewed.
func (a *Authority) NotAfter() time.Time {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.certs[0].NotAfter
}

// Superseded says that the certificate was renewed, and when the one before
// ends, which clients trust that were not given the new one. It is false once
// that end has passed.
func (a *Authority) Superseded() (end time.Time, ok bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.certs) < 2 || !a.o.Now().Before(a.certs[1].NotAfter) {
		return time.Time{}, false
	}
	return a.certs[1].NotAfter, true
}

func serial() *big.Int {
	var raw [16]byte // RFC 5280 §4.1.2.2: positive, at most 20 bytes
	rand.Read(raw[:])
	raw[0] &= 0x7f
	raw[0] |= 0x40
	return new(big.Int).SetBytes(raw[:])
}
