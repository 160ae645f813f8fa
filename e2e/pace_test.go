package e2e

import (
	"database/sql"
	"fmt"
	"io"
	"net"
	"net/textproto"
	"slices"
	"strings"
	"testing"
	"time"

	_ "modernc.org/sqlite" // to read the relay's table as an operator would

	"servicesmtp.net/companion/e2e/world"
)

// TestPaceAndOvertaking: at 600 recipients a minute ten batches of 50 take 45
// seconds from the first to the tenth, never less, and a personal message
// handed in meanwhile overtakes.
func TestPaceAndOvertaking(t *testing.T) {
	t.Parallel()
	w := world.New(t, world.Options{RPM: 600})
	to := world.Addresses(500, "paced", "dst.invalid")
	w.MustSend("news@example.com", to, world.Message("paced", 5000))
	w.Far.WaitRecipients(t, 50, 20*time.Second)

	handed := time.Now()
	w.MustSend("me@example.com", []string{"friend@personal.invalid"}, world.Message("hello", 500))
	ahead := len(w.Far.Transactions())
	w.Far.Wait(t, 30*time.Second, "personal message", func(all []world.Transaction) bool {
		return slices.ContainsFunc(all, func(tx world.Transaction) bool { return tx.Recipients[0] == "friend@personal.invalid" })
	})
	if n := slices.IndexFunc(w.Far.Transactions(), func(tx world.Transaction) bool { return tx.Recipients[0] == "friend@personal.invalid" }) - ahead; n > 1 {
		t.Errorf("%d batches went before the personal message", n) // one was perhaps on its way
	}
	t.Logf("personal message arrived after %v", time.Since(handed).Round(time.Millisecond))

	w.Far.WaitRecipients(t, 501, 90*time.Second)
	w.Once(append(to, "friend@personal.invalid"))
	var at []time.Time
	for _, tx := range w.Far.Transactions() {
		if !strings.Contains(tx.Recipients[0], "personal") {
			at = append(at, tx.Ended)
		}
	}
	slices.SortFunc(at, time.Time.Compare)
	if len(at) != 10 {
		t.Fatalf("%d batches, want 10", len(at))
	}
	span := at[9].Sub(at[0])
	t.Logf("tenth batch %v after the first", span.Round(time.Millisecond))
	// What arrives passes the relay first, whose own time varies; a batch too early
	// would be 5 s. The companion's exact gaps are held by the properties of
	// app/pace and app.
	if span < 45*time.Second-2*time.Second {
		t.Errorf("the tenth batch came %v after the first, want 45 s at least", span)
	}
	if span > 55*time.Second {
		t.Errorf("the tenth batch came %v after the first: much too slow", span)
	}
}

// TestPaceWhateverTheProgramDoes: 500 messages leave as fast as allowed and no
// faster, each once, whether they come on one connection or on 500.
func TestPaceWhateverTheProgramDoes(t *testing.T) {
	t.Parallel()
	const messages, rpm = 500, 3000
	for _, each := range []bool{false, true} {
		t.Run(map[bool]string{false: "one connection", true: "a connection each"}[each], func(t *testing.T) {
			t.Parallel()
			w := world.New(t, world.Options{RPM: rpm})
			var to []string
			var c *textproto.Conn
			for i := range messages {
				if c == nil {
					c = greeted(t, w.SMTP)
				}
				address := fmt.Sprintf("r%d@dst.invalid", i)
				to = append(to, address)
				handInOn(t, c, address, world.Message(address, 300))
				if each {
					c.Close()
					c = nil
				}
			}
			w.Far.WaitRecipients(t, messages, time.Minute)
			w.UntilIdle(20 * time.Second)
			w.Once(to)
			at := acceptedAt(t, w)
			if len(at) != messages {
				t.Fatalf("the relay has %d messages", len(at))
			}
			// What leaves is accepted a moment later, sooner or later by this much.
			const batch, burst, travel = 50, 5, 500 * time.Millisecond
			for i := range at {
				for k := i; k < len(at); k++ {
					if allowed := rpm/60*(at[k].Sub(at[i])+travel).Seconds() + batch + burst; float64(k-i+1) > allowed {
						t.Fatalf("%d messages within %v", k-i+1, at[k].Sub(at[i]))
					}
				}
			}
			if span := at[len(at)-1].Sub(at[0]); span > 30*time.Second {
				t.Errorf("much too slow: %v", span)
			}
		})
	}
}

func greeted(t *testing.T, address string) *textproto.Conn {
	t.Helper()
	nc, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nc.Close() })
	c := textproto.NewConn(nc)
	if _, _, err := c.ReadResponse(220); err != nil {
		t.Fatal(err)
	}
	say(t, c, 250, "EHLO client")
	return c
}

func say(t *testing.T, c *textproto.Conn, code int, line string) {
	t.Helper()
	if err := c.PrintfLine("%s", line); err != nil {
		t.Fatal(err)
	}
	if _, _, err := c.ReadResponse(code); err != nil {
		t.Fatalf("%s: %v", line, err)
	}
}

func handInOn(t *testing.T, c *textproto.Conn, to, data string) {
	t.Helper()
	say(t, c, 250, "MAIL FROM:<news@example.com>")
	say(t, c, 250, "RCPT TO:<"+to+">")
	say(t, c, 354, "DATA")
	body := c.DotWriter()
	if _, err := io.WriteString(body, data); err != nil {
		t.Fatal(err)
	}
	if err := body.Close(); err != nil {
		t.Fatal(err)
	}
	if _, _, err := c.ReadResponse(250); err != nil {
		t.Fatal(err)
	}
}

// acceptedAt is when the relay accepted each message, in order.
func acceptedAt(t *testing.T, w *world.World) (at []time.Time) {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+w.Path("relay/relay.db")+"?mode=ro&_pragma=busy_timeout(5000)")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	rows, err := db.QueryContext(t.Context(), `SELECT created_at FROM messages ORDER BY created_at`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var us int64
		if err := rows.Scan(&us); err != nil {
			t.Fatal(err)
		}
		at = append(at, time.UnixMicro(us))
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return at
}
