package main

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"servicesmtp.net/companion/internal/units"
	"servicesmtp.net/companion/server/account"
	"servicesmtp.net/companion/server/api"
	"servicesmtp.net/companion/server/config"
)

// catalogue is the plans that the settings name, or those of the program.
func (inv *invocation) catalogue(cfg config.Config) (account.Catalogue, error) {
	switch {
	case inv.plans != nil:
		return *inv.plans, nil
	case cfg.Plans.Catalogue == "":
		return account.Default(), nil
	}
	_, plans, err := readCatalogue(cfg.Plans.Catalogue)
	return plans, err
}

func readCatalogue(file string) (text []byte, plans account.Catalogue, err error) {
	text, err = os.ReadFile(file)
	if err != nil {
		return nil, plans, fmt.Errorf("read catalogue: %w", err)
	}
	if plans, err = account.Parse(text); err != nil {
		return nil, plans, fmt.Errorf("%s: %w", filepath.Base(file), err)
	}
	return text, plans, nil
}

type planGroup struct {
	List  planList  `cmd:"" help:"List the plans."`
	Check planCheck `cmd:"" help:"Check a catalogue before the relay is started with it."`
}

type planList struct{}

// Run lists the plans.
func (planList) Run(inv *invocation) error {
	var out []api.PlanView
	if err := inv.ask(http.MethodGet, "/plans", nil, &out); err != nil {
		return err
	}
	rows := [][]string{{"NAME", "TITLE", "KIND", "SIZE", "E-MAILS", "LASTS", "PRICE", "OWN IP", "SURCHARGES"}}
	for _, p := range out {
		size, lasts, own := "no limit", "a year, by month", "no"
		if p.Bytes > 0 {
			size = units.ByteSize(p.Bytes).String()
		}
		if p.Monthly {
			lasts = "30 days"
		}
		if p.DedicatedIP {
			own = "possible"
		}
		var tiers []string
		for _, t := range p.Tiers {
			tiers = append(tiers, units.ByteSize(t.Bytes).String()+" "+sum(t.PriceMinor, p.Currency))
		}
		rows = append(rows, []string{p.Name, p.Title, p.Kind, size, strconv.FormatInt(p.Emails, 10), lasts, p.Price(), own, orDash(strings.Join(tiers, ", "))})
	}
	return inv.list(out, rows, "No plans.")
}

type planCheck struct {
	File string `arg:"" placeholder:"FILE" help:"The catalogue."`
}

// errLacks says that a catalogue cannot be used here.
var errLacks = errors.New("the catalogue cannot be used")

// Run checks a catalogue: by its rules, and whether it has what accounts need
// where there is a store.
func (c *planCheck) Run(inv *invocation) error {
	text, plans, err := readCatalogue(c.File)
	if err != nil {
		return err
	}
	out := api.PlanCheck{Plans: len(plans.Plans()), Missing: []api.MissingPlan{}}
	there, err := inv.hasStore()
	if err != nil {
		return err
	}
	if there {
		inv.plans = &plans // the one in the settings may be what is to be mended
		if err := inv.ask(http.MethodPost, "/plans/check", api.PlanText{Catalogue: string(text)}, &out); err != nil {
			return err
		}
	}
	if inv.json {
		err = inv.printJSON(out)
	} else if len(out.Missing) == 0 {
		accounts := "all plans that accounts need are in it"
		if !out.Checked {
			accounts = "there are no accounts yet"
		}
		_, err = fmt.Fprintf(inv.stdout, "The catalogue is good, and %s. Plans: %d.\n", accounts, out.Plans)
	}
	for _, m := range out.Missing {
		err = errors.Join(err, fmt.Errorf("%w: %s", errLacks, m.Sentence))
	}
	return err
}

// hasStore says that a relay was started here before.
func (inv *invocation) hasStore() (bool, error) {
	cfg, err := inv.settings()
	if err != nil {
		return false, err
	}
	if cfg.Store.DSN != "" {
		return true, nil
	}
	_, err = os.Stat(filepath.Join(inv.data, lockFile))
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}
