package secret

import (
	"errors"
	"fmt"
)

// What a failure is; ask with errors.Is.
var (
	ErrNotFound = errors.New("no such secret")
	ErrAbsent   = errors.New("no keyring")
	ErrLocked   = errors.New("keyring locked")
	ErrTimeout  = errors.New("keyring timed out")
	ErrBusy     = errors.New("keyring busy with an earlier question")
	ErrReadable = errors.New("secret file readable by others")
	ErrRefused  = errors.New("secret refused")
	ErrClosed   = errors.New("secret store closed")
)

// Error is a failure with words for a person. Neither they nor Error() hold a
// secret; a path stands in Action only, so that Error() can be logged.
type Error struct {
	Kind     error // one of the above
	Sentence string
	Action   string
	Err      error // technical cause, or nil
}

// Error is the sentence with the cause.
func (e *Error) Error() string {
	if e.Err == nil {
		return e.Sentence
	}
	return e.Sentence + " (" + e.Err.Error() + ")"
}

// Unwrap gives kind and cause.
func (e *Error) Unwrap() []error {
	if e.Err == nil {
		return []error{e.Kind}
	}
	return []error{e.Kind, e.Err}
}

// kindOf finds the kind in a keyring's error.
func kindOf(err error) error {
	for _, kind := range []error{ErrNotFound, ErrAbsent, ErrLocked} {
		if errors.Is(err, kind) {
			return kind
		}
	}
	return ErrRefused
}

const openPrompt = "Look for a window that asks for the keyring's password."

// explained gives a failure of the keyring its words.
func explained(key string, kind, cause error) *Error {
	e := &Error{Kind: kind, Err: cause}
	switch kind {
	case ErrNotFound: //nolint:errorlint // kind is one of the sentinels itself
		e.Sentence, e.Action, e.Err = fmt.Sprintf("There is no %s.", name(key)), "Enter it.", nil
		if key == LocalKey {
			e.Action = "Make a new one."
		}
	case ErrAbsent:
		e.Sentence = "This computer has no keyring that answers."
		e.Action = `Install one, for example gnome-keyring, or keep the password in a file: credential = "file:/path" in companion.toml.`
	case ErrLocked:
		e.Sentence, e.Action = "The keyring is locked.", "Unlock it, or log out and in again. "+openPrompt
	case ErrTimeout:
		e.Sentence, e.Action = fmt.Sprintf("The keyring did not answer within %d seconds.", int(deadline.Seconds())), openPrompt
	case ErrBusy:
		e.Sentence, e.Action = "The keyring has not answered an earlier question yet.", openPrompt
	case ErrClosed:
		e.Sentence = "The companion is stopping."
	default:
		e.Kind, e.Sentence = ErrRefused, fmt.Sprintf("The keyring refused the %s.", name(key))
		e.Action = `Try again, or keep the password in a file: credential = "file:/path" in companion.toml.`
	}
	return e
}

// refused is a failure of a file for a reason that is none of ours.
func refused(key string, cause error) *Error {
	return &Error{Kind: ErrRefused, Sentence: fmt.Sprintf("The file with the %s cannot be used.", name(key)), Err: withoutPath(cause)}
}
