package world

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
)

// Cluster starts n relays on one PostgreSQL database, with one authority and
// the account alice, and no companion. They share the far server.
func Cluster(t testing.TB, n int, dsn string, lease time.Duration, o Options) []*World {
	t.Helper()
	o.Store = fmt.Sprintf("dsn = %q\nlease = %q\nbodies = %q", dsn, lease, t.TempDir())
	first := Relay(t, o)
	nodes := []*World{first}
	for len(nodes) < n {
		w := &World{T: t, Dir: t.TempDir(), Opts: o, Far: first.Far, Password: first.Password}
		if err := os.Mkdir(w.Path("relay"), 0o700); err != nil {
			t.Fatal(err)
		}
		for _, file := range []string{"relay/ca.pem", "relay/ca-key.pem"} {
			w.Write(file, first.read(first.Path(file)))
		}
		w.WriteRelayConfig(Free(t), Free(t), Free(t))
		w.StartRelay()
		nodes = append(nodes, w)
	}
	return nodes
}

// Submit hands one message of alice's in at the relay itself, as a companion
// does, and gives the id under which it is queued.
func (w *World) Submit(envid string, to []string, data string) (id string, err error) {
	return w.SubmitAs("alice", w.Password, envid, to, data)
}

// SubmitAs is Submit for any account.
func (w *World) SubmitAs(user, password, envid string, to []string, data string) (id string, err error) {
	ca, err := os.ReadFile(w.Path("relay/ca.pem"))
	if err != nil {
		return "", err
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(ca)
	c, err := smtp.DialStartTLS(w.Submission[0], &tls.Config{RootCAs: pool, ServerName: "localhost"})
	if err != nil {
		return "", err
	}
	defer c.Close()
	c.CommandTimeout, c.SubmissionTimeout = 20*time.Second, 20*time.Second
	if err := c.Auth(sasl.NewPlainClient("", user, password)); err != nil {
		return "", err
	}
	if err := c.Mail("news@example.com", &smtp.MailOptions{EnvelopeID: envid}); err != nil {
		return "", err
	}
	for _, r := range to {
		if err := c.Rcpt(r, nil); err != nil {
			return "", err
		}
	}
	d, err := c.Data()
	if err != nil {
		return "", err
	}
	if _, err := d.Write([]byte(data)); err != nil {
		return "", err
	}
	answer, err := d.CloseWithResponse()
	if err != nil {
		return "", err
	}
	_, id, _ = strings.Cut(answer.StatusText, "queued as ")
	id, _, _ = strings.Cut(id, " ")
	if id == "" {
		return "", fmt.Errorf("no id in %q", answer.StatusText)
	}
	return id, nil
}
