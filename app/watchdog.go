package app

import (
	"context"
	"errors"
	"time"

	"servicesmtp.net/companion/app/mail"
)

// errTooLong ends a delivery that goes on and on without standing still: each
// wait has its own limit, and a server that moves one byte a minute keeps all
// of them. A connection that hung without an end once held up all mail for a
// month (bruceg/nullmailer#75).
var errTooLong = errors.New("the delivery took too long")

const (
	offerLimit   = 30 * time.Minute // for MAIL and every RCPT
	answerLimit  = time.Hour        // for DATA, the dot and the answer
	slowestBytes = 1000             // of a message, in a second, beside that
)

// transferLimit is how long a message may take from DATA to its answer.
func transferLimit(size mail.ByteSize) time.Duration {
	return answerLimit + time.Duration(size/slowestBytes)*time.Second
}

// watchdog ends a part of a delivery that takes longer than its limit.
type watchdog struct{ timer *time.Timer }

func watch(limit time.Duration, cancel context.CancelCauseFunc) watchdog {
	return watchdog{time.AfterFunc(limit, func() { cancel(errTooLong) })}
}

func (w watchdog) end() { w.timer.Stop() }
