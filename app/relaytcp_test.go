package app

import (
	"testing"

	"servicesmtp.net/companion/app/apptest"
	"servicesmtp.net/companion/app/spool"
)

// shortTimeouts are the shortest that the settings take.
const shortTimeouts = "[timeouts]\nconnect = \"1s\"\nprogress = \"1s\"\nfinal_dot = \"1s\"\n"

// TestRelayFailuresOverTCP plays the cells of TestRelayFailures that lean most
// on the system's TCP once more through the whole engine, over real sockets
// with real RST, and with time-outs from the settings file.
func TestRelayFailuresOverTCP(t *testing.T) {
	lost := spool.Counts{Uncertain: 3} // the server keeps no keys that could be asked about
	sent := spool.Counts{Accepted: 3}
	for _, c := range []struct {
		name     string
		step     apptest.Step
		do       apptest.Behaviour
		want     spool.Counts
		accepted int // transactions that the relay took
	}{
		{"greeting never comes", apptest.Banner, apptest.Silent(), sent, 1},
		{"reset at the greeting", apptest.Banner, apptest.Reset(), sent, 1},
		{"TLS never answers", apptest.TLS, apptest.Silent(), sent, 1},
		{"AUTH closes", apptest.Auth, apptest.HangUp(), sent, 1},
		{"reset at MAIL", apptest.Mail, apptest.Reset(), sent, 1},
		{"RCPT never answered", apptest.Rcpt, apptest.Silent(), sent, 1},
		{"reset at DATA", apptest.Data, apptest.Reset(), sent, 1},
		{"reset in the message", apptest.Body, apptest.Reset(), sent, 1},
		{"reset at the dot", apptest.Dot, apptest.Reset(), lost, 0},
		{"dot never answered", apptest.Dot, apptest.Silent(), lost, 0},
		{"accepted, and the answer is lost", apptest.Dot, apptest.EffectThenHangUp(), lost, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := newEngineTest(t, engineOptions{settings: authOff + shortTimeouts})
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
