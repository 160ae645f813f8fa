package proxy

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/emersion/go-smtp"

	"servicesmtp.net/companion/app/mail"
	"servicesmtp.net/companion/internal/wire"
)

// session is one client between HELO or EHLO and the end of the connection.
//
// It holds a context, against the rule, because go-smtp passes none: made here
// and cancelled when the connection or the server ends.
type session struct {
	srv      *Server
	conn     *conn
	hello    string
	ctx      context.Context
	cancel   context.CancelFunc
	failures int // wrong passwords; only the connection's goroutine counts

	mu   sync.Mutex // guards what follows: BDAT runs Data on a goroutine of its own
	auth string     // mechanism, "" before AUTH
	tx   *transaction
	bdat chunks
}

// transaction is what MAIL and RCPT said.
type transaction struct {
	env      mail.Envelope
	declared mail.ByteSize
}

// chunks is how far the data of BDAT is.
type chunks int

const (
	noChunks chunks = iota
	openChunks
	wholeChunks
)

var _ smtp.AuthSession = (*session)(nil)

func (s *Server) newSession(ctx context.Context, c *smtp.Conn) (smtp.Session, error) {
	nc := c.Conn().(*conn) // every listener is an acceptor
	nc.greeted = true
	ses := &session{srv: s, conn: nc, hello: clip(c.Hostname())}
	ses.ctx, ses.cancel = context.WithCancel(ctx)
	return ses, nil
}

// Reset implements smtp.Session: RSET, EHLO again, or the end of a message.
//
// When it breaks off a BDAT, the connection must end: go-smtp's goroutine for
// it may still hand its error to the next BDAT of the connection, and the mail
// program would then send that message twice. After a chunk without octets that
// goroutine may not even have come to Data.
func (s *session) Reset() {
	s.mu.Lock()
	s.tx = nil
	broken := s.bdat == openChunks || s.conn.empty && s.bdat != wholeChunks
	s.bdat, s.conn.empty = noChunks, false
	s.mu.Unlock()
	s.conn.setOpen(false)
	if broken {
		s.conn.hang(replyLine(brokenOff))
	}
}

// Logout implements smtp.Session: the connection has ended.
func (s *session) Logout() error {
	s.cancel()
	return nil
}

func (s *session) current() *transaction {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.tx
}

func (s *session) begin(tx *transaction) {
	s.conn.setOpen(true)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tx = tx
}

func (s *session) setChunks(c chunks) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.bdat = c
}

func (s *session) setAuth(mechanism string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.auth = mechanism
}

func (s *session) mechanism() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.auth
}

// mustAuth says whether a password is needed: now, or when the client came.
func (s *session) mustAuth() bool { return s.conn.mustAuth || s.srv.mustAuth.Load() }

// Mail implements smtp.Session. go-smtp has compared SIZE with the limit.
func (s *session) Mail(from string, opts *smtp.MailOptions) error {
	switch {
	case s.mustAuth() && s.mechanism() == "":
		s.srv.log.Warn("a program gave no password", "address", s.conn.LocalAddr().String())
		s.conn.stumbled(StumbleNoPassword, s.hello)
		return s.srv.reply(needAuth)
	case s.current() != nil: // RFC 5321 §4.1.4
		return s.srv.reply(outOfOrder)
	case len(opts.EnvelopeID) > wire.MaxEnvelopeID:
		return s.srv.reply(badEnvelopeID)
	}
	if from != "" {
		var err error
		if from, err = cleanAddress(from, opts.UTF8, badSender); err != nil {
			return s.srv.reply(err)
		}
	}
	account, err := s.srv.cfg.Route(from)
	if err != nil {
		r := s.srv.reply(err)
		s.srv.log.Warn("sender refused", "code", r.Code, "cause", rootCause(err))
		return r
	}
	s.begin(&transaction{
		declared: mail.ByteSize(opts.Size),
		env: mail.Envelope{
			Account: account, From: from, UTF8: opts.UTF8, EightBit: opts.Body == smtp.Body8BitMIME,
			Return: string(opts.Return), ClientID: opts.EnvelopeID,
		},
	})
	return nil
}

// Rcpt implements smtp.Session. It costs an append: there may be 50,000.
func (s *session) Rcpt(to string, opts *smtp.RcptOptions) error {
	tx := s.current()
	if tx == nil {
		return s.srv.reply(outOfOrder)
	}
	address, err := cleanAddress(to, tx.env.UTF8, badRecipient)
	if err != nil {
		return s.srv.reply(err)
	}
	if len(opts.OriginalRecipient) > maxOriginal {
		return s.srv.reply(badOriginal)
	}
	r := mail.Recipient{Address: address}
	for _, n := range opts.Notify {
		r.Notify = append(r.Notify, string(n))
	}
	if opts.OriginalRecipient != "" {
		r.Original = string(opts.OriginalRecipientType) + ";" + opts.OriginalRecipient
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	tx.env.Recipients = append(tx.env.Recipients, r)
	return nil
}

// envelope copies what was said so far, with what is known of the client.
func (s *session) envelope(tx *transaction, job mail.JobID, now time.Time) mail.Envelope {
	s.mu.Lock()
	defer s.mu.Unlock()
	env := tx.env
	env.Recipients = slices.Clip(env.Recipients)
	env.Job, env.AcceptedAt = job, now
	env.Client = mail.Client{Family: family(clientIP(s.conn.RemoteAddr())), Hello: s.hello, Auth: s.auth, TLS: s.conn.secure}
	return env
}
