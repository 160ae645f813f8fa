package uplink

import (
	"bytes"
	"context"
	"crypto/sha256"
	"strings"
	"testing"
	"testing/synctest"

	"servicesmtp.net/companion/app/apptest"
	"servicesmtp.net/companion/app/mail"
	"servicesmtp.net/companion/internal/wire"
)

const testJob = "01J9ZZZZZZZZZZZZZZZZZZZZZZ"

// config reaches every endpoint of the relay in the order given.
func config(t *testing.T, r *apptest.Relay, endpoints ...string) Config {
	t.Helper()
	if len(endpoints) == 0 {
		endpoints = []string{r.StartTLS()}
	}
	cfg := Config{
		RootCAs: r.CertPool(), User: "alice", Dial: r.Dial,
		Password: func(context.Context) (string, error) { return "secret", nil },
	}
	for _, s := range endpoints {
		e, err := ParseEndpoint(s)
		if err != nil {
			t.Fatal(err)
		}
		cfg.Endpoints = append(cfg.Endpoints, e)
	}
	return cfg
}

func connect(t *testing.T, cfg Config) *Session {
	t.Helper()
	s, err := Connect(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// bubble runs a test against a relay without sockets, in time that passes by
// itself. A goroutine that is left behind fails it.
func bubble(t *testing.T, o apptest.Options, f func(t *testing.T, r *apptest.Relay)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { f(t, apptest.NewPipeRelay(t, o)) })
}

const testBody = "From: a@example.com\r\nSubject: x\r\n\r\n.dot\r\ntext\r\n..\r\n"

// batch has the recipients a, b, c and testBody.
func batch(number int) mail.Batch { return batchOf(number, testBody, "a", "b", "c") }

func batchOf(number int, body string, names ...string) mail.Batch {
	b := mail.Batch{Job: testJob, Number: number, Account: "office", From: "alice@example.com",
		Size: mail.ByteSize(len(body)), BodySum: wire.BodySum(sha256.Sum256([]byte(body)))}
	for _, n := range names {
		b.Recipients = append(b.Recipients, mail.Recipient{Address: n + "@example.org"})
	}
	return b
}

func openGate(context.Context) error { return nil }

// send offers testBody to a, b and c.
func send(t *testing.T, s *Session, number int) Result {
	t.Helper()
	return s.Send(t.Context(), batch(number), strings.NewReader(testBody), openGate)
}

// letters shows a result in short: "done ada", "held busy", "returned".
func letters(res Result) string {
	out := res.Verdict.String()
	if res.Verdict == Held {
		out += " " + string(res.Hold.Reason)
	}
	if res.Verdict == Done {
		out += " "
		for _, o := range res.Outcomes {
			out += o.Status.String()[:1]
		}
	}
	return out
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// large is a body of n bytes in lines of 64, so that no buffer holds it.
func large(n int) []byte {
	line := append(bytes.Repeat([]byte{'x'}, 62), '\r', '\n')
	return bytes.Repeat(line, n/len(line))
}
