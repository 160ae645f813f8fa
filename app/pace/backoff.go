package pace

import "time"

const (
	firstRetry     = time.Minute
	longestRetry   = 2 * time.Hour
	firstReconnect = 500 * time.Millisecond
	longestConnect = time.Minute
)

// Backoff is how long recipients wait that were deferred in round, from 0: a
// minute, doubled each time, two hours at most, and up to a fifth more or less
// by random, so that what failed together does not come back together.
func Backoff(round int, random uint64) time.Duration {
	return jitter(doubled(firstRetry, longestRetry, round), random)
}

// Reconnect is how long to wait for the relay after so many failures in a row,
// from 1: half a second, doubled each time, a minute at most, with jitter.
func Reconnect(failures int, random uint64) time.Duration {
	return jitter(doubled(firstReconnect, longestConnect, max(failures, 1)-1), random)
}

func doubled(first, longest time.Duration, times int) time.Duration {
	d := first
	for ; times > 0 && d < longest; times-- {
		d *= 2
	}
	return min(d, longest)
}

// jitter is d ± 20 %.
func jitter(d time.Duration, random uint64) time.Duration {
	fifth := d / 5
	return d - fifth + time.Duration(random%uint64(2*fifth+1))
}
