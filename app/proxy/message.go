package proxy

import (
	"crypto/rand"
	"fmt"
	"io"
	"runtime/debug"
	"time"

	"github.com/emersion/go-smtp"
	"github.com/oklog/ulid/v2"

	"servicesmtp.net/companion/app/mail"
	"servicesmtp.net/companion/internal/smtpdata"
	"servicesmtp.net/companion/internal/wire"
)

// copySize is the buffer between a message and the spool.
const copySize = 32 << 10

// Data implements smtp.Session, for DATA on the connection's goroutine and for
// BDAT on one of its own. Its error is always a bare *smtp.SMTPError, for a
// success too: that is how go-smtp lets us choose the text.
func (s *session) Data(r io.Reader) error {
	if !s.srv.begin() {
		return s.srv.reply(Stopping)
	}
	defer s.srv.inHand.Done()
	s.conn.take()
	defer s.conn.taken()

	began := time.Now()
	job := mail.JobID(ulid.MustNew(ulid.Timestamp(began), rand.Reader).String())
	env, err := s.receive(r, job, began)
	if err != nil {
		return s.refuse(job, err, time.Since(began))
	}
	s.srv.log.Info("message accepted", "job_id", job, "rcpt_count", len(env.Recipients), "bytes", int64(env.Size), "duration", time.Since(began))
	s.announce(env)
	return &smtp.SMTPError{Code: 250, EnhancedCode: smtp.EnhancedCode{2, 0, 0}, Message: "queued as " + string(job)}
}

// receive reads the message to its end, whatever happens to it on the way: the
// connection stays usable.
func (s *session) receive(r io.Reader, job mail.JobID, now time.Time) (mail.Envelope, error) {
	if _, chunked := r.(*io.PipeReader); chunked {
		s.setChunks(openChunks)
		env, err := s.store(chunkReader{r: r, c: s.conn}, job, now)
		// An error is told at LAST: only then does go-smtp wait for it.
		if _, broken := io.Copy(io.Discard, r); broken != nil {
			s.conn.hang(replyLine(brokenOff))
			return env, err
		}
		s.setChunks(wholeChunks)
		return env, err
	}
	data := smtpdata.NewReader(s.conn) // go-smtp's buffer is empty after the line "DATA"
	defer func() { s.conn.feed = data.Finish() }()
	return s.store(data, job, now)
}

// store moves one message into the spool. A panic there is an error of this
// message, not the end of the program.
func (s *session) store(r io.Reader, job mail.JobID, now time.Time) (env mail.Envelope, err error) {
	defer func() {
		if v := recover(); v != nil {
			s.srv.log.Error("panic while taking a message", "job_id", job, "kind", fmt.Sprintf("%T", v), "stack", string(debug.Stack()))
			err = Unexpected
		}
	}()
	tx := s.current()
	if tx == nil { // the transaction of an aborted BDAT is gone
		return env, outOfOrder
	}
	env = s.envelope(tx, job, now)
	in, err := s.srv.cfg.Spool.Create(s.ctx, job, tx.declared)
	if err != nil {
		return env, fmt.Errorf("create message: %w", err)
	}
	committing := false
	defer func() {
		if !committing {
			in.Discard()
		}
	}()
	out := &sink{w: in}
	if err := s.copy(out, r, &env); err != nil {
		return env, err
	}
	env.Size = out.n
	// Some programs ask for SMTPUTF8 always (Go's net/smtp does). Asked for
	// without need it would fail at every server that does not offer it.
	env.UTF8 = env.UTF8 && (out.utf8 || needsUTF8(&env))
	committing = true
	if err := in.Commit(s.ctx, env); err != nil {
		return env, fmt.Errorf("commit message: %w", err)
	}
	return env, nil
}

// copy writes our Received and the message without its Bcc.
func (s *session) copy(out *sink, r io.Reader, env *mail.Envelope) error {
	with := protocol(s.conn.extended, env.UTF8, env.Client.TLS, env.Client.Auth != "")
	client := literal(clientIP(s.conn.RemoteAddr()))
	if _, err := io.WriteString(out, received(env, s.srv.cfg.Hostname, client, with, env.AcceptedAt)); err != nil {
		return fmt.Errorf("write message: %w", err)
	}
	buf := s.srv.buffers.Get().(*[copySize]byte)
	defer s.srv.buffers.Put(buf)
	message := wire.NewCleanReader(smtpdata.Limit(r, int64(s.srv.cfg.MaxMessage), maxTextLine))
	if _, err := io.CopyBuffer(out, message, buf[:]); err != nil {
		return fmt.Errorf("write message: %w", err)
	}
	if err := out.endLine(); err != nil {
		return fmt.Errorf("write message: %w", err)
	}
	return nil
}

// announce tells the engine of a message that is safe already: whatever happens
// there, the mail program gets its 250, or it would send a second time.
func (s *session) announce(env mail.Envelope) {
	defer func() {
		if v := recover(); v != nil {
			s.srv.log.Error("panic after taking a message", "job_id", env.Job, "kind", fmt.Sprintf("%T", v), "stack", string(debug.Stack()))
		}
	}()
	if s.srv.cfg.Accepted != nil {
		s.srv.cfg.Accepted(env)
	}
}

// refuse makes the reply, and keeps the cause for the log.
func (s *session) refuse(job mail.JobID, err error, took time.Duration) error {
	problem, r := s.srv.problem(err), s.srv.reply(err)
	log := s.srv.log.Warn
	if problem == Unexpected {
		log = s.srv.log.Error
	}
	log("message refused", "job_id", job, "code", r.Code, "cause", rootCause(err), "duration", took)
	if r.Code == 421 { // RFC 5321 §4.2.3: it closes the channel
		s.conn.hang("")
	}
	return r
}
