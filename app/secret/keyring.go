package secret

import (
	"errors"
	"fmt"

	gokeyring "github.com/zalando/go-keyring"
)

// systemKeyring is the keyring of the operating system. Its errors are, besides
// what the library says, one of ErrNotFound, ErrAbsent, ErrLocked, ErrRefused.
type systemKeyring struct{}

func (systemKeyring) get(key string) (value string, err error) {
	err = ask(func() (err error) { value, err = gokeyring.Get(Service, key); return err })
	return value, err
}

func (systemKeyring) set(key, value string) error {
	return ask(func() error { return gokeyring.Set(Service, key, value) })
}

func (systemKeyring) delete(key string) error {
	return ask(func() error { return gokeyring.Delete(Service, key) })
}

func ask(question func() error) error {
	if err := reachable(); err != nil {
		return err
	}
	err := question()
	switch {
	case err == nil:
		return nil
	case errors.Is(err, gokeyring.ErrNotFound):
		return ErrNotFound
	}
	return fmt.Errorf("%w: %w", systemKind(err), err)
}
