package apptest

import "testing"

// AlwaysDefers answers 451 to every message, after its end.
func AlwaysDefers(tb testing.TB) *Relay {
	tb.Helper()
	r := NewRelay(tb, Options{Keys: true})
	r.Script(Dot, Answer(451, "4.3.0 try later"))
	return r
}

// AlwaysRefuses answers 554 to every message, after its end.
func AlwaysRefuses(tb testing.TB) *Relay {
	tb.Helper()
	r := NewRelay(tb, Options{Keys: true})
	r.Script(Dot, Answer(554, "5.6.0 not this one"))
	return r
}

// LosesTheAnswer accepts every message for the first time and hangs up in place
// of the 250; a replay is answered.
func LosesTheAnswer(tb testing.TB) *Relay {
	tb.Helper()
	r := NewRelay(tb, Options{Keys: true})
	r.Script(Dot, func(c *conversation, usual func() reply) bool {
		a := usual()
		if c.replay == nil {
			return false
		}
		return c.say(a)
	})
	return r
}

// RefusesThePassword answers 535 to every login.
func RefusesThePassword(tb testing.TB) *Relay {
	tb.Helper()
	r := NewRelay(tb, Options{Keys: true})
	r.Script(Auth, Answer(535, "5.7.8 wrong user name or password"))
	return r
}

// IsOverQuota answers every MAIL with the token for a plan that is used up.
func IsOverQuota(tb testing.TB, reset string) *Relay {
	tb.Helper()
	r := NewRelay(tb, Options{Keys: true})
	r.Script(Mail, Answer(550, "5.7.1 SSMTP-QUOTA reset="+reset))
	return r
}
