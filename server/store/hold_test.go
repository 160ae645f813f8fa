package store

import (
	"context"
	"database/sql"
	"testing"
	"time"

	"servicesmtp.net/companion/server/store/storetest"
)

// nextAt is when a recipient is due.
func nextAt(t *testing.T, s *Store, id int64) time.Time {
	t.Helper()
	var us int64
	if err := s.Reader().QueryRow(`SELECT next_at FROM deliveries WHERE id = $1`, id).Scan(&us); err != nil {
		t.Fatal(err)
	}
	return Time(us)
}

func holdMessages(t *testing.T, s *Store) {
	t.Helper()
	if _, err := s.Writer().Exec(`UPDATE messages SET held = 1`); err != nil {
		t.Fatal(err)
	}
}

// A slot found a message held; before it parks it, the operator releases it.
func TestParkAfterRelease(t *testing.T) { storetest.Each(t, testParkAfterRelease) }

func testParkAfterRelease(t *testing.T, dsn string) {
	s := openTest(t, dsn, t.TempDir())
	queued(t, s, "m1", "l", "x.example", 1, noon)
	holdMessages(t, s)
	park := func(ctx context.Context, tx *sql.Tx) error { return s.Park(ctx, tx, "m1") }
	release := func(ctx context.Context, tx *sql.Tx) error {
		_, err := s.Release(ctx, tx, Selection{AccountID: "acc"}, noon)
		return err
	}
	inTx(t, s, park)
	if at := nextAt(t, s, 1); !at.Equal(Parked) {
		t.Errorf("held, and due at %v", at)
	}
	inTx(t, s, release)
	inTx(t, s, park)
	if at := nextAt(t, s, 1); !at.Equal(noon) {
		t.Errorf("released, and then due at %v", at)
	}
}

// The same with another node, whose release is not committed yet.
func TestParkRacesRelease(t *testing.T) {
	dsn := storetest.Database(t)
	one, two := openTest(t, dsn, t.TempDir()), openTest(t, dsn, t.TempDir())
	queued(t, one, "m1", "l", "x.example", 1, noon)
	holdMessages(t, one)
	parked := make(chan error, 1)
	inTx(t, one, func(ctx context.Context, tx *sql.Tx) error {
		if _, err := one.Release(ctx, tx, Selection{AccountID: "acc"}, noon); err != nil {
			return err
		}
		go func() {
			parked <- two.Tx(context.Background(), func(tx *sql.Tx) error { return two.Park(context.Background(), tx, "m1") })
		}()
		time.Sleep(100 * time.Millisecond) // for the other to come as far as it can
		return nil
	})
	if err := <-parked; err != nil {
		t.Fatal(err)
	}
	if at := nextAt(t, one, 1); !at.Equal(noon) {
		t.Errorf("released, and due at %v", at)
	}
}

// What another node is just marking as leaving is not told to be taken back.
func TestCancelRacesMark(t *testing.T) {
	dsn := storetest.Database(t)
	one, two := joined(t, dsn, "one"), joined(t, dsn, "two")
	queued(t, one, "m1", "l", "x.example", 2, noon)
	done := make(chan error, 1)
	var n int64
	inTx(t, two, func(ctx context.Context, tx *sql.Tx) error {
		if ok, err := two.MarkInData(ctx, tx, []int64{1}, noon); err != nil || !ok {
			t.Errorf("mark: %v %v", ok, err)
		}
		go func() {
			done <- one.Tx(context.Background(), func(tx *sql.Tx) (err error) {
				n, err = one.CancelRecipients(context.Background(), tx, "acc", "m1", noon)
				return err
			})
		}()
		time.Sleep(100 * time.Millisecond) // for the other to come as far as it can
		return nil
	})
	if err := <-done; err != nil || n != 1 {
		t.Errorf("%d cancelled, %v", n, err)
	}
	if status, node, _, _ := state(t, one, 1); status != "in_data" || node != two.NodeID() {
		t.Errorf("the one that leaves is %s of %q", status, node)
	}
	events, err := one.Events(t.Context(), "acc", 0, 10)
	if err != nil || len(events) != 1 || events[0].Recipient != "r1@x.example" || events[0].Status != Cancelled {
		t.Errorf("events %+v, %v", events, err)
	}
}

// A domain is held while a server there puts a recipient off before its
// content: the next attempt waits for the release, too.
func TestHoldOutlastsDeferral(t *testing.T) { storetest.Each(t, testHoldOutlastsDeferral) }

func testHoldOutlastsDeferral(t *testing.T, dsn string) {
	s := openTest(t, dsn, t.TempDir())
	queued(t, s, "m1", "l", "x.example", 2, noon)
	if err := mark(t, s, 2); err != nil {
		t.Fatal(err)
	}
	later := noon.Add(time.Minute)
	inTx(t, s, func(ctx context.Context, tx *sql.Tx) error {
		if _, err := s.Hold(ctx, tx, Selection{Domain: "x.example"}); err != nil {
			return err
		}
		_, err := s.WriteOutcome(ctx, tx, Outcome{IDs: []int64{1, 2}, Status: "queued", Code: 451, NextAt: later, At: noon})
		return err
	})
	if at := nextAt(t, s, 1); !at.Equal(Parked) {
		t.Errorf("held, and due at %v", at)
	}
	if at := nextAt(t, s, 2); !at.Equal(later) { // its content was leaving, so that it is not held
		t.Errorf("due at %v", at)
	}
}

// Mail that was held for weeks, and is released, may be put off as any other.
func TestReleaseAfterWeeks(t *testing.T) { storetest.Each(t, testReleaseAfterWeeks) }

func testReleaseAfterWeeks(t *testing.T, dsn string) {
	s := openTest(t, dsn, t.TempDir())
	queued(t, s, "m1", "l", "x.example", 1, noon)
	late := noon.AddDate(0, 0, 20)
	inTx(t, s, func(ctx context.Context, tx *sql.Tx) error {
		if _, err := s.Hold(ctx, tx, Selection{MessageID: "m1"}); err != nil {
			return err
		}
		_, err := s.Release(ctx, tx, Selection{MessageID: "m1"}, late)
		return err
	})
	l := LaneDeferral{DueQuery: DueQuery{Lane: "l", Now: late}, Code: 451, Reply: "greylisted", At: late, Steps: []time.Duration{time.Minute, time.Hour}, MaxAge: 5 * 24 * time.Hour}
	inTx(t, s, func(ctx context.Context, tx *sql.Tx) error { return s.DeferLane(ctx, tx, l) })
	if status, _, _, attempts := state(t, s, 1); status != "queued" || attempts != 1 {
		t.Errorf("%s after %d attempts", status, attempts)
	}
	d, err := s.NextDue(t.Context(), DueQuery{Lane: "l", Now: late.Add(time.Hour)})
	if err != nil || !d.Recipients[0].CreatedAt.Equal(late) {
		t.Errorf("got %+v, %v", d, err)
	}
}
