// Package api is the relay's JSON API and the operator's administration.
//
// It promises that a caller sees its own account and no other, that every
// error is a problem (RFC 9457) which tells nothing of the inside, and that a
// waiting call ends when there is news, when its time is over, or at once when
// the relay stops. It holds no rules of plans or mail: it puts store, login
// and acceptance into words. It never logs addresses or what a call carries.
//
// The operations are described once, in Go (operations.go, types.go): huma
// makes the OpenAPI document from them, and oapi-codegen the client, by
//
//	go generate ./server/api
//
// Mail comes in by uploads (bodies.go, store.Uploads) and submissions
// (submissions.go), which go through the same acceptance as SMTP: the key is
// what makes a repetition harmless, over either way. A call of many batches
// answers each for itself.
//
// Goroutines: those of net/http, one for each connection, one for each batch
// of a submission, which its call waits for, and one that removes old uploads.
// Run ends them and waits for them.
//
// Standards: RFC 6750 (bearer tokens), RFC 7617 (Basic authentication),
// RFC 9110 (HTTP: conditions, Allow, Retry-After), RFC 9457 (problems),
// RFC 4180 (CSV).
package api

//go:generate go run generate.go
