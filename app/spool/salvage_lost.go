package spool

import (
	"crypto/rand"
	"maps"
	"slices"

	"github.com/oklog/ulid/v2"

	"servicesmtp.net/companion/app/mail"
	"servicesmtp.net/companion/internal/wire"
)

// nameless deals with jobs whose row is lost: their batches do not go on. What
// is still known of them stands in the history as failed, with its recipients.
func (j *judge) nameless() {
	seqs := slices.Sorted(maps.Keys(j.unrowed()))
	if len(seqs) == 0 {
		return
	}
	used := make(map[string]bool)
	for _, e := range j.keep["jobs"] {
		used[e.text("id")] = true
	}
	for _, seq := range seqs {
		id := j.ids[seq]
		if known, ok := j.listed[seq]; ok && known.done && !hasLive(j.byJob[seq]) && len(j.bodies[seq]) == 0 {
			continue // of the history only: whoever owes a report has his message still
		}
		if !validJob(mail.JobID(id)) || used[id] {
			id = ulid.MustNew(ulid.Timestamp(j.now), rand.Reader).String()
			j.report.Nameless++
		} else {
			j.report.Lost = append(j.report.Lost, mail.JobID(id))
		}
		used[id] = true
		j.tombstone(seq, id)
	}
}

// unrowed are the jobs without a row of which anything else speaks.
func (j *judge) unrowed() map[int64]bool {
	seqs := make(map[int64]bool)
	speaksOf := func(seq int64) {
		if _, have := j.rows["jobs"][seq]; !have {
			seqs[seq] = true
		}
	}
	for seq := range j.byJob {
		speaksOf(seq)
	}
	for seq := range j.ids {
		speaksOf(seq)
	}
	if !j.suspect { // or they may be of messages that are forgotten
		for seq := range j.bodies {
			speaksOf(seq)
		}
		for seq, known := range j.listed {
			if !known.done {
				speaksOf(seq)
			}
		}
	}
	return seqs
}

func hasLive(batches []entry) bool {
	for _, b := range batches {
		if b.num("state") != done {
			return true
		}
	}
	return false
}

// tombstone stands for a lost job.
func (j *judge) tombstone(seq int64, id string) {
	e := j.layouts["jobs"].blank(seq)
	at := j.now
	if made, err := ulid.ParseStrict(id); err == nil {
		at = ulid.Time(made.Time())
	}
	account, lane := j.listed[seq].account, int64(mail.Bulk)
	highest := int64(1)
	batches := j.numbered(seq)
	for n, b := range batches {
		account, lane, highest = b.text("account"), b.num("lane"), max(highest, n)
	}
	for name, value := range map[string]any{
		"id": id, "account": account, "lane": lane, "sum": make([]byte, len(wire.BodySum{})), "accepted_at": at.UnixMicro(),
		"done_at": j.now.UnixMicro(), "body": int64(bodyGone), "batches": highest,
	} {
		e.set(name, value)
	}
	setReply(e, "last_", lostReply)
	for n := int64(1); n <= highest; n++ {
		b, have := batches[n]
		if !have {
			batches[n] = j.lostBatch(e, n, b)
			continue
		}
		if list, err := decodeRecipients(b.blob("recipients")); err != nil || int64(len(list)) != b.num("count") {
			b.set("recipients", encodeRecipients(nil))
		}
		if b.num("state") != done {
			j.endBatch(b, mail.StatusFailed, lostReply)
			j.report.FailedRecipients += b.num("count")
		}
	}
	for _, n := range slices.Sorted(maps.Keys(batches)) {
		j.children(batches, batches[n])
	}
	for _, b := range batches {
		j.count(e, b)
		j.goOn(e, b, false)
	}
	j.keep["jobs"][seq] = e
}

// count adds what became of a batch's recipients to a tombstone.
func (j *judge) count(e, b entry) {
	rest := b.num("count")
	add := func(s mail.Status, n int64) {
		name := map[mail.Status]string{mail.StatusAccepted: "accepted", mail.StatusFailed: "failed", mail.StatusUncertain: "uncertain", mail.StatusCancelled: "cancelled"}[s]
		if name == "" { // those who were deferred count where they are now
			return
		}
		e.set(name, e.num(name)+n)
		e.set("recipients", e.num("recipients")+n)
	}
	for place, o := range j.outcomes[b.rowid] {
		if place < b.num("count") {
			rest--
			add(mail.Status(o.num("status")), 1)
		}
	}
	add(mail.Status(b.num("result")), rest)
}

// children makes sure that a recipient who has moved to a later batch does not
// count as accepted in this one, where the row that said so is lost.
func (j *judge) children(batches map[int64]entry, b entry) {
	if b.num("state") != done {
		return
	}
	list, err := decodeRecipients(b.blob("recipients"))
	if err != nil || mail.Status(b.num("result")) == mail.StatusDeferred {
		return
	}
	moved := make(map[string]bool)
	for _, c := range batches {
		if c.num("parent") == b.num("number") {
			later, _ := decodeRecipients(c.blob("recipients")) // live ones were checked; of the others nothing hangs on it
			for _, r := range later {
				moved[wire.LowerDomain(r.Address)] = true
			}
		}
	}
	for place, r := range list {
		if _, have := j.outcomes[b.rowid][int64(place)]; have || !moved[wire.LowerDomain(r.Address)] {
			continue
		}
		o := j.outcome(b, place, r.Address, mail.StatusDeferred)
		if j.outcomes[b.rowid] == nil {
			j.outcomes[b.rowid] = make(map[int64]entry)
		}
		j.outcomes[b.rowid][int64(place)] = o
	}
}

func (j *judge) outcome(b entry, place int, address string, status mail.Status) entry {
	o := j.layouts["outcomes"].blank(j.newID("outcomes"))
	for name, value := range map[string]any{
		"batch": b.rowid, "place": int64(place), "address": address, "status": int64(status), "at": b.num("done_at"),
	} {
		o.set(name, value)
	}
	setReply(o, "", lostReply)
	return o
}

// attempts keeps those that can be read, and assumes the worst of the others,
// because the pace is rebuilt from them: what a batch says of an attempt that
// is lost counts at the latest moment at which it can have left, and each
// number that nobody speaks of was a full batch of every account.
func (j *judge) attempts() {
	keep := j.rows["attempts"]
	j.keep["attempts"] = keep
	accounts := make(map[string]bool)
	maps.DeleteFunc(keep, func(id int64, e entry) bool {
		r := AttemptResult(e.num("result"))
		return id <= 0 || e.text("account") == "" || r < AttemptOpen || r > AttemptDone || e.num("recipients") < 0
	})
	open := make(map[int64]bool) // those of batches on their way
	for _, b := range j.keep["batches"] {
		accounts[b.text("account")] = true
		id, state := b.num("attempt"), b.num("state")
		if id == 0 {
			continue
		}
		open[id] = state == sending || state == unknown
		if _, have := keep[id]; !have {
			keep[id] = j.attempt(id, b)
		}
	}
	for id, e := range keep {
		if e.num("result") == int64(AttemptOpen) && !open[id] {
			e.set("result", int64(AttemptLost))
			e.set("ended_at", j.now.UnixMicro())
		}
	}
	j.gaps(slices.Sorted(maps.Keys(accounts)))
}

// attempt makes up the lost attempt of a batch.
func (j *judge) attempt(id int64, b entry) entry {
	a := j.layouts["attempts"].blank(id)
	at, result := j.now.UnixMicro(), AttemptLost
	switch b.num("state") {
	case done:
		at, result = b.num("done_at"), AttemptDone
	case sending:
		result = AttemptOpen
	}
	for name, value := range map[string]any{
		"batch": b.rowid, "account": b.text("account"), "lane": b.num("lane"), "recipients": b.num("count"), "started_at": at, "result": int64(result),
	} {
		a.set(name, value)
	}
	if result != AttemptOpen {
		a.set("ended_at", at)
		a.set("left_at", at)
	}
	return a
}

// The attempts that are made up for one gap are bounded, and so is a batch.
const (
	mostGaps  = 10_000
	fullBatch = 50
)

// gaps counts the numbers of today that are missing. Older ones are pruned.
func (j *judge) gaps(accounts []string) {
	keep := j.keep["attempts"]
	ids := slices.Sorted(maps.Keys(keep))
	since := j.now.Add(-attemptSlack).UnixMicro()
	made := 0
	for i, id := range ids {
		next, at := j.sequence["attempts"]+1, j.now.UnixMicro()
		if i+1 < len(ids) {
			next, at = ids[i+1], keep[ids[i+1]].num("started_at")
		}
		for missing := id + 1; missing < next && at >= since && made < mostGaps; missing++ {
			for k, account := range accounts {
				a := j.layouts["attempts"].blank(missing)
				if k > 0 {
					a.rowid = j.newID("attempts")
				}
				for name, value := range map[string]any{
					"account": account, "lane": int64(mail.Bulk), "recipients": int64(fullBatch),
					"started_at": at, "left_at": at, "ended_at": at, "result": int64(AttemptLost),
				} {
					a.set(name, value)
				}
				keep[a.rowid] = a
				made++
			}
		}
	}
}
