package uplink

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"servicesmtp.net/companion/app/apptest"
	"servicesmtp.net/companion/internal/wire"
)

func TestRefusedRecipients(t *testing.T) {
	bubble(t, apptest.Options{Keys: true}, func(t *testing.T, r *apptest.Relay) {
		s := connect(t, config(t, r))
		r.Script(apptest.Rcpt, apptest.Answer(550, "5.1.1 unknown"), apptest.Answer(451, "4.2.1 later"), apptest.Answer(550, "5.1.1 unknown"), apptest.Usual())
		res := s.Send(t.Context(), batch(1), strings.NewReader(testBody), func(context.Context) error {
			t.Error("the gate was asked although nothing leaves")
			return nil
		})
		if letters(res) != "done fdf" || !res.Reusable || !res.LeftAt.IsZero() {
			t.Errorf("got %s, %+v", letters(res), res)
		}
		if got := res.Outcomes[1].Reply; got.String() != "451 4.2.1 later" || got.Command != "RCPT" {
			t.Errorf("reply %+v", got)
		}
		if slices.Contains(r.Commands(), "DATA") || !slices.Contains(r.Commands(), "RSET") {
			t.Errorf("commands %v", r.Commands())
		}
		if got := letters(send(t, s, 2)); got != "done aaa" {
			t.Errorf("next batch: %s", got)
		}
	})
}

// 421 is about the server, not about the recipient to whom it was said.
func TestServerLeavesAtTheLastRecipient(t *testing.T) {
	for _, omit := range [][]string{nil, {"PIPELINING"}} {
		bubble(t, apptest.Options{Omit: omit}, func(t *testing.T, r *apptest.Relay) {
			s := connect(t, config(t, r))
			r.ScriptRecipient("c@example.org", apptest.Answer(421, "4.3.2 closing"))
			res := send(t, s, 1)
			if letters(res) != "held busy" || !res.LeftAt.IsZero() || res.Hold.Reply.String() != "421 4.3.2 closing" {
				t.Errorf("got %+v", res)
			}
		})
	}
}

// With pipelining the answer to MAIL is followed by more that does not come.
func TestServerLeavesBehindARefusal(t *testing.T) {
	bubble(t, apptest.Options{}, func(t *testing.T, r *apptest.Relay) {
		s := connect(t, config(t, r))
		r.Script(apptest.Mail, apptest.ThenHangUp(apptest.Answer(550, "5.7.1 SSMTP-QUOTA reset=2031-05-01T00:00:00Z")))
		if res := send(t, s, 1); letters(res) != "held quota" || res.Reusable {
			t.Errorf("got %+v", res)
		}
	})
}

// A reply that nobody asked for would be taken for the answer to the next command.
func TestReplyWithoutCommand(t *testing.T) {
	bubble(t, apptest.Options{}, func(t *testing.T, r *apptest.Relay) {
		s := connect(t, config(t, r))
		r.Script(apptest.Dot, apptest.Raw("250 2.0.0 queued as Q1\r\n250 2.0.0 and again\r\n"))
		if res := send(t, s, 1); letters(res) != "done aaa" {
			t.Fatalf("got %+v", res)
		}
		if res := send(t, s, 2); res.Verdict != Returned || !errors.Is(res.Err, errGarbage) || !res.LeftAt.IsZero() || len(r.Transactions()) != 1 {
			t.Errorf("got %+v", res)
		}
	})
}

// The server speaks or leaves while the spool is slow: the dot is then not
// written, and nothing is unknown.
func TestServerComesFirst(t *testing.T) {
	for _, c := range []struct {
		name      string
		behaviour apptest.Behaviour
		want      string
	}{
		{"hangs up", apptest.HangUp(), "returned"},
		{"garbage", apptest.Garbage(), "returned"},
		{"552", apptest.ThenStopReading(apptest.AnswerEarly(0, 552, "5.3.4 too large")), "done fff"},
		{"250", apptest.ThenStopReading(apptest.AnswerEarly(0, 250, "2.0.0 queued as Q1")), "unknown"},
	} {
		bubble(t, apptest.Options{}, func(t *testing.T, r *apptest.Relay) {
			s := connect(t, config(t, r))
			r.Script(apptest.Body, c.behaviour)
			slow := strings.NewReader(testBody)
			res := s.Send(t.Context(), batch(1), readerFunc(func(p []byte) (int, error) {
				time.Sleep(time.Second)
				return slow.Read(p)
			}), openGate)
			if got := letters(res); got != c.want || res.Reusable {
				t.Errorf("%s: got %s, want %s (%v)", c.name, got, c.want, res.Err)
			}
		})
	}
}

func TestRefusedResetEndsTheSession(t *testing.T) {
	for _, b := range []apptest.Behaviour{apptest.HangUp(), apptest.Silent(), apptest.Answer(451, "4.0.0 no"), apptest.Garbage()} {
		bubble(t, apptest.Options{}, func(t *testing.T, r *apptest.Relay) {
			s := connect(t, config(t, r))
			r.Script(apptest.Rset, b)
			r.Script(apptest.Data, apptest.Answer(451, "4.3.0 later"))
			if res := send(t, s, 1); letters(res) != "done ddd" || res.Reusable {
				t.Errorf("got %s, reusable %v", letters(res), res.Reusable)
			}
		})
	}
}

func TestGateTakesTheBatchBack(t *testing.T) {
	paused := errors.New("paused")
	bubble(t, apptest.Options{}, func(t *testing.T, r *apptest.Relay) {
		s := connect(t, config(t, r))
		res := s.Send(t.Context(), batch(1), strings.NewReader(testBody), func(context.Context) error { return paused })
		if res.Verdict != Returned || !errors.Is(res.Err, paused) || !errors.Is(res.Err, ErrGate) || !res.LeftAt.IsZero() || !res.Reusable {
			t.Errorf("got %+v", res)
		}
		if slices.Contains(r.Commands(), "DATA") {
			t.Errorf("commands %v", r.Commands())
		}
		if got := letters(send(t, s, 1)); got != "done aaa" {
			t.Errorf("the same batch afterwards: %s", got)
		}
	})
}

// The relay may close the connection while the gate keeps the batch.
func TestConnectionLostAtTheGate(t *testing.T) {
	bubble(t, apptest.Options{}, func(t *testing.T, r *apptest.Relay) {
		s := connect(t, config(t, r))
		res := s.Send(t.Context(), batch(1), strings.NewReader(testBody), func(context.Context) error { r.Close(); return nil })
		if res.Verdict != Returned || res.Reusable || res.LeftAt.IsZero() {
			t.Errorf("got %+v", res)
		}
	})
}

func TestReplay(t *testing.T) {
	bubble(t, apptest.Options{Keys: true}, func(t *testing.T, r *apptest.Relay) {
		r.ScriptRecipient("b@example.org", apptest.Answer(550, "5.1.1 unknown"), apptest.Usual())
		r.Script(apptest.Dot, apptest.EffectThenHangUp(), apptest.Usual())
		s := connect(t, config(t, r))
		if res := send(t, s, 7); res.Verdict != Unknown || res.Reusable {
			t.Fatalf("got %+v", res)
		}
		s = connect(t, config(t, r))
		res := send(t, s, 7)
		if letters(res) != "done afa" || !res.Replayed || res.QueueID != "Q1" {
			t.Errorf("replay: %s %+v", letters(res), res)
		}
		if n := len(r.Accepted()); n != 1 {
			t.Errorf("accepted %d times", n)
		}
		other := batch(7)
		other.Recipients[0].Address = "z@example.org"
		if res := s.Send(t.Context(), other, strings.NewReader(testBody), openGate); res.Verdict != Conflict || res.Err == nil {
			t.Errorf("other content under the key: %+v", res)
		}
		r.CloseKey(batch(8).EnvelopeID().Key())
		if res := send(t, s, 8); res.Verdict != Closed {
			t.Errorf("a closed key: %+v", res)
		}
		if res := send(t, s, 9); letters(res) != "done aaa" || res.Replayed || res.QueueID == "" {
			t.Errorf("a new key: %+v", res)
		}
	})
}

// A stored message that changed or cannot be read must never be ended with a
// dot: what went out would count as the whole.
func TestBrokenBody(t *testing.T) {
	broken := errors.New("input/output error")
	long := large(300 << 10)
	for _, c := range []struct {
		name  string
		noSum bool
		body  func() readerFunc
	}{
		{"read error", false, func() readerFunc {
			r := bytes.NewReader(long[:200<<10])
			return func(p []byte) (int, error) {
				if r.Len() == 0 {
					return 0, broken
				}
				return r.Read(p)
			}
		}},
		{"cut short, no sum known", true, func() readerFunc { return bytes.NewReader(long[:len(long)-64]).Read }},
		{"cut short", false, func() readerFunc { return bytes.NewReader(long[:len(long)-64]).Read }},
		{"too long", false, func() readerFunc { return bytes.NewReader(append(slices.Clone(long), "y\r\n"...)).Read }},
		{"changed", false, func() readerFunc {
			other := slices.Clone(long)
			other[1000] = 'y'
			return bytes.NewReader(other).Read
		}},
		{"bare LF", false, func() readerFunc {
			other := slices.Clone(long)
			other[1000] = '\n'
			return bytes.NewReader(other).Read
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			bubble(t, apptest.Options{}, func(t *testing.T, r *apptest.Relay) {
				s := connect(t, config(t, r))
				b := batchOf(1, string(long), "a")
				if c.noSum {
					b.BodySum = wire.BodySum{}
				}
				began := time.Now()
				res := s.Send(t.Context(), b, c.body(), openGate)
				if time.Since(began) != 0 || res.Verdict != Returned || !errors.Is(res.Err, ErrBody) || res.Reusable || res.LeftAt.IsZero() {
					t.Errorf("got %+v", res)
				}
				if slices.Contains(r.Commands(), ".") || len(r.Accepted()) != 0 {
					t.Error("the dot was sent")
				}
			})
		})
	}
}

// One write for MAIL and every RCPT where the relay offers it.
func TestRoundTrips(t *testing.T) {
	names := make([]string, 50)
	for i := range names {
		names[i] = fmt.Sprintf("recipient-with-a-long-name-%d", i)
	}
	for _, c := range []struct {
		omit []string
		want int
	}{{nil, 1}, {[]string{"PIPELINING"}, 51}} {
		bubble(t, apptest.Options{Omit: c.omit}, func(t *testing.T, r *apptest.Relay) {
			s := connect(t, config(t, r))
			if res := s.Send(t.Context(), batchOf(1, testBody, names...), strings.NewReader(testBody), openGate); res.Verdict != Done {
				t.Fatalf("got %+v", res)
			}
			if got := r.Transactions()[0]; got.Flights != c.want || len(got.Taken) != 50 {
				t.Errorf("without %v: the relay waited %d times for 51 commands, want %d", c.omit, got.Flights, c.want)
			}
		})
	}
}

// More recipients than fit into one window.
func TestManyRecipients(t *testing.T) {
	names := make([]string, 1000)
	for i := range names {
		names[i] = fmt.Sprintf("r%d", i)
	}
	for _, omit := range [][]string{nil, {"PIPELINING"}} {
		bubble(t, apptest.Options{Omit: omit, RecipientLimit: 700}, func(t *testing.T, r *apptest.Relay) {
			s := connect(t, config(t, r))
			res := s.Send(t.Context(), batchOf(1, testBody, names...), strings.NewReader(testBody), openGate)
			if got, want := letters(res), "done "+strings.Repeat("a", 700)+strings.Repeat("d", 300); got != want {
				t.Errorf("got %s", got)
			}
			if got := r.Transactions()[0].Offered; len(got) != 1000 || got[999] != "r999@example.org" {
				t.Errorf("offered %d", len(got))
			}
		})
	}
}

func TestEmptyBatchSendsNothing(t *testing.T) {
	bubble(t, apptest.Options{}, func(t *testing.T, r *apptest.Relay) {
		s := connect(t, config(t, r))
		if res := s.Send(t.Context(), batchOf(1, testBody), strings.NewReader(testBody), openGate); res.Verdict != Done || len(res.Outcomes) != 0 || !res.Reusable {
			t.Errorf("got %+v", res)
		}
		if len(r.Transactions()) != 0 {
			t.Error("MAIL was sent")
		}
	})
}
