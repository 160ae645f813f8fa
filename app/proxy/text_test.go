package proxy

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/emersion/go-smtp"

	"servicesmtp.net/companion/app/mail"
	"servicesmtp.net/companion/internal/smtpdata"
	"servicesmtp.net/companion/internal/wire"
)

func TestReplies(t *testing.T) {
	s := New(Config{Classify: classify})
	for _, test := range []struct {
		name string
		err  error
		want string
	}{
		{"unknown", errors.New("open /home/a/x"), "451 4.3.0"},
		{"full", errTestFull, "452 4.3.1"},
		{"too large for the spool", errTestLarge, "552 5.3.4"},
		{"spool closed", errTestStop, "421 4.3.2"},
		{"no account", errTestRoute, "550 5.7.1"},
		{"cancelled", context.Canceled, "421 4.3.2"},
		{"deadline", context.DeadlineExceeded, "451 4.3.0"},
		{"too large here", smtpdata.ErrTooLarge, "552 5.3.4"},
		{"bare line end", wire.ErrBareLine, "554 5.6.0"},
		{"long line", smtpdata.ErrLongLine, "554 5.6.0"},
		{"lost", smtpdata.ErrLost, "451 4.4.2"},
		{"broken off", brokenOff, "421 4.3.0"},
		{"no password", needAuth, "530 5.7.0"},
		{"wrong password", wrongPassword, "535 5.7.8"},
		{"too many passwords", tooManyPasswords, "421 4.7.0"},
		{"AUTH not understood", badAuth, "501 5.5.2"},
		{"mechanism", noMechanism, "504 5.5.4"},
		{"order", outOfOrder, "503 5.5.1"},
		{"sender", badSender, "553 5.1.7"},
		{"recipient", badRecipient, "553 5.1.3"},
		{"UTF-8", needUTF8, "553 5.6.7"},
		{"ENVID", badEnvelopeID, "501 5.5.4"},
		{"ORCPT", badOriginal, "501 5.5.4"},
		{"chunk of unknown size", badChunk, "421 4.5.2"},
		{"no TLS", needTLS, "421 4.7.0"},
		{"crowded", crowded, "421 4.3.2"},
		{"Problem itself", Full, "452 4.3.1"},
		{"Problem without a reply", Problem(77), "451 4.3.0"},
	} {
		for _, err := range []error{test.err, fmt.Errorf("write /home/a/spool/x of secret@example.com: %w", test.err)} {
			r := s.reply(err)
			if got := codeOf(t, r); got != test.want {
				t.Errorf("%s: got %s, want %s", test.name, got, test.want)
			}
			if r.Message == "" || strings.ContainsAny(r.Message, "/@\r\n") {
				t.Errorf("%s: text %q", test.name, r.Message)
			}
		}
	}
	if got := New(Config{}).reply(errTestFull).Code; got != 451 {
		t.Errorf("without Classify: got %d", got)
	}
}

func TestRepliesAgreeInTheirFirstDigit(t *testing.T) {
	for p, r := range replies {
		if d := r.Code / 100; d != r.EnhancedCode[0] || d < 4 || d > 5 {
			t.Errorf("problem %d: %d with %v", p, r.Code, r.EnhancedCode)
		}
	}
}

func TestRootCauseHasNoPath(t *testing.T) {
	err := fmt.Errorf("commit message: %w", fmt.Errorf("%w: %w", errTestFull, &fs.PathError{Op: "open", Path: "/home/a", Err: syscall.ENOSPC}))
	if got := rootCause(err).Error(); got != syscall.ENOSPC.Error() {
		t.Errorf("got %v", got)
	}
}

func TestCleanAddress(t *testing.T) {
	for _, test := range []struct {
		in   string
		utf8 bool
		want string
		err  error
	}{
		{"a@example.com", false, "a@example.com", nil},
		{"A.b+c=d@Example.COM", false, "A.b+c=d@Example.COM", nil},
		{"o'hara@example.com", false, "o'hara@example.com", nil},
		{"a@b", false, "a@b", nil},
		{"a@under_score.example", false, "a@under_score.example", nil},
		{"a@[192.0.2.1]", false, "a@[192.0.2.1]", nil},
		{"a@[IPv6:2001:db8::1]", false, "a@[IPv6:2001:db8::1]", nil},
		{"john doe@example.com", false, `"john doe"@example.com`, nil},
		{`a"b\c@example.com`, false, `"a\"b\\c"@example.com`, nil},
		{"a..b@example.com", false, `"a..b"@example.com`, nil},
		{".a@example.com", false, `".a"@example.com`, nil},
		{"a@x>@example.com", false, "", badRecipient},
		{"bücher@example.com", true, "bücher@example.com", nil},
		{"a@bücher.example", true, "a@bücher.example", nil},
		{"bücher@example.com", false, "", needUTF8},
		{"b\xfccher@example.com", true, "", badRecipient},
		{"@example.com", false, "", badRecipient},
		{"a@", false, "", badRecipient},
		{"a", false, "", badRecipient},
		{"a@b@c", false, "", badRecipient},
		{"a@example..com", false, "", badRecipient},
		{"a@example.com.", false, "", badRecipient},
		{"a@-example.com", false, "", badRecipient},
		{"a@exa mple.com", false, "", badRecipient},
		{"a@example.com,b@example.com", false, "", badRecipient},
		{"a\r\nRCPT@example.com", false, "", badRecipient},
		{"a\x00@example.com", false, "", badRecipient},
		{"a@[", false, "", badRecipient},
		{"a@[]", false, "", badRecipient},
		{"a@[1]x]", false, "", badRecipient},
		{strings.Repeat("x", maxAddress) + "@example.com", false, "", badRecipient},
	} {
		got, err := cleanAddress(test.in, test.utf8, badRecipient)
		if got != test.want || !errors.Is(err, test.err) || (err == nil) != (test.err == nil) {
			t.Errorf("%.50q: got %q, %v; want %q, %v", test.in, got, err, test.want, test.err)
		}
	}
}

func TestReceived(t *testing.T) {
	env := &mail.Envelope{Job: "01K0000000000000000000000A"}
	now := time.Date(2026, 11, 5, 9, 8, 7, 0, time.FixedZone("", 3600))
	got := received(env, "localhost", literal(clientIP(&net.TCPAddr{IP: net.ParseIP("::1"), Zone: "eth0"})), protocol(true, false, true, true), now)
	want := "Received: from localhost ([IPv6:::1])\r\n\tby localhost with ESMTPSA id 01K0000000000000000000000A;\r\n\tThu, 05 Nov 2026 08:08:07 +0000\r\n"
	if got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	if v4, v6 := family(clientIP(&net.TCPAddr{IP: net.ParseIP("::ffff:127.0.0.1")})), family(clientIP(&net.TCPAddr{IP: net.IPv6loopback})); v4 != "ipv4" || v6 != "ipv6" {
		t.Errorf("families %s and %s", v4, v6)
	}
	for address, want := range map[net.Addr]string{
		&net.TCPAddr{IP: net.ParseIP("::ffff:127.0.0.1")}: "[127.0.0.1]",
		&net.TCPAddr{IP: net.ParseIP("192.0.2.1")}:        "[192.0.2.1]",
		&net.UnixAddr{Name: "x"}:                          "",
	} {
		if got := literal(clientIP(address)); got != want {
			t.Errorf("%v: got %q, want %q", address, got, want)
		}
	}
}

func TestProtocol(t *testing.T) {
	for _, test := range []struct {
		extended, utf8, secure, auth bool
		want                         string
	}{
		{false, false, false, false, "SMTP"},
		{true, false, false, false, "ESMTP"},
		{true, false, true, false, "ESMTPS"},
		{true, false, false, true, "ESMTPA"},
		{true, false, true, true, "ESMTPSA"},
		{true, true, false, false, "UTF8SMTP"},
		{true, true, true, false, "UTF8SMTPS"},
		{true, true, false, true, "UTF8SMTPA"},
		{true, true, true, true, "UTF8SMTPSA"},
	} {
		if got := protocol(test.extended, test.utf8, test.secure, test.auth); got != test.want {
			t.Errorf("%+v: got %s", test, got)
		}
	}
}

// codeOf is the reply that go-smtp would make of err. It asserts the bare type
// as go-smtp does.
func codeOf(t *testing.T, err error) string {
	t.Helper()
	r, ok := err.(*smtp.SMTPError) // a wrapped one is just what must not come
	if !ok {
		t.Fatalf("not a bare *smtp.SMTPError: %T", err)
	}
	return fmt.Sprintf("%d %d.%d.%d", r.Code, r.EnhancedCode[0], r.EnhancedCode[1], r.EnhancedCode[2])
}
