package account

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"servicesmtp.net/companion/internal/units"
)

func TestDefault(t *testing.T) {
	want := []Plan{
		{"entry", "Entry", Bandwidth, 90 * units.MB, 9_000, false, 2900, []Tier{{200 * units.MB, 500}, {500 * units.MB, 900}}, false, 0},
		{"standard", "Standard", Bandwidth, 500 * units.MB, 50_000, false, 8900, []Tier{{units.GB, 1000}, {2 * units.GB, 1800}, {5 * units.GB, 3900}}, false, 0},
		{"mega", "MEGA", Bandwidth, 5 * units.GB, 500_000, false, 44900, []Tier{{10 * units.GB, 5900}, {20 * units.GB, 9900}}, true, 0},
		{"unlimited-entry", "Unlimited Entry", Unlimited, 0, 9_000, false, 4900, nil, false, 0},
		{"unlimited-standard", "Unlimited Standard", Unlimited, 0, 50_000, false, 14900, nil, false, 0},
		{"entry-month", "Entry, one month", Bandwidth, 90 * units.MB, 9_000, true, 500, nil, false, 0},
		{"standard-month", "Standard, one month", Bandwidth, 500 * units.MB, 50_000, true, 1500, nil, false, 0},
		{"mega-month", "MEGA, one month", Bandwidth, 5 * units.GB, 500_000, true, 7500, nil, false, 0},
		{"unlimited-entry-month", "Unlimited Entry, one month", Unlimited, 0, 9_000, true, 800, nil, false, 0},
		{"unlimited-standard-month", "Unlimited Standard, one month", Unlimited, 0, 50_000, true, 2500, nil, false, 0},
	}
	if diff := cmp.Diff(want, Default().Plans()); diff != "" {
		t.Errorf("shipped catalogue (-want +got):\n%s", diff)
	}
	if _, ok := Default().Plan("gold"); ok {
		t.Error("found a plan that is not there")
	}
}

func TestParseSaysWhatIsWrong(t *testing.T) {
	head := "currency = \"EUR\"\n"
	good := head + "[[plan]]\nname = \"a\"\ntitle = \"A\"\n"
	yearly := good + "kind = \"bandwidth\"\nbytes = \"500MB\"\nprice = 1\n"
	for _, c := range []struct{ name, text, want string }{
		{"empty", "", "no [[plan]]"},
		{"not TOML", "[[plan", "catalogue:"},
		{"unknown key", good + "kind = \"unlimited\"\nemail = 5", `line 6: unknown key "plan.email"`},
		{"no name", head + "[[plan]]\ntitle = \"A\"", "plan 1 (\"\"): name"},
		{"bad name", head + "[[plan]]\nname = \"A b\"\ntitle = \"A\"", "name: use lower-case"},
		{"no title", head + "[[plan]]\nname = \"a\"", "title is missing"},
		{"no kind", good, `kind "": write "bandwidth" or "unlimited"`},
		{"bandwidth without bytes", good + `kind = "bandwidth"`, "at least 10 KB"},
		{"bandwidth with emails", good + "kind = \"bandwidth\"\nbytes = \"90MB\"\nemails = 5", "leave it out"},
		{"bad size", good + "kind = \"bandwidth\"\nbytes = \"90 apples\"", `write a number with B, KB, MB or GB`},
		{"unlimited without emails", good + `kind = "unlimited"`, "at least 1"},
		{"unlimited with bytes", good + "kind = \"unlimited\"\nemails = 5\nbytes = \"1GB\"", "leave it out"},
		{"twice", head + strings.Repeat(strings.TrimPrefix(good, head)+"kind = \"unlimited\"\nemails = 5\nprice = 0\n", 2), `plan 2: the name "a" is taken`},
		{"no currency", strings.TrimPrefix(yearly, head), `currency "": write the three letters`},
		{"currency in words", "currency = \"euro\"\n" + strings.TrimPrefix(yearly, head), `currency "euro": write the three letters`},
		{"no price", good + "kind = \"bandwidth\"\nbytes = \"500MB\"", `plan 1 ("a"): price: write a whole number`},
		{"price below nothing", good + "kind = \"unlimited\"\nemails = 5\nprice = -1", `plan 1 ("a"): price: write a whole number`},
		{"price with a point", good + "kind = \"unlimited\"\nemails = 5\nprice = 29.5", `catalogue: `},
		{"tier below the plan", yearly + "tiers = [{bytes = \"500MB\", price = 5}]", `plan 1 ("a"): tiers: tier 1: bytes: write a total for the month above 500 MB`},
		{"tiers go down", yearly + "tiers = [{bytes = \"2GB\", price = 5}, {bytes = \"1GB\", price = 6}]", `tier 2: bytes: write a total for the month above 2 GB`},
		{"tier for nothing", yearly + "tiers = [{bytes = \"2GB\"}]", `tier 1: price: write a whole number of cents of at least 1`},
		{"larger tier costs less", yearly + "tiers = [{bytes = \"1GB\", price = 5}, {bytes = \"2GB\", price = 4}]", `tier 2: price: write a whole number of cents of at least 5`},
		{"tiers of a month", yearly + "monthly = true\ntiers = [{bytes = \"2GB\", price = 5}]", `tiers: leave them out`},
		{"tiers of an unlimited plan", good + "kind = \"unlimited\"\nemails = 5\nprice = 1\ntiers = [{bytes = \"2GB\", price = 5}]", `tiers: leave them out`},
		{"rate below nothing", yearly + "recipients_per_minute = -1", `plan 1 ("a"): recipients_per_minute: write 1 to 1000000`},
		{"rate above all", yearly + "recipients_per_minute = 1000001", `plan 1 ("a"): recipients_per_minute: write 1 to 1000000`},
		{"huge", good + "kind = \"bandwidth\"\nbytes = \"2000000GB\"\nprice = 1", `bytes: a bandwidth plan needs at least`},
		{"link without address", "renewal_link = \"renew\"\n" + yearly, `renewal_link "renew": write a web address`},
		{"link with another word", "renewal_link = \"https://a.example/{name}\"\n" + yearly, `write a web address, with {account} and {plan}`},
		{"address from nowhere", "dedicated_ip_from = \"b\"\n" + yearly, `dedicated_ip_from "b": write the name of a yearly plan`},
	} {
		if _, err := Parse([]byte(c.text)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want an error with %q", c.name, err, c.want)
		}
	}
}

// TestParseReadsTheRate: of the plans that have one.
func TestParseReadsTheRate(t *testing.T) {
	c, err := Parse([]byte("currency = \"EUR\"\n[[plan]]\nname = \"a\"\ntitle = \"A\"\nkind = \"unlimited\"\nemails = 5\nprice = 0\nrecipients_per_minute = 30\n" +
		"[[plan]]\nname = \"b\"\ntitle = \"B\"\nkind = \"unlimited\"\nemails = 5\nprice = 0\n"))
	if err != nil {
		t.Fatal(err)
	}
	a, _ := c.Plan("a")
	b, _ := c.Plan("b")
	if a.PerMinute != 30 || b.PerMinute != 0 {
		t.Errorf("got %d and %d, want 30 and 0", a.PerMinute, b.PerMinute)
	}
}
