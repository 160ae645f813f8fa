package spool

import (
	"testing"
	"time"
)

// TestWaiting counts one account's recipients that are due soon.
func TestWaiting(t *testing.T) {
	s := newSpool(t)
	want := func(account string, before time.Time, n int) {
		t.Helper()
		if got, err := s.Waiting(t.Context(), account, before); err != nil || got != n {
			t.Errorf("%s before %v: got %d, %v; want %d", account, before, got, err, n)
		}
	}
	want("office", start, 0)
	accept(t, s, jobID(1), envelope("office", recipients(120)), []byte("Subject: a\r\n\r\nb\r\n"))
	accept(t, s, jobID(2), envelope("home", recipients(7)), []byte("Subject: a\r\n\r\nb\r\n"))
	want("office", start, 120)
	want("home", start, 7)
	want("nobody", start, 0)
	if _, err := s.conn.ExecContext(t.Context(), `UPDATE batches SET not_before = ? WHERE account = 'home'`, micros(start.Add(time.Hour))); err != nil {
		t.Fatal(err)
	}
	want("home", start, 0)
	want("home", start.Add(time.Hour), 7)
}
