package app

import (
	"fmt"
	"testing"

	"servicesmtp.net/companion/app/apptest"
	"servicesmtp.net/companion/app/spool"
)

// timeouts are of the settings. Those that a cell does not wait for are long: on
// a busy machine an answer may take more than the shortest, a second, and one to
// the dot that does not come in time is lost.
func timeouts(connect, progress, finalDot string) string {
	return fmt.Sprintf("[timeouts]\nconnect = %q\nprogress = %q\nfinal_dot = %q\n", connect, progress, finalDot)
}

// TestRelayFailuresOverTCP plays the cells of TestRelayFailures that lean most
// on the system's TCP once more through the whole engine, over real sockets
// with real RST, and with time-outs from the settings file.
func TestRelayFailuresOverTCP(t *testing.T) {
	long := timeouts("1m", "1m", "1m")
	lost := spool.Counts{Uncertain: 3} // the server keeps no keys that could be asked about
	sent := spool.Counts{Accepted: 3}
	for _, c := range []struct {
		name     string
		step     apptest.Step
		do       apptest.Behaviour
		timeouts string
		want     spool.Counts
		accepted int // transactions that the relay took
	}{
		{"greeting never comes", apptest.Banner, apptest.Silent(), timeouts("1s", "1m", "1m"), sent, 1},
		{"reset at the greeting", apptest.Banner, apptest.Reset(), long, sent, 1},
		{"TLS never answers", apptest.TLS, apptest.Silent(), timeouts("1s", "1m", "1m"), sent, 1},
		{"AUTH closes", apptest.Auth, apptest.HangUp(), long, sent, 1},
		{"reset at MAIL", apptest.Mail, apptest.Reset(), long, sent, 1},
		{"RCPT never answered", apptest.Rcpt, apptest.Silent(), timeouts("1m", "1s", "1m"), sent, 1},
		{"reset at DATA", apptest.Data, apptest.Reset(), long, sent, 1},
		{"reset in the message", apptest.Body, apptest.Reset(), long, sent, 1},
		{"reset at the dot", apptest.Dot, apptest.Reset(), long, lost, 0},
		{"dot never answered", apptest.Dot, apptest.Silent(), timeouts("1m", "1m", "1s"), lost, 0},
		{"accepted, and the answer is lost", apptest.Dot, apptest.EffectThenHangUp(), long, lost, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := newEngineTest(t, engineOptions{settings: authOff + c.timeouts})
			e.run()
			e.relay.Script(c.step, c.do, apptest.Usual())
			id := e.hand(mailed{from: "alice@example.com", to: []string{"<r0@dst.invalid>", "<r1@dst.invalid>", "<r2@dst.invalid>"}})
			e.until("the end of the job", func(State) bool {
				j, err := e.spool.Job(t.Context(), id)
				return err == nil && j.Counts == c.want
			})
			if got := len(e.relay.Accepted()); got != c.accepted {
				t.Errorf("the relay took it %d times, want %d", got, c.accepted)
			}
			if e.relay.ClearAuth() != 0 {
				t.Error("AUTH without TLS")
			}
		})
	}
}
