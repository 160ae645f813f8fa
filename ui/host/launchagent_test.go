package host

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestLaunchAgent(t *testing.T) {
	for _, name := range oddNames {
		a := Autostart{Exec: "/Applications/" + name + ".app/x", Args: []string{"--hidden", name, ""}}
		got, err := readAgent(a.launchAgent())
		if want := append([]string{a.Exec}, a.Args...); err != nil || got.disabled || !slices.Equal(got.arguments, want) {
			t.Errorf("%q: got %+v, %v", name, got, err)
		}
	}
}

func TestLaunchAgentProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := Autostart{Exec: "/" + words().Draw(t, "exec"), Args: rapid.SliceOfN(words(), 0, 3).Draw(t, "args")}
		got, err := readAgent(a.launchAgent())
		if want := append([]string{a.Exec}, a.Args...); err != nil || !slices.Equal(got.arguments, want) {
			t.Fatalf("got %q, %v, want %q", got.arguments, err, want)
		}
	})
}

func TestReadAgent(t *testing.T) {
	ours := Autostart{Exec: "/x"}.launchAgent()
	with := func(more string) string { return strings.Replace(ours, "<dict>", "<dict>"+more, 1) }
	for _, c := range []struct {
		name, text string
		disabled   bool
		fails      bool
	}{
		{"ours", ours, false, false},
		{"disabled", with("<key>Disabled</key><true/>"), true, false},
		{"not disabled", with("<key>Disabled</key><false/>"), false, false},
		{"disabled deeper inside", with("<key>KeepAlive</key><dict><key>Disabled</key><true/></dict>"), false, false},
		{"other lists", with("<key>WatchPaths</key><array><string>/y</string></array>"), false, false},
		{"broken", ours[:len(ours)-20], false, true},
	} {
		got, err := readAgent(c.text)
		if (err != nil) != c.fails || got.disabled != c.disabled || (!c.fails && !slices.Equal(got.arguments, []string{"/x"})) {
			t.Errorf("%s: got %+v, %v", c.name, got, err)
		}
	}
}
