package secret

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math/big"
	"os"
	"strings"
	"sync"

	"golang.org/x/crypto/bcrypt"

	"servicesmtp.net/companion/app/say"
	"servicesmtp.net/companion/internal/durable"
)

// LocalUser is the user name that we show for mail programs. Verify takes any:
// the password alone identifies, and programs like to insert the e-mail address.
const LocalUser = "companion"

// keeper is the part of a Store that LocalLogin needs.
type keeper interface {
	Get(ctx context.Context, key string) (string, error)
	Set(ctx context.Context, key, value string) error
}

// LocalLogin is the password by which mail programs on this computer hand mail
// in. It is made once; its hash lies in the data folder, so that checking it
// needs no keyring, and the password itself in the store, so that it can be
// shown again.
type LocalLogin struct {
	store keeper
	file  string
	mac   []byte // keys good and bad, so that memory holds no password

	mu   sync.Mutex // guards the following; held while hashing, which also limits guessing to one core
	hash []byte
	good []byte // of the password verified last
	bad  []byte // of the password refused last: a program with an old one asks again and again
}

// OpenLocalLogin reads the hash in file, or makes password and hash at the
// first start. Only then does it ask the store.
func OpenLocalLogin(ctx context.Context, store keeper, file string, log *slog.Logger) (*LocalLogin, error) {
	l := &LocalLogin{store: store, file: file, mac: []byte(rand.Text())}
	hash, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, refused(LocalKey, err)
	}
	hash = bytes.TrimSpace(hash)
	if _, err := bcrypt.Cost(hash); err == nil {
		l.hash = hash
		return l, nil
	}
	if len(hash) > 0 {
		log.WarnContext(ctx, "hash of the local password is damaged, it is made anew")
	}
	// The store may know a password from before: programs go on using it.
	password, err := store.Get(ctx, LocalKey)
	if err != nil {
		_, err = l.Renew(ctx)
		return l, err
	}
	return l, l.accept(password)
}

// Verify checks what a mail program gave. The password may have white space
// around it from copying.
func (l *LocalLogin) Verify(_, password string) bool {
	password = strings.TrimSpace(password)
	sum := l.sum(password)
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case hmac.Equal(sum, l.good):
		return true
	case hmac.Equal(sum, l.bad):
		return false
	}
	if bcrypt.CompareHashAndPassword(l.hash, []byte(password)) != nil {
		l.bad = sum
		return false
	}
	l.good = sum
	return true
}

// Password returns the password for showing it.
func (l *LocalLogin) Password(ctx context.Context) (string, error) {
	password, err := l.store.Get(ctx, LocalKey)
	if err != nil {
		return "", err
	}
	if !l.Verify(LocalUser, password) {
		return "", failure(ErrNotFound, Said{
			Sentence: say.T("The stored password for mail programs belongs to another data folder."), Action: say.T("Make a new one."),
		}, "", nil)
	}
	return password, nil
}

// Renew makes a new password; programs with the old one are refused from then
// on. After an error the old one is still valid.
func (l *LocalLogin) Renew(ctx context.Context) (string, error) {
	password, err := newPassword()
	if err != nil {
		return "", err
	}
	// The store first: a crash in between leaves the old password working.
	if err := l.store.Set(ctx, LocalKey, password); err != nil {
		return "", err
	}
	return password, l.accept(password)
}

// accept makes password the valid one.
func (l *LocalLogin) accept(password string) error {
	// The least cost: against 118 random bits nobody can guess, and a program
	// with a wrong password must not keep a core busy.
	hash, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost)
	if err != nil {
		return fmt.Errorf("hash local password: %w", err)
	}
	if err := durable.WriteFile(l.file, bytes.NewReader(append(hash, '\n'))); err != nil {
		return refused(LocalKey, err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.hash, l.good, l.bad = hash, l.sum(password), nil
	return nil
}

func (l *LocalLogin) sum(password string) []byte {
	h := hmac.New(sha256.New, l.mac)
	h.Write([]byte(password))
	return h.Sum(nil)
}

const (
	letters    = "abcdefghjkmnpqrstuvwxyz23456789" // nothing that looks like something else
	groups     = 4
	groupSize  = 6
	groupSplit = "-"
)

// newPassword has 24 of 31 letters, 118 bits, in groups that can be typed.
func newPassword() (string, error) {
	var b strings.Builder
	for i := range groups * groupSize {
		if i > 0 && i%groupSize == 0 {
			b.WriteString(groupSplit)
		}
		n, err := rand.Int(rand.Reader, big.NewInt(int64(len(letters))))
		if err != nil {
			return "", fmt.Errorf("make local password: %w", err)
		}
		b.WriteByte(letters[n.Int64()])
	}
	return b.String(), nil
}
