//go:build linux

package hosttest

import (
	"testing"

	"github.com/godbus/dbus/v5"
)

// store puts a secret into the login collection the way programs do.
func store(t *testing.T, k *Keyring, service, username, value string) {
	t.Helper()
	session, err := k.open()
	if err != nil {
		t.Fatal(err)
	}
	err = k.session.ask(secretsName, login, secrets+"Collection.CreateItem", map[string]dbus.Variant{
		secrets + "Item.Label":      dbus.MakeVariant("test"),
		secrets + "Item.Attributes": dbus.MakeVariant(map[string]string{"service": service, "username": username}),
	}, secret{session, []byte{}, []byte(value), "text/plain; charset=utf8"}, true).Err
	if err != nil {
		t.Fatal(err)
	}
}

func TestKeyring(t *testing.T) {
	s := NewSession(t)
	k := NewKeyring(s, "login password")
	if _, found := k.Lookup("service", "büro"); found {
		t.Error("found before it was stored")
	}
	store(t, k, "service", "büro", "pässword 漢")
	if got, found := k.Lookup("service", "büro"); !found || got != "pässword 漢" {
		t.Errorf("got %q, %v", got, found)
	}
	k.Lock()
	if got, found := k.Lookup("service", "büro"); found {
		t.Errorf("found %q in a locked keyring", got)
	}
	k.Unlock()
	if got, found := k.Lookup("service", "büro"); !found || got != "pässword 漢" {
		t.Errorf("after unlocking: got %q, %v", got, found)
	}
	k.Stop()
	if s.owned(secretsName) {
		t.Error("a keyring that stopped is still on the bus")
	}
}
