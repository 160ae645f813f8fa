package settings

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestChangeKeepsWhatTheUserWrote(t *testing.T) {
	const before = "# mine\n[pace] # as agreed\nrecipients_per_minute = 60 # careful\r\n" +
		"quiet = [ # nights\n  \"22:00-07:00\", # ]\n  '12:00-13:00'\n] # and noon\n# about adaptive\nadaptive = true\n\n" +
		"# the listener\n[listen]\nauth = 'required'# \"never off\"\n"
	path := write(t, before)
	err := Change(path, func(s *Settings) {
		s.Pace.PerMinute, s.Pace.PerHour, s.Pace.Quiet = 30, 500, []Quiet{{From: 21 * time.Hour, To: 6 * time.Hour}}
		s.Listen.Auth = AuthOff
		s.Window.Theme = ThemeDark
	})
	if err != nil {
		t.Fatal(err)
	}
	const want = "# mine\n[pace] # as agreed\nrecipients_per_minute = 30 # careful\r\n" +
		"quiet = ['21:00-06:00'] # and noon\n# about adaptive\nadaptive = true\nrecipients_per_hour = 500\n\n" +
		"# the listener\n[listen]\nauth = 'off'# \"never off\"\n\n[window]\ntheme = 'dark'\n"
	if diff := cmp.Diff(want, text(t, path)); diff != "" {
		t.Error(diff)
	}
	if text(t, path+BackupSuffix) != before {
		t.Error("the backup is not the old file")
	}
}

func TestChangeInAnyForm(t *testing.T) {
	for name, before := range map[string]string{
		"empty":               "",
		"documented":          documented,
		"no newline":          "[pace]\nbatch = 20",
		"header only":         "[pace]",
		"dotted":              "pace.recipients_per_minute = 4\npace.batch = 20\n",
		"inline":              "pace = {recipients_per_minute = 4, batch = 20}\n",
		"quoted":              "[\"pace\"]\n'recipients_per_minute' = 4\nbatch = 20\n",
		"indented":            "  [ pace ]\n\trecipients_per_minute\t=\t4\t# x\n",
		"account behind":      "[pace]\n\n[[account]]\nname = \"office\"\nuser = \"alice\"\nendpoints = [\"tls://h:465\"]\n",
		"looks like the key":  "[[account]]\nname = \"a\"\nuser = \"\"\"\n[pace] \\\nrecipients_per_minute = 1\"\"\"\nendpoints = [\"tls://h:465\"]\n",
		"signs in strings":    "[service]\nname = \"a # \\\" [b\"\n[pace]\nquiet = [\"22:00-07:00\" # \"]\n]\n",
		"the table is no one": "[network]\nproxy = \"none\"\n",
	} {
		t.Run(name, func(t *testing.T) {
			path := write(t, before)
			want := load(t, path)
			for _, rate := range []int{77, 0, 60} {
				want.Pace.PerMinute, want.Pace.Quiet = rate, []Quiet{{To: time.Duration(rate+1) * time.Minute}}
				err := Change(path, func(s *Settings) { s.Pace.PerMinute, s.Pace.Quiet = want.Pace.PerMinute, want.Pace.Quiet })
				if err != nil {
					t.Fatal(err)
				}
				if got := load(t, path); !equal(got, want) {
					t.Fatalf("%s\n%s", cmp.Diff(want, got), text(t, path))
				}
			}
		})
	}
}

func TestChangeRefusesWhatTheFileWould(t *testing.T) {
	path := write(t, documented)
	var wrong *Error
	if err := Change(path, func(s *Settings) { s.Pace.PerMinute = -1 }); !errors.As(err, &wrong) {
		t.Errorf("got %v, want an *Error", err)
	}
	if text(t, path) != documented {
		t.Error("the file was changed")
	}
}

// TestChangesAgreeWithTheModel changes random keys of files with comments.
func TestChangesAgreeWithTheModel(t *testing.T) {
	dir := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		path := filepath.Join(dir, rapid.StringMatching("[a-z]{12}").Draw(t, "file"))
		before := "# top\n[pace] # p\n# first\nbatch = 7 # mine\n# end\n\n[spool] # s\nmax_size = \"1GB\" # one\n"
		if err := os.WriteFile(path, []byte(before), 0o600); err != nil {
			t.Fatal(err)
		}
		want := Default()
		want.Pace.Batch, want.Spool.MaxSize = 7, 1_000_000_000
		for range rapid.IntRange(1, 8).Draw(t, "changes") {
			rate, theme := rapid.IntRange(0, 1000).Draw(t, "rate"), rapid.SampledFrom([]string{System, ThemeDark, ThemeLight}).Draw(t, "theme")
			name := rapid.StringMatching(`["'\\#\[=ä-]{0,4}x`).Draw(t, "name")
			addresses := rapid.SampledFrom([][]string{{"127.0.0.1:1"}, {"127.0.0.1:2525", "[::1]:2525"}}).Draw(t, "addresses")
			change := func(s *Settings) {
				s.Pace.PerMinute, s.Window.Theme, s.Service.Name, s.Listen.Addresses = rate, theme, name, addresses
			}
			change(&want)
			if err := Change(path, change); err != nil {
				t.Fatal(err)
			}
		}
		got, err := Load(path)
		if err != nil || !equal(got, want) {
			t.Fatalf("%v\n%s", err, cmp.Diff(want, got))
		}
		b, _ := os.ReadFile(path)
		for line := range strings.Lines(before) {
			if !strings.Contains(string(b), line) {
				t.Fatalf("lost %q in\n%s", line, b)
			}
		}
	})
}
