package listen

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"testing/synctest"
	"time"
)

func TestProgressMovesTheDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		defer far.Close()
		c := Client(near, 10*time.Second)
		defer c.Close()
		if err := c.SetReadDeadline(time.Now().Add(time.Second)); err != nil { // go-smtp's, to be ignored
			t.Fatal(err)
		}
		go func() {
			for range 6 { // one byte every 9 s: 54 s in all, never silent for 10
				time.Sleep(9 * time.Second)
				far.Write([]byte{'x'})
			}
		}()
		got := make([]byte, 6)
		if _, err := io.ReadFull(c, got); err != nil {
			t.Fatalf("a slow peer was cut: %v", err)
		}
		began := time.Now()
		_, err := c.Read(got)
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("a silent peer: got %v, want a deadline", err)
		}
		if waited := time.Since(began); waited != 10*time.Second {
			t.Errorf("cut after %v", waited)
		}
	})
}

func TestWriteEndsWhenNothingMoves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		defer far.Close()
		c := Client(near, 10*time.Second)
		go func() { // takes a little every 9 s, then stops
			buf := make([]byte, 1<<10)
			for range 30 {
				time.Sleep(9 * time.Second)
				io.ReadFull(far, buf)
			}
		}()
		n, err := c.Write(bytes.Repeat([]byte{'x'}, 1<<20))
		if !errors.Is(err, os.ErrDeadlineExceeded) || n != 30<<10 {
			t.Fatalf("got %d bytes, %v; want 30 KiB and a deadline", n, err)
		}
	})
}

func TestCloseEndsIdleConnections(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := New(ln, Limits{Idle: time.Minute, Conns: 1})
	accepted := make(chan net.Conn, 1)
	go func() {
		defer close(accepted)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			accepted <- c
		}
	}()
	first, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	<-accepted
	second, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer second.Close()
	if _, err := second.Read(make([]byte, 1)); err == nil {
		t.Error("a connection over the limit was served")
	}
	if n := l.Open(); n != 1 {
		t.Errorf("%d open, want 1", n)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := first.Read(make([]byte, 1)); err == nil {
		t.Error("idle connection survived Close")
	}
	if n := l.Open(); n != 0 {
		t.Errorf("%d open after Close", n)
	}
	if _, ok := <-accepted; ok {
		t.Error("accepted after Close")
	}
}
