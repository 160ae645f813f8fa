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
	"servicesmtp.net/companion/app/mail"
	"servicesmtp.net/companion/internal/wire"
)

// At each step of a transaction the relay does each thing that it can do. A cell
// says the verdict, the recipients' status (accepted, deferred, failed) or the
// hold's reason, and "+" where the session can go on. RCPT is scripted for b
// only.
func TestStepByBehaviour(t *testing.T) {
	steps := []apptest.Step{apptest.Mail, apptest.Rcpt, apptest.Data, apptest.Dot}
	answer, hour := apptest.Answer, 3599*time.Second
	for _, c := range []struct {
		name      string
		behaviour apptest.Behaviour
		want      [4]string // MAIL, RCPT, DATA, dot
	}{
		{"usual", apptest.Usual(), [4]string{"done aaa +", "done aaa +", "done aaa +", "done aaa +"}},
		{"other success", answer(251, "2.1.5 will forward"), [4]string{"done aaa +", "done aaa +", "returned", "done aaa +"}},
		{"success without text", answer(250, ""), [4]string{"done aaa +", "done aaa +", "returned", "done aaa +"}},
		{"success of many lines", answer(250, "2.0.0 queued\n2.0.0 as Q1\n2.0.0 really"), [4]string{"done aaa +", "done aaa +", "returned", "done aaa +"}},
		{"354", answer(354, "go on"), [4]string{"returned", "returned", "done aaa +", "unknown"}},
		{"421", answer(421, "4.3.2 closing"), [4]string{"held busy", "returned", "done ddd", "done ddd"}},
		{"421 moved", answer(421, "4.3.2 SSMTP-MOVED see=/v1/endpoints"), [4]string{"held busy", "held busy", "held busy", "held busy"}},
		{"450", answer(450, "4.2.1 later"), [4]string{"held busy +", "done ada +", "done ddd +", "done ddd +"}},
		{"451 without enhanced code", answer(451, "later"), [4]string{"held busy +", "done ada +", "done ddd +", "done ddd +"}},
		{"452 too many recipients", answer(452, "4.5.3 too many"), [4]string{"held busy +", "done ada +", "done ddd +", "done ddd +"}},
		{"454", answer(454, "4.7.0 temporary"), [4]string{"held busy +", "done ada +", "done ddd +", "done ddd +"}},
		{"530", answer(530, "5.7.0 authenticate"), [4]string{"held busy +", "done afa +", "done fff +", "done fff +"}},
		{"535", answer(535, "5.7.8 credentials"), [4]string{"held credentials", "done afa +", "done fff +", "done fff +"}},
		{"550", answer(550, "5.1.1 unknown"), [4]string{"done fff +", "done afa +", "done fff +", "done fff +"}},
		{"552", answer(552, "5.3.4 too large"), [4]string{"done fff +", "done afa +", "done fff +", "done fff +"}},
		{"554 many lines", answer(554, "5.7.1 no\n5.7.1 really"), [4]string{"done fff +", "done afa +", "done fff +", "done fff +"}},
		{"quota", answer(550, "5.7.1 SSMTP-QUOTA reset=2031-05-01T00:00:00Z"), [4]string{"held quota +", "held quota +", "held quota +", "held quota +"}},
		{"blocked", answer(550, "5.7.1 SSMTP-BLOCKED"), [4]string{"held blocked +", "held blocked +", "held blocked +", "held blocked +"}},
		{"pace", answer(451, "4.7.1 SSMTP-PACE retry=3599"), [4]string{"held pace +", "held pace +", "held pace +", "held pace +"}},
		{"pace without seconds", answer(451, "4.7.1 SSMTP-PACE slow down"), [4]string{"held pace +", "held pace +", "held pace +", "held pace +"}},
		{"conflict", answer(554, "5.5.4 SSMTP-CONFLICT"), [4]string{"conflict +", "conflict +", "conflict +", "conflict +"}},
		{"closed", answer(554, "5.5.4 SSMTP-CLOSED"), [4]string{"closed +", "closed +", "closed +", "closed +"}},
		{"suppressed", answer(550, "5.1.1 SSMTP-SUPPRESSED bounced"), [4]string{"done fff +", "done afa +", "done fff +", "done fff +"}},
		{"token of the future", answer(451, "4.7.1 SSMTP-MOON retry=1"), [4]string{"held busy +", "done ada +", "done ddd +", "done ddd +"}},
		{"token in the wrong class", answer(450, "4.7.1 SSMTP-QUOTA"), [4]string{"held busy +", "done ada +", "done ddd +", "done ddd +"}},
		{"silent", apptest.Silent(), [4]string{"returned", "returned", "returned", "unknown"}},
		{"stops reading", apptest.StopReading(), [4]string{"returned", "returned", "returned", "unknown"}},
		{"hangs up", apptest.HangUp(), [4]string{"returned", "returned", "returned", "unknown"}},
		{"hangs up after the effect", apptest.EffectThenHangUp(), [4]string{"returned", "returned", "returned", "unknown"}},
		{"answers too late", apptest.AnswerTooLate(), [4]string{"returned", "returned", "returned", "unknown"}},
		{"answers, then hangs up", apptest.ThenHangUp(apptest.Usual()), [4]string{"returned", "returned", "returned", "done aaa +"}},
		{"garbage", apptest.Garbage(), [4]string{"returned", "returned", "returned", "unknown"}},
		{"half a reply", apptest.Raw("250-2.1."), [4]string{"returned", "returned", "returned", "unknown"}},
		{"codes that differ", apptest.Raw("250-2.0.0 yes\r\n550 5.0.0 no\r\n"), [4]string{"returned", "returned", "returned", "unknown"}},
		{"endless line", apptest.Raw("250 " + strings.Repeat("x", 5000) + "\r\n"), [4]string{"returned", "returned", "returned", "unknown"}},
		{"endless reply", apptest.Raw(strings.Repeat("250-x\r\n", 200)), [4]string{"returned", "returned", "returned", "unknown"}},
		{"slow", apptest.Slow(4 * time.Minute), [4]string{"done aaa +", "done aaa +", "done aaa +", "done aaa +"}},
		{"slower than Progress", apptest.Slow(9 * time.Minute), [4]string{"returned", "returned", "returned", "done aaa +"}},
		{"slower than FinalDot", apptest.Slow(11 * time.Minute), [4]string{"returned", "returned", "returned", "unknown"}},
	} {
		for i, step := range steps {
			for _, omit := range [][]string{nil, {"PIPELINING"}} {
				want := c.want[i]
				t.Run(fmt.Sprintf("%s/%s/without %v", c.name, step, omit), func(t *testing.T) {
					bubble(t, apptest.Options{Keys: true, Omit: omit}, func(t *testing.T, r *apptest.Relay) {
						s := connect(t, config(t, r))
						if step == apptest.Rcpt {
							r.ScriptRecipient("b@example.org", c.behaviour, apptest.Usual())
						} else {
							r.Script(step, c.behaviour, apptest.Usual())
						}
						checkCell(t, r, s, i >= 2, want, hour)
					})
				})
			}
		}
	}
}

// checkCell sends one batch, then holds the result against want and against
// what the relay really did.
func checkCell(t *testing.T, r *apptest.Relay, s *Session, gated bool, want string, retry time.Duration) {
	t.Helper()
	gates := 0
	res := s.Send(t.Context(), batch(1), strings.NewReader(testBody), func(context.Context) error {
		gates++
		if slices.Contains(r.Commands(), "DATA") {
			t.Error("DATA came before the gate")
		}
		return nil
	})
	got := letters(res)
	if res.Reusable {
		got += " +"
	}
	if got != want {
		t.Errorf("got %q, want %q (%v)", got, want, res.Err)
	}
	if gates > 1 || (gates == 1) == res.LeftAt.IsZero() || (gated && gates == 0) {
		t.Errorf("gate called %d times, left at %v", gates, res.LeftAt)
	}
	accepted := len(r.Accepted())
	switch {
	case res.Verdict == Unknown:
	case strings.HasPrefix(got, "done a"):
		if accepted != 1 {
			t.Errorf("reported as accepted, and the relay accepted %d", accepted)
		}
	case accepted != 0:
		t.Errorf("reported %s, and the relay accepted it", got)
	}
	if (res.Verdict == Returned || res.Verdict == Unknown || res.Verdict == Conflict) != (res.Err != nil) {
		t.Errorf("%s with error %v", got, res.Err)
	}
	checkHold(t, res, retry)
	if res.Reusable && s.Check(t.Context()) != nil { // the server left behind its answer
		res.Reusable = false
	}
	again := send(t, s, 2)
	if res.Reusable && letters(again) != "done aaa" {
		t.Errorf("the next batch on the session: %s (%v)", letters(again), again.Err)
	}
	if !res.Reusable && (again.Verdict != Returned || !errors.Is(again.Err, errClosed)) {
		t.Errorf("a closed session sent: %s (%v)", letters(again), again.Err)
	}
}

func checkHold(t *testing.T, res Result, retry time.Duration) {
	t.Helper()
	if res.Verdict != Held {
		return
	}
	h := res.Hold
	if h.Since.IsZero() || h.Reply.Code.Basic == 0 || h.Reply.Command == "" {
		t.Errorf("hold without since or reply: %+v", h)
	}
	switch h.Reason {
	case mail.HoldQuota:
		if want := time.Date(2031, 5, 1, 0, 0, 0, 0, time.UTC); !h.Until.Equal(want) {
			t.Errorf("quota until %v, want %v", h.Until, want)
		}
	case mail.HoldPace:
		if !strings.Contains(h.Reply.Text, "retry") {
			if !h.Until.IsZero() {
				t.Errorf("pace until %v, and the relay did not say", h.Until)
			}
		} else if got := h.Until.Sub(h.Since); got != retry {
			t.Errorf("pace for %v, want %v", got, retry)
		}
	case mail.HoldBusy:
		if moved := strings.Contains(h.Reply.Text, "MOVED"); moved != (h.Detail == Moved) {
			t.Errorf("detail %q for %s", h.Detail, h.Reply)
		}
	}
}

// What the relay does while the body comes. The body is larger than every
// buffer in between, so that the client is still writing.
func TestBodyByBehaviour(t *testing.T) {
	body := string(large(1 << 20))
	for _, c := range []struct {
		name      string
		behaviour apptest.Behaviour
		want      string
		atOnce    bool
	}{
		{"reads on", apptest.Usual(), "done aaa +", true},
		{"reads slowly", apptest.ReadSlowly(4 * time.Minute), "done aaa +", false},
		{"reads too slowly", apptest.ReadSlowly(6 * time.Minute), "returned", false},
		{"stops reading", apptest.StopReading(), "returned", false},
		{"hangs up", apptest.HangUpAfter(1000), "returned", true},
		{"hangs up late", apptest.HangUpAfter(900000), "returned", true},
		{"552, hangs up", apptest.ThenHangUp(apptest.AnswerEarly(1000, 552, "5.3.4 too large")), "done fff", true},
		{"552, stays", apptest.ThenStopReading(apptest.AnswerEarly(1000, 552, "5.3.4 too large")), "done fff", true},
		{"452, hangs up", apptest.ThenHangUp(apptest.AnswerEarly(1000, 452, "4.3.1 full")), "done ddd", true},
		{"421, hangs up", apptest.ThenHangUp(apptest.AnswerEarly(1000, 421, "4.3.2 closing")), "done ddd", true},
		{"quota, hangs up", apptest.ThenHangUp(apptest.AnswerEarly(1000, 550, "5.7.1 SSMTP-QUOTA reset=2031-05-01T00:00:00Z")), "held quota", true},
		{"250 before the end", apptest.ThenStopReading(apptest.AnswerEarly(1000, 250, "2.0.0 queued as Q1")), "unknown", true},
		{"354 again", apptest.ThenStopReading(apptest.AnswerEarly(1000, 354, "go on")), "returned", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			bubble(t, apptest.Options{Keys: true}, func(t *testing.T, r *apptest.Relay) {
				s := connect(t, config(t, r))
				r.Script(apptest.Body, c.behaviour)
				began := time.Now()
				res := s.Send(t.Context(), batchOf(1, body, "a", "b", "c"), strings.NewReader(body), openGate)
				if took := time.Since(began); (took == 0) != c.atOnce {
					t.Errorf("it took %v", took)
				}
				got := letters(res)
				if res.Reusable {
					got += " +"
				}
				if got != c.want {
					t.Errorf("got %q, want %q (%v)", got, c.want, res.Err)
				}
				if (len(r.Accepted()) > 0) != strings.HasPrefix(got, "done a") {
					t.Errorf("%s, and the relay accepted %d", got, len(r.Accepted()))
				}
				if res.Verdict == Done && !strings.HasPrefix(got, "done a") && res.Outcomes[0].Reply.Text == "" {
					t.Error("the early reply was lost")
				}
			})
		})
	}
}

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
			if res.Verdict != Returned || !res.LeftAt.IsZero() || !strings.Contains(res.Err.Error(), "421 4.3.2 closing") {
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
