package relayclient

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"time"
)

// More of what callers branch on; use errors.Is.
var (
	ErrForbidden   = errors.New("the token lacks a scope")
	ErrConflict    = errors.New("the relay has something else there")
	ErrTooLarge    = errors.New("too large for the relay")
	ErrUnavailable = errors.New("the relay cannot answer now")
)

// named is the sentinel of a status, or nil.
func named(status int) error {
	switch status {
	case http.StatusUnauthorized:
		return ErrUnauthorized
	case http.StatusForbidden:
		return ErrForbidden
	case http.StatusNotFound:
		return ErrNotFound
	case http.StatusConflict:
		return ErrConflict
	case http.StatusGone:
		return ErrCursor
	case http.StatusRequestEntityTooLarge:
		return ErrTooLarge
	case http.StatusTooManyRequests:
		return ErrTooMany
	case http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return ErrUnavailable
	}
	return nil
}

const (
	firstPause   = 250 * time.Millisecond
	longestPause = 10 * time.Second
)

// call is once, repeated as Options.Retries allows. All calls but CreateDevice
// and ResetPassword come here: the others do the same however often they are
// made, submissions by their keys, partners' orders by their references.
func call[T any](ctx context.Context, c *Client, wait time.Duration, send func(context.Context, RequestEditorFn) (*http.Response, error)) (T, error) {
	for attempt := 0; ; attempt++ {
		answer, err := once[T](ctx, c, wait, send)
		if err == nil || attempt >= c.retries || !passing(err) || !c.pause(ctx, attempt, err) {
			return answer, err
		}
	}
}

// passing says whether a repetition may end better: no answer came, or one
// that asks for it.
func passing(err error) bool {
	var refused *Error
	if errors.As(err, &refused) {
		return errors.Is(err, ErrTooMany) || errors.Is(err, ErrUnavailable)
	}
	var answered *answerError
	return !errors.As(err, &answered)
}

// answerError says that an answer came which cannot be read.
type answerError struct{ err error }

func (e *answerError) Error() string { return e.err.Error() }
func (e *answerError) Unwrap() error { return e.err }

// pause waits before the next attempt, at least as long as the relay asked
// for. It is false when ctx ends sooner.
func (c *Client) pause(ctx context.Context, attempt int, err error) bool {
	d := min(firstPause<<min(attempt, 10), longestPause)
	d = d/2 + rand.N(d/2+1)
	var refused *Error
	if errors.As(err, &refused) {
		d = max(d, refused.RetryAfter)
	}
	if end, ok := ctx.Deadline(); ok && time.Until(end) <= d {
		return false
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
