package account

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"

	"github.com/pelletier/go-toml/v2"

	"servicesmtp.net/companion/internal/units"
)

// file is a catalogue as the operator writes it.
type file struct {
	Currency        string  `toml:"currency"`
	RenewalLink     string  `toml:"renewal_link"`
	DedicatedIPFrom string  `toml:"dedicated_ip_from"`
	Plan            []entry `toml:"plan"`
}

// entry is one plan of it.
type entry struct {
	Name    string         `toml:"name"`
	Title   string         `toml:"title"`
	Kind    Kind           `toml:"kind"`
	Bytes   units.ByteSize `toml:"bytes"`
	Emails  int64          `toml:"emails"`
	Monthly bool           `toml:"monthly"`
	Price   *int64         `toml:"price"`
	Tiers   []Tier         `toml:"tiers"`

	PerMinute int64 `toml:"recipients_per_minute"`
}

var (
	planName = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)
	currency = regexp.MustCompile(`^[A-Z]{3}$`) // ISO 4217
)

// Above these numbers sums would come near the end of int64.
const (
	mostBytes  = 1_000_000 * units.GB
	mostEmails = int64(mostBytes / EmailSize)
	mostPrice  = int64(1_000_000_000_000)
)

// mostPerMinute is the fastest rate, in recipients: the pace knows no faster.
const mostPerMinute = 1_000_000

// Parse reads a catalogue in TOML. Errors name the plan, the key and what to
// write.
func Parse(text []byte) (Catalogue, error) {
	var f file
	d := toml.NewDecoder(strings.NewReader(string(text))).DisallowUnknownFields()
	if err := d.Decode(&f); err != nil {
		var strict *toml.StrictMissingError
		if errors.As(err, &strict) && len(strict.Errors) > 0 {
			line, _ := strict.Errors[0].Position()
			return Catalogue{}, fmt.Errorf("catalogue: line %d: unknown key %q", line, strings.Join(strict.Errors[0].Key(), "."))
		}
		return Catalogue{}, fmt.Errorf("catalogue: %w", err)
	}
	if err := f.check(); err != nil {
		return Catalogue{}, fmt.Errorf("catalogue: %w", err)
	}
	c := Catalogue{Currency: f.Currency, RenewalLink: f.RenewalLink}
	for i, e := range f.Plan {
		p, err := e.plan()
		if err != nil {
			return Catalogue{}, fmt.Errorf("catalogue: plan %d (%q): %w", i+1, e.Name, err)
		}
		if _, dup := c.Plan(p.Name); dup {
			return Catalogue{}, fmt.Errorf("catalogue: plan %d: the name %q is taken", i+1, p.Name)
		}
		c.plans = append(c.plans, p)
	}
	return c, c.dedicate(f.DedicatedIPFrom)
}

// check checks what stands above the plans.
func (f file) check() error {
	if len(f.Plan) == 0 {
		return errors.New("no [[plan]] in it")
	}
	if !currency.MatchString(f.Currency) {
		return fmt.Errorf("currency %q: write the three letters of ISO 4217, for example \"EUR\"", f.Currency)
	}
	if f.RenewalLink == "" {
		return nil
	}
	link := strings.NewReplacer("{account}", "a", "{plan}", "p").Replace(f.RenewalLink)
	u, err := url.Parse(link)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || strings.ContainsAny(link, "{}") {
		return fmt.Errorf("renewal_link %q: write a web address, with {account} and {plan} where they belong", f.RenewalLink)
	}
	return nil
}

// dedicate lets the plan of the name, and yearly plans with more e-mails, have
// an address of their own.
func (c Catalogue) dedicate(from string) error {
	if from == "" {
		return nil
	}
	first, ok := c.Plan(from)
	if !ok || first.Monthly {
		return fmt.Errorf("catalogue: dedicated_ip_from %q: write the name of a yearly plan of this file, or leave it out", from)
	}
	for i, p := range c.plans {
		c.plans[i].DedicatedIP = !p.Monthly && p.Emails >= first.Emails
	}
	return nil
}

// plan checks an entry and fills in what follows from it.
func (e entry) plan() (Plan, error) {
	p := Plan{Name: e.Name, Title: e.Title, Kind: e.Kind, Bytes: e.Bytes, Emails: e.Emails, Monthly: e.Monthly, Tiers: e.Tiers, PerMinute: e.PerMinute}
	if !planName.MatchString(e.Name) {
		return Plan{}, errors.New("name: use lower-case letters, digits and hyphens")
	}
	if e.Title == "" {
		return Plan{}, errors.New("title is missing")
	}
	switch e.Kind {
	case Bandwidth:
		if e.Bytes < EmailSize || e.Bytes > mostBytes {
			return Plan{}, fmt.Errorf("bytes: a bandwidth plan needs at least %v and at most %v", EmailSize, mostBytes)
		}
		if e.Emails != 0 {
			return Plan{}, fmt.Errorf("emails: leave it out, a bandwidth plan has one for each %v", EmailSize)
		}
		p.Emails = int64(e.Bytes / EmailSize)
	case Unlimited:
		if e.Emails < 1 || e.Emails > mostEmails {
			return Plan{}, fmt.Errorf("emails: an unlimited plan needs a number of at least 1 and at most %d", mostEmails)
		}
		if e.Bytes != 0 {
			return Plan{}, errors.New("bytes: leave it out, an unlimited plan has no such limit")
		}
	default:
		return Plan{}, fmt.Errorf("kind %q: write %q or %q", e.Kind, Bandwidth, Unlimited)
	}
	if err := e.checkNumbers(); err != nil {
		return Plan{}, err
	}
	p.Price = *e.Price
	return p, e.checkTiers()
}

// checkNumbers checks what every plan has.
func (e entry) checkNumbers() error {
	if e.Price == nil || *e.Price < 0 || *e.Price > mostPrice {
		return errors.New("price: write a whole number of cents (or what the currency has), for example 2900 for 29.00; 0 for a gift")
	}
	if e.PerMinute < 0 || e.PerMinute > mostPerMinute {
		return fmt.Errorf("recipients_per_minute: write 1 to %d, or leave it out for no limit of the plan's own", mostPerMinute)
	}
	return nil
}

// checkTiers checks that each tier is above what comes before it.
func (e entry) checkTiers() error {
	if len(e.Tiers) > 0 && (e.Kind != Bandwidth || e.Monthly) {
		return errors.New("tiers: leave them out, only yearly bandwidth plans may be overused")
	}
	below := Tier{Bytes: e.Bytes}
	for i, t := range e.Tiers {
		if t.Bytes <= below.Bytes || t.Bytes > mostBytes {
			return fmt.Errorf("tiers: tier %d: bytes: write a total for the month above %v, tiers go up", i+1, below.Bytes)
		}
		if t.Price < 1 || t.Price < below.Price || t.Price > mostPrice {
			return fmt.Errorf("tiers: tier %d: price: write a whole number of cents of at least %d, for example 500 for 5.00", i+1, max(1, below.Price))
		}
		below = t
	}
	return nil
}
