package submission

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// BenchmarkSubmission is a whole transaction of 10 KB over TLS, as the
// companion sends it, until its 250. Client and server share the machine.
func BenchmarkSubmission(b *testing.B) {
	for _, recipients := range []int{1, 50} {
		for _, connections := range []int{1, 8, 32} {
			b.Run(fmt.Sprintf("rcpt=%d/conns=%d", recipients, connections), func(b *testing.B) {
				benchmark(b, recipients, connections)
			})
		}
	}
}

func benchmark(b *testing.B, recipients, connections int) {
	w := newWorld(b)
	w.account("alice", "mega")
	clients := make([]*client, connections)
	for i := range clients {
		clients[i] = w.login("alice")
	}
	line := strings.Repeat("x", 98) + "\r\n"
	var next atomic.Int64
	var wg sync.WaitGroup
	b.ResetTimer()
	began := time.Now()
	for _, c := range clients {
		wg.Go(func() {
			for {
				n := next.Add(1)
				if n > int64(b.N) || b.Failed() {
					return
				}
				var text strings.Builder
				fmt.Fprintf(&text, "MAIL FROM:<a@example.com> SIZE=10000 ENVID=%s\r\n", envid(int(n)))
				for i := range recipients {
					fmt.Fprintf(&text, "RCPT TO:<recipient%d@d%d.example>\r\n", i, i%5)
				}
				text.WriteString("DATA\r\n")
				c.write(text.String())
				for range recipients + 1 {
					c.want("250 ")
				}
				c.want("354 ")
				c.write(message(fmt.Sprint(n)) + strings.Repeat(line, 99) + ".\r\n")
				c.want("250 2.0.0 queued as ")
			}
		})
	}
	wg.Wait()
	b.StopTimer()
	b.ReportMetric(float64(b.N)/time.Since(began).Seconds(), "msg/s")
}

// BenchmarkLarge is one message of 90 MB over one connection.
func BenchmarkLarge(b *testing.B) {
	w := newWorld(b)
	w.account("alice", "mega")
	c := w.login("alice")
	block := []byte(strings.Repeat(strings.Repeat("x", 74)+"\r\n", 1_000))
	b.SetBytes(90_000_000)
	for n := range b.N {
		c.offer(envid(n+1), "x@a.example")
		c.cmd("DATA", "354 ")
		c.write(message(fmt.Sprint(n)))
		for range 90_000_000 / len(block) {
			c.conn.Write(block) // an error shows in the reply
		}
		c.write(".\r\n")
		c.want("250 2.0.0 queued as ")
	}
}
