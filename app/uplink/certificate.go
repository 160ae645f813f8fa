package uplink

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"time"
	"unicode"

	"servicesmtp.net/companion/app/mail"
)

// shields are antivirus programs that open encrypted connections to scan mail,
// by a word of their authority's name (PHPMailer#1724, nodemailer#330,
// MailKit#912).
var shields = []struct{ word, name string }{
	{"avast", "Avast"}, {"avg", "AVG"}, {"kaspersky", "Kaspersky"},
	{"eset", "ESET"}, {"bitdefender", "Bitdefender"}, {"norton", "Norton"},
}

// tlsFailure sorts the errors of a handshake.
func tlsFailure(err error) *ConnectError {
	var bad *tls.CertificateVerificationError
	var op *net.OpError
	var header tls.RecordHeaderError
	switch {
	case errors.As(err, &bad):
		return failure(mail.HoldCertificate, certificateDetail(bad), err)
	case errors.As(err, &header):
		return failure(mail.HoldNoTLS, "The server does not speak TLS on this port.", err)
	case errors.As(err, &op) && (op.Op == "remote error" || op.Op == "local error"):
		// crypto/tls reports an alert so; there is no other mark on it.
	case isLoss(err):
		return lost(err)
	}
	return failure(mail.HoldNoTLS, "Server and program have no common kind of encryption.", err)
}

// isLoss says that the connection broke, as against a peer that broke the rules.
func isLoss(err error) bool {
	for _, end := range []error{io.EOF, io.ErrUnexpectedEOF, io.ErrClosedPipe, net.ErrClosed, os.ErrDeadlineExceeded,
		context.DeadlineExceeded, context.Canceled} {
		if errors.Is(err, end) {
			return true
		}
	}
	var ne net.Error
	return errors.As(err, &ne)
}

// certificateDetail is one plain sentence about what is wrong.
func certificateDetail(bad *tls.CertificateVerificationError) string {
	if name := shield(bad.UnverifiedCertificates); name != "" {
		return "The antivirus program " + name + " opens the encrypted connection. Switch off its scanning of outgoing mail."
	}
	var invalid x509.CertificateInvalidError
	var unknown x509.UnknownAuthorityError
	var name x509.HostnameError
	switch {
	case errors.As(bad.Err, &name):
		return "The certificate is for another server. This network may want a sign-in first."
	case errors.As(bad.Err, &unknown):
		return "The certificate comes from an authority that this computer does not know."
	case errors.As(bad.Err, &invalid) && invalid.Reason == x509.Expired:
		if invalid.Cert != nil && time.Now().Before(invalid.Cert.NotBefore) {
			return "The certificate is not valid yet. Check the date of this computer."
		}
		return "The certificate has expired."
	}
	return "The certificate is not valid."
}

// shield names the antivirus program that issued a certificate, or "". Whole
// words only: "ESET" stands also in "reset".
func shield(chain []*x509.Certificate) string {
	for _, cert := range chain {
		issuer := cert.Issuer.CommonName + " " + strings.Join(cert.Issuer.Organization, " ")
		for word := range strings.FieldsFuncSeq(strings.ToLower(issuer), func(r rune) bool { return !unicode.IsLetter(r) }) {
			for _, s := range shields {
				if word == s.word {
					return s.name
				}
			}
		}
	}
	return ""
}
