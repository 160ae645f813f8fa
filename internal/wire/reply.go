package wire

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Token is a fixed word after the enhanced code of a reply by which the relay
// tells the companion what to do. People read the text that follows it.
type Token string

const (
	TokenQuota      Token = "SSMTP-QUOTA"      // plan used up; reset=<rfc3339>
	TokenBlocked    Token = "SSMTP-BLOCKED"    // account blocked; at MAIL only
	TokenPace       Token = "SSMTP-PACE"       // too fast; retry=<seconds>; at MAIL only
	TokenSuppressed Token = "SSMTP-SUPPRESSED" // recipient known dead; at RCPT
	TokenMoved      Token = "SSMTP-MOVED"      // use another endpoint; see=/v1/endpoints
	TokenConflict   Token = "SSMTP-CONFLICT"   // same key, other content
	TokenClosed     Token = "SSMTP-CLOSED"     // the key was closed by its owner
)

// Replayed ends the text of a 250 for a batch that was accepted before.
const Replayed = "(replayed)"

// longestRetry bounds what a relay may ask for: a number that overflows would
// read as "at once".
const longestRetry = 30 * 24 * time.Hour

// Signal is a token with its one parameter, as found in a reply's text.
type Signal struct {
	Token Token
	Reset time.Time     // with TokenQuota; zero if not given
	Retry time.Duration // with TokenPace; zero if not given
}

// ParseSignal finds a token at the start of a reply's text (the enhanced code
// already cut off). The second result is false where there is none.
func ParseSignal(text string) (Signal, bool) {
	first, rest, _ := strings.Cut(strings.TrimSpace(text), " ")
	s := Signal{Token: Token(first)}
	switch s.Token {
	case TokenQuota, TokenBlocked, TokenPace, TokenSuppressed, TokenMoved, TokenConflict, TokenClosed:
	default:
		return Signal{}, false
	}
	for f := range strings.FieldsSeq(rest) {
		key, value, ok := strings.Cut(f, "=")
		if !ok {
			continue
		}
		switch key {
		case "reset":
			if t, err := time.Parse(time.RFC3339, value); err == nil {
				s.Reset = t
			}
		case "retry":
			if n, err := strconv.ParseInt(value, 10, 64); err == nil && n >= 0 {
				s.Retry = time.Duration(min(n, int64(longestRetry/time.Second))) * time.Second
			}
		}
	}
	return s, true
}

// Text writes the signal and a sentence for people as the text of a reply.
func (s Signal) Text(sentence string) string {
	t := string(s.Token)
	switch {
	case s.Token == TokenQuota && !s.Reset.IsZero():
		t += " reset=" + s.Reset.UTC().Format(time.RFC3339)
	case s.Token == TokenPace && s.Retry > 0:
		t += fmt.Sprintf(" retry=%d", int(s.Retry.Round(time.Second).Seconds()))
	case s.Token == TokenMoved:
		t += " see=/v1/endpoints"
	}
	if sentence == "" {
		return t
	}
	return t + " " + sentence
}
