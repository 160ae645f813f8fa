//go:build unix && !darwin

package host

import (
	"context"

	"github.com/godbus/dbus/v5"
)

// PanelDark asks the desktop's portal for the preferred colours. It is not
// known where there is no portal, and where the person has no preference: what
// colour the panel has is then the desktop's own affair.
func PanelDark(ctx context.Context) (dark, known bool) {
	conn, err := connect(ctx, patience)
	if err != nil {
		return false, false
	}
	defer conn.Close()
	portal := conn.Object("org.freedesktop.portal.Desktop", "/org/freedesktop/portal/desktop")
	// Read is older than ReadOne, is found everywhere, and wraps its answer twice.
	var answer dbus.Variant
	err = call(ctx, portal, patience, "org.freedesktop.portal.Settings.Read", 0,
		"org.freedesktop.appearance", "color-scheme").Store(&answer)
	if err != nil {
		return false, false
	}
	if inner, ok := answer.Value().(dbus.Variant); ok {
		answer = inner
	}
	switch answer.Value() {
	case uint32(1):
		return true, true
	case uint32(2):
		return false, true
	}
	return false, false // 0: no preference
}
