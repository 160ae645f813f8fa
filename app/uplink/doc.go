// Package uplink is one session with the relay: it connects, authenticates,
// hands over batches one after the other and reports what became of each.
//
// It promises:
//   - A password leaves only after TLS was verified (RFC 8314 §3); a server that
//     does not offer STARTTLS gets nothing, and plain SMTP is not spoken.
//   - Result says what is known and nothing more. Returned: the relay cannot have
//     the batch. Done: it answered, recipient by recipient. Unknown: the final
//     dot was written, at least in part, and no answer was understood.
//   - The gate is called once, directly before DATA is written; without it
//     nothing leaves.
//   - The final dot is written only after every byte of the stored message, and
//     only if their number and SHA-256 are those of the batch.
//   - Every wait has an end: Connect for a way out, Progress for a reply or for
//     one byte to move, FinalDot for the answer to the dot. A context that ends
//     closes the connection at once.
//
// It never keeps a message in memory, retries, decides about pace, or writes to
// a store, and it never logs addresses or what was said in AUTH.
//
// One goroutine of its own lives inside Send, while a body is written: it reads,
// so that a refusal that comes early is seen before the server hangs up (RFC
// 5321 §3.8 lets it). Send waits for it. A Session is used by one goroutine at a
// time.
//
// The dialogue is our own and not go-smtp's Client, for three reasons: that one
// waits for each reply, where PIPELINING (RFC 2920) makes one round trip of MAIL
// and fifty RCPT; it reads through a buffer that cannot be handed over, so that
// early replies are lost; and it gives the final dot and its answer no moment of
// their own, on which Unknown rests. SASL mechanisms are go-sasl's.
//
// States of a transaction, and what a lost connection means in each:
//
//	offering (MAIL, RCPT) ─▶ gate ─▶ DATA ─▶ body ─▶ dot ─▶ answered
//	Returned                 Returned        Returned Unknown  -
//
// Standards: RFC 5321 (SMTP), RFC 6409 (submission), RFC 3207 (STARTTLS), RFC
// 8314 (implicit TLS), RFC 4954 (AUTH), RFC 2920 (PIPELINING), RFC 2034 and 3463
// (enhanced codes), RFC 3461 and 6533 (DSN), RFC 1870 (SIZE), RFC 6152
// (8BITMIME), RFC 6531 (SMTPUTF8), RFC 9422 (LIMITS).
package uplink
