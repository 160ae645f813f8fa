package app

import (
	"context"
	"crypto/sha256"
	"errors"
	"math/rand/v2"
	"time"

	"servicesmtp.net/companion/app/mail"
	"servicesmtp.net/companion/app/pace"
	"servicesmtp.net/companion/app/uplink"
)

// How often a held account looks whether its cause is gone. A wrong password
// is not tried again and again: that would look like guessing.
const (
	retryLogin   = 5 * time.Minute
	probeFile    = 2 * time.Second  // whether a password file was changed
	probeKeyring = 30 * time.Second // whether the keyring has a new password, or answers again
	retryQuota   = 15 * time.Minute
	retryBlocked = 5 * time.Minute
	retryStorage = 2 * time.Second
	busyWait     = 5 * time.Second
)

// held is why an account waits, and when it tries again.
type held struct {
	hold     mail.Hold
	failures int       // in a row, of one kind
	retryAt  time.Time // zero with no hold
	tried    [sha256.Size]byte
	probing  bool  // the next batch goes alone
	room     *room // of the plan, as the relay told it first during a hold for quota
}

// room is what is left of a plan's period.
type room struct{ emails, bytes int64 }

// hold makes the account wait for the reason given.
func (s *sender) hold(h mail.Hold) {
	now := time.Now()
	s.mu.Lock()
	again := s.held.hold.Reason == h.Reason
	if again {
		h.Since = s.held.hold.Since
	}
	switch {
	case !again:
		s.held.failures = 1
	case !now.Before(s.held.retryAt): // otherwise other sessions met the same failure at the same time
		s.held.failures++
	}
	if h.Since.IsZero() {
		h.Since = now
	}
	s.held.hold, s.held.probing = h, true
	s.held.retryAt = s.held.next(now)
	failures, retryAt := s.held.failures, s.held.retryAt
	s.mu.Unlock()
	if h.Reason == mail.HoldQuota && !again {
		s.full()
	}
	level := s.log.Warn
	if again {
		level = s.log.Debug
	} else if moodOf(h.Reason) == MoodAttention {
		level = s.log.Error
	}
	level("sending waits: "+wordsOf(h.Reason, h.Detail).sentence.String(), "reason", string(h.Reason), "code", h.Reply.Code.String(),
		"detail", h.Detail, "failures", failures, "delay", time.Until(retryAt).Round(time.Millisecond))
	s.changed()
}

// next is when a hold is tried again.
func (h held) next(now time.Time) time.Time {
	switch h.hold.Reason {
	case mail.HoldCredentials, mail.HoldNoPassword:
		return now.Add(retryLogin)
	case mail.HoldStorage:
		return now.Add(retryStorage)
	case mail.HoldBlocked:
		return now.Add(retryBlocked)
	case mail.HoldQuota: // a reset that has passed: the two clocks differ, so wait as for a busy relay
		if !h.hold.Until.IsZero() && !h.hold.Until.After(now) {
			break
		}
		return earliest(h.hold.Until, now.Add(retryQuota))
	case mail.HoldPace:
		if h.hold.Until.After(now) {
			return h.hold.Until
		}
	case mail.HoldUnreachable, mail.HoldCertificate, mail.HoldNoTLS:
		return now.Add(pace.Reconnect(h.failures, rand.Uint64()))
	}
	// It answers, and said "later": that is seconds at least.
	return now.Add(max(pace.Reconnect(h.failures, rand.Uint64()), busyWait))
}

// waits says that nothing may be tried yet.
func (h held) waits(now time.Time) bool {
	return h.hold.Reason != mail.NotHeld && now.Before(h.retryAt)
}

// worked forgets what held the account up.
func (s *sender) worked() {
	s.mu.Lock()
	was := s.held.hold.Reason
	s.held = held{}
	s.mu.Unlock()
	if was != mail.NotHeld {
		s.log.Info("sending goes on", "reason", string(was))
		token(s.wake)
	}
}

// forgetHold ends a hold that has had its time when nothing is left to try it
// on: the last batch is in doubt, deferred or was taken back.
func (s *sender) forgetHold() {
	s.mu.Lock()
	r := s.held.hold.Reason
	over := (r == mail.HoldUnreachable || r == mail.HoldBusy || r == mail.HoldPace) && !s.held.waits(time.Now()) &&
		len(s.inflight)+len(s.heads[mail.Personal])+len(s.heads[mail.Bulk]) == 0
	if over {
		s.held = held{}
	}
	s.mu.Unlock()
	if over {
		s.changed()
	}
}

// mayStart says whether anything may be started, and if not, when to look
// again.
func (s *sender) mayStart(ctx context.Context, now time.Time) (again time.Time, ok bool) {
	s.mu.Lock()
	h, paused := s.held, s.paused
	s.mu.Unlock()
	switch {
	case paused:
		return time.Time{}, false
	case !h.waits(now):
		return time.Time{}, true
	case h.hold.Reason != mail.HoldCredentials && h.hold.Reason != mail.HoldNoPassword:
		return h.retryAt, false
	}
	// The relay is not asked again with what it refused; another password is
	// noticed where it is kept.
	if password, err := s.secret(ctx); err == nil && sha256.Sum256([]byte(password)) != h.tried {
		s.retryNow()
		return time.Time{}, true
	}
	return earliest(h.retryAt, now.Add(s.probe)), false
}

// notConnected holds the account after a connection that did not come to be.
func (s *sender) notConnected(ctx context.Context, err error) {
	var failed *uplink.ConnectError
	if stopped(ctx, err) || !errors.As(err, &failed) {
		return
	}
	s.refused(ctx, failed.Hold)
	s.hold(failed.Hold)
}

// refused remembers the password that the relay does not take, at the login or
// later, so that only another one is tried at once.
func (s *sender) refused(ctx context.Context, h mail.Hold) {
	if h.Reason != mail.HoldCredentials {
		return
	}
	if password, err := s.secret(ctx); err == nil {
		s.mu.Lock()
		s.held.tried = sha256.Sum256([]byte(password))
		s.mu.Unlock()
	}
}

// holdState is the hold as a State shows it; nil where nothing holds.
func (s *sender) holdState() *HoldState {
	s.mu.Lock()
	h, paused := s.held.hold, s.paused
	s.mu.Unlock()
	if paused {
		return &HoldState{Reason: mail.HoldPaused}
	}
	if h.Reason == mail.NotHeld {
		return nil
	}
	st := &HoldState{Reason: h.Reason, Since: h.Since, Detail: h.Detail}
	if !h.Until.IsZero() {
		st.Until = &h.Until
	}
	if h.Reply.Code.Basic != 0 {
		st.Reply = h.Reply.String()
	}
	return st
}
