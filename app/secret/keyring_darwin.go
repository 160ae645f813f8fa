package secret

import (
	"errors"
	"os/exec"
)

// reachable: every Mac has a keychain.
func reachable() error { return nil }

// systemKind reads the exit code of /usr/bin/security, the low byte of an
// OSStatus.
func systemKind(err error) error {
	e, ok := errors.AsType[*exec.ExitError](err)
	if !ok {
		return ErrRefused
	}
	switch e.ExitCode() {
	case 36, 51, 128: // errSecInteractionNotAllowed -25308, errSecAuthFailed -25293, userCanceledErr -128
		return ErrLocked
	case 37: // errSecNoDefaultKeychain -25307
		return ErrAbsent
	}
	return ErrRefused
}
