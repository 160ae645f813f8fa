package apptest

import (
	"errors"
	"sync"
)

// SecretsMode is how a keyring behaves.
type SecretsMode int

// The modes.
const (
	SecretsWork   SecretsMode = iota
	SecretsLocked             // every call fails: nobody unlocked it
	SecretsAbsent             // every call fails: there is no keyring service
	SecretsBlock              // every call waits for the next SetMode, as behind a prompt that nobody sees
)

// Errors of a keyring that does not work.
var (
	ErrSecretsLocked = errors.New("the keyring is locked")
	ErrSecretsAbsent = errors.New("there is no keyring service")
)

// MemorySecrets is a keyring in memory, with the methods of the system's.
type MemorySecrets struct {
	notFound error

	mu     sync.Mutex // guards everything below
	mode   SecretsMode
	change chan struct{} // closed by the next SetMode
	calls  int
	stored map[[2]string]string
}

// NewMemorySecrets makes an empty keyring that answers notFound for what it does
// not hold.
func NewMemorySecrets(notFound error) *MemorySecrets {
	return &MemorySecrets{notFound: notFound, change: make(chan struct{}), stored: make(map[[2]string]string)}
}

// SetMode changes the behaviour; calls that block go on with the new one.
func (m *MemorySecrets) SetMode(mode SecretsMode) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.mode = mode
	close(m.change)
	m.change = make(chan struct{})
}

// Calls is how many were made, those that block included.
func (m *MemorySecrets) Calls() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.calls
}

// Get reads a secret.
func (m *MemorySecrets) Get(service, user string) (string, error) {
	var secret string
	err := m.call(func() error {
		var ok bool
		if secret, ok = m.stored[[2]string{service, user}]; !ok {
			return m.notFound
		}
		return nil
	})
	return secret, err
}

// Set stores a secret.
func (m *MemorySecrets) Set(service, user, secret string) error {
	return m.call(func() error {
		m.stored[[2]string{service, user}] = secret
		return nil
	})
}

// Delete removes a secret.
func (m *MemorySecrets) Delete(service, user string) error {
	return m.call(func() error {
		if _, ok := m.stored[[2]string{service, user}]; !ok {
			return m.notFound
		}
		delete(m.stored, [2]string{service, user})
		return nil
	})
}

// call runs do under the lock as soon as the mode allows it.
func (m *MemorySecrets) call(do func() error) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.calls++
	for m.mode == SecretsBlock {
		change := m.change
		m.mu.Unlock()
		<-change
		m.mu.Lock()
	}
	switch m.mode {
	case SecretsLocked:
		return ErrSecretsLocked
	case SecretsAbsent:
		return ErrSecretsAbsent
	}
	return do()
}
