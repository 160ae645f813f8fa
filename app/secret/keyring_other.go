//go:build !linux && !darwin

package secret

import (
	"errors"
	"runtime"
	"syscall"
)

// reachable: the credential store is part of the system.
func reachable() error { return nil }

// noLogonSession is ERROR_NO_SUCH_LOGON_SESSION, which Windows answers in
// sessions that have no credential store, such as services and SSH.
const noLogonSession = syscall.Errno(1312)

func systemKind(err error) error {
	if runtime.GOOS == "windows" && errors.Is(err, noLogonSession) {
		return ErrAbsent
	}
	return ErrRefused
}
