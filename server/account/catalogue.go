package account

import (
	_ "embed"
	"net/url"
	"slices"
	"strings"
)

//go:embed catalogue.toml
var shipped []byte

// Catalogue is the plans on offer. The zero value has none.
type Catalogue struct {
	Currency    string // ISO 4217, of all prices
	RenewalLink string // with {account} and {plan} in it, see Renewal

	plans []Plan
}

// Renewal is the link at which an account's plan is renewed.
func (c Catalogue) Renewal(account, plan string) string {
	return strings.NewReplacer("{account}", url.QueryEscape(account), "{plan}", url.QueryEscape(plan)).Replace(c.RenewalLink)
}

// Plan finds a plan by name.
func (c Catalogue) Plan(name string) (Plan, bool) {
	i := slices.IndexFunc(c.plans, func(p Plan) bool { return p.Name == name })
	if i < 0 {
		return Plan{}, false
	}
	return c.plans[i], true
}

// Plans lists all plans in the order of the file.
func (c Catalogue) Plans() []Plan { return slices.Clone(c.plans) }

// Default is the catalogue that the program carries.
func Default() Catalogue {
	c, err := Parse(shipped)
	if err != nil {
		panic("shipped catalogue: " + err.Error()) // cannot happen: TestDefault reads it
	}
	return c
}
