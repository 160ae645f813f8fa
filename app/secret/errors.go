package secret

import (
	"errors"
	"strings"

	"servicesmtp.net/companion/app/say"
	"servicesmtp.net/companion/internal/durable"
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
	Said     Said
}

// Said is a sentence and an action for any language, and for a person without
// a terminal.
type Said struct{ Sentence, Action say.Text }

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

// failure is an Error with words. terminal is what the terminal says in place
// of the action, where that is another; "" otherwise.
func failure(kind error, said Said, terminal string, cause error) *Error {
	e := &Error{Kind: kind, Sentence: said.Sentence.String(), Action: said.Action.String(), Said: said, Err: cause}
	if terminal != "" {
		e.Action = terminal
	}
	return e
}

// explained gives a failure of the keyring its words.
func explained(key string, kind, cause error) *Error {
	var s Said
	terminal := ""
	lookForPrompt := say.T("Look for a window that asks for the keyring's password.")
	switch kind {
	case ErrNotFound: //nolint:errorlint // kind is one of the sentinels itself
		s.Sentence, s.Action, cause = say.T("There is no {{.Secret}}.").With("Secret", name(key)), say.T("Enter it."), nil
		if key == LocalKey {
			s.Action = say.T("Make a new one.")
		}
	case ErrAbsent:
		s.Sentence, s.Action = say.T("This computer has no keyring that answers."), say.T("Install one, for example GNOME Keyring or KWallet.")
		terminal = `Install one, for example gnome-keyring, or keep the password in a file: credential = "file:/path" in companion.toml.`
	case ErrLocked:
		s.Sentence = say.T("The keyring is locked.")
		s.Action = say.T("Unlock it, or log out and in again. Look for a window that asks for the keyring's password.")
	case ErrTimeout:
		s.Sentence, s.Action = say.T("The keyring did not answer within {{.Time}}.").With("Time", deadline), lookForPrompt
	case ErrBusy:
		s.Sentence, s.Action = say.T("The keyring has not answered an earlier question yet."), lookForPrompt
	case ErrClosed:
		s.Sentence = say.T("The companion is stopping.")
	default:
		kind = ErrRefused
		s.Sentence, s.Action = say.T("The keyring refused the {{.Secret}}.").With("Secret", name(key)), say.T("Try again.")
		terminal = `Try again, or keep the password in a file: credential = "file:/path" in companion.toml.`
	}
	return failure(kind, s, terminal, cause)
}

// refused is a failure of a file for a reason that is none of ours.
func refused(key string, cause error) *Error {
	return failure(ErrRefused, Said{Sentence: say.T("The file with the {{.Secret}} cannot be used.").With("Secret", name(key))}, "", durable.WithoutPath(cause))
}

// name is what a person calls the secret.
func name(key string) say.Text {
	if account, ok := strings.CutPrefix(key, relayPrefix); ok {
		return say.T("password of the account {{.Account}}").With("Account", account)
	}
	if account, ok := strings.CutPrefix(key, tokenPrefix); ok {
		return say.T("access token of the account {{.Account}}").With("Account", account)
	}
	return say.T("password for mail programs")
}
