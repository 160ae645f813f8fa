package wire

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// MaxEnvelopeID is the longest ENVID a client may send, in characters before
// xtext encoding (RFC 3461 §4.4).
const MaxEnvelopeID = 100

const envelopePrefix = "sb1"

// ErrEnvelopeID says that a string is not an envelope id of ours.
var ErrEnvelopeID = errors.New("not an envelope id of the companion")

// EnvelopeID names one batch on its way to the relay:
// "sb1.<job ULID>.<batch number>[.<client ENVID>]".
type EnvelopeID struct {
	Job    string // ULID of the job, 26 characters, upper case
	Number int    // of the batch within the job, from 1; never used twice
	Client string // ENVID that the mail program gave, or ""
}

// Key is the part that the relay accepts once: everything but Client.
func (e EnvelopeID) Key() string {
	return envelopePrefix + "." + e.Job + "." + strconv.Itoa(e.Number)
}

// String is the value for the ENVID parameter, before xtext encoding. A client
// ENVID that would make it longer than MaxEnvelopeID is left out: it still
// stands in the spool, for reports made here.
func (e EnvelopeID) String() string {
	key := e.Key()
	if e.Client == "" || len(key)+1+len(e.Client) > MaxEnvelopeID {
		return key
	}
	return key + "." + e.Client
}

// ParseEnvelopeID reads what String writes. The error is ErrEnvelopeID, with
// what was wrong; a foreign ENVID is legal in SMTP, it only carries no promise.
func ParseEnvelopeID(s string) (EnvelopeID, error) {
	if len(s) > MaxEnvelopeID {
		return EnvelopeID{}, fmt.Errorf("%d characters: %w", len(s), ErrEnvelopeID)
	}
	parts := strings.SplitN(s, ".", 4)
	if len(parts) < 3 || parts[0] != envelopePrefix {
		return EnvelopeID{}, ErrEnvelopeID
	}
	if !isULID(parts[1]) {
		return EnvelopeID{}, fmt.Errorf("job: %w", ErrEnvelopeID)
	}
	n, err := strconv.Atoi(parts[2])
	if err != nil || n < 1 || strconv.Itoa(n) != parts[2] {
		return EnvelopeID{}, fmt.Errorf("batch number: %w", ErrEnvelopeID)
	}
	e := EnvelopeID{Job: parts[1], Number: n}
	if len(parts) == 4 {
		if parts[3] == "" {
			return EnvelopeID{}, fmt.Errorf("empty client part: %w", ErrEnvelopeID)
		}
		e.Client = parts[3]
	}
	return e, nil
}

// isULID accepts the canonical upper-case form only, so that a key has exactly
// one spelling.
func isULID(s string) bool {
	if len(s) != 26 || s[0] > '7' {
		return false
	}
	for i := 0; i < len(s); i++ {
		if !strings.ContainsRune("0123456789ABCDEFGHJKMNPQRSTVWXYZ", rune(s[i])) {
			return false
		}
	}
	return true
}
