package main

import (
	"errors"
	"net/http"
	"strconv"

	"servicesmtp.net/companion/server/accept"
	"servicesmtp.net/companion/server/api"
)

type accountPace struct{ named }

// Run shows an account's pace.
func (c *accountPace) Run(inv *invocation) error {
	return inv.pace(http.MethodGet, c.path("pace"), nil)
}

type accountSetPace struct {
	named
	PerMinute *int64 `xor:"pace" help:"Recipients a minute; 0: no limit."`
	Default   bool   `xor:"pace" help:"As the plan and relay.toml say."`
}

// Run changes an account's pace.
func (c *accountSetPace) Run(inv *invocation) error {
	if c.PerMinute == nil && !c.Default {
		return errors.New("write --per-minute with a number, or --default")
	}
	return inv.pace(http.MethodPut, c.path("pace"), api.PaceChange{PerMinute: c.PerMinute})
}

// setBy says for people who set a rate.
var setBy = map[accept.RateSource]string{
	accept.RateAccount: "for this account alone",
	accept.RatePlan:    "by its plan",
	accept.RateRelay:   "by relay.toml, for all accounts",
	accept.RateNone:    "by nobody",
}

func (inv *invocation) pace(method, path string, in any) error {
	var out api.PaceView
	if err := inv.ask(method, path, in, &out); err != nil {
		return err
	}
	if inv.json {
		return inv.printJSON(out)
	}
	rate := "no limit"
	if out.PerMinute > 0 {
		rate = strconv.FormatInt(out.PerMinute, 10) + " recipients a minute"
	}
	return inv.table([]string{"account", out.Account}, []string{"pace", rate}, []string{"set", setBy[out.Source]})
}
