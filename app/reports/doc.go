// Package reports keeps what the relay tells about each account (quota, usage,
// limits, endpoints, what became of recipients, notices), so that it can be
// read while the relay cannot be reached.
//
// It promises:
//
//   - an event is stored exactly once, and in the relay's order: it and the
//     cursor behind it are written in one transaction, which only succeeds
//     while the cursor stands where the page was read from;
//   - an outage changes nothing that is stored: what was read last stays, with
//     its time, and is called stale;
//   - an answer that is none (a sign-in page, half a body, an empty object)
//     counts as an outage;
//   - a new token is asked for only when the relay says that it does not know
//     the old one (401), never because it did not answer;
//   - the relay is not hammered: failures double the wait, the relay's
//     Retry-After is obeyed, and a relay that ignores the wait of a long poll
//     is not asked in a tight loop.
//
// It never decides anything about sending, writes no sentences for people, and
// logs no addresses. It is a cache: a damaged file, or one of a newer version,
// is set aside and filled anew.
//
// Follower.Run owns four goroutines, one each for the long polls of events and
// of notices, one for the share of the account's rate, one for the rest, and
// has ended all when it returns.
package reports
