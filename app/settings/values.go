package settings

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

const day = 24 * time.Hour

// Span is a length of time that the file writes as "30s", "10m", "12h" or "90d".
type Span time.Duration

// maxSpan keeps sums of spans and times far from overflow.
const maxSpan = 100 * 365 * day

// UnmarshalText implements encoding.TextUnmarshaler.
func (s *Span) UnmarshalText(text []byte) error {
	v, err := parseSpan(strings.TrimSpace(string(text)))
	if err == nil {
		*s = Span(v)
	}
	return err
}

func parseSpan(text string) (time.Duration, error) {
	if days, ok := strings.CutSuffix(text, "d"); ok {
		n, err := strconv.ParseUint(days, 10, 31)
		if err != nil || time.Duration(n) > maxSpan/day {
			return 0, errSpan
		}
		return time.Duration(n) * day, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 || d > maxSpan {
		return 0, errSpan
	}
	return d, nil
}

var errSpan = errors.New("not a length of time")

// MarshalText implements encoding.TextMarshaler. The text reads back exactly.
func (s Span) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// String is the span in its largest whole unit.
func (s Span) String() string {
	d := time.Duration(s)
	for _, u := range []struct {
		name string
		span time.Duration
	}{{"d", day}, {"h", time.Hour}, {"m", time.Minute}, {"s", time.Second}} {
		if d >= u.span && d%u.span == 0 {
			return strconv.FormatInt(int64(d/u.span), 10) + u.name
		}
	}
	return d.String()
}

// Quiet is a span of every day, in local time, as distances from midnight.
// One that ends before it begins passes midnight.
type Quiet struct {
	From, To time.Duration
}

// UnmarshalText reads "22:00-07:00".
func (q *Quiet) UnmarshalText(text []byte) error {
	from, to, ok := strings.Cut(string(text), "-")
	if !ok {
		return errQuiet
	}
	f, errFrom := parseClock(from)
	t, errTo := parseClock(to)
	if errFrom != nil || errTo != nil || f == t { // the whole day would never send
		return errQuiet
	}
	*q = Quiet{From: f, To: t}
	return nil
}

func parseClock(s string) (time.Duration, error) {
	t, err := time.Parse("15:04", strings.TrimSpace(s))
	if err != nil {
		return 0, err
	}
	return time.Duration(t.Hour())*time.Hour + time.Duration(t.Minute())*time.Minute, nil
}

var errQuiet = errors.New("not a span of hours")

// MarshalText implements encoding.TextMarshaler.
func (q Quiet) MarshalText() ([]byte, error) { return []byte(q.String()), nil }

// String is the span as the file writes it.
func (q Quiet) String() string {
	return fmt.Sprintf("%02d:%02d-%02d:%02d", q.From/time.Hour, q.From%time.Hour/time.Minute, q.To/time.Hour, q.To%time.Hour/time.Minute)
}

// Contains says whether a distance from midnight lies in the span.
func (q Quiet) Contains(clock time.Duration) bool {
	if q.From <= q.To {
		return q.From <= clock && clock < q.To
	}
	return clock >= q.From || clock < q.To
}
