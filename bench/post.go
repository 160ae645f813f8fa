package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// poster is a load that smtp-source cannot make: TLS from the first byte, a
// login where there is one, and each envelope in one write (RFC 2920), as the
// companion sends.
type poster struct {
	address        string
	user, password string // "" and "": no login
}

// post sends count messages of so many recipients and octets over conns
// connections and tells how long they took, from the first MAIL on.
func (p poster) post(ctx context.Context, conns, count, recipients, octets int) (time.Duration, error) {
	sessions := make([]*postSession, conns)
	for i := range sessions {
		s, err := p.dial(ctx)
		if err != nil {
			return 0, err
		}
		defer s.conn.Close()
		sessions[i] = s
	}
	envelope, text := postEnvelope(recipients), postMessage(octets)
	var next atomic.Int64
	var all sync.WaitGroup
	errs := make([]error, conns)
	began := time.Now()
	for i, s := range sessions {
		all.Go(func() {
			for errs[i] == nil && next.Add(1) <= int64(count) {
				errs[i] = s.send(envelope, text, recipients)
			}
		})
	}
	all.Wait()
	return time.Since(began), errors.Join(errs...)
}

func postEnvelope(recipients int) []byte {
	var b bytes.Buffer
	b.WriteString("MAIL FROM:<a@src.invalid>\r\n")
	for i := range recipients {
		fmt.Fprintf(&b, "RCPT TO:<b%d@dst.invalid>\r\n", i)
	}
	b.WriteString("DATA\r\n")
	return b.Bytes()
}

func postMessage(octets int) []byte {
	var b bytes.Buffer
	b.WriteString("From: a@src.invalid\r\nTo: b@dst.invalid\r\nSubject: figures\r\n\r\n")
	line := strings.Repeat("x", 70) + "\r\n"
	for b.Len() < octets {
		b.WriteString(line)
	}
	b.WriteString(".\r\n")
	return b.Bytes()
}

// postSession is one connection, logged in.
type postSession struct {
	conn *tls.Conn
	in   *bufio.Reader
}

func (p poster) dial(ctx context.Context) (*postSession, error) {
	// Verification is no part of the figures: both ends are ours, on loopback.
	d := tls.Dialer{NetDialer: &net.Dialer{Timeout: 10 * time.Second}, Config: &tls.Config{InsecureSkipVerify: true}} //nolint:gosec // see above
	c, err := d.DialContext(ctx, "tcp", p.address)
	if err != nil {
		return nil, err
	}
	s := &postSession{conn: c.(*tls.Conn), in: bufio.NewReader(c)}
	steps := []string{"", "EHLO bench.invalid\r\n"}
	if p.user != "" {
		steps = append(steps, "AUTH PLAIN "+base64.StdEncoding.EncodeToString([]byte("\x00"+p.user+"\x00"+p.password))+"\r\n")
	}
	for _, step := range steps {
		if err := s.write([]byte(step)); err != nil {
			return nil, err
		}
		if err := s.expect('2'); err != nil {
			return nil, fmt.Errorf("after %.4q: %w", step, err)
		}
	}
	return s, nil
}

func (s *postSession) send(envelope, text []byte, recipients int) error {
	if err := s.write(envelope); err != nil {
		return err
	}
	for range 1 + recipients {
		if err := s.expect('2'); err != nil {
			return err
		}
	}
	if err := s.expect('3'); err != nil {
		return err
	}
	if err := s.write(text); err != nil {
		return err
	}
	return s.expect('2')
}

func (s *postSession) write(b []byte) error {
	if err := s.conn.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		return err
	}
	_, err := s.conn.Write(b)
	return err
}

// expect reads one reply, which may have several lines (RFC 5321 §4.2.1).
func (s *postSession) expect(class byte) error {
	for {
		line, err := s.in.ReadString('\n')
		switch {
		case err != nil:
			return err
		case len(line) < 4 || line[0] != class:
			return fmt.Errorf("unexpected reply %q", strings.TrimSpace(line))
		case line[3] != '-':
			return nil
		}
	}
}
