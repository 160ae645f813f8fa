//go:build linux

package host

import (
	"testing"

	"github.com/godbus/dbus/v5"
)

// portal answers with a colour scheme.
type portal struct{ scheme any }

func (p portal) Read(namespace, key string) (dbus.Variant, *dbus.Error) {
	if namespace != "org.freedesktop.appearance" || key != "color-scheme" {
		return dbus.Variant{}, dbus.NewError("org.freedesktop.portal.Error.NotFound", nil)
	}
	return dbus.MakeVariant(dbus.MakeVariant(p.scheme)), nil
}

func TestPanelDark(t *testing.T) {
	s := join(t)
	if dark, known := PanelDark(t.Context()); dark || known {
		t.Errorf("no portal: got %v, %v", dark, known)
	}
	if _, err := s.Conn().RequestName("org.freedesktop.portal.Desktop", 0); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		scheme      any
		dark, known bool
	}{{uint32(0), false, false}, {uint32(1), true, true}, {uint32(2), false, true}, {uint32(7), false, false}, {"dark", false, false}} {
		if err := s.Conn().Export(portal{c.scheme}, "/org/freedesktop/portal/desktop", "org.freedesktop.portal.Settings"); err != nil {
			t.Fatal(err)
		}
		if dark, known := PanelDark(t.Context()); dark != c.dark || known != c.known {
			t.Errorf("%v: got %v, %v, want %v, %v", c.scheme, dark, known, c.dark, c.known)
		}
	}
}
