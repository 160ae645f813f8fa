//go:build linux

package hosttest

import (
	"os/exec"
	"strings"

	"github.com/godbus/dbus/v5"
)

const (
	secretsName = "org.freedesktop.secrets"
	secretsPath = dbus.ObjectPath("/org/freedesktop/secrets")
	secrets     = "org.freedesktop.Secret."
	login       = dbus.ObjectPath("/org/freedesktop/secrets/collection/login")
)

// Keyring is GNOME's keyring with an open login collection. Nobody answers its
// prompts: unlocking a locked collection fails.
type Keyring struct {
	session  *Session
	daemon   *process
	password string
}

// secret is a secret as it travels.
type secret struct {
	Session     dbus.ObjectPath
	Parameters  []byte
	Value       []byte
	ContentType string
}

// NewKeyring starts the keyring, unlocked, and waits until it serves.
func NewKeyring(s *Session, password string) *Keyring {
	s.t.Helper()
	cmd := exec.Command(program(s.t, "gnome-keyring-daemon", "gnome-keyring"), "--foreground", "--unlock", "--components=secrets")
	cmd.Env = s.Env()
	cmd.Stdin = strings.NewReader(password)
	k := &Keyring{session: s, password: password, daemon: launch(s.t, cmd)}
	s.t.Cleanup(k.Stop)
	Eventually(s.t, "an unlocked keyring", func() bool {
		if k.daemon.ended() {
			s.t.Fatalf("the keyring ended: %s", k.daemon.diagnosis())
		}
		locked, err := k.locked()
		return err == nil && !locked
	})
	return k
}

// Stop ends the keyring: it disappears from the bus.
func (k *Keyring) Stop() { k.daemon.stop() }

func (k *Keyring) locked() (locked bool, err error) {
	var v dbus.Variant
	if err := k.session.ask(secretsName, login, properties+".Get", secrets+"Collection", "Locked").Store(&v); err != nil {
		return false, err
	}
	return locked, v.Store(&locked)
}

// Lock locks the login collection, as a screen lock may do.
func (k *Keyring) Lock() {
	k.session.t.Helper()
	if err := k.session.ask(secretsName, secretsPath, secrets+"Service.Lock", []dbus.ObjectPath{login}).Err; err != nil {
		k.session.t.Fatalf("lock the keyring: %v", err)
	}
	if locked, err := k.locked(); err != nil || !locked {
		k.session.t.Fatalf("lock the keyring: locked %v, %v", locked, err)
	}
}

// Unlock does what a login does to a keyring that runs.
func (k *Keyring) Unlock() {
	k.session.t.Helper()
	session, err := k.open()
	if err == nil {
		err = k.session.ask(secretsName, secretsPath,
			"org.gnome.keyring.InternalUnsupportedGuiltRiddenInterface.UnlockWithMasterPassword",
			login, secret{session, []byte{}, []byte(k.password), "text/plain"}).Err
	}
	if err != nil {
		k.session.t.Fatalf("unlock the keyring: %v", err)
	}
}

// open begins a session without encryption; it ends with our connection.
func (k *Keyring) open() (session dbus.ObjectPath, err error) {
	var none dbus.Variant
	err = k.session.ask(secretsName, secretsPath, secrets+"Service.OpenSession", "plain", dbus.MakeVariant("")).Store(&none, &session)
	return session, err
}

// Lookup reads a secret as another program would. It finds secrets of unlocked
// collections only.
func (k *Keyring) Lookup(service, username string) (value string, found bool) {
	k.session.t.Helper()
	var unlocked, locked []dbus.ObjectPath
	wanted := map[string]string{"service": service, "username": username}
	if err := k.session.ask(secretsName, secretsPath, secrets+"Service.SearchItems", wanted).Store(&unlocked, &locked); err != nil {
		k.session.t.Fatalf("search the keyring: %v", err)
	}
	if len(unlocked) == 0 {
		return "", false
	}
	session, err := k.open()
	var s secret
	if err == nil {
		err = k.session.ask(secretsName, unlocked[0], secrets+"Item.GetSecret", session).Store(&s)
	}
	if err != nil {
		k.session.t.Fatalf("read the keyring: %v", err)
	}
	return string(s.Value), true
}
