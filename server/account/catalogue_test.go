package account

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"servicesmtp.net/companion/internal/units"
)

func TestDefault(t *testing.T) {
	want := []Plan{
		{"entry", "Entry", Bandwidth, 90 * units.MB, 9_000, false},
		{"standard", "Standard", Bandwidth, 500 * units.MB, 50_000, false},
		{"mega", "MEGA", Bandwidth, 5 * units.GB, 500_000, false},
		{"unlimited-entry", "Unlimited Entry", Unlimited, 0, 9_000, false},
		{"unlimited-standard", "Unlimited Standard", Unlimited, 0, 50_000, false},
		{"entry-month", "Entry, one month", Bandwidth, 90 * units.MB, 9_000, true},
		{"standard-month", "Standard, one month", Bandwidth, 500 * units.MB, 50_000, true},
		{"mega-month", "MEGA, one month", Bandwidth, 5 * units.GB, 500_000, true},
		{"unlimited-entry-month", "Unlimited Entry, one month", Unlimited, 0, 9_000, true},
		{"unlimited-standard-month", "Unlimited Standard, one month", Unlimited, 0, 50_000, true},
	}
	if diff := cmp.Diff(want, Default().Plans()); diff != "" {
		t.Errorf("shipped catalogue (-want +got):\n%s", diff)
	}
	if _, ok := Default().Plan("gold"); ok {
		t.Error("found a plan that is not there")
	}
}

func TestParseSaysWhatIsWrong(t *testing.T) {
	good := "[[plan]]\nname = \"a\"\ntitle = \"A\"\n"
	for _, c := range []struct{ name, text, want string }{
		{"empty", "", "no [[plan]]"},
		{"not TOML", "[[plan", "catalogue:"},
		{"unknown key", good + "kind = \"unlimited\"\nemail = 5", `line 5: unknown key "plan.email"`},
		{"no name", "[[plan]]\ntitle = \"A\"", "plan 1 (\"\"): name"},
		{"bad name", "[[plan]]\nname = \"A b\"\ntitle = \"A\"", "name: use lower-case"},
		{"no title", "[[plan]]\nname = \"a\"", "title is missing"},
		{"no kind", good, `kind "": write "bandwidth" or "unlimited"`},
		{"bandwidth without bytes", good + `kind = "bandwidth"`, "at least 10 KB"},
		{"bandwidth with emails", good + "kind = \"bandwidth\"\nbytes = \"90MB\"\nemails = 5", "leave it out"},
		{"bad size", good + "kind = \"bandwidth\"\nbytes = \"90 apples\"", `write a number with B, KB, MB or GB`},
		{"unlimited without emails", good + `kind = "unlimited"`, "at least 1"},
		{"unlimited with bytes", good + "kind = \"unlimited\"\nemails = 5\nbytes = \"1GB\"", "leave it out"},
		{"twice", strings.Repeat(good+"kind = \"unlimited\"\nemails = 5\n", 2), `plan 2: the name "a" is taken`},
	} {
		if _, err := Parse([]byte(c.text)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want an error with %q", c.name, err, c.want)
		}
	}
}
