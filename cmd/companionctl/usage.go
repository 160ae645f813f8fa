package main

import (
	"servicesmtp.net/companion/app"
	"servicesmtp.net/companion/app/control"
)

type usageCommand struct {
	JSON    bool   `help:"Print JSON (docs/json.md)."`
	Account string `placeholder:"NAME" help:"Only of this account."`
}

// Run shows what one account used, or all.
func (u *usageCommand) Run(inv *invocation) error {
	return inv.ask(func(c *control.Client) error {
		names := []string{u.Account}
		if u.Account == "" {
			infos, err := c.Accounts(inv.ctx)
			if err != nil {
				return err
			}
			names = nil
			for _, i := range infos {
				names = append(names, i.Name)
			}
		}
		all := []app.Usage{}
		for _, name := range names {
			usage, err := c.Usage(inv.ctx, name)
			if err != nil {
				return err
			}
			all = append(all, usage)
		}
		if u.JSON {
			if len(all) == 1 {
				return inv.json(all[0])
			}
			return inv.json(all)
		}
		if len(all) == 0 {
			inv.line("No account is set up yet. Add one with: companionctl account set")
		}
		for i, usage := range all {
			if i > 0 {
				inv.line("")
			}
			inv.usage(usage)
		}
		return nil
	})
}

func (inv *invocation) usage(u app.Usage) {
	inv.line("Account   %s", u.Account)
	if u.Plan == "" && u.From.IsZero() {
		inv.line("The relay has not told its usage yet.")
		return
	}
	inv.line("Plan      %s", clean(u.Plan))
	inv.line("Period    %s to %s", u.From.Format("2 Jan 2006"), u.To.Format("2 Jan 2006"))
	inv.line("E-mails   %s%s", ofEmails(u.Emails, u.EmailsLimit), percent(u.Emails, u.EmailsLimit))
	inv.line("Volume    %s%s", ofBytes(u.Bytes, u.BytesLimit), percent(int64(u.Bytes), int64(u.BytesLimit)))
	if u.Stale {
		inv.line("As of     %s; the relay cannot be asked now", inv.clock(u.AsOf))
	}
	if len(u.Days) == 0 {
		inv.line("\nNothing was sent in this period yet.")
		return
	}
	inv.line("")
	t := table{head: []string{"DAY", ">E-MAILS", ">VOLUME"}}
	for _, d := range u.Days {
		t.add(d.Day, number(d.Emails), d.Bytes.String())
	}
	t.print(inv.out)
}

// percent is " (30 %)" of a limit, or "".
func percent(used, limit int64) string {
	if limit <= 0 {
		return ""
	}
	return " (" + number(int64(float64(used)/float64(limit)*100)) + " %)"
}
