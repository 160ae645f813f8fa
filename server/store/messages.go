package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Message is one accepted message. Its recipients are in deliveries, its
// content in bodies.
type Message struct {
	ID         string // the id after "queued as"
	AccountID  string
	EnvelopeID string // ENVID as received, or ""
	ClientID   string // the ENVID that DSNs may show, or ""
	From       string // reverse-path; "" is the null sender
	SHA256     string // of the stored body, lower-case hexadecimal
	Size       int64  // of the stored body; the plan counted what came in, with its Bcc
	UTF8       bool   // SMTPUTF8 was asked for (RFC 6531)
	EightBit   bool   // BODY=8BITMIME (RFC 6152)
	Return     string // RET: FULL, HDRS or ""
	Received   string // our Received field with its CRLF, put in front when delivering
	Held       bool   // waits until an operator releases it
	At         time.Time
	NotBefore  time.Time // zero: at once; kept with the recipients, see AddRecipients
}

// Addressee is one recipient of a new message.
type Addressee struct {
	Address  string
	Notify   string // comma-separated (RFC 3461 §4.1), or ""
	Original string // ORCPT with its type, decoded (RFC 3461 §4.2), or ""
	Lane     string
}

const messageColumns = `id, account_id, envid, client_id, mail_from, sha256, size, utf8, eight_bit, ret, received, held, created_at`

const insertMessage = `INSERT INTO messages (` + messageColumns + `) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)`

// insertDeliveries adds n recipients of one message. What they share is bound
// once.
func insertDeliveries(n int) string {
	var b strings.Builder
	b.WriteString(`INSERT INTO deliveries (message_id, account_id, recipient, notify, orcpt, lane, status, next_at, created_at) VALUES `)
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		p := 5 + 4*i
		fmt.Fprintf(&b, `($1,$2,$%d,$%d,$%d,$%d,'queued',$3,$4)`, p, p+1, p+2, p+3)
	}
	return b.String()
}

// Message finds a message by id, or fails with ErrNotFound.
func (s *Store) Message(ctx context.Context, id string) (Message, error) {
	var m Message
	var utf8, eightBit, held, at int64
	err := s.read.QueryRowContext(ctx, `SELECT `+messageColumns+` FROM messages WHERE id = $1`, id).Scan(&m.ID, &m.AccountID,
		&m.EnvelopeID, &m.ClientID, &m.From, &m.SHA256, &m.Size, &utf8, &eightBit, &m.Return, &m.Received, &held, &at)
	if errors.Is(err, sql.ErrNoRows) {
		err = ErrNotFound
	}
	if err != nil {
		return Message{}, fmt.Errorf("read message: %w", err)
	}
	m.UTF8, m.EightBit, m.Held, m.At = utf8 != 0, eightBit != 0, held != 0, Time(at)
	return m, nil
}

// Has says whether there is a message of that id.
func (t *IntakeTx) Has(ctx context.Context, id string) (there bool, err error) {
	if err = t.tx.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM messages WHERE id = $1)`, id).Scan(&there); err != nil {
		return false, fmt.Errorf("look for message: %w", err)
	}
	return there, nil
}

// AddMessage stores a message. Its body must be there.
func (t *IntakeTx) AddMessage(ctx context.Context, m Message) error {
	_, err := t.exec(ctx, "add message", stAddMessage, m.ID, m.AccountID, m.EnvelopeID, m.ClientID, m.From, m.SHA256, m.Size,
		number(m.UTF8), number(m.EightBit), m.Return, m.Received, number(m.Held), Micros(m.At))
	return err
}

// AddRecipients stores a message's recipients, queued and due at once, or
// parked where the message is held. Those of a message that may not leave yet
// are due later, and count as made then: their five days begin at that moment,
// and a release by the operator does not send them early.
func (t *IntakeTx) AddRecipients(ctx context.Context, m Message, all []Addressee) error {
	made := m.At
	if m.NotBefore.After(made) {
		made = m.NotBefore
	}
	next := made
	if m.Held {
		next = Parked
	}
	args := make([]any, 0, 4+4*min(len(all), 50))
	for len(all) > 0 {
		n, st := 1, stAddOne
		switch {
		case len(all) >= 50:
			n, st = 50, stAddFifty
		case len(all) >= 10:
			n, st = 10, stAddTen
		}
		args = append(args[:0], m.ID, m.AccountID, Micros(next), Micros(made))
		for _, a := range all[:n] {
			args = append(args, a.Address, a.Notify, a.Original, a.Lane)
		}
		if _, err := t.exec(ctx, "add recipients", st, args...); err != nil {
			return err
		}
		all = all[n:]
	}
	return nil
}

func number(b bool) int64 {
	if b {
		return 1
	}
	return 0
}
