package spool

import (
	"errors"
	"fmt"
	"slices"

	"servicesmtp.net/companion/app/mail"
)

// Flags of a job. Values are stored.
const (
	flagUTF8      = 1
	flagEightBit  = 2
	flagClientTLS = 4
)

// message is all that one transaction stores, made ready outside the writer.
type message struct {
	env     mail.Envelope
	inline  []byte // nil: a file
	batches []encodedBatch
	stored  mail.ByteSize     // counts against MaxSize
	with    func(t *tx) error // what else is one with it; nil: nothing
}

type encodedBatch struct {
	count      int
	recipients []byte
}

func newMessage(env mail.Envelope, split func([]mail.Recipient) [][]mail.Recipient) (*message, error) {
	switch {
	case env.Account == "":
		return nil, errors.New("no account")
	case env.Lane != mail.Personal && env.Lane != mail.Bulk:
		return nil, errors.New("no lane")
	case env.AcceptedAt.IsZero():
		return nil, errors.New("no time of acceptance")
	case len(env.Recipients) == 0:
		return nil, errors.New("no recipients")
	}
	if slices.ContainsFunc(env.Recipients, func(r mail.Recipient) bool { return r.Address == "" }) {
		return nil, errors.New("a recipient without an address") // which is how a damaged list reads
	}
	batches := split(env.Recipients)
	if err := checkSplit(env.Recipients, batches); err != nil {
		return nil, err
	}
	m := &message{env: env, stored: env.Size, batches: make([]encodedBatch, len(batches))}
	for i, list := range batches {
		m.batches[i] = encodedBatch{count: len(list), recipients: encodeRecipients(list)}
		m.stored += mail.ByteSize(len(m.batches[i].recipients))
	}
	return m, nil
}

// checkSplit refuses batches that would lose or double a recipient.
func checkSplit(list []mail.Recipient, batches [][]mail.Recipient) error {
	left := make(map[string]int, len(list))
	for _, r := range list {
		left[r.Address]++
	}
	n := 0
	for _, b := range batches {
		if len(b) == 0 {
			return errors.New("split made an empty batch")
		}
		for _, r := range b {
			n++
			left[r.Address]--
			if left[r.Address] < 0 {
				return errors.New("split doubled a recipient")
			}
		}
	}
	if n != len(list) {
		return fmt.Errorf("split kept %d of %d recipients", n, len(list))
	}
	return nil
}

// insert is the accepting transaction.
func (m *message) insert(t *tx) error {
	e, body := m.env, bodyInFile
	if m.inline != nil {
		body = bodyInline
	}
	res, err := t.exec(`INSERT INTO jobs (id, account, lane, sender, size, sum, accepted_at, flags, ret, client_id, family, hello, auth,
			body, stored, recipients, queued, batches, live)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		e.Job, e.Account, e.Lane, e.From, e.Size, e.BodySum[:], micros(e.AcceptedAt), jobFlags(e), e.Return, e.ClientID,
		e.Client.Family, e.Client.Hello, e.Client.Auth, body, m.stored, len(e.Recipients), len(e.Recipients), len(m.batches), len(m.batches))
	if err != nil {
		return fmt.Errorf("store job: %w", err)
	}
	seq, err := res.LastInsertId()
	if err != nil {
		return fmt.Errorf("store job: %w", err)
	}
	if m.inline != nil {
		if _, err := t.exec(`INSERT INTO bodies (job, data) VALUES (?, ?)`, seq, m.inline); err != nil {
			return fmt.Errorf("store body: %w", err)
		}
	}
	for i, b := range m.batches {
		if _, err := t.exec(`INSERT INTO batches (job, number, account, lane, state, count, recipients) VALUES (?, ?, ?, ?, 1, ?, ?)`,
			seq, i+1, e.Account, e.Lane, b.count, b.recipients); err != nil {
			return fmt.Errorf("store batch: %w", err)
		}
	}
	t.counts = append(t.counts, count{laneKey: laneKey{e.Account, e.Lane}, messages: 1, recipients: len(e.Recipients), bytes: m.stored})
	if m.with != nil {
		return m.with(t)
	}
	return nil
}

func jobFlags(e mail.Envelope) (flags int) {
	if e.UTF8 {
		flags |= flagUTF8
	}
	if e.EightBit {
		flags |= flagEightBit
	}
	if e.Client.TLS {
		flags |= flagClientTLS
	}
	return flags
}
