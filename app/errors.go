package app

import (
	"errors"

	"servicesmtp.net/companion/app/say"
)

// What callers of the façade branch on.
var (
	ErrNotFound = errors.New("not found")
	ErrStopped  = errors.New("the engine has stopped")
	// ErrUnreachable is SetAccount's where the relay could not be asked, which
	// tells nothing about name and password: a person who is offline may want
	// the account stored all the same.
	ErrUnreachable = errors.New("the relay could not be asked")
)

// UserError is a failure with words for a person: one sentence that says what
// is wrong, and what to do about it.
type UserError struct {
	Sentence string
	Action   string // "" where nothing can be done
	Err      error  // technical cause, for the log and the details view
	Said     Said   // for any language; empty where Sentence and Action are the keys themselves
}

// userError is a failure whose words have values in them.
func userError(sentence, action say.Text, err error) *UserError {
	return words{sentence: sentence, action: action}.problem(err)
}

// Words are what err says to a person, for any language. An error that is no
// *UserError has none.
func Words(err error) (Said, bool) {
	var u *UserError
	if !errors.As(err, &u) {
		return Said{}, false
	}
	said := u.Said
	if len(said.Sentence) == 0 {
		said.Sentence = say.Words{say.T(u.Sentence)}
	}
	if len(said.Action) == 0 {
		said.Action = say.Words{say.T(u.Action)}
	}
	return said, true
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
