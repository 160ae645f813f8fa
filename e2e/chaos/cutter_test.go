package chaos

import (
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"testing"
)

// burst is how much the companion has sent without an answer when what it waits
// for must be the answer to a final dot: MAIL, fifty RCPT and DATA are less,
// every message is more.
const burst = 4 << 10

// cutter stands between companion and relay as a bad network does. It sees
// TLS only, so it cuts by the rhythm: an answer after a burst is the one to the
// final dot; the relay has taken the message, and the companion never hears of
// it.
type cutter struct {
	addr     string
	upstream string
	atDot    float64 // how many of the answers to a final dot are lost
	midway   float64 // how many of the packets on the way up end the connection

	mu   sync.Mutex // guards what follows
	rng  *rand.Rand
	open map[net.Conn]bool
	over bool

	dots, others atomic.Int64 // cuts
	pumps        sync.WaitGroup
}

func startCutter(t *testing.T, upstream string, seed uint64) *cutter {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &cutter{
		addr: ln.Addr().String(), upstream: upstream, atDot: 0.15, midway: 0.01,
		rng: rand.New(rand.NewPCG(seed, 2)), open: map[net.Conn]bool{},
	}
	c.pumps.Go(func() {
		for {
			down, err := ln.Accept()
			if err != nil {
				return
			}
			c.pumps.Go(func() { c.serve(down) })
		}
	})
	t.Cleanup(func() {
		ln.Close()
		c.mu.Lock()
		c.over = true
		for conn := range c.open {
			conn.Close()
		}
		c.mu.Unlock()
		c.pumps.Wait()
	})
	return c
}

// keep remembers a connection, to close it at the end.
func (c *cutter) keep(conn net.Conn) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.over {
		c.open[conn] = true
	}
	return !c.over
}

func (c *cutter) forget(conn net.Conn) {
	conn.Close()
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.open, conn)
}

// draw is true with a probability.
func (c *cutter) draw(p float64) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.rng.Float64() < p
}

func (c *cutter) serve(down net.Conn) {
	defer c.forget(down)
	up, err := net.Dial("tcp", c.upstream)
	if err != nil {
		return // the relay is away; the companion sees its connection end
	}
	defer c.forget(up)
	if !c.keep(down) || !c.keep(up) {
		return
	}
	var unanswered atomic.Int64
	var ways sync.WaitGroup
	ways.Go(func() {
		defer down.Close()
		defer up.Close()
		pump(up, down, func(n int) bool {
			unanswered.Add(int64(n))
			if c.draw(c.midway) {
				c.others.Add(1)
				return false
			}
			return true
		})
	})
	ways.Go(func() {
		defer down.Close()
		defer up.Close()
		pump(down, up, func(int) bool {
			if unanswered.Swap(0) > burst && c.draw(c.atDot) {
				c.dots.Add(1)
				reset(down)
				return false
			}
			return true
		})
	})
	ways.Wait()
}

// reset makes the end of a connection an RST, as that of a network that has
// gone.
func reset(conn net.Conn) {
	if tcp, ok := conn.(*net.TCPConn); ok {
		tcp.SetLinger(0)
	}
}

// pump moves what comes as long as pass lets it.
func pump(to, from net.Conn, pass func(n int) bool) {
	buf := make([]byte, 16<<10)
	for {
		n, err := from.Read(buf)
		if n > 0 && !pass(n) {
			return
		}
		if _, werr := to.Write(buf[:n]); werr != nil || err != nil {
			return
		}
	}
}
