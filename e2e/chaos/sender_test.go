package chaos

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/textproto"
	"strings"
	"sync"
	"time"
)

// sender is the mail programs: it hands the letters in, each as soon as it is
// released, and offers one again until it was taken.
type sender struct {
	addr  string
	queue chan *letter

	mu      sync.Mutex // guards what follows
	offered []*letter  // everything whose final dot may have been read
	errs    []error
	left    int           // letters not taken
	done    chan struct{} // closed when left is 0
}

func newSender(addr string, count int) *sender {
	return &sender{addr: addr, queue: make(chan *letter, count), left: count, done: make(chan struct{})}
}

// run hands in what comes through the queue until ctx ends.
func (s *sender) run(ctx context.Context, workers int) {
	var group sync.WaitGroup
	defer group.Wait()
	for range workers {
		group.Go(func() {
			for {
				select {
				case l := <-s.queue:
					s.deliver(ctx, l)
				case <-ctx.Done():
					return
				}
			}
		})
	}
}

// deliver offers a letter until it is taken. One of which nobody knows is sent
// again as another, as a mail program does it.
func (s *sender) deliver(ctx context.Context, l *letter) {
	for try, next := 1, l; ctx.Err() == nil; try++ {
		fate, err := offer(ctx, s.addr, next)
		next.fate = fate
		s.mu.Lock()
		if fate != pending {
			s.offered = append(s.offered, next)
		}
		if err != nil {
			s.errs = append(s.errs, err)
		}
		if fate == accepted {
			s.left--
			if s.left == 0 {
				close(s.done)
			}
		}
		s.mu.Unlock()
		if fate == accepted {
			return
		}
		if fate == perhaps {
			next = l.again(try)
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
		}
	}
}

// offer hands a letter in over a connection of its own. An error is an answer
// that no killed companion explains.
func offer(ctx context.Context, addr string, l *letter) (fate, error) {
	dialer := net.Dialer{Timeout: 2 * time.Second}
	conn, err := dialer.DialContext(ctx, "tcp", addr)
	if err != nil {
		return pending, nil // nobody is there at the moment
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(time.Minute))
	c := &client{r: textproto.NewReader(bufio.NewReader(conn)), w: bufio.NewWriter(conn)}
	c.expect(220)
	c.say("EHLO mail.invalid")
	c.expect(250)
	c.say("MAIL FROM:<news@example.com> BODY=8BITMIME")
	c.expect(250)
	const pipelined = 200 // replies of so many fit into any socket buffer
	for start := 0; start < len(l.to); start += pipelined {
		some := l.to[start:min(start+pipelined, len(l.to))]
		for _, to := range some {
			c.say("RCPT TO:<" + to + ">")
		}
		for range some {
			c.expect(250)
		}
	}
	c.say("DATA")
	c.expect(354)
	c.body(l.data)
	if c.err != nil {
		return pending, c.refused
	}
	c.say(".")
	c.expect(250)
	switch {
	case c.refused != nil:
		return pending, c.refused
	case c.code >= 400:
		return pending, nil
	case c.err != nil:
		return perhaps, nil
	}
	return accepted, nil
}

// client keeps the first error.
type client struct {
	r       *textproto.Reader
	w       *bufio.Writer
	err     error
	code    int   // of the last reply
	refused error // a permanent refusal
}

func (c *client) say(line string) {
	if c.err == nil {
		_, c.err = c.w.WriteString(line + "\r\n")
	}
}

func (c *client) body(data string) {
	for line := range strings.Lines(data) {
		if strings.HasPrefix(line, ".") {
			line = "." + line
		}
		if c.err == nil {
			_, c.err = c.w.WriteString(line)
		}
	}
	c.flush()
}

func (c *client) flush() {
	if c.err == nil {
		c.err = c.w.Flush()
	}
}

func (c *client) expect(code int) {
	c.flush()
	if c.err != nil {
		return
	}
	var text string
	c.code, text, c.err = c.r.ReadResponse(code)
	if c.err != nil && c.code >= 500 {
		c.refused = fmt.Errorf("the companion refused a letter for good: %d %s", c.code, text)
	}
}
