package wire

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// BodySum is the SHA-256 of a message as the relay receives it: dot-stuffing
// undone, before the relay adds or removes anything.
type BodySum [sha256.Size]byte

// String is the sum in lower-case hexadecimal, 64 characters.
func (s BodySum) String() string { return hex.EncodeToString(s[:]) }

// Fingerprint identifies what was offered under one envelope id: SHA-256 over
// the reverse-path, the offered recipients (refused ones too) sorted with
// their domains in lower case, and the body's sum. It is the same over SMTP
// and HTTPS, and the relay compares it when a key comes a second time.
// The result has 64 lower-case hexadecimal characters.
func Fingerprint(reversePath string, recipients []string, body BodySum) string {
	sorted := make([]string, len(recipients))
	for i, r := range recipients {
		sorted[i] = LowerDomain(r)
	}
	slices.Sort(sorted)
	h := sha256.New()
	// An address cannot hold NUL (RFC 5321 §4.1.2), so the parts cannot run together.
	h.Write([]byte("sb1\x00" + LowerDomain(reversePath) + "\x00"))
	for _, r := range sorted {
		h.Write([]byte(r))
		h.Write([]byte{0})
	}
	h.Write(body[:])
	return hex.EncodeToString(h.Sum(nil))
}

// LowerDomain returns the address with the part after the last @ in lower
// case; the local part belongs to the receiving host (RFC 5321 §2.4).
func LowerDomain(address string) string {
	i := strings.LastIndexByte(address, '@')
	if i < 0 {
		return address
	}
	return address[:i+1] + strings.ToLower(address[i+1:])
}

// Domain is the part of an address after the last @, in lower case, or "".
func Domain(address string) string {
	i := strings.LastIndexByte(address, '@')
	if i < 0 {
		return ""
	}
	return strings.ToLower(address[i+1:])
}

// ParseBodySum reads what String writes.
func ParseBodySum(s string) (BodySum, error) {
	var sum BodySum
	if len(s) != 2*len(sum) || strings.ToLower(s) != s {
		return BodySum{}, errors.New("not a SHA-256 in lower-case hexadecimal")
	}
	if _, err := hex.Decode(sum[:], []byte(s)); err != nil {
		return BodySum{}, fmt.Errorf("read SHA-256: %w", err)
	}
	return sum, nil
}
