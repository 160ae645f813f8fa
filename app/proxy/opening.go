package proxy

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"servicesmtp.net/companion/app/mail"
)

// helloWait is how long a TLS address waits in silence for the first octet. A
// program that was set up without TLS waits as long for our greeting as it
// likes; it is told then.
const helloWait = 20 * time.Second

// tlsRecord begins what a TLS client says first (RFC 8446 §5.1); no SMTP
// command does.
const tlsRecord = 0x16

// StumbleReason is why a program that came could not hand mail in.
type StumbleReason string

// Reasons; the words are on the wire of docs/json.md.
const (
	StumblePassword    StumbleReason = "wrong_password"
	StumbleNoPassword  StumbleReason = "no_password"
	StumbleTLS         StumbleReason = "tls_on_plain_port"
	StumblePlain       StumbleReason = "plain_on_tls_port"
	StumbleCertificate StumbleReason = "certificate_refused"
	StumbleOldTLS      StumbleReason = "tls_too_old"
)

// Stumble is a program that came and could not hand mail in, in a way that a
// person can put right.
type Stumble struct {
	Reason  StumbleReason
	At      time.Time
	Address string      // where it came in
	Client  mail.Client // as far as it is known
}

// stumbled tells of a program that is set up wrongly.
func (c *conn) stumbled(why StumbleReason, hello string) {
	if c.s.cfg.Stumbled == nil {
		return
	}
	c.s.cfg.Stumbled(Stumble{
		Reason: why, At: time.Now(), Address: c.LocalAddr().String(),
		Client: mail.Client{Family: family(clientIP(c.RemoteAddr())), Hello: hello, TLS: c.secure},
	})
}

// httpVerbs begin what browsers send: a web page can make them post to any
// local port, and the body could hold SMTP commands.
var httpVerbs = []string{"GET ", "POST ", "HEAD ", "PUT ", "DELETE ", "OPTIONS ", "CONNECT ", "TRACE ", "PATCH ", "PRI "}

func fromBrowser(begin []byte) bool {
	word := strings.ToUpper(string(begin[:min(len(begin), longestVerb)]))
	for _, v := range httpVerbs {
		if strings.HasPrefix(word, v) {
			return true
		}
	}
	return false
}

const longestVerb = len("OPTIONS ")

// command waits until a command line is in the buffer, and looks at it before
// it is handed out. The end of the stream inside a line is the end: what would
// be executed otherwise is not what the client was about to say.
func (c *conn) command() error {
	if !c.greeted {
		if err := c.firstWord(); err != nil {
			return err
		}
	}
	for bytes.IndexByte(c.buf[c.r:c.w], '\n') < 0 {
		if c.w-c.r == len(c.buf) {
			return nil // long, and cut by go-smtp when it is too long
		}
		if err := c.Fill(); err != nil {
			return err
		}
	}
	c.chunks()
	return nil
}

// firstWord looks at the beginning of a command before the greeting.
func (c *conn) firstWord() error {
	if c.buf[c.r] == tlsRecord {
		c.s.log.Warn("a program spoke TLS on the port without it", "address", c.LocalAddr().String())
		c.stumbled(StumbleTLS, "")
		return c.turnAway()
	}
	for c.w-c.r < longestVerb && bytes.IndexByte(c.buf[c.r:c.w], '\n') < 0 {
		if err := c.Fill(); err != nil {
			return err
		}
	}
	if fromBrowser(c.buf[c.r:c.w]) {
		c.s.log.Warn("a web browser was turned away")
		return c.turnAway()
	}
	c.extended = len(c.buf[c.r:c.w]) >= 4 && strings.EqualFold(string(c.buf[c.r:c.r+4]), "EHLO")
	return nil
}

// turnAway ends the connection of what is no mail program, without an answer.
func (c *conn) turnAway() error {
	c.end(io.EOF)
	c.Conn.Close()
	return io.EOF
}

// peeked is a connection whose first octets were looked at.
type peeked struct {
	net.Conn
	head  []byte // read, not handed out
	hello bool   // a ClientHello was understood
}

// noteHello fits tls.Config.GetConfigForClient, which is called before anything
// in the ClientHello is refused.
func noteHello(info *tls.ClientHelloInfo) (*tls.Config, error) {
	info.Conn.(*peeked).hello = true
	return nil, nil //nolint:nilnil // which means: the same Config
}

// Read implements net.Conn.
func (p *peeked) Read(b []byte) (int, error) {
	if len(p.head) > 0 {
		n := copy(b, p.head)
		p.head = p.head[n:]
		return n, nil
	}
	return p.Conn.Read(b)
}

// errNoTLS ends a connection to a TLS address that is none.
var errNoTLS = errors.New("the client does not speak TLS")

// handshake begins TLS. Nothing can be said to the client before, so that for
// stop it is as if a reply was being written.
func (c *conn) handshake() error {
	c.enter(writing)
	defer c.leave()
	head := make([]byte, longestVerb)
	n, err := c.firstOctets(head)
	if err != nil {
		return err
	}
	if c.peeked.head = head[:n]; head[0] != tlsRecord {
		if fromBrowser(head[:n]) {
			c.s.log.Warn("a web browser was turned away")
		} else {
			c.refusePlain()
		}
		c.raw.Close()
		return errNoTLS
	}
	// It ends with its connection, as all that is read here.
	if err := c.Conn.(*tls.Conn).HandshakeContext(context.Background()); err != nil {
		c.lookAtAlert(err)
		c.lookAtRefusal(err)
		return fmt.Errorf("begin TLS: %w", err)
	}
	return nil
}

// firstOctets reads what the client says first. One that is silent was set up
// without TLS and waits for us.
func (c *conn) firstOctets(b []byte) (int, error) {
	said := make(chan struct{})
	t := time.AfterFunc(helloWait, func() {
		defer close(said)
		c.refusePlain()
		c.raw.Close()
	})
	n, err := c.raw.Read(b)
	if !t.Stop() {
		<-said
		return 0, errNoTLS
	}
	return n, err
}

// refusePlain answers, without TLS, a program that has none.
func (c *conn) refusePlain() {
	c.s.log.Warn("a program spoke without TLS on a port for TLS", "address", c.LocalAddr().String())
	c.stumbled(StumblePlain, "")
	_, _ = io.WriteString(c.raw, replyLine(needTLS)) // the connection ends either way
}

// lookAtAlert recognises a client that broke TLS off when it had seen the
// certificate, and before it said a word. In TLS 1.3 its alert may come after
// our handshake has ended; OpenSSL's comes without encryption, and so as a
// "local error" of ours.
func (c *conn) lookAtAlert(err error) {
	secure, ok := c.Conn.(*tls.Conn)
	var op *net.OpError
	if !ok || c.greeted || !errors.As(err, &op) || op.Op != "remote error" && op.Op != "local error" {
		return
	}
	if secure.ConnectionState().Version == 0 {
		return // it was no ClientHello
	}
	c.s.log.Warn("a program broke off TLS; it may not trust the certificate", "address", c.LocalAddr().String(), "cause", op.Err)
	c.stumbled(StumbleCertificate, "")
}

// lookAtRefusal recognises a client whose ClientHello was understood and offers
// nothing that may be used any more (RFC 8996). What the network or the client
// itself ended is an error of theirs.
func (c *conn) lookAtRefusal(err error) {
	var network net.Error
	if !c.peeked.hello || errors.As(err, &network) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) {
		return
	}
	c.s.log.Warn("a program offered no TLS that is safe", "address", c.LocalAddr().String(), "cause", err)
	c.stumbled(StumbleOldTLS, "")
}
