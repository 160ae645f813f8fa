// Package pace decides what may leave an account and when. A batch *leaves* at
// the moment DATA is sent.
//
// It promises, for every moment told and every leave that it was told of:
//
//   - over any window w, recipients ≤ rate·w + one batch + the personal burst,
//     where rate is what the limits and the present speed permit; messages
//     likewise, with one message for the batch;
//   - the same over any window for each provider that has a rate of its own,
//     of its recipients;
//   - no hour and no day holds more recipients than its limit;
//   - never early: a moment told is permitted, the nanosecond before is not
//     (hours and days are counted in slots, which may add a second to an hour
//     and a minute to a day);
//   - whatever waits is permitted in the end, but for quiet hours that cover
//     the whole day;
//   - a restart permits nothing that the lost state would not have permitted
//     at full speed.
//
// Personal mail (few recipients) overtakes: it may overdraw the bucket, which
// newsletters then repay, and it leaves in quiet hours. It never passes an
// hour's or a day's limit, nor the relay's request to wait.
//
// A batch larger than the limits of today, frozen when they were looser,
// leaves when the bucket is at zero and the hour or day is empty.
//
// It is pure: `now` is an argument, there is no clock, log, I/O or goroutine.
// Times are read as wall-clock times.
package pace
