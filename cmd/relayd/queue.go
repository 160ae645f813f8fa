package main

import (
	"fmt"
	"net/http"
	"strconv"
	"time"

	"servicesmtp.net/companion/server/api"
)

type queueGroup struct {
	List    queueList    `cmd:"" help:"Show what waits, by domain and account."`
	Hold    queueHold    `cmd:"" help:"Keep mail from being delivered."`
	Release queueRelease `cmd:"" help:"Deliver held mail."`
	Drop    queueDrop    `cmd:"" help:"Fail mail; its senders are told."`
	Rebuild queueRebuild `cmd:"" help:"Make the queue's jobs anew from the table of deliveries."`
}

// selected is the part of the queue that a command is about.
type selected struct {
	Account string `help:"Only of this account."`
	Domain  string `help:"Only to this domain."`
	Message string `help:"Only this message, by the id after 'queued as'."`
}

func (s selected) selection(all bool) api.QueueSelection {
	return api.QueueSelection{Account: s.Account, Domain: s.Domain, Message: s.Message, All: all}
}

type queueList struct{ selected }

func (c *queueList) Run(inv *invocation) error {
	var out api.QueueView
	if err := inv.ask(http.MethodGet, "/queue?"+c.selection(false).Query(), nil, &out); err != nil {
		return err
	}
	if inv.json {
		return inv.printJSON(out)
	}
	rows := [][]string{{"DOMAIN", "ACCOUNT", "WAIT", "HELD", "TRIES", "OLDEST", "NEXT", "LAST ERROR"}}
	for _, g := range out.Groups {
		next := "held"
		if g.Next != nil {
			next = g.Next.Format(time.RFC3339)
		}
		rows = append(rows, []string{g.Domain, g.Account, strconv.Itoa(g.Recipients), strconv.Itoa(g.Held), strconv.Itoa(g.Attempts),
			g.Oldest.Format(time.RFC3339), next, g.LastError})
	}
	return inv.table(rows...)
}

// everything must be said, so that a forgotten flag does no harm.
type everything struct {
	All bool `help:"The whole queue."`
}

type queueHold struct {
	selected
	everything
}

func (c *queueHold) Run(inv *invocation) error {
	return inv.changeQueue("hold", c.selection(c.All), "recipients are held")
}

type queueRelease struct {
	selected
	everything
}

func (c *queueRelease) Run(inv *invocation) error {
	return inv.changeQueue("release", c.selection(c.All), "recipients are released")
}

type queueDrop struct {
	selected
	everything
}

func (c *queueDrop) Run(inv *invocation) error {
	return inv.changeQueue("drop", c.selection(c.All), "recipients are dropped")
}

type queueRebuild struct{}

func (queueRebuild) Run(inv *invocation) error {
	var out api.QueueRebuilt
	if err := inv.ask(http.MethodPost, "/queue/rebuild", api.QueueSelection{}, &out); err != nil {
		return err
	}
	if inv.json {
		return inv.printJSON(out)
	}
	_, err := fmt.Fprintf(inv.stdout, "%d lanes have new jobs\n", out.Lanes)
	return err
}

func (inv *invocation) changeQueue(action string, in api.QueueSelection, what string) error {
	var out api.QueueChange
	if err := inv.ask(http.MethodPost, "/queue/"+action, in, &out); err != nil {
		return err
	}
	if inv.json {
		return inv.printJSON(out)
	}
	_, err := fmt.Fprintf(inv.stdout, "%d %s\n", out.Recipients, what)
	return err
}
