//go:build !unix || darwin

package host

import "context"

// PinBus has nothing to settle: this system has no session bus.
func PinBus() bool { return true }

// TrayAvailable is always true: this system has its own place for such icons.
func TrayAvailable(context.Context) (bool, error) { return true, nil }

// WatchTray says once that there is a tray. The channel closes when ctx ends.
func WatchTray(ctx context.Context) <-chan bool {
	states := make(chan bool, 1)
	states <- true
	go func() {
		<-ctx.Done()
		close(states)
	}()
	return states
}

// ReturnToTray has nothing to do: the icon stays by itself.
func ReturnToTray(context.Context) error { return nil }

// PanelDark is not known here.
func PanelDark(context.Context) (dark, known bool) { return false, false }
