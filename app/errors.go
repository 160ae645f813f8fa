package app

import "errors"

// What callers of the façade branch on.
var (
	ErrNotFound = errors.New("not found")
	ErrStopped  = errors.New("the engine has stopped")
)

// UserError is a failure with words for a person: one sentence that says what
// is wrong, and what to do about it.
type UserError struct {
	Sentence string
	Action   string // "" where nothing can be done
	Err      error  // technical cause, for the log and the details view
}

// Error implements error.
func (e *UserError) Error() string {
	if e.Action == "" {
		return e.Sentence
	}
	return e.Sentence + " " + e.Action
}

// Unwrap returns the technical cause.
func (e *UserError) Unwrap() error { return e.Err }
