// Package units holds sizes and rates with their units, so that no bare number
// carries one in a comment. It is pure.
package units

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// ByteSize is a number of bytes. Units are decimal: 1 KB = 1,000 bytes, 1 MB =
// 1,000 KB, 1 GB = 1,000 MB.
type ByteSize int64

const (
	KB ByteSize = 1000
	MB          = 1000 * KB
	GB          = 1000 * MB
)

var sizeUnits = []struct {
	name string
	size ByteSize
}{{"GB", GB}, {"MB", MB}, {"KB", KB}, {"B", 1}}

// ParseByteSize reads "100MB", "5 GB", "90.5 KB" or a plain number of bytes.
func ParseByteSize(s string) (ByteSize, error) {
	number, unit := strings.ToUpper(strings.TrimSpace(s)), ByteSize(1)
	for _, u := range sizeUnits {
		if rest, ok := strings.CutSuffix(number, u.name); ok {
			number, unit = strings.TrimSpace(rest), u.size
			break
		}
	}
	f, err := strconv.ParseFloat(number, 64)
	if err != nil || !(f >= 0) || f*float64(unit) > 1<<62 {
		return 0, fmt.Errorf("size %q: write a number with B, KB, MB or GB, for example \"100MB\"", s)
	}
	return ByteSize(f * float64(unit)), nil
}

// String is the size with one digit after the point at most: "1.5 GB".
func (b ByteSize) String() string {
	for _, u := range sizeUnits[:3] {
		if b >= u.size || -b >= u.size {
			v := strconv.FormatFloat(float64(b)/float64(u.size), 'f', 1, 64)
			return strings.TrimSuffix(v, ".0") + " " + u.name
		}
	}
	return strconv.FormatInt(int64(b), 10) + " B"
}

// UnmarshalText implements encoding.TextUnmarshaler, for settings.
func (b *ByteSize) UnmarshalText(text []byte) error {
	v, err := ParseByteSize(string(text))
	if err == nil {
		*b = v
	}
	return err
}

// MarshalText implements encoding.TextMarshaler. The text reads back exactly.
func (b ByteSize) MarshalText() ([]byte, error) {
	for _, u := range sizeUnits {
		if b%u.size == 0 && (b != 0 || u.size == 1) {
			return fmt.Appendf(nil, "%d%s", b/u.size, u.name), nil
		}
	}
	return fmt.Appendf(nil, "%dB", b), nil
}

// MarshalJSON writes the number of bytes: in JSON sizes are numbers.
func (b ByteSize) MarshalJSON() ([]byte, error) { return strconv.AppendInt(nil, int64(b), 10), nil }

// UnmarshalJSON reads a number of bytes.
func (b *ByteSize) UnmarshalJSON(text []byte) error {
	n, err := strconv.ParseInt(string(text), 10, 64)
	if err != nil {
		return fmt.Errorf("size %s: want a number of bytes", text)
	}
	*b = ByteSize(n)
	return nil
}

// Rate is at most N things in any span of Per. N = 0 means no such limit.
type Rate struct {
	N   int
	Per time.Duration
}

// PerMinute is n a minute.
func PerMinute(n int) Rate { return Rate{N: n, Per: time.Minute} }

// Limited says that the rate limits anything.
func (r Rate) Limited() bool { return r.N > 0 && r.Per > 0 }

// Time is how long n things take at this rate, rounded up, so that waiting for
// it never is too short. It is 0 for an unlimited rate.
func (r Rate) Time(n int) time.Duration {
	if !r.Limited() || n <= 0 {
		return 0
	}
	whole, rest := n/r.N, n%r.N
	return time.Duration(whole)*r.Per + (time.Duration(rest)*r.Per+time.Duration(r.N)-1)/time.Duration(r.N)
}

// Stricter returns the slower of two rates over the same span; a limit beats
// no limit.
func (r Rate) Stricter(other Rate) Rate {
	switch {
	case !r.Limited():
		return other
	case !other.Limited():
		return r
	case r.Time(1000) >= other.Time(1000):
		return r
	}
	return other
}
