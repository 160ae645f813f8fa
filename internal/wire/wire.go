// Package wire holds what companion and relay must agree on to the byte: the
// envelope id that makes a hand-over idempotent, the fingerprint of a batch,
// the fixed tokens in SMTP replies, and the filter for message headers.
//
// It promises that both halves of the product compute the same values from
// the same message. It never does I/O, keeps no state, starts no goroutine,
// and knows neither half.
//
// Standards: RFC 3461 §4.4 (ENVID), RFC 5321 §4.4 (trace), RFC 5322 §2.2
// (header fields), RFC 2034 (enhanced codes in replies).
package wire
