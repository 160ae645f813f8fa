package pace

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

const dayMinutes = 24 * 60

// Span is a part of every day in which bulk mail does not leave, in minutes
// after midnight: From is in it, To is not. It may cross midnight.
type Span struct{ From, To int }

// ParseSpan reads "22:00-07:00"; "24:00" is midnight at the end.
func ParseSpan(s string) (Span, error) {
	from, to, ok := strings.Cut(s, "-")
	if ok {
		f, errFrom := parseClock(from)
		t, errTo := parseClock(to)
		if errFrom == nil && errTo == nil && f < dayMinutes && f != t {
			return Span{f, t}, nil
		}
	}
	return Span{}, fmt.Errorf("quiet hours %q: write two different times of day, for example \"22:00-07:00\"", s)
}

func parseClock(s string) (int, error) {
	hours, minutes, _ := strings.Cut(strings.TrimSpace(s), ":")
	h, err := strconv.ParseUint(hours, 10, 8)
	if err != nil {
		return 0, err
	}
	m, err := strconv.ParseUint(minutes, 10, 8)
	if err != nil {
		return 0, err
	}
	if h > 24 || m > 59 || h*60+m > dayMinutes {
		return 0, strconv.ErrRange
	}
	return int(h*60 + m), nil
}

// String is what ParseSpan reads.
func (s Span) String() string {
	return fmt.Sprintf("%02d:%02d-%02d:%02d", s.From/60, s.From%60, s.To/60, s.To%60)
}

// UnmarshalText implements encoding.TextUnmarshaler, for settings.
func (s *Span) UnmarshalText(text []byte) error {
	v, err := ParseSpan(string(text))
	if err == nil {
		*s = v
	}
	return err
}

// MarshalText implements encoding.TextMarshaler.
func (s Span) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

func (s Span) holds(minute int) bool {
	if s.From < s.To {
		return s.From <= minute && minute < s.To
	}
	return minute >= s.From || minute < s.To
}

// quiet says whether bulk mail is held at t.
func (l Limits) quiet(t time.Time) bool {
	if l.Zone != nil {
		t = t.In(l.Zone)
	}
	minute := t.Hour()*60 + t.Minute()
	for _, s := range l.Quiet {
		if s.holds(minute) {
			return true
		}
	}
	return false
}

// quietEnd is the first moment from t on that is not quiet; zero: there is
// none. It walks minute by minute on the clock that people see, so that a
// change to or from summer time needs no rule of its own.
func (l Limits) quietEnd(t time.Time) time.Time {
	if !l.quiet(t) {
		return t
	}
	next := t.Truncate(time.Minute)
	for range 2 * dayMinutes {
		if next = next.Add(time.Minute); !l.quiet(next) {
			return next
		}
	}
	return time.Time{}
}
