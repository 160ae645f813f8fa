package e2e

import (
	"encoding/json"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"servicesmtp.net/companion/e2e/world"
)

const smtplibTLSScript = `
import smtplib, ssl, sys
host, port, user, password, to, path, ca = sys.argv[1:]
s = smtplib.SMTP_SSL(host, int(port), timeout=30, context=ssl.create_default_context(cafile=ca))
s.login(user, password)
refused = s.sendmail("me@example.com", [to], open(path, "rb").read())
s.quit()
sys.exit(1 if refused else 0)
`

// TestMailProgramsUseEncryption: programs that insist on TLS get their mail
// through once they trust the certificate that the companion prints, and not
// before; then the companion says which one did not trust it.
func TestMailProgramsUseEncryption(t *testing.T) {
	t.Parallel()
	w := world.New(t, world.Options{Auth: "required", TLS: "127.0.0.1:0"})
	var login struct {
		User, Password, Address string
		TLS                     []string
		CAFile                  string `json:"ca_file"`
	}
	if err := json.Unmarshal([]byte(w.Must("connect", "--json")), &login); err != nil {
		t.Fatal(err)
	}
	if len(login.TLS) != 1 || login.Address == login.TLS[0] {
		t.Fatalf("login %+v", login)
	}
	ca := w.Path("certificate.pem")
	w.Must("certificate", "-o", ca)
	if printed, kept := w.Must("certificate"), read(t, login.CAFile); printed != kept || read(t, ca) != kept {
		t.Error("what is printed is not what is kept")
	}
	w.Write("message.eml", world.Message("over TLS", 5000))
	for _, c := range tlsPrograms(w, login.TLS[0], ca, login.User, login.Password) {
		before := len(w.Far.Transactions())
		cmd := exec.CommandContext(t.Context(), c.argv[0], c.argv[1:]...)
		cmd.Stdin = strings.NewReader(c.stdin)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", c.name, err, out)
			continue
		}
		w.Far.Wait(t, 20*time.Second, c.name, func(all []world.Transaction) bool { return len(all) > before })
		all := w.Far.Transactions()
		if received, rest := world.Content(all[len(all)-1].Data); !strings.Contains(rest, "end of over TLS") || !strings.Contains(received[1], "with ESMTPSA ") {
			t.Errorf("%s: got %q", c.name, all[len(all)-1].Data)
		}
	}

	// The system's authorities do not include ours.
	host, port, _ := strings.Cut(login.TLS[0], ":")
	out, err := exec.CommandContext(t.Context(), "curl", "--silent", "--show-error", "smtps://"+host+":"+port, "--user", login.User+":"+login.Password,
		"--mail-from", "me@example.com", "--mail-rcpt", "curl@dst.invalid", "--upload-file", w.Path("message.eml")).CombinedOutput()
	if err == nil || !strings.Contains(string(out), "certificate") {
		t.Errorf("curl trusts anybody: %v, %s", err, out)
	}
	w.Until(30*time.Second, "the program is told of", func(s world.Status) bool { return s.Refused != nil && s.Refused.Reason == "certificate_refused" })

	// The authority stays the same over a restart.
	w.Companion.Stop(t)
	w.StartCompanion()
	if w.Must("certificate") != read(t, ca) {
		t.Error("the certificate has changed")
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// tlsPrograms are programs that encrypt from the first octet, and check.
func tlsPrograms(w *world.World, address, ca, user, password string) []handIn {
	host, port, _ := strings.Cut(address, ":")
	file := w.Path("message.eml")
	return []handIn{
		{name: "swaks", argv: []string{"swaks", "--silent", "2", "--server", host, "--port", port, "--tls-on-connect", "--tls-verify", "--tls-ca-path", ca,
			"--from", "me@example.com", "--to", "swaks@dst.invalid", "--data", "@" + file, "--auth", "PLAIN", "--auth-user", user, "--auth-password", password}},
		{name: "curl", argv: []string{"curl", "--silent", "--show-error", "--cacert", ca, "smtps://localhost:" + port, "--user", user + ":" + password,
			"--mail-from", "me@example.com", "--mail-rcpt", "curl@dst.invalid", "--upload-file", file}},
		{name: "smtplib", argv: []string{"python3", "-c", smtplibTLSScript, "localhost", port, user, password, "smtplib@dst.invalid", file, ca}},
		{name: "smtplib by address", argv: []string{"python3", "-c", smtplibTLSScript, host, port, user, password, "smtplib@dst.invalid", file, ca}},
		{name: "msmtp", argv: []string{"msmtp", "--file=/dev/null", "--host=localhost", "--port=" + port, "--from=me@example.com", "--tls=on", "--tls-starttls=off",
			"--tls-trust-file=" + ca, "--auth=plain", "--user=" + user, "--passwordeval=printf %s '" + password + "'", "msmtp@dst.invalid"},
			stdin: strings.ReplaceAll(world.Message("over TLS", 5000), "\r\n", "\n")},
	}
}

// TestOldProgramsSeeTheLegacyLine: Outlook Express 4 and devices look for
// "AUTH=" with an equals sign.
func TestOldProgramsSeeTheLegacyLine(t *testing.T) {
	t.Parallel()
	w := world.New(t, world.Options{Auth: "required"})
	host, port, _ := strings.Cut(w.SMTP, ":")
	out, err := exec.CommandContext(t.Context(), "swaks", "--server", host, "--port", port, "--quit-after", "EHLO").CombinedOutput()
	if err != nil || !strings.Contains(string(out), "250-AUTH=PLAIN LOGIN") || !strings.Contains(string(out), "250-AUTH PLAIN LOGIN") {
		t.Errorf("%v\n%s", err, out)
	}
}
