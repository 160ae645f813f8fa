package uplink

import (
	"strings"
	"testing"
	"unicode/utf8"

	"servicesmtp.net/companion/app/mail"
)

// FuzzOffers: whatever EHLO is answered, what is read from it is sane, and MAIL
// stays one line.
func FuzzOffers(f *testing.F) {
	for _, s := range []string{
		"250-relay.test\r\n250-SIZE 100\r\n250-LIMITS RCPTMAX=50\r\n250-AUTH PLAIN LOGIN\r\n250 DSN\r\n",
		"250-x\r\n250-XXXXXXXA\r\n250-SIZE -1\r\n250 LIMITS RCPTMAX=0 RCPTMAX=7\r\n", "250 x\r\n",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, in string) {
		r, err := readReply(in)
		if err != nil {
			return
		}
		s := &Session{offers: offers(r.Text)}
		if s.RecipientLimit() < 0 || s.SizeLimit() < 0 {
			t.Errorf("%q: limits %d and %d", in, s.RecipientLimit(), s.SizeLimit())
		}
		for keyword := range s.offers {
			if keyword == "" || strings.ContainsAny(keyword, " \r\n") {
				t.Errorf("%q: keyword %q", in, keyword)
			}
		}
		if c := s.mailCommand(batch(1)); strings.ContainsAny(c, "\r\n") {
			t.Errorf("%q: MAIL is %q", in, c)
		}
	})
}

// FuzzResult: whatever a relay answers at any step, the result is one that
// callers know, a recipient fails by 5yz only, and a hold has its reply.
func FuzzResult(f *testing.F) {
	for _, s := range []string{"550 5.7.1 SSMTP-QUOTA reset=2031-05-01T00:00:00Z\r\n", "451 4.7.1 SSMTP-PACE retry=99999999999999999\r\n",
		"250 2.0.0 queued as Q1 (replayed)\r\n", "554 5.5.4 SSMTP-CONFLICT\r\n", "530 x\r\n", "421\r\n", "552 5.5.3 x\r\n"} {
		f.Add(s, uint8(0))
		f.Add(s, uint8(2))
	}
	f.Fuzz(func(t *testing.T, in string, step uint8) {
		r, err := readReply(in)
		if err != nil {
			return
		}
		tr := &transaction{s: &Session{}, b: batch(1)}
		var res Result
		switch step % 3 {
		case 0:
			if r.Code.Basic/100 == 2 {
				return
			}
			res = tr.mailRefused(r)
		case 1:
			ended := false
			if res, ended = tr.rcptReply(r); !ended {
				return
			}
		default:
			res = tr.judge(answer{reply: r}, true)
		}
		checkResult(t, r, res)
	})
}

func checkResult(t *testing.T, r mail.Reply, res Result) {
	t.Helper()
	if res.Verdict.String() == "" {
		t.Errorf("%s: verdict %d", r, res.Verdict)
	}
	for _, o := range res.Outcomes {
		if (o.Status == mail.StatusFailed) != r.Code.Permanent() || (o.Status == mail.StatusAccepted) != (r.Code.Basic/100 == 2) {
			t.Errorf("%s: %s", r, o.Status)
		}
	}
	if res.Verdict == Held && (res.Hold.Reason == mail.NotHeld || res.Hold.Reply.Code.Basic == 0) {
		t.Errorf("%s: hold %+v", r, res.Hold)
	}
	if until := res.Hold.Until; res.Hold.Reason == mail.HoldPace && !until.IsZero() && until.Before(res.Hold.Since) {
		t.Errorf("%s: until %v, before now", r, until)
	}
	if strings.ContainsAny(res.QueueID, " \r\n") || !utf8.ValidString(res.QueueID) {
		t.Errorf("%s: queue id %q", r, res.QueueID)
	}
}
