package app

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"servicesmtp.net/companion/app/apptest"
	"servicesmtp.net/companion/app/pace"
)

// A message whose stored text changed on the disk is offered once, never ended
// with a dot, and then kept and shown as damaged instead of tried for ever.
func TestAMessageThatChangedOnTheDiskIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := prepareSenderTest(t, apptest.NewPipeRelay(t, apptest.Options{}), pace.Limits{})
		b.body = strings.Repeat("0123456789abcdef\r\n", 20_000)
		id := b.accept(60, "example.net")
		path := filepath.Join(b.options.Dir, "bodies", string(id))
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		text[len(text)/2] ^= 1
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		b.body = ""
		b.start()
		defer b.end()
		other := b.accept(1, "example.net")
		b.settleFor(5 * time.Hour)
		if got := len(b.relay.Accepted()); got != 1 || b.job(other).Counts.Accepted != 1 {
			t.Errorf("%d transactions accepted, want the other message's", got)
		}
		if j := b.job(id); !j.Damaged || j.Counts.Queued != 60 {
			t.Errorf("damaged %v, %+v", j.Damaged, j.Counts)
		}
		if list, err := b.spool.Attempts(t.Context(), "office", time.Now().Add(-24*time.Hour)); err != nil || len(list) > 3 {
			t.Errorf("%d attempts, %v; want the other's and no more than one for each batch", len(list), err)
		}
	})
}
