package proxy

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/emersion/go-smtp"

	"servicesmtp.net/companion/app/mail"
)

// discarding takes everything and keeps nothing.
type discarding struct{}

func (discarding) Create(context.Context, mail.JobID, mail.ByteSize) (Incoming, error) {
	return discarding{}, nil
}
func (discarding) Write(p []byte) (int, error)                 { return len(p), nil }
func (discarding) Commit(context.Context, mail.Envelope) error { return nil }
func (discarding) Discard()                                    {}

// stock is go-smtp as it comes: the measure for our reader.
type stock struct{}

func (stock) NewSession(*smtp.Conn) (smtp.Session, error) { return stock{}, nil }
func (stock) Mail(string, *smtp.MailOptions) error        { return nil }
func (stock) Rcpt(string, *smtp.RcptOptions) error        { return nil }
func (stock) Reset()                                      {}
func (stock) Logout() error                               { return nil }
func (stock) Data(r io.Reader) error {
	_, err := io.Copy(io.Discard, r)
	return err
}

func startStock(b *testing.B) string {
	srv := smtp.NewServer(stock{})
	srv.Domain, srv.MaxLineLength, srv.ErrorLog = "localhost", maxLine, log.New(io.Discard, "", 0)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	done := make(chan struct{})
	go func() { defer close(done); srv.Serve(ln) }()
	b.Cleanup(func() { srv.Close(); <-done })
	return ln.Addr().String()
}

// handIn sends n messages over one connection, as smtp-source does.
func handIn(addr string, body []byte, next func() bool) error {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		return err
	}
	defer c.Close()
	r := bufio.NewReader(c)
	expect := func(code string) error {
		for {
			line, err := r.ReadString('\n')
			if err != nil {
				return err
			}
			if !strings.HasPrefix(line, code) {
				return fmt.Errorf("got %q, want %s", line, code)
			}
			if line[3] == ' ' {
				return nil
			}
		}
	}
	say := func(text []byte, code string) error {
		if _, err := c.Write(text); err != nil {
			return err
		}
		return expect(code)
	}
	if err := expect("220"); err != nil {
		return err
	}
	if err := say([]byte("EHLO client\r\n"), "250"); err != nil {
		return err
	}
	for next() {
		for _, step := range []struct{ text, code string }{
			{"MAIL FROM:<a@example.com>\r\n", "250"}, {"RCPT TO:<b@example.com>\r\n", "250"}, {"DATA\r\n", "354"},
		} {
			if err := say([]byte(step.text), step.code); err != nil {
				return err
			}
		}
		if err := say(body, "250"); err != nil {
			return err
		}
	}
	return nil
}

// testMessage is a message of about size bytes in lines of 76, with its final dot.
func testMessage(size int) []byte {
	var b bytes.Buffer
	b.WriteString("From: a@example.com\r\nSubject: test\r\n\r\n")
	line := strings.Repeat("x", 74) + "\r\n"
	for b.Len()+len(line) <= size {
		b.WriteString(line)
	}
	b.WriteString(".\r\n")
	return b.Bytes()
}

// BenchmarkAccept compares go-smtp as it comes, discarding, with this package
// in front of a discarding spool.
func BenchmarkAccept(b *testing.B) {
	for _, size := range []int{1000, 10_000, 100_000, 1_000_000} {
		for _, conns := range []int{1, 8, 32} {
			for _, kind := range []string{"stock", "proxy"} {
				b.Run(fmt.Sprintf("%s/%dKB/%d", kind, size/1000, conns), func(b *testing.B) {
					addr := ""
					if kind == "stock" {
						addr = startStock(b)
					} else {
						addr = address(b, start(b, testConfig(discarding{})))
					}
					body := testMessage(size)
					var left atomic.Int64
					left.Store(int64(b.N))
					b.SetBytes(int64(size))
					b.ResetTimer()
					var wg sync.WaitGroup
					for range conns {
						wg.Go(func() {
							if err := handIn(addr, body, func() bool { return left.Add(-1) >= 0 }); err != nil {
								b.Error(err)
							}
						})
					}
					wg.Wait()
					b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "msg/s")
				})
			}
		}
	}
}

// BenchmarkRecipients is one RCPT among many, pipelined.
func BenchmarkRecipients(b *testing.B) {
	cfg := testConfig(discarding{})
	cfg.MaxRecipients = 0
	nc := dial(b, start(b, cfg))
	r := bufio.NewReader(nc)
	go func() {
		w := bufio.NewWriter(nc)
		w.WriteString("EHLO client\r\nMAIL FROM:<a@example.com>\r\n")
		for i := range b.N {
			fmt.Fprintf(w, "RCPT TO:<user%d@example.com>\r\n", i)
		}
		w.WriteString("QUIT\r\n")
		w.Flush()
	}()
	b.ReportAllocs()
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			b.Fatal(err)
		}
		if strings.HasPrefix(line, "221") {
			return
		}
	}
}
