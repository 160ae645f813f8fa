package account

import (
	_ "embed"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2"

	"servicesmtp.net/companion/internal/units"
)

//go:embed catalogue.toml
var shipped []byte

// Catalogue is the plans on offer. The zero value has none.
type Catalogue struct {
	plans []Plan
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

// entry is one plan as the operator writes it.
type entry struct {
	Name    string         `toml:"name"`
	Title   string         `toml:"title"`
	Kind    Kind           `toml:"kind"`
	Bytes   units.ByteSize `toml:"bytes"`
	Emails  int64          `toml:"emails"`
	Monthly bool           `toml:"monthly"`
}

var planName = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)

// Parse reads a catalogue in TOML. Errors name the plan and what to write.
func Parse(text []byte) (Catalogue, error) {
	var file struct {
		Plan []entry `toml:"plan"`
	}
	d := toml.NewDecoder(strings.NewReader(string(text))).DisallowUnknownFields()
	if err := d.Decode(&file); err != nil {
		var strict *toml.StrictMissingError
		if errors.As(err, &strict) && len(strict.Errors) > 0 {
			line, _ := strict.Errors[0].Position()
			return Catalogue{}, fmt.Errorf("catalogue: line %d: unknown key %q", line, strings.Join(strict.Errors[0].Key(), "."))
		}
		return Catalogue{}, fmt.Errorf("catalogue: %w", err)
	}
	if len(file.Plan) == 0 {
		return Catalogue{}, errors.New("catalogue: no [[plan]] in it")
	}
	var c Catalogue
	for i, e := range file.Plan {
		p, err := e.plan()
		if err != nil {
			return Catalogue{}, fmt.Errorf("catalogue: plan %d (%q): %w", i+1, e.Name, err)
		}
		if _, dup := c.Plan(p.Name); dup {
			return Catalogue{}, fmt.Errorf("catalogue: plan %d: the name %q is taken", i+1, p.Name)
		}
		c.plans = append(c.plans, p)
	}
	return c, nil
}

// plan checks an entry and fills in what follows from it.
func (e entry) plan() (Plan, error) {
	p := Plan(e)
	if !planName.MatchString(e.Name) {
		return Plan{}, errors.New("name: use lower-case letters, digits and hyphens")
	}
	if e.Title == "" {
		return Plan{}, errors.New("title is missing")
	}
	switch e.Kind {
	case Bandwidth:
		if e.Bytes < EmailSize {
			return Plan{}, fmt.Errorf("bytes: a bandwidth plan needs at least %v", EmailSize)
		}
		if e.Emails != 0 {
			return Plan{}, fmt.Errorf("emails: leave it out, a bandwidth plan has one for each %v", EmailSize)
		}
		p.Emails = int64(e.Bytes / EmailSize)
	case Unlimited:
		if e.Emails < 1 {
			return Plan{}, errors.New("emails: an unlimited plan needs a number of at least 1")
		}
		if e.Bytes != 0 {
			return Plan{}, errors.New("bytes: leave it out, an unlimited plan has no such limit")
		}
	default:
		return Plan{}, fmt.Errorf("kind %q: write %q or %q", e.Kind, Bandwidth, Unlimited)
	}
	return p, nil
}
