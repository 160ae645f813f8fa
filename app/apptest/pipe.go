package apptest

import (
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
)

// buffered is the relay's end of a net.Pipe. What it writes waits in a buffer, as
// it would in the kernel's, and still arrives after Close; on a bare pipe two
// ends that write at once would wait for each other. The client's end stays
// without a buffer, so that a relay that does not read stops the client.
type buffered struct {
	net.Conn
	wake  chan struct{}
	reset atomic.Bool // the connection ended with RST

	mu     sync.Mutex // guards what follows
	out    []byte
	closed bool
}

func newBuffered(nc net.Conn) *buffered {
	return &buffered{Conn: nc, wake: make(chan struct{}, 1)}
}

// pump writes until Close, or until the client has gone.
func (b *buffered) pump() {
	defer b.Conn.Close()
	for range b.wake {
		b.mu.Lock()
		out, closed := b.out, b.closed
		b.out = nil
		b.mu.Unlock()
		if len(out) > 0 { // an empty write to a pipe waits for a reader too
			if _, err := b.Conn.Write(out); err != nil {
				return
			}
		}
		if closed {
			return
		}
	}
}

func (b *buffered) signal() {
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

// Write implements net.Conn.
func (b *buffered) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return 0, net.ErrClosed
	}
	b.out = append(b.out, p...)
	b.signal()
	return len(p), nil
}

// Close implements net.Conn.
func (b *buffered) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	b.signal()
	return nil
}

// cut ends the connection and throws away what was not sent, as RST does.
func (b *buffered) cut() {
	b.mu.Lock()
	b.out = nil
	b.mu.Unlock()
	b.reset.Store(true)
	b.Conn.Close()
}

// pipeEnd is the client's end. It tells a reset from an end.
type pipeEnd struct {
	net.Conn
	reset *atomic.Bool
}

// Read implements net.Conn.
func (p pipeEnd) Read(b []byte) (int, error) {
	n, err := p.Conn.Read(b)
	return n, p.tell("read", err)
}

// Write implements net.Conn.
func (p pipeEnd) Write(b []byte) (int, error) {
	n, err := p.Conn.Write(b)
	return n, p.tell("write", err)
}

func (p pipeEnd) tell(op string, err error) error {
	if err == nil || !p.reset.Load() {
		return err
	}
	return &net.OpError{Op: op, Net: "tcp", Err: os.NewSyscallError(op, syscall.ECONNRESET)}
}
