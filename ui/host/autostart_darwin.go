package host

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

func agentPath() (string, error) {
	home, err := os.UserHomeDir()
	if err != nil {
		return "", fmt.Errorf("find the launch agents: %w", err)
	}
	return filepath.Join(home, "Library", "LaunchAgents", ID+".plist"), nil
}

// installed is the launch agent that is there, if any.
func installed() (a agent, there bool, err error) {
	path, err := agentPath()
	if err != nil {
		return agent{}, false, err
	}
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return agent{}, false, nil
	}
	if err != nil {
		return agent{}, false, err
	}
	a, err = readAgent(string(text))
	return a, err == nil, err
}

// enabled does not see what launchctl and the system settings keep to
// themselves about an agent.
func (a Autostart) enabled() (bool, error) {
	agent, there, err := installed()
	return there && !agent.disabled, err
}

// current is the program that the agent starts, and whether it does so as we
// would.
func (a Autostart) current() (program string, same bool, err error) {
	agent, _, err := installed()
	if len(agent.arguments) > 0 {
		program = agent.arguments[0]
	}
	return program, slices.Equal(agent.arguments, append([]string{a.Exec}, a.Args...)), err
}

// enable does not load the agent: the program runs already.
func (a Autostart) enable() error {
	path, err := agentPath()
	if err != nil {
		return err
	}
	return replaceFile(path, a.launchAgent())
}

// disable does not unload the agent either: launchd would end this very
// program if it was started at login.
func (a Autostart) disable() error {
	path, err := agentPath()
	if err != nil {
		return err
	}
	if err := os.Remove(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
