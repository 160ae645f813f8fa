// Package secret keeps passwords and tokens: in the operating system's
// keyring, or in files that only their owner can read, where there is no
// keyring or the user wants it so.
//
// It promises that no call waits longer than its deadline, that a keyring that
// hangs is asked one question at a time, that a failure never erases or
// replaces a stored credential, and that every failure is an *Error with a
// sentence for a person. A stored password is read back before it counts as
// stored. Local mail never depends on the keyring: mail programs are checked
// against a hash (LocalLogin).
//
// It never logs a secret or puts one into an error, and knows no account but
// by the name in a key. One goroutine talks to the keyring; Open starts it and
// Close ends it, except when the keyring holds it, which Close says.
package secret

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"time"
	"unicode"

	"servicesmtp.net/companion/app/say"
)

// Service is the name under which the keyring shows our entries.
const Service = "net.servicesmtp.companion"

// LocalKey names the password for mail programs on this computer.
const LocalKey = "local"

// RelayKey names the password of an account at the relay.
func RelayKey(account string) string { return relayPrefix + account }

// TokenKey names the token of an account for the relay's API.
func TokenKey(account string) string { return tokenPrefix + account }

const (
	relayPrefix = "relay/"
	tokenPrefix = "token/"
	filePrefix  = "file:" // begins the credential setting of an account with a password file
	inKeyring   = "keyring"
)

// deadline of one question to the keyring. Unlocking may ask the user; whoever
// is not at the computer must not hold up anything (a prompt can wait for ever).
const deadline = 10 * time.Second

// Config of a Store.
type Config struct {
	Dir string // for secrets in files: "<data>/secrets"; made when needed
	Log *slog.Logger
}

// Store is where secrets are. Its methods may be called by several goroutines.
type Store struct {
	dir  string
	log  *slog.Logger
	ring *worker

	mu    sync.Mutex        // guards files
	files map[string]string // account → password file, where it is not in the keyring
}

// Open starts the keyring's worker. It asks the keyring nothing.
func Open(c Config) *Store { return open(c, systemKeyring{}, deadline) }

func open(c Config, ring keyring, d time.Duration) *Store {
	return &Store{dir: c.Dir, log: c.Log, ring: startWorker(ring, d), files: make(map[string]string)}
}

// Close ends the worker. The error says that the keyring still holds it.
func (s *Store) Close() error { return s.ring.close() }

// Use tells where an account's password is: "keyring" or "file:/path", as in
// the settings.
func (s *Store) Use(account, credential string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if path, ok := strings.CutPrefix(credential, filePrefix); ok {
		s.files[account] = path
	} else {
		delete(s.files, account)
	}
}

// fileOf is the password file of the account that a key belongs to, or "".
func (s *Store) fileOf(key string) string {
	_, account, _ := strings.Cut(key, "/")
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.files[account]
}

// Get returns a secret, or an *Error that is ErrNotFound where there is none.
func (s *Store) Get(ctx context.Context, key string) (string, error) {
	file := s.fileOf(key)
	if strings.HasPrefix(key, relayPrefix) {
		if file != "" {
			return readFile(key, file)
		}
		return s.ring.get(ctx, key)
	}
	// A file beside is there because the keyring was not; it is the newer one.
	v, err := readFile(key, s.path(key))
	if err == nil || !errors.Is(err, ErrNotFound) || file != "" {
		return v, err
	}
	return s.ring.get(ctx, key)
}

// Set stores a secret. Where there is no keyring, a token goes into a file; the
// local password does so whenever the keyring fails. The password of an
// account goes where its credential setting says; Keep chooses for it.
func (s *Store) Set(ctx context.Context, key, value string) error {
	if err := check(key, value); err != nil {
		return err
	}
	file := s.fileOf(key)
	switch {
	case strings.HasPrefix(key, relayPrefix) && file != "":
		return writeFile(key, file, value)
	case file != "":
		return writeFile(key, s.path(key), value)
	}
	err := s.ring.set(ctx, key, value)
	if err == nil {
		return removeFile(key, s.path(key)) // an older one would be found first
	}
	if key == LocalKey || strings.HasPrefix(key, tokenPrefix) && errors.Is(err, ErrAbsent) {
		if e, ok := errors.AsType[*Error](err); ok { // its cause may hold a path
			s.log.WarnContext(ctx, "keyring cannot be used, a secret goes into a file", "why", e.Sentence)
		}
		return writeFile(key, s.path(key), value)
	}
	return err
}

// Keep stores the password of an account and returns the credential setting
// that finds it again: where it was before, else "keyring", or a file of ours
// where the computer has no keyring.
func (s *Store) Keep(ctx context.Context, account, password string) (credential string, err error) {
	key := RelayKey(account)
	err = s.Set(ctx, key, password)
	if errors.Is(err, ErrAbsent) {
		path, absErr := filepath.Abs(s.path(key))
		if absErr != nil {
			return "", refused(key, absErr)
		}
		s.Use(account, filePrefix+path)
		err = s.Set(ctx, key, password)
	}
	if err != nil {
		return "", err
	}
	if file := s.fileOf(key); file != "" {
		return filePrefix + file, nil
	}
	return inKeyring, nil
}

// Delete removes a secret; it is no error that there is none. A password file
// that the user named stays: it is the user's.
func (s *Store) Delete(ctx context.Context, key string) error {
	if err := removeFile(key, s.path(key)); err != nil {
		return err
	}
	if s.fileOf(key) != "" {
		return nil
	}
	if err := s.ring.delete(ctx, key); err != nil && !errors.Is(err, ErrNotFound) {
		return err
	}
	return nil
}

// check refuses what a paste can bring along and a file could not give back.
func check(key, value string) error {
	if value == "" || strings.ContainsFunc(value, unicode.IsControl) {
		sentence := say.T("The {{.Secret}} is empty or has a line break in it.").With("Secret", name(key))
		return failure(ErrRefused, Said{Sentence: sentence, Action: say.T("Copy it again.")}, "", nil)
	}
	return nil
}
