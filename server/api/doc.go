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
// Goroutines: those of net/http, one for each connection, which Run ends and
// waits for.
//
// Standards: RFC 6750 (bearer tokens), RFC 7617 (Basic authentication),
// RFC 9457 (problems), RFC 4180 (CSV).
package api

//go:generate go run generate.go
