package submission

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"servicesmtp.net/companion/server/store"
)

// paced adds an account with a rate of its own.
func (w *world) paced(name string, perMinute int64) {
	w.t.Helper()
	if err := w.store.SetPerMinute(context.Background(), w.account(name, "mega"), &perMinute); err != nil {
		w.t.Fatal(err)
	}
}

// transaction sends one message in one go and answers MAIL's reply, where it
// is none of success, or the dot's.
func (c *client) transaction(envelopeID string, recipients []string, text string) string {
	c.t.Helper()
	c.write("MAIL FROM:<a@example.com> ENVID=" + envelopeID + "\r\n")
	if r := c.reply(); !strings.HasPrefix(r, "250 ") {
		return r
	}
	for _, r := range recipients {
		c.cmd("RCPT TO:<"+r+">", "250 ")
	}
	c.cmd("DATA", "354 ")
	c.write(message(text) + ".\r\n")
	return c.reply()
}

// TestPaceAtMail: who is ahead of the rate hears it at MAIL, before anything is
// uploaded; a repeated batch does not.
func TestPaceAtMail(t *testing.T) {
	at := time.Now() // stands still, so that seconds can be told exactly
	w := newWorld(t, func(o *options) { o.now = func() time.Time { return at } })
	w.paced("alice", 60)
	w.account("bob", "mega")
	c := w.login("alice")
	first := c.transaction(envid(1), addresses(50, "a"), "news")
	if !strings.HasPrefix(first, "250 2.0.0 queued as ") {
		t.Fatal(first)
	}
	c.transaction(envid(2), addresses(5, "a"), "personal")
	c.cmd("MAIL FROM:<a@example.com> ENVID="+envid(3), "451 4.7.1 SSMTP-PACE retry=1 ")
	if got := c.transaction(envid(1), addresses(50, "a"), "news"); got != first+" (replayed)" {
		t.Errorf("replay: %q", got)
	}
	w.exec(`UPDATE account_paces SET owed = owed + $1`, 10*60_000_000)
	c.cmd("MAIL FROM:<a@example.com> ENVID="+envid(3), "451 4.7.1 SSMTP-PACE retry=11 ")
	w.login("bob").offer(envid(1), "x@a.example") // another account is not concerned
	// The end of the wait is told to the second: a moment before it the same second is told.
	w.exec(`UPDATE account_paces SET owed = $1, owed_at = $2`, 55*60_000_000, store.Micros(at.Add(-time.Second+time.Microsecond)))
	c.cmd("MAIL FROM:<a@example.com> ENVID="+envid(3), "451 4.7.1 SSMTP-PACE retry=1 ")
	w.exec(`UPDATE account_paces SET owed_at = $1`, store.Micros(at.Add(-time.Second)))
	c.offer(envid(3), "x@a.example")
}

// TestPaceOfManySessions: 64 connections of one account send at once; none is
// refused after its dot, and no minute, nor any other window, holds too much.
func TestPaceOfManySessions(t *testing.T) {
	const rate, sessions = 60_000, 64
	w := newWorld(t)
	w.paced("alice", rate)
	var mu sync.Mutex // guards refused
	refused := 0
	var all sync.WaitGroup
	for i := range sessions {
		c := w.login("alice")
		all.Go(func() {
			for {
				reply := c.transaction(envid(i+1), addresses(50, "a"), fmt.Sprint("news", i))
				_, rest, pace := strings.Cut(reply, "451 4.7.1 SSMTP-PACE retry=")
				if !pace {
					if !strings.HasPrefix(reply, "250 2.0.0 queued as ") {
						t.Errorf("session %d: %s", i, reply)
					}
					return
				}
				number, _, _ := strings.Cut(rest, " ")
				n, err := strconv.Atoi(number)
				if err != nil || n < 1 {
					t.Errorf("session %d: %s", i, reply)
					return
				}
				mu.Lock()
				refused++
				mu.Unlock()
				time.Sleep(time.Duration(n) * time.Second)
			}
		})
	}
	all.Wait()
	t.Logf("%d refusals at MAIL", refused)
	if n := w.count(`SELECT count(*) FROM deliveries`); n != 50*sessions {
		t.Errorf("%d recipients accepted, want %d", n, 50*sessions)
	}
	rows, err := w.store.Reader().Query(`SELECT created_at FROM messages ORDER BY created_at`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var at []int64
	for rows.Next() {
		var us int64
		if err := rows.Scan(&us); err != nil {
			t.Fatal(err)
		}
		at = append(at, us)
	}
	for i := range at {
		for k := i; k < len(at); k++ {
			if n := int64(k-i+1) * 50; n*60_000_000 > (at[k]-at[i])*rate+55*60_000_000 {
				t.Fatalf("%d recipients within %d µs", n, at[k]-at[i])
			}
		}
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
}

// holding is a client whose answer to the final dot is held back.
func (w *world) holding(perMinute int64) *client {
	w.t.Helper()
	w.paced("alice", perMinute)
	c := w.login("alice")
	c.transaction(envid(1), addresses(50, "a"), "first")
	c.offer(envid(2), addresses(50, "b")...)
	c.cmd("DATA", "354 ")
	c.write(message("second") + ".\r\n")
	return c
}

// TestHeldAnswerEndsWithItsClient: nothing is accepted for somebody who has
// left and would send it again.
func TestHeldAnswerEndsWithItsClient(t *testing.T) {
	w := newWorld(t)
	c := w.holding(60)
	time.Sleep(200 * time.Millisecond)
	c.conn.Close()
	for range 2000 {
		if strings.Contains(w.log.String(), "message not finished") {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	if !strings.Contains(w.log.String(), "message not finished") {
		t.Error("the client's leaving was not noticed")
	}
	if n := w.count(`SELECT count(*) FROM messages`); n != 1 {
		t.Errorf("%d messages, want 1", n)
	}
	w.stop()
	nothingRuns(t)
}

// TestHeldAnswerEndsAtStop: at once, and nothing was promised.
func TestHeldAnswerEndsAtStop(t *testing.T) {
	w := newWorld(t)
	c := w.holding(60)
	time.Sleep(200 * time.Millisecond)
	w.cancel()
	c.want("421 4.3.2")
	w.stop()
	nothingRuns(t)
}

// TestCommandsDuringAHeldAnswer are read after it, none is lost, and neither is
// a byte of the next message.
func TestCommandsDuringAHeldAnswer(t *testing.T) {
	for _, chunked := range []bool{false, true} {
		t.Run(fmt.Sprintf("bdat=%v", chunked), func(t *testing.T) {
			w := newWorld(t)
			w.paced("alice", 6000) // half a second
			c := w.login("alice")
			c.transaction(envid(1), addresses(50, "a"), "first")
			c.offer(envid(2), addresses(50, "b")...)
			text := message("second")
			if chunked {
				c.write(fmt.Sprintf("BDAT %d LAST\r\n%s", len(text), text))
			} else {
				c.cmd("DATA", "354 ")
				c.write(text + ".\r\n")
			}
			if err := c.conn.SetDeadline(time.Now().Add(time.Minute)); err != nil { // what is lost is waited for
				t.Fatal(err)
			}
			time.Sleep(100 * time.Millisecond)
			c.write("NOOP\r\nMAIL FROM:<a@example.com>\r\n")
			c.want("250 2.0.0 queued as ")
			c.want("250 ")
			c.want("250 ")
			c.cmd("RCPT TO:<x@a.example>", "250 ")
			reply := c.data(message("third"), "250 2.0.0 queued as ")
			if _, got := w.content(reply); got != message("third") {
				t.Errorf("the third message is %q", got)
			}
			c.cmd("QUIT", "221 ")
		})
	}
}
