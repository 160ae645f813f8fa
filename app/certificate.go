package app

import (
	"context"
	"crypto/tls"
	"errors"
	"os"
	"time"

	"servicesmtp.net/companion/app/say"
	"servicesmtp.net/companion/internal/authority"
	"servicesmtp.net/companion/internal/durable"
)

// The listener's own authority in the data folder. Mail programs are given the
// first; the second never leaves the folder.
const (
	localCAName    = "local-ca.pem"
	localCAKeyName = "local-ca-key.pem"
)

// CertificateState is the authority that the addresses with TLS use, for mail
// programs to trust.
type CertificateState struct {
	File       string    `json:"file"`
	ValidUntil time.Time `json:"valid_until"`
	Sentence   string    `json:"sentence,omitempty"` // what a person should know of it
	Action     string    `json:"action,omitempty"`
	Said       Said      `json:"-"`
}

// Certificate is the authority's certificate itself.
type Certificate struct {
	File string `json:"file"`
	PEM  string `json:"pem"`
}

// localTLS is what the listener needs for TLS; it asks again as long as there
// is an error. The authority is made when an address first needs it.
func (e *Engine) localTLS() (*tls.Config, error) {
	ca, err := e.openAuthority()
	if err != nil {
		return nil, err
	}
	return &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: ca.GetCertificate}, nil // RFC 8996
}

func (e *Engine) openAuthority() (*authority.Authority, error) {
	e.mu.Lock()
	ca := e.authority
	e.mu.Unlock()
	if ca != nil {
		return ca, nil
	}
	host, err := os.Hostname()
	if err != nil {
		host = "" // localhost is what mail programs on this computer use
	}
	ca, err = authority.Open(authority.Options{
		Dir: e.cfg.DataDir, Certificate: localCAName, Key: localCAKeyName,
		Name: "ServiceSMTP Companion, this computer only", Host: host, Constrained: true, Now: time.Now,
	})
	if err != nil {
		return nil, durable.WithoutPath(err)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.authority == nil {
		e.authority = ca
	}
	return e.authority, nil
}

// Certificate is what mail programs must trust to use an address with TLS.
func (e *Engine) Certificate(context.Context) (Certificate, error) {
	if len(e.current().Listen.TLSAddresses) == 0 {
		return Certificate{}, words{
			sentence: say.T("There is no port with encryption, so there is no certificate."),
			action:   say.T("Choose one in the settings."),
			terminal: "Enter one as tls_addresses in the settings.",
		}.problem(ErrNotFound)
	}
	ca, err := e.openAuthority()
	if err != nil {
		return Certificate{}, certificateWords(err).problem(err)
	}
	return Certificate{File: ca.Path(), PEM: string(ca.PEM())}, nil
}

// certificateState is nil where nothing uses TLS.
func (e *Engine) certificateState(now time.Time) *CertificateState {
	e.mu.Lock()
	ca, used := e.authority, len(e.settings.Listen.TLSAddresses) > 0
	e.mu.Unlock()
	if ca == nil || !used {
		return nil
	}
	st := &CertificateState{File: ca.Path(), ValidUntil: ca.NotAfter()}
	if end, ok := ca.Superseded(); ok {
		w := words{
			sentence: say.T("The certificate for mail programs was renewed; the one before ends on {{.At}}.").With("At", say.Moment{Time: end, Now: now}),
			action:   say.T("Give the new certificate to the mail programs that use encryption."),
		}
		st.Said, st.Sentence, st.Action = w.said(), w.sentence.String(), w.english()
	}
	return st
}

// certificateWords say why there is no encryption. Nothing is made anew by
// itself: mail programs trust what was there before.
func certificateWords(err error) words {
	w := words{
		sentence: say.T("The certificate for mail programs cannot be read or written, so the ports with encryption are closed."),
		action:   say.T("Check the data folder's permissions."),
	}
	switch {
	case errors.Is(err, authority.ErrKeyLost):
		w.sentence = say.T("The key of the certificate for mail programs is missing, so the ports with encryption are closed.")
		w.action = say.T("Restore {{.Key}} in the data folder from a backup. Or remove {{.Certificate}}, and give mail programs the new one.")
	case errors.Is(err, authority.ErrMismatch), errors.Is(err, authority.ErrDamaged):
		w.sentence = say.T("The certificate for mail programs is damaged, so the ports with encryption are closed.")
		w.action = say.T("Restore {{.Certificate}} and {{.Key}} in the data folder from a backup. Or remove both, and give mail programs the new certificate.")
	}
	w.action = w.action.With("Certificate", localCAName).With("Key", localCAKeyName)
	w.do = DeedLog
	return w
}
