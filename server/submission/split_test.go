package submission

import (
	"math/rand/v2"
	"strings"
	"testing"
)

// stuffed is RFC 5321 §4.5.2 for a sender.
func stuffed(message string) string {
	return strings.TrimPrefix(strings.ReplaceAll("\r\n"+message, "\r\n.", "\r\n.."), "\r\n")
}

// TestAnyPieces: however the octets of messages and of the commands behind them
// fall into TLS records, what is stored is what was sent, and nothing of a
// message is taken for a command.
func TestAnyPieces(t *testing.T) {
	w := newWorld(t)
	w.account("alice", "standard")
	c := w.login("alice")
	rnd := rand.New(rand.NewPCG(1, 2))
	lines := []string{"", ".", "..", "QUIT", ".QUIT", "BDAT 4 LAST", "x", strings.Repeat("long ", 9000), "RSET", ". "}
	for n := range 60 {
		var b strings.Builder
		b.WriteString("A: 1\r\n\r\n")
		for range rnd.IntN(8) {
			b.WriteString(lines[rnd.IntN(len(lines))] + "\r\n")
		}
		c.offer("", "x@a.example")
		c.cmd("DATA", "354 ")
		wire := stuffed(b.String()) + ".\r\nNOOP\r\nRSET\r\n"
		for len(wire) > 0 {
			k := 1 + rnd.IntN(min(len(wire), []int{2, 20, 70_000}[rnd.IntN(3)]))
			c.write(wire[:k])
			wire = wire[k:]
		}
		if _, got := w.content(c.want("250 2.0.0 queued as ")); got != b.String() {
			t.Fatalf("message %d: stored %.300q, sent %.300q", n, got, b.String())
		}
		c.want("250 ") // NOOP
		c.want("250 ") // RSET
	}
}
