package uplink

import (
	"strings"
	"testing"
	"time"

	"servicesmtp.net/companion/app/apptest"
)

func TestOffers(t *testing.T) {
	bubble(t, apptest.Options{RecipientLimit: 75}, func(t *testing.T, r *apptest.Relay) {
		s := connect(t, config(t, r))
		if !s.OffersDSN() || s.RecipientLimit() != 75 || s.SizeLimit() != 100*1000*1000 {
			t.Errorf("DSN %v, recipients %d, size %v", s.OffersDSN(), s.RecipientLimit(), s.SizeLimit())
		}
	})
	bubble(t, apptest.Options{Omit: []string{"DSN", "LIMITS", "SIZE"}}, func(t *testing.T, r *apptest.Relay) {
		s := connect(t, config(t, r))
		if s.OffersDSN() || s.RecipientLimit() != 0 || s.SizeLimit() != 0 {
			t.Errorf("DSN %v, recipients %d, size %v", s.OffersDSN(), s.RecipientLimit(), s.SizeLimit())
		}
		if got := letters(send(t, s, 1)); got != "done aaa" {
			t.Errorf("without DSN: %s", got)
		}
		if line := r.Transactions()[0].MailLine; strings.Contains(line, "ENVID") || strings.Contains(line, "SIZE") {
			t.Errorf("sent %q", line)
		}
	})
}

func TestCheckAndClose(t *testing.T) {
	for _, c := range []struct {
		name      string
		behaviour apptest.Behaviour
		ok        bool
		took      time.Duration
	}{
		{"fine", apptest.Usual(), true, 0},
		{"421 from before", apptest.Answer(421, "4.4.2 idle too long"), false, 0},
		{"hung up", apptest.HangUp(), false, 0},
		{"silent", apptest.Silent(), false, 30 * time.Second},
		{"garbage", apptest.Garbage(), false, 0},
	} {
		bubble(t, apptest.Options{}, func(t *testing.T, r *apptest.Relay) {
			s := connect(t, config(t, r))
			r.Script(apptest.Noop, c.behaviour)
			began := time.Now()
			if err := s.Check(t.Context()); (err == nil) != c.ok || time.Since(began) != c.took {
				t.Errorf("%s: %v after %v", c.name, err, time.Since(began))
			}
			if err := s.Check(t.Context()); (err == nil) != c.ok {
				t.Errorf("%s, again: %v", c.name, err)
			}
		})
	}
	for _, b := range []apptest.Behaviour{apptest.Usual(), apptest.Silent(), apptest.StopReading(), apptest.HangUp(), apptest.Garbage(),
		apptest.ThenStopReading(apptest.Usual())} {
		bubble(t, apptest.Options{}, func(t *testing.T, r *apptest.Relay) {
			s := connect(t, config(t, r))
			r.Script(apptest.Quit, b)
			began := time.Now()
			if err := s.Close(); err != nil {
				t.Error(err)
			}
			if took := time.Since(began); took > 2*quitWait {
				t.Errorf("closed after %v", took)
			}
			if err := s.Close(); err != nil {
				t.Errorf("closed twice: %v", err)
			}
			if res := send(t, s, 1); res.Verdict != Returned || res.Reusable {
				t.Errorf("sent on a closed session: %+v", res)
			}
		})
	}
}
