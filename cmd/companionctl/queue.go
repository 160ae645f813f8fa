package main

import (
	"fmt"
	"strings"

	"servicesmtp.net/companion/app"
	"servicesmtp.net/companion/app/control"
	"servicesmtp.net/companion/app/mail"
)

type queueGroup struct {
	List    queueList    `cmd:"" help:"List the messages that wait."`
	Show    queueShow    `cmd:"" help:"Show one message and its recipients."`
	Pause   queuePause   `cmd:"" help:"Stop sending, until resume. Mail is still taken."`
	Resume  queueResume  `cmd:"" help:"Go on sending after a pause."`
	Retry   queueRetry   `cmd:"" help:"Try again now instead of at the next time planned."`
	Cancel  queueCancel  `cmd:"" help:"Take a message back, as far as it has not left."`
	Resolve queueResolve `cmd:"" help:"Decide about a batch of which nobody knows whether it was sent."`
}

// done answers a command that changed something.
func (inv *invocation) done(json bool, format string, args ...any) error {
	if json {
		return inv.json(map[string]bool{"ok": true})
	}
	inv.line(format, args...)
	return nil
}

type queueList struct {
	JSON    bool   `help:"Print JSON (docs/json.md)."`
	Account string `placeholder:"NAME" help:"Only of this account."`
	All     bool   `help:"Also what is done."`
	Limit   int    `default:"100" placeholder:"N" help:"At most this many, newest first (${default})."`
	Cursor  string `placeholder:"TEXT" help:"Go on where the last page ended."`
}

// Run lists a page of jobs.
func (q *queueList) Run(inv *invocation) error {
	return inv.ask(func(c *control.Client) error {
		page, err := c.Jobs(inv.ctx, app.JobQuery{Account: q.Account, Open: !q.All, Cursor: q.Cursor, Limit: q.Limit})
		if err != nil {
			return err
		}
		if page.Jobs == nil {
			page.Jobs = []app.JobState{}
		}
		if q.JSON {
			return inv.json(page)
		}
		switch {
		case len(page.Jobs) > 0:
			inv.jobs(page.Jobs)
		case q.All:
			inv.line("No mail has come yet. See what to enter in a mail program with: companionctl connect")
		default:
			inv.line("Nothing waits. See what was sent with: companionctl queue list --all")
		}
		inv.more(page.Next)
		return nil
	})
}

// more says how to see the next page.
func (inv *invocation) more(cursor string) {
	if cursor != "" {
		inv.line("\nThere is more: add --cursor %s", cursor)
	}
}

type queueShow struct {
	ID     string `arg:"" help:"Of the message, from the list."`
	JSON   bool   `help:"Print JSON (docs/json.md)."`
	Limit  int    `default:"100" placeholder:"N" help:"At most this many recipients (${default})."`
	Cursor string `placeholder:"TEXT" help:"Go on where the last page ended."`
}

// Run shows a job and a page of its recipients.
func (q *queueShow) Run(inv *invocation) error {
	return inv.ask(func(c *control.Client) error {
		d, err := c.Job(inv.ctx, mail.JobID(q.ID), q.Cursor, q.Limit)
		if err != nil {
			return err
		}
		if d.List == nil {
			d.List = []app.RecipientState{}
		}
		if q.JSON {
			return inv.json(d)
		}
		inv.job(d)
		return nil
	})
}

func (inv *invocation) job(d app.JobDetail) {
	inv.line("Message     %s", d.ID)
	inv.line("From        %s", sender(d.JobState))
	if d.ReportOf != "" {
		inv.line("Tells of    %s", d.ReportOf)
	}
	inv.line("Account     %s", d.Account)
	inv.line("Size        %s", d.Size)
	inv.line("Taken       %s", inv.clock(d.AcceptedAt))
	inv.line("State       %s, %d of %s done", stateOf(d.JobState), d.BatchesDone, plural(d.Batches, "batch", "batches"))
	inv.line("Recipients  %s", counts(d.JobState))
	if d.FinishAt != nil {
		inv.line("Done at     %s", inv.clock(*d.FinishAt))
	}
	if d.LastReply != "" {
		inv.line("Last reply  %s", oneLine(d.LastReply))
	}
	if d.Report != nil {
		inv.line("Report      made for the sender, %s, message %s", inv.clock(d.Report.At), d.Report.Job)
	}
	if d.Damaged {
		inv.line("\nThe text of this message was damaged on the disk, so it is kept and not sent. Take it back,\n"+
			"and send it again from the mail program:\n  companionctl queue cancel %s", d.ID)
	}
	if d.Counts.Uncertain > 0 {
		inv.line("\nNobody knows whether the uncertain ones were sent. Decide for each batch:\n"+
			"  companionctl queue resolve %s BATCH --leave        they may not have got it\n"+
			"  companionctl queue resolve %s BATCH --send-again   they may get it twice", d.ID, d.ID)
	}
	if len(d.List) == 0 {
		return
	}
	inv.line("")
	t := table{head: []string{"ADDRESS", ">BATCH", "STATUS", "AT", "REPLY"}}
	for _, r := range d.List {
		reply := r.Reply
		if !strings.HasPrefix(reply, r.Code) {
			reply = r.Code + " " + reply
		}
		t.add(r.Address, fmt.Sprint(r.Batch), r.Status, inv.clock(r.At), shorten(oneLine(reply), 80))
	}
	t.print(inv.out)
	inv.more(d.Next)
}

// counts is "500: 350 queued, 150 accepted".
func counts(j app.JobState) string {
	var parts []string
	for _, c := range []struct {
		n    int
		name string
	}{{j.Counts.Queued, "queued"}, {j.Counts.Accepted, "accepted"}, {j.Counts.Deferred, "deferred"},
		{j.Counts.Failed, "failed"}, {j.Counts.Uncertain, "uncertain"}, {j.Counts.Cancelled, "cancelled"}} {
		if c.n > 0 {
			parts = append(parts, number(int64(c.n))+" "+c.name)
		}
	}
	return number(int64(j.Recipients)) + ": " + strings.Join(parts, ", ")
}

type queuePause struct {
	JSON    bool   `help:"Print JSON."`
	Account string `placeholder:"NAME" help:"Only this account."`
}

// Run pauses.
func (q *queuePause) Run(inv *invocation) error {
	return inv.ask(func(c *control.Client) error {
		if err := c.Pause(inv.ctx, q.Account); err != nil {
			return err
		}
		return inv.done(q.JSON, "Sending is paused. Mail is still taken. Go on with: companionctl queue resume")
	})
}

type queueResume struct {
	JSON    bool   `help:"Print JSON."`
	Account string `placeholder:"NAME" help:"Only this account."`
}

// Run resumes.
func (q *queueResume) Run(inv *invocation) error {
	return inv.ask(func(c *control.Client) error {
		if err := c.Resume(inv.ctx, q.Account); err != nil {
			return err
		}
		return inv.done(q.JSON, "Sending goes on.")
	})
}

type queueRetry struct {
	ID   string `arg:"" optional:"" help:"Of the message, from the list. Default: all that waits."`
	JSON bool   `help:"Print JSON."`
}

// Run tries again.
func (q *queueRetry) Run(inv *invocation) error {
	return inv.ask(func(c *control.Client) error {
		if err := c.Retry(inv.ctx, mail.JobID(q.ID)); err != nil {
			return err
		}
		return inv.done(q.JSON, "Trying again now. See how it goes with: companionctl status")
	})
}

type queueCancel struct {
	ID   string `arg:"" help:"Of the message, from the list."`
	JSON bool   `help:"Print JSON."`
	Yes  bool   `short:"y" help:"Do not ask."`
}

// Run takes a job back, after a look at what is left of it.
func (q *queueCancel) Run(inv *invocation) error {
	return inv.ask(func(c *control.Client) error {
		id := mail.JobID(q.ID)
		if !q.Yes {
			d, err := c.Job(inv.ctx, id, "", 1)
			if err != nil {
				return err
			}
			left := d.Counts.Queued + d.Counts.Deferred
			if err := inv.confirm(fmt.Sprintf("Take back the message from %s? It then never reaches %s; %s already have it.",
				sender(d.JobState), plural(left, "recipient", "recipients"), number(int64(d.Counts.Accepted)))); err != nil {
				return err
			}
		}
		if err := c.Cancel(inv.ctx, id); err != nil {
			return err
		}
		return inv.done(q.JSON, "The message is taken back, as far as it had not left.")
	})
}

type queueResolve struct {
	ID        string `arg:"" help:"Of the message, from the list."`
	Batch     int    `arg:"" help:"Number of the batch, from queue show."`
	SendAgain bool   `xor:"decision" required:"" help:"Send it again; its recipients may get it twice."`
	Leave     bool   `xor:"decision" required:"" help:"Leave it; its recipients may not have got it."`
	JSON      bool   `help:"Print JSON."`
}

// Run hands on a person's decision.
func (q *queueResolve) Run(inv *invocation) error {
	return inv.ask(func(c *control.Client) error {
		if err := c.Resolve(inv.ctx, mail.JobID(q.ID), q.Batch, q.SendAgain); err != nil {
			return err
		}
		if q.SendAgain {
			return inv.done(q.JSON, "The batch is sent again.")
		}
		return inv.done(q.JSON, "The batch is left as it is.")
	})
}
