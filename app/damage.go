package app

import (
	"context"
	"errors"
	"time"

	"servicesmtp.net/companion/app/say"
	"servicesmtp.net/companion/app/spool"
)

var damageSubject = say.T("The spool was damaged and has been rebuilt.")

// damages are the reports of rebuilt databases that nobody has seen, as notices
// of this computer. A notice's ID is its time, which is the report's name too.
func (e *Engine) damages() []NoticeState {
	list, err := e.spool.Damages()
	if err != nil {
		e.log.Error("reports of damage cannot be read", "err", err)
	}
	var out []NoticeState
	for _, d := range list {
		n := NoticeState{ID: d.At.UnixMilli(), At: d.At, Severity: "critical", Said: Said{Sentence: say.Words{damageSubject}, Action: damageWords(d)}}
		n.Subject, n.Body = n.Said.Sentence.String(), n.Said.Action.String()
		out = append(out, n)
	}
	return out
}

// seeDamage notes that a person has seen a report.
func (e *Engine) seeDamage(ctx context.Context, id int64) error {
	err := e.spool.SeeDamage(spool.DamageName(time.UnixMilli(id)))
	if errors.Is(err, spool.ErrNotFound) {
		return noSuchNotice()
	}
	if err != nil {
		return spoolError(err)
	}
	e.pub.publish(ctx)
	return nil
}

// damageWords say what became of the mail.
func damageWords(d spool.Damage) (w say.Words) {
	add := func(n int, t say.Text) {
		if n > 0 {
			w = append(w, t)
		}
	}
	lost := len(d.Lost) + d.Nameless
	failed, doubtful := int(d.FailedRecipients), int(d.Doubtful)
	add(d.Messages, say.N(d.Messages, "{{.N}} message goes on by itself.", "{{.N}} messages go on by themselves."))
	add(lost, say.N(lost, "{{.N}} message could not be read and is not sent.", "{{.N}} messages could not be read and are not sent."))
	for _, id := range d.Lost[:min(len(d.Lost), 3)] {
		w = append(w, say.T("Not readable: {{.Job}}.").With("Job", string(id)))
	}
	add(failed, say.N(failed, "{{.N}} recipient could not be read and counts as failed.", "{{.N}} recipients could not be read and count as failed."))
	add(doubtful, say.N(doubtful, "Decide in the queue about {{.N}} recipient.", "Decide in the queue about {{.N}} recipients."))
	add(d.Damaged, say.N(d.Damaged, "{{.N}} message is kept and not sent, because its text is damaged.", "{{.N}} messages are kept and not sent, because their text is damaged."))
	if d.Log || d.Short {
		w = append(w, say.T("Mail that was handed in shortly before may be missing without a trace."))
	}
	return append(w,
		say.T("The damaged files are kept in the data folder, in {{.Folder}}.").With("Folder", "spool/quarantine/"+d.Name),
		say.T("Check this disk."))
}
