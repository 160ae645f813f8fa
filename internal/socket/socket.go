// Package socket carries HTTP over a Unix socket in a data folder: the way in
// which a command line talks to its own running program.
//
// It promises that only the owner of the folder can connect (the socket has
// mode 0600 in a folder of mode 0700) and that a socket left by a crash does
// not stop the next start. It never takes the place of a lock: who may listen
// is decided by the lock on the store. It starts no goroutine.
package socket

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// ErrNotRunning says that nobody listens on the socket.
var ErrNotRunning = errors.New("not running")

// maxPath is what a socket address holds on the systems that we know (108
// bytes on Linux, 104 on macOS), with the closing zero.
const maxPath = 103

// Listen replaces a socket that nobody answers on. The caller must hold the
// lock of the folder, otherwise a running program would lose its socket.
func Listen(path string) (net.Listener, error) {
	addr, err := address(path)
	if err != nil {
		return nil, err
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("remove old socket: %w", err)
	}
	ln, err := net.Listen("unix", addr) //nolint:noctx // binding a socket file waits for nothing
	if err != nil {
		return nil, fmt.Errorf("listen on control socket: %w", err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return nil, errors.Join(fmt.Errorf("protect control socket: %w", err), ln.Close())
	}
	return ln, nil
}

// Client returns an HTTP client that speaks to path whatever the URL's host
// says. A call fails with ErrNotRunning when nobody listens there.
func Client(path string) *http.Client {
	return &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			addr, err := address(path)
			if err != nil {
				return nil, err
			}
			d := net.Dialer{Timeout: 5 * time.Second}
			c, err := d.DialContext(ctx, "unix", addr)
			if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ECONNREFUSED) {
				return nil, fmt.Errorf("%w: %w", ErrNotRunning, err)
			}
			return c, err
		},
		MaxIdleConnsPerHost: 1,
	}}
}

// address shortens a path that is too long for a socket by way of the working
// folder, and says so when that does not help.
func address(path string) (string, error) {
	if len(path) <= maxPath {
		return path, nil
	}
	if wd, err := os.Getwd(); err == nil {
		if rel, err := filepath.Rel(wd, path); err == nil && len(rel) <= maxPath {
			return rel, nil
		}
	}
	return "", fmt.Errorf("the path of the control socket has %d characters, %d at most: choose a shorter --data", len(path), maxPath)
}
