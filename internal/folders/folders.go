// Package folders says where the companion keeps its data and its settings, for
// the window and the terminal alike. It makes no folder.
package folders

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
)

// Names in the data folder.
const (
	SettingsName = "companion.toml"
	SocketName   = "control.sock"
	LogName      = "companion.log"
	SecretsName  = "secrets"
)

// Default is the data folder of this user on this system.
func Default() (string, error) {
	return dataFor(runtime.GOOS, os.Getenv, os.UserHomeDir)
}

func dataFor(system string, env func(string) string, home func() (string, error)) (string, error) {
	base := "XDG_DATA_HOME"
	below := []string{".local", "share", "servicesmtp"}
	switch system {
	case "windows":
		base, below = "LocalAppData", []string{"AppData", "Local", "ServiceSMTP"}
	case "darwin":
		base, below = "", []string{"Library", "Application Support", "ServiceSMTP"}
	}
	if base != "" {
		// A relative XDG_DATA_HOME is to be ignored (XDG Base Directory Specification).
		if dir := env(base); filepath.IsAbs(dir) {
			return filepath.Join(dir, below[len(below)-1]), nil
		}
	}
	dir, err := home()
	if err != nil {
		return "", fmt.Errorf("find the data folder: %w", err)
	}
	return filepath.Join(append([]string{dir}, below...)...), nil
}

// Resolve makes absolute paths of the flags, so that they mean the same to
// everyone who is told them. fallback and its error are what Default said.
func Resolve(dataFlag, configFlag, fallback string, fallbackErr error) (data, config string, err error) {
	data = fallback
	if dataFlag != "" {
		data, err = filepath.Abs(dataFlag)
	} else if fallbackErr != nil {
		err = fmt.Errorf("%w: name one with --data", fallbackErr)
	}
	if err != nil {
		return "", "", err
	}
	if configFlag == "" {
		return data, filepath.Join(data, SettingsName), nil
	}
	config, err = filepath.Abs(configFlag)
	return data, config, err
}
