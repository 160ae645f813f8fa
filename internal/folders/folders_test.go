package folders

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"
)

func TestDataFolder(t *testing.T) {
	abs := t.TempDir()
	home := func() (string, error) { return abs, nil }
	none := func() (string, error) { return "", errors.New("no home") }
	for name, c := range map[string]struct {
		system string
		env    map[string]string
		home   func() (string, error)
		want   string
	}{
		"linux":              {"linux", nil, home, filepath.Join(abs, ".local/share/servicesmtp")},
		"linux, XDG":         {"linux", map[string]string{"XDG_DATA_HOME": abs}, none, filepath.Join(abs, "servicesmtp")},
		"linux, XDG unusual": {"linux", map[string]string{"XDG_DATA_HOME": "relative"}, home, filepath.Join(abs, ".local/share/servicesmtp")},
		"mac":                {"darwin", map[string]string{"XDG_DATA_HOME": abs}, home, filepath.Join(abs, "Library/Application Support/ServiceSMTP")},
		"windows":            {"windows", map[string]string{"LocalAppData": abs}, none, filepath.Join(abs, "ServiceSMTP")},
		"nowhere":            {"linux", nil, none, ""},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := dataFor(c.system, func(k string) string { return c.env[k] }, c.home)
			if got != c.want || (err != nil) != (c.want == "") {
				t.Errorf("got %q, %v; want %q", got, err, c.want)
			}
		})
	}
	_, _, err := Resolve("", "", "", errors.New("no home"))
	if err == nil || !strings.Contains(err.Error(), "--data") {
		t.Errorf("got %v, want advice", err)
	}
	data, config, err := Resolve(abs, "", "", errors.New("no home"))
	if err != nil || data != abs || config != filepath.Join(abs, "companion.toml") {
		t.Errorf("got %q %q %v", data, config, err)
	}
	if _, config, err = Resolve(abs, "x.toml", "", nil); err != nil || !filepath.IsAbs(config) || filepath.Base(config) != "x.toml" {
		t.Errorf("got %q %v", config, err)
	}
}
