//go:build unix && !darwin

package host

import (
	"context"
	"fmt"
	"os"

	"github.com/godbus/dbus/v5"
)

// ReturnToTray makes sure that a panel which has come back shows the icon of
// this process again. Call it whenever [WatchTray] turns to true.
//
// The window library does this itself, until one signal of another part of the
// program with fewer than three values arrives on the connection that they all
// share, such as the end of a keyring's prompt; then it stops listening. The
// icon is registered under the connection's own name, as the library does it,
// so that being registered twice is the same as once.
func ReturnToTray(ctx context.Context) error {
	conn, err := connect(ctx, patience)
	if err != nil {
		return err
	}
	defer conn.Close()
	name := fmt.Sprintf("org.kde.StatusNotifierItem-%d-1", os.Getpid())
	var owner string
	if err := call(ctx, conn.BusObject(), patience, "org.freedesktop.DBus.GetNameOwner", 0, name).Store(&owner); err != nil {
		return err
	}
	return call(ctx, conn.Object(watcherName, watcherPath), patience, watcherName+".RegisterStatusNotifierItem", dbus.FlagNoAutoStart, owner).Err
}
