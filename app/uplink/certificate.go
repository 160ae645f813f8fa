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
// and filters of a company's network that do the same, by the words in a row
// with which their authorities are named (PHPMailer#1724, nodemailer#330,
// MailKit#912).
var shields = []struct {
	words, name string
	network     bool // not on this computer
}{
	{"avast", "Avast", false}, {"avg", "AVG", false}, {"avira", "Avira", false}, {"bitdefender", "Bitdefender", false},
	{"dr web", "Dr.Web", false}, {"doctor web", "Dr.Web", false}, {"spider gate", "Dr.Web", false}, {"eset", "ESET", false}, {"g data", "G DATA", false},
	{"kaspersky", "Kaspersky", false}, {"mcafee web gateway", "McAfee Web Gateway", true}, {"mcafee", "McAfee", false}, {"norton", "Norton", false},
	{"trend micro", "Trend Micro", false},
	{"blue coat", "Blue Coat", true}, {"bluecoat", "Blue Coat", true}, {"check point", "Check Point", true},
	{"cisco umbrella", "Cisco Umbrella", true}, {"forcepoint", "Forcepoint", true}, {"fortinet", "Fortinet", true},
	{"fortigate", "Fortinet", true}, {"netskope", "Netskope", true}, {"palo alto", "Palo Alto Networks", true},
	{"sophos", "Sophos", true}, {"sonicwall", "SonicWall", true}, {"watchguard", "WatchGuard", true}, {"zscaler", "Zscaler", true},
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
	switch name, network := shield(bad.UnverifiedCertificates); {
	case network:
		return "The network's filter " + name + " opens the encrypted connection. Ask whoever runs this network to leave mail out."
	case name != "":
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

// shield names the program or filter that issued a certificate, or "". Whole
// words only: "ESET" stands also in "reset".
func shield(chain []*x509.Certificate) (name string, network bool) {
	for _, cert := range chain {
		issuer := cert.Issuer.CommonName + " " + strings.Join(cert.Issuer.Organization, " ")
		words := strings.FieldsFunc(strings.ToLower(issuer), func(r rune) bool { return !unicode.IsLetter(r) })
		row := " " + strings.Join(words, " ") + " "
		for _, s := range shields {
			if strings.Contains(row, " "+s.words+" ") {
				return s.name, s.network
			}
		}
	}
	return "", false
}
