// Package login verifies passwords and makes passwords and tokens.
//
// It promises that an unknown name costs the caller as much time as a wrong
// password, that a guesser is slowed down, and that no more than a few
// processors are ever busy with password hashes. It never keeps a password:
// what was verified is remembered for some minutes under an HMAC whose key
// lives and dies with the process. It starts no goroutine.
package login

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/bcrypt"

	"servicesmtp.net/companion/server/store"
)

// ErrWrong says that the name is unknown or the password wrong; which of them
// is not told.
var ErrWrong = errors.New("wrong name or password")

// Throttled says that there were too many wrong logins of late.
type Throttled struct {
	Retry time.Duration // when to try again, at the earliest
}

// Error implements error.
func (e *Throttled) Error() string {
	return fmt.Sprintf("too many wrong logins: wait %d seconds", int(e.Retry.Seconds())+1)
}

// maxPassword is what bcrypt looks at; more must not be cut off silently.
const maxPassword = 72

const (
	remembered = 5 * time.Minute // a verified login
	maxEntries = 10_000          // in each table
)

// nobody is the hash of a random password that was thrown away. An unknown
// name is compared with it, which never succeeds but takes its time.
const nobody = "$2a$10$NBu7Y2ep4iNtjazHyOEfheoZpAbaAJrCWDX4ZWtsWohj5K/oVxyU6"

// Accounts finds an account by its login name, or fails with
// store.ErrNotFound.
type Accounts interface {
	AccountByName(ctx context.Context, name string) (store.Account, error)
}

// Verifier checks logins for every way in. It may be used from any goroutine.
type Verifier struct {
	accounts Accounts
	key      [32]byte
	busy     chan struct{} // holds one entry for each hash being computed
	guesses  *guesses

	mu       sync.Mutex // guards verified
	verified map[[32]byte]time.Time
}

// New makes a verifier.
func New(accounts Accounts) *Verifier {
	v := &Verifier{
		accounts: accounts,
		busy:     make(chan struct{}, max(1, runtime.GOMAXPROCS(0)-1)),
		guesses:  newGuesses(),
		verified: make(map[[32]byte]time.Time),
	}
	rand.Read(v.key[:]) // never fails (Go 1.24)
	return v
}

// Verify returns the account of a login. remote is the caller's IP address, by
// which guesses are counted. Errors are ErrWrong, *Throttled, or that the
// account could not be read, which says nothing about the password.
func (v *Verifier) Verify(ctx context.Context, name, password, remote string) (store.Account, error) {
	name = Name(name)
	acc, err := v.accounts.AccountByName(ctx, name)
	known := err == nil && acc.ID != store.ServiceID // nobody is the service
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return store.Account{}, fmt.Errorf("verify login: %w", err)
	}
	sum := v.sum(name, password, acc.PasswordHash)
	now := time.Now()
	// Who proved the password a moment ago is let in even from behind an
	// address from which somebody else guesses: an office shares one.
	if known && v.remembers(sum, now) {
		return acc, nil
	}
	if wait := v.guesses.wait(name, remote, now); wait > 0 {
		return store.Account{}, &Throttled{Retry: wait}
	}
	select {
	case v.busy <- struct{}{}:
		defer func() { <-v.busy }()
	case <-ctx.Done():
		return store.Account{}, fmt.Errorf("verify login: %w", ctx.Err())
	}
	// Again: many guesses at once pass the first look before one is counted.
	if wait := v.guesses.wait(name, remote, now); wait > 0 {
		return store.Account{}, &Throttled{Retry: wait}
	}
	if !v.right(acc.PasswordHash, password, known) {
		v.guesses.wrong(name, remote, now)
		return store.Account{}, ErrWrong
	}
	v.remember(sum, now)
	return acc, nil
}

// right computes a hash in every case, so that time tells nothing.
func (v *Verifier) right(hash, password string, known bool) bool {
	against := []byte(hash)
	if !known {
		against = []byte(nobody)
	}
	err := bcrypt.CompareHashAndPassword(against, []byte(password[:min(len(password), maxPassword)]))
	return err == nil && known && len(password) <= maxPassword
}

// sum names a login. The stored hash is part of it, so that a new password
// ends what was remembered of the old one.
func (v *Verifier) sum(name, password, hash string) [32]byte {
	mac := hmac.New(sha256.New, v.key[:])
	for _, part := range []string{name, password, hash} {
		var length [8]byte
		binary.BigEndian.PutUint64(length[:], uint64(len(part)))
		mac.Write(length[:])
		mac.Write([]byte(part))
	}
	return [32]byte(mac.Sum(nil))
}

func (v *Verifier) remembers(sum [32]byte, now time.Time) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	until, ok := v.verified[sum]
	return ok && now.Before(until)
}

func (v *Verifier) remember(sum [32]byte, now time.Time) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if len(v.verified) >= maxEntries {
		for k, until := range v.verified {
			if !now.Before(until) {
				delete(v.verified, k)
			}
		}
		if len(v.verified) >= maxEntries {
			clear(v.verified) // costs a hash each, nothing else
		}
	}
	v.verified[sum] = now.Add(remembered)
}

// Name is the form in which login names are stored and compared.
func Name(s string) string { return strings.ToLower(strings.TrimSpace(s)) }
