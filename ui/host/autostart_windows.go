package host

import (
	"errors"
	"fmt"

	"golang.org/x/sys/windows/registry"
)

const (
	runKey      = `Software\Microsoft\Windows\CurrentVersion\Run`
	approvedKey = `Software\Microsoft\Windows\CurrentVersion\Explorer\StartupApproved\Run`
)

// withKey opens a key of the person's own registry. A key that is not there is
// like an empty one: do is not called.
func withKey(path string, access uint32, do func(registry.Key) error) error {
	k, err := registry.OpenKey(registry.CURRENT_USER, path, access)
	if err == nil {
		err = do(k)
		k.Close()
	}
	if err != nil && !errors.Is(err, registry.ErrNotExist) {
		return fmt.Errorf("registry %s: %w", path, err)
	}
	return nil
}

// command is what the Run key holds, or "".
func command() (line string, err error) {
	err = withKey(runKey, registry.QUERY_VALUE, func(k registry.Key) (err error) {
		line, _, err = k.GetStringValue(ID)
		return err
	})
	return line, err
}

func (a Autostart) enabled() (bool, error) {
	line, err := command()
	if err != nil || line == "" {
		return false, err
	}
	var state []byte
	err = withKey(approvedKey, registry.QUERY_VALUE, func(k registry.Key) (err error) {
		state, _, err = k.GetBinaryValue(ID)
		return err
	})
	return err == nil && approved(state), err
}

// current is the program that the entry starts, and whether it does so as we
// would.
func (a Autostart) current() (program string, same bool, err error) {
	line, err := command()
	if err != nil {
		return "", false, err
	}
	want, err := a.runLine()
	return lineProgram(line), line == want, err
}

func (a Autostart) enable() error {
	line, err := a.runLine()
	if err != nil {
		return err
	}
	k, _, err := registry.CreateKey(registry.CURRENT_USER, runKey, registry.SET_VALUE)
	if err != nil {
		return fmt.Errorf("registry %s: %w", runKey, err)
	}
	defer k.Close()
	if err := k.SetStringValue(ID, line); err != nil {
		return fmt.Errorf("registry %s: %w", runKey, err)
	}
	return forgetApproval()
}

func (a Autostart) disable() error {
	err := withKey(runKey, registry.SET_VALUE, func(k registry.Key) error { return k.DeleteValue(ID) })
	return errors.Join(err, forgetApproval())
}

// forgetApproval: without it an entry once switched off in the task manager
// would stay off for ever.
func forgetApproval() error {
	return withKey(approvedKey, registry.SET_VALUE, func(k registry.Key) error { return k.DeleteValue(ID) })
}
