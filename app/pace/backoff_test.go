package pace

import (
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestBackoff(t *testing.T) {
	for _, c := range []struct {
		round int
		want  time.Duration
	}{
		{-1, time.Minute}, {0, time.Minute}, {1, 2 * time.Minute}, {2, 4 * time.Minute}, {6, 64 * time.Minute},
		{7, 2 * time.Hour}, {8, 2 * time.Hour}, {math.MaxInt, 2 * time.Hour},
	} {
		middle := uint64(c.want / 5)
		if got := Backoff(c.round, middle); got != c.want {
			t.Errorf("round %d: %v, want %v", c.round, got, c.want)
		}
		if got := Backoff(c.round, 0); got != c.want*4/5 {
			t.Errorf("round %d: at least %v, want %v", c.round, got, c.want*4/5)
		}
		if got := Backoff(c.round, 2*middle); got != c.want*6/5 {
			t.Errorf("round %d: at most %v, want %v", c.round, got, c.want*6/5)
		}
	}
}

func TestReconnect(t *testing.T) {
	for _, c := range []struct {
		failures int
		want     time.Duration
	}{
		{0, 500 * time.Millisecond}, {1, 500 * time.Millisecond}, {2, time.Second}, {7, 32 * time.Second},
		{8, time.Minute}, {9, time.Minute}, {math.MaxInt, time.Minute}, {math.MinInt, 500 * time.Millisecond},
	} {
		if got := Reconnect(c.failures, uint64(c.want/5)); got != c.want {
			t.Errorf("%d failures: %v, want %v", c.failures, got, c.want)
		}
	}
}

func TestJitterStaysWithinAFifth(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		random := rapid.Uint64().Draw(t, "random")
		if d := Backoff(0, random); d < 48*time.Second || d > 72*time.Second {
			t.Fatalf("%v", d)
		}
		if d := Reconnect(99, random); d < 48*time.Second || d > 72*time.Second {
			t.Fatalf("%v", d)
		}
	})
}
