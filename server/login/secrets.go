package login

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"

	"golang.org/x/crypto/bcrypt"
)

// cost makes one hash take some tens of milliseconds. Passwords are random
// (see NewPassword), so it protects those that people chose themselves.
const cost = bcrypt.DefaultCost

// alphabet has no two characters that look alike.
const alphabet = "23456789abcdefghjkmnpqrstuvwxyz"

// NewPassword makes a password of 28 random letters and digits (138 bits) in
// groups of four, easy to read out and to type.
func NewPassword() string {
	const length, group = 28, 4
	out := make([]byte, 0, length+length/group)
	for n := 0; n < length; {
		var b [1]byte
		rand.Read(b[:]) // never fails (Go 1.24)
		if int(b[0]) >= 256/len(alphabet)*len(alphabet) {
			continue // would make the first characters likelier
		}
		if n > 0 && n%group == 0 {
			out = append(out, '-')
		}
		out = append(out, alphabet[int(b[0])%len(alphabet)])
		n++
	}
	return string(out)
}

// Hash is what the store keeps of a password.
func Hash(password string) (string, error) {
	switch {
	case len(password) < 8:
		return "", errors.New("the password is too short: take at least 8 characters")
	case len(password) > maxPassword:
		return "", fmt.Errorf("the password is too long: take at most %d bytes", maxPassword)
	}
	h, err := bcrypt.GenerateFromPassword([]byte(password), cost)
	if err != nil {
		return "", fmt.Errorf("hash password: %w", err)
	}
	return string(h), nil
}

// NewToken makes a bearer token of 256 random bits.
func NewToken() string {
	var raw [32]byte
	rand.Read(raw[:])
	return "sbt_" + base64.RawURLEncoding.EncodeToString(raw[:])
}

// TokenHash is what the store keeps of a token. A plain SHA-256 is enough,
// because a token is random and cannot be guessed.
func TokenHash(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:])
}
