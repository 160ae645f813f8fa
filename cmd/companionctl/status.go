package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"servicesmtp.net/companion/app"
	"servicesmtp.net/companion/app/control"
)

type statusCommand struct {
	JSON  bool `help:"Print JSON (docs/json.md), with --watch a line for every change."`
	Watch bool `short:"w" help:"Go on showing what changes, until Ctrl-C or until the companion stops."`
}

// Run shows the present State, or all that come.
func (s *statusCommand) Run(inv *invocation) error {
	return inv.ask(func(c *control.Client) error {
		if s.Watch {
			return s.watch(inv, c)
		}
		state, err := c.State(inv.ctx)
		if err != nil {
			return err
		}
		if s.JSON {
			err = inv.json(state)
		} else {
			inv.status(state)
		}
		if err == nil && state.Mood == app.MoodAttention {
			err = errAttention
		}
		return err
	})
}

func (s *statusCommand) watch(inv *invocation, c *control.Client) error {
	last := ""
	err := c.Watch(inv.ctx, func(state app.State) error {
		switch {
		case s.JSON:
			return inv.json(state)
		case inv.moves:
			fmt.Fprint(inv.out, "\r\x1b[K"+inv.progress(state))
		default:
			// The same words again are no change that a reader of a log wants.
			if now := oneLine(sentence(state)); now != last {
				last = now
				inv.line("%s %s", state.At.In(inv.now().Location()).Format("15:04:05"), now)
			}
		}
		return nil
	})
	if inv.moves && !s.JSON {
		inv.line("")
	}
	if errors.Is(err, context.Canceled) {
		return nil // Ctrl-C is how a person ends this
	}
	if err == nil && !s.JSON {
		inv.line("The companion has stopped.")
	}
	return err
}

// sentence is the state in words, with what to do.
func sentence(state app.State) string { return strings.TrimSpace(state.Sentence + " " + state.Action) }

// progress is the state on one line that fits the terminal.
func (inv *invocation) progress(state app.State) string {
	word, room := string(state.Mood), inv.width()-1
	bar := ""
	if percent, ok := share(state.Jobs); ok && state.Mood != app.MoodIdle {
		bar = fmt.Sprintf(" %3d %%", percent)
		if room >= 60 {
			const cells = 20
			full := percent * cells / 100
			bar = fmt.Sprintf(" [%s%s]%s", strings.Repeat("#", full), strings.Repeat(".", cells-full), bar)
		}
	}
	rest := shorten(bar+"  "+oneLine(sentence(state)), room-len(word))
	return inv.paint(state.Mood, word) + rest
}

// status prints a State for people.
func (inv *invocation) status(state app.State) {
	inv.line("%s", inv.paint(state.Mood, clean(state.Sentence)))
	if state.Action != "" {
		inv.line("%s", clean(state.Action))
	}
	inv.line("")
	inv.listeners(state.Listen)
	spool := "cannot be used"
	if state.Spool.OK {
		spool = ofBytes(state.Spool.Bytes, state.Spool.MaxBytes)
	}
	inv.line("Spool          %s", spool)
	if m := state.LastMail; m != nil {
		inv.line("Last mail      %s, to %s", inv.clock(m.At), plural(m.Recipients, "recipient", "recipients"))
	}
	if c := state.Certificate; c != nil {
		inv.line("Certificate    %s, valid until %s", clean(c.File), c.ValidUntil.In(inv.now().Location()).Format("2 Jan 2006"))
		if c.Sentence != "" {
			inv.line("               %s", oneLine(c.Sentence+" "+c.Action))
		}
	}
	if r := state.Refused; r != nil {
		inv.line("Turned away    %s", oneLine(r.Sentence+" "+r.Action))
	}
	inv.accounts(state.Accounts)
	if len(state.Jobs) > 0 {
		inv.line("")
		inv.jobs(state.Jobs)
	}
}

func (inv *invocation) listeners(all []app.ListenState) {
	var good []string
	for _, l := range all {
		switch {
		case l.OK && l.TLS:
			good = append(good, l.Address+" (TLS)")
		case l.OK:
			good = append(good, l.Address)
		}
	}
	if len(good) == 0 {
		good = []string{"nowhere at the moment"}
	}
	inv.line("Takes mail at  %s", strings.Join(good, ", "))
	for _, l := range all {
		if l.OK {
			continue
		}
		inv.line("               not at %s: %s", l.Address, oneLine(l.Sentence+" "+l.Action))
		if l.Offered != "" {
			inv.line("               free instead: %s", l.Offered)
		}
	}
}

func (inv *invocation) accounts(all []app.AccountState) {
	if len(all) == 0 {
		return // the sentence says so
	}
	inv.line("")
	t := table{head: []string{"ACCOUNT", "STATE", ">WAITING", ">PER MINUTE", "DONE AT", "E-MAILS", "VOLUME"}}
	for _, a := range all {
		perMinute, emails, volume := "no limit", "-", "-"
		if a.Pace.PerMinute > 0 {
			perMinute = number(int64(a.Pace.PerMinute))
		}
		if q := a.Quota; q != nil {
			emails, volume = ofEmails(q.Emails, q.EmailsLimit), ofBytes(q.Bytes, q.BytesLimit)
		}
		t.add(a.Name, string(a.Mood), number(int64(a.Recipients)), perMinute, inv.clockOr(a.FinishAt, "-"), emails, volume)
	}
	t.print(inv.out)
	if len(all) == 1 && all[0].Hold == nil {
		return // its sentence stands at the top
	}
	inv.line("")
	for _, a := range all {
		inv.line("%s: %s", a.Name, oneLine(a.Sentence+" "+a.Action))
		if h := a.Hold; h != nil {
			if h.Reply != "" {
				inv.line("  the server said: %s", oneLine(h.Reply))
			}
			if h.Until != nil {
				inv.line("  until: %s", inv.clock(*h.Until))
			}
		}
	}
}

func (inv *invocation) jobs(all []app.JobState) {
	t := table{head: []string{"ID", "FROM", ">SIZE", ">SENT", ">FAILED", "STATE", "DONE AT"}}
	for _, j := range all {
		t.add(string(j.ID), shorten(sender(j), 40), j.Size.String(), sentOf(j), number(int64(j.Counts.Failed)), stateOf(j), inv.clockOr(j.FinishAt, "-"))
	}
	t.print(inv.out)
}

func stateOf(j app.JobState) string {
	if j.Damaged {
		return "damaged"
	}
	return j.State
}

// sender is whose mail it is. The null reverse-path is that of reports (RFC 5321
// §4.5.5), and of our own it is known whom they go to.
func sender(j app.JobState) string {
	switch {
	case j.ReportTo != "":
		return "(report to " + oneLine(j.ReportTo) + ")"
	case j.From == "":
		return "(a report)"
	}
	return oneLine(j.From)
}
