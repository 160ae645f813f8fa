package uplink

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"servicesmtp.net/companion/app/apptest"
	"servicesmtp.net/companion/app/mail"
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
		{"421", answer(421, "4.3.2 closing"), [4]string{"held busy", "held busy", "done ddd", "done ddd"}},
		{"421 moved", answer(421, "4.3.2 SSMTP-MOVED see=/v1/endpoints"), [4]string{"held busy", "held busy", "held busy", "done ddd"}},
		{"450", answer(450, "4.2.1 later"), [4]string{"held busy +", "done ada +", "done ddd +", "done ddd +"}},
		{"451 without enhanced code", answer(451, "later"), [4]string{"held busy +", "done ada +", "done ddd +", "done ddd +"}},
		{"452 too many recipients", answer(452, "4.5.3 too many"), [4]string{"held busy +", "done ada +", "done ddd +", "done ddd +"}},
		{"454", answer(454, "4.7.0 temporary"), [4]string{"held busy +", "done ada +", "done ddd +", "done ddd +"}},
		{"530", answer(530, "5.7.0 authenticate"), [4]string{"held credentials", "held credentials", "held credentials", "held credentials"}},
		{"535", answer(535, "5.7.8 credentials"), [4]string{"held credentials", "held credentials", "held credentials", "held credentials"}},
		{"534", answer(534, "5.7.9 too weak"), [4]string{"held busy", "held busy", "held busy", "held busy"}},
		{"552 too many recipients", answer(552, "5.5.3 too many"), [4]string{"done fff +", "done ada +", "done fff +", "done fff +"}},
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
