package submission

import (
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/emersion/go-smtp"

	"servicesmtp.net/companion/internal/smtpdata"
	"servicesmtp.net/companion/internal/units"
	"servicesmtp.net/companion/server/accept"
	"servicesmtp.net/companion/server/store"
)

// session is one connection after EHLO.
type session struct {
	srv    *Server
	conn   *conn
	ctx    context.Context // kept because smtp.Session has none; ends with the connection
	cancel context.CancelFunc

	mu      sync.Mutex // guards what follows: BDAT runs Data on another goroutine
	account string     // id, "" before AUTH
	tx      *transaction
}

// transaction is one message from MAIL on.
type transaction struct {
	account    string
	envelopeID string
	from       string
	size       units.ByteSize // as declared, or 0
	utf8       bool
	eightBit   bool
	ret        string
	replay     *accept.Replay // not nil: accepted before, stored decisions are the answers
	offered    []accept.Offer
	accepted   bool // guarded by the session's mu
}

var _ smtp.AuthSession = (*session)(nil)

func (s *Server) newSession(ctx context.Context, c *smtp.Conn) (smtp.Session, error) {
	ours, ok := c.Conn().(*conn)
	if !ok {
		return nil, errors.New("connection of a foreign listener")
	}
	se := &session{srv: s, conn: ours}
	se.ctx, se.cancel = context.WithCancel(ctx)
	return se, nil
}

// Logout implements smtp.Session.
func (s *session) Logout() error {
	s.cancel()
	return nil
}

// Reset implements smtp.Session. go-smtp calls it after the reply to a
// message, too.
func (s *session) Reset() {
	s.mu.Lock()
	accepted := s.tx != nil && s.tx.accepted
	s.tx = nil
	s.mu.Unlock()
	s.conn.release(accepted)
}

// Mail implements smtp.Session.
func (s *session) Mail(from string, opts *smtp.MailOptions) error {
	s.mu.Lock()
	account, open := s.account, s.tx != nil
	s.mu.Unlock()
	switch {
	case account == "":
		return errNoLogin
	case open:
		return errNested
	case len(from) > maxAddress:
		return errLongFrom
	case len(opts.EnvelopeID) > maxEnvelope:
		return errLongValue
	}
	t := &transaction{account: account, envelopeID: opts.EnvelopeID, from: from, size: units.ByteSize(opts.Size),
		utf8: opts.UTF8, eightBit: opts.Body == smtp.Body8BitMIME, ret: string(opts.Return)}
	if !t.utf8 && !accept.ASCII(from) {
		return errNeedsUTF8
	}
	var err error
	if t.replay, err = s.srv.cfg.Accept.Admit(s.ctx, account, t.envelopeID, t.size); err != nil {
		return s.refuse(err)
	}
	if !s.conn.occupy() {
		return errStopping
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tx = t
	return nil
}

// Rcpt implements smtp.Session.
func (s *session) Rcpt(to string, opts *smtp.RcptOptions) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.tx == nil {
		return errNested // cannot happen: go-smtp wants MAIL first
	}
	if len(s.tx.offered) >= offeredMax {
		return errTooMany
	}
	// A line may be long for the sake of messages; what is kept of it may not.
	switch {
	case len(to) > maxAddress:
		return errLongTo
	case len(opts.OriginalRecipient) > maxOriginal:
		return errLongValue
	}
	d := accept.Decide(s.tx.replay, to, s.tx.utf8)
	notify := make([]string, len(opts.Notify))
	for i, n := range opts.Notify {
		notify[i] = string(n)
	}
	original := ""
	if opts.OriginalRecipient != "" {
		original = strings.ToLower(string(opts.OriginalRecipientType)) + ";" + opts.OriginalRecipient
	}
	s.tx.offered = append(s.tx.offered, accept.Offer{Decision: d, Notify: strings.Join(notify, ","), Original: original})
	if d.Code/100 == 2 {
		return nil
	}
	return words(accept.Reply{Code: d.Code, Enhanced: d.Enhanced, Text: d.Reply})
}

// Data implements smtp.Session.
func (s *session) Data(r io.Reader) error {
	if !s.srv.take() {
		return errStopping
	}
	defer s.srv.inHand.Done()
	s.mu.Lock()
	t := s.tx
	s.mu.Unlock()
	if t == nil {
		return errNested // the transaction was reset before BDAT's goroutine came to run
	}
	began := time.Now()
	receipt, err := s.receive(t, r)
	if err != nil {
		return s.refuse(afterDot(err))
	}
	s.mu.Lock()
	t.accepted = true
	s.mu.Unlock()
	s.srv.cfg.Log.Info("message accepted", "id", receipt.ID, "rcpt_count", len(t.offered), "replayed", receipt.Replayed,
		"duration", time.Since(began))
	return words(receipt.Reply())
}

// receive accepts the message that comes behind DATA, or in chunks.
func (s *session) receive(t *transaction, r io.Reader) (accept.Receipt, error) {
	if _, chunked := r.(*io.PipeReader); chunked {
		return s.accept(t, whole{r, s.conn})
	}
	data := smtpdata.NewReader(s.conn) // go-smtp's buffer is empty after the line "DATA"
	defer func() { s.conn.feed = data.Finish() }()
	return s.accept(t, smtpdata.Limit(data, int64(s.srv.cfg.MaxMessage), maxLine))
}

// accept reads the message to its end and accepts it.
func (s *session) accept(t *transaction, r io.Reader) (accept.Receipt, error) {
	a := s.srv.cfg.Accept
	if t.replay != nil {
		body, err := a.Measure(r)
		if err != nil {
			return accept.Receipt{}, err
		}
		return t.replay.Confirm(t.from, t.offered, body)
	}
	body, err := a.Receive(s.ctx, t.account, r, t.size)
	if err != nil {
		return accept.Receipt{}, err
	}
	defer body.Close(s.ctx)
	now := time.Now()
	id := store.NewID(now)
	return a.Accept(s.ctx, accept.Submission{ID: id, AccountID: t.account, EnvelopeID: t.envelopeID, From: t.from, Offered: t.offered,
		Body: body, UTF8: t.utf8, EightBit: t.eightBit, Return: t.ret, Received: received(s.srv.cfg.Hostname, id, t.utf8, now),
		Held: s.conn.hold})
}

// received is our trace field.
func received(hostname, id string, utf8 bool, now time.Time) string {
	with := "ESMTPSA" // RFC 3848
	if utf8 {
		with = "UTF8SMTPSA" // RFC 6531 §4.3
	}
	return accept.Trace(hostname, with, id, now)
}

// afterDot turns what may be said at MAIL only into a temporary error: at the
// next MAIL the client learns it.
func afterDot(err error) error {
	if errors.Is(err, accept.ErrBlocked) || errors.Is(err, accept.ErrEnded) {
		return accept.ErrAgain
	}
	return err
}

// refuse turns an error into a reply, and logs what a person should know of.
func (s *session) refuse(err error) error {
	r, log := mapError(err), s.srv.cfg.Log
	switch {
	case errors.Is(err, accept.ErrConflict):
		log.Error("one key, two contents: a client is defective")
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, smtpdata.ErrLost), errors.Is(err, smtp.ErrDataReset), errors.Is(err, errGone), s.ctx.Err() != nil:
		log.Debug("message not finished") // the client is gone or changed its mind
	case r.Code == 451 || r.Code == 452:
		log.Warn("message refused for now", "code", r.Code)
	default:
		log.Info("message refused", "code", r.Code)
	}
	return r
}
