package queue

import "time"

// Later tells that mail which nobody may send yet comes due at that time.
func (q *Queue) Later(at time.Time) { q.alarm.set(at) }
