package authority

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"

	"servicesmtp.net/companion/internal/durable"
)

// Kinds of PEM blocks (RFC 7468 §5 and §10).
const (
	certificateBlock = "CERTIFICATE"
	keyBlock         = "PRIVATE KEY"
)

func readKey(path string) (crypto.Signer, error) {
	blocks, err := readPEM(path, keyBlock)
	if err != nil {
		return nil, err
	}
	key, err := x509.ParsePKCS8PrivateKey(blocks[0])
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrDamaged, filepath.Base(path), err)
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("%w: %s holds no signing key", ErrDamaged, filepath.Base(path))
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
	return key, writePEM(path, keyBlock, der)
}

func readCertificates(path string) ([]*x509.Certificate, error) {
	blocks, err := readPEM(path, certificateBlock)
	if err != nil {
		return nil, err
	}
	var out []*x509.Certificate
	for _, der := range blocks {
		cert, err := x509.ParseCertificate(der)
		if err != nil {
			return nil, fmt.Errorf("%w: %s: %w", ErrDamaged, filepath.Base(path), err)
		}
		out = append(out, cert)
	}
	return out, nil
}

func writeCertificates(path string, certs []*x509.Certificate) error {
	var all [][]byte
	for _, c := range certs {
		all = append(all, c.Raw)
	}
	return writePEM(path, certificateBlock, all...)
}

// readPEM returns the blocks of one kind; there is at least one.
func readPEM(path, kind string) ([][]byte, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read authority: %w", err)
	}
	var out [][]byte
	for {
		block, rest := pem.Decode(text)
		if block == nil {
			break
		}
		if block.Type == kind {
			out = append(out, block.Bytes)
		}
		text = rest
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("%w: %s holds no %s", ErrDamaged, filepath.Base(path), kind)
	}
	return out, nil
}

// writePEM replaces a file as one step, readable by its owner only.
func writePEM(path, kind string, blocks ...[]byte) error {
	var text bytes.Buffer
	for _, der := range blocks {
		text.Write(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
	}
	if err := durable.WriteFile(path, &text); err != nil {
		return fmt.Errorf("write %s: %w", filepath.Base(path), err)
	}
	return nil
}
