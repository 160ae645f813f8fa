package app

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"servicesmtp.net/companion/app/mail"
	"servicesmtp.net/companion/app/pace"
)

func TestRatesByProvider(t *testing.T) {
	got := perProvider(map[string]int{"GMail.com": 20, "googlemail.com": 10, "x.example": 0, "mail.y.example": 7})
	if d := cmp.Diff(map[string]int{"gmail.com": 10, "y.example": 7}, got); d != "" {
		t.Error(d)
	}
	b := mail.Batch{Recipients: []mail.Recipient{{Address: "a@gmail.com"}, {Address: "b@GoogleMail.com"}, {Address: "c@z.example"}, {Address: "d@y.example"}}}
	if d := cmp.Diff(pace.Counts{"gmail.com": 2, "y.example": 1}, counts(b, got)); d != "" {
		t.Error(d)
	}
	if counts(b, nil) != nil || perProvider[int](nil) != nil {
		t.Error("without rates nothing is counted")
	}
}

// TestProvidersPassAtTheirTime: batches to one provider pass the gate at its
// rate, others meanwhile.
func TestProvidersPassAtTheirTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate(pace.New(pace.Limits{PerMinute: 60_000, Batch: 50, PerProvider: map[string]int{"gmail.com": 60}}), func() {})
		began := time.Now()
		to := pace.Counts{"gmail.com": 10}
		left := make(chan time.Duration, 3)
		for range 3 {
			ticket := g.prepareTo(mail.Bulk, 20, to)
			go func() {
				if err := ticket.pass(t.Context()); err != nil {
					t.Error(err)
				}
				left <- time.Since(began)
			}()
		}
		for i := range 3 {
			if got, want := <-left, time.Duration(i)*10*time.Second; got != want {
				t.Errorf("batch %d left after %v, want %v", i+1, got, want)
			}
			if i == 0 {
				time.Sleep(time.Second)
				if err := g.prepare(mail.Bulk, 50).pass(t.Context()); err != nil {
					t.Fatal(err)
				}
				if d := time.Since(began); d > 2*time.Second {
					t.Errorf("mail for others waited %v", d)
				}
			}
		}
		if len(g.to) != 0 {
			t.Errorf("still pending: %v", g.to)
		}
	})
}
