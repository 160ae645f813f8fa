package spool

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"servicesmtp.net/companion/app/mail"
	"servicesmtp.net/companion/internal/wire"
)

// What recipients are told who were lost, and those who may have been.
var (
	lostReply     = mail.Reply{Code: mail.Code{Basic: 554, Enhanced: [3]int{5, 3, 0}}, Text: "could not be read from the damaged database", Command: "DATA"}
	doubtfulReply = mail.Reply{Code: mail.Code{Basic: 451, Enhanced: [3]int{4, 3, 0}}, Text: "the damaged database contradicts itself here", Command: "DATA"}
)

// judge decides what goes on. Consistency decides, not hope: a batch goes on
// where its own row, its job's and its message are whole and the counts agree;
// where they contradict each other a person decides, and what is lost has
// failed and says so.
type judge struct {
	*remains
	now      time.Time
	running  bool                       // sessions are at work: their batches stay in sending
	hasBody  func(job entry) bool       // whether the message is whole
	byJob    map[int64][]entry          // batches, by number
	outcomes map[int64]map[int64]entry  // by batch and place
	keep     map[string]map[int64]entry // what goes into the new database
	stores   map[string]string          // by account, the one that had a batch last
	top      map[string]int64           // by table, the highest number used
	report   Damage
}

// run fills keep and report.
func (j *judge) run() {
	j.keep = make(map[string]map[int64]entry)
	for _, table := range salvaged {
		j.keep[table] = make(map[int64]entry)
	}
	j.stores = make(map[string]string)
	j.sortOutcomes()
	j.sortBatches()
	j.tops()
	delete(j.rows, "outcomes") // they are sorted now, and there may be many
	delete(j.rows, "batches")
	for _, seq := range slices.Sorted(maps.Keys(j.rows["jobs"])) {
		if e := j.rows["jobs"][seq]; soundJob(e) {
			j.job(e)
		} else {
			j.ids[seq] = e.text("id")
			delete(j.rows["jobs"], seq)
		}
	}
	j.nameless()
	j.byJob, j.outcomes = nil, nil
	j.attempts()
}

// soundJob holds a row against what its writer promises.
func soundJob(e entry) bool {
	parts, recipients := int64(0), e.num("recipients")
	for _, name := range []string{"queued", "deferred", "accepted", "failed", "uncertain", "cancelled"} {
		n := e.num(name)
		if n < 0 || n > recipients {
			return false
		}
		parts += n
	}
	if recipients == 0 && e.num("done_at") == 0 { // nobody waits for nobody: the end of the row is torn
		return false
	}
	return e.rowid > 0 && validJob(mail.JobID(e.text("id"))) && parts == recipients && len(e.blob("sum")) == len(wire.BodySum{}) &&
		e.num("batches") > 0 && e.num("batches") <= 1_000_000 && e.num("live") >= 0 && e.num("body") >= bodyInline && e.num("body") <= bodyGone
}

// sortBatches groups the batches whose rows make sense.
func (j *judge) sortBatches() {
	j.byJob = make(map[int64][]entry)
	for _, id := range slices.Sorted(maps.Keys(j.rows["batches"])) {
		e := j.rows["batches"][id]
		seq, number := e.num("job"), e.num("number")
		if id <= 0 || number < 1 || number > 1_000_000 || e.num("count") < 0 || e.num("state") < ready || e.num("state") > done {
			continue
		}
		j.byJob[seq] = append(j.byJob[seq], e)
		if store := e.text("store"); store != "" {
			j.stores[e.text("account")] = store
		}
	}
	for seq, list := range j.byJob {
		j.byJob[seq] = j.unique(list)
	}
}

// unique keeps one batch of each number.
func (j *judge) unique(list []entry) []entry {
	if len(list) < 2 {
		return list
	}
	slices.SortStableFunc(list, func(a, b entry) int { return cmp.Compare(a.num("number"), b.num("number")) })
	out := list[:1]
	for _, e := range list[1:] {
		last := &out[len(out)-1]
		if e.num("number") != last.num("number") {
			out = append(out, e)
			continue
		}
		j.suspect = true
		if later(e, *last) {
			*last = e
		}
	}
	return out
}

// numbered takes the batches of a job, by number.
func (j *judge) numbered(seq int64) map[int64]entry {
	batches := make(map[int64]entry)
	for _, b := range j.byJob[seq] {
		batches[b.num("number")] = b
	}
	delete(j.byJob, seq)
	return batches
}

func (j *judge) sortOutcomes() {
	j.outcomes = make(map[int64]map[int64]entry)
	for _, id := range slices.Sorted(maps.Keys(j.rows["outcomes"])) {
		e := j.rows["outcomes"][id]
		batch, place := e.num("batch"), e.num("place")
		if s := mail.Status(e.num("status")); place < 0 || s < mail.StatusQueued || s > mail.StatusCancelled {
			continue
		}
		if j.outcomes[batch] == nil {
			j.outcomes[batch] = make(map[int64]entry)
		}
		if old, have := j.outcomes[batch][place]; have {
			j.suspect = true
			if !later(e, old) {
				continue
			}
		}
		j.outcomes[batch][place] = e
	}
}

// sums are a job's recipients by what its batches say.
type sums struct {
	queued, deferred, uncertain int64 // live
	settled                     int64 // uncertain for good
	live, lost                  int64 // batches
}

// job decides about a job whose row is whole.
func (j *judge) job(e entry) {
	batches := j.numbered(e.rowid)
	ended := e.num("done_at") > 0
	highest := e.num("batches")
	for n := range batches {
		highest = max(highest, n)
	}
	s, contrary := sums{}, highest > e.num("batches")
	for n := int64(1); n <= highest; n++ {
		b, have := batches[n]
		if !have || !j.fitsJob(b, e) {
			batches[n] = j.lostBatch(e, n, b)
			s.lost++
			continue
		}
		if ended && b.num("state") != done {
			contrary = true
			j.endBatch(b, mail.StatusUncertain, doubtfulReply)
		}
		s.add(b)
	}
	e.set("batches", highest)
	if !ended {
		contrary = j.settle(e, s) || contrary
	}
	for _, n := range slices.Sorted(maps.Keys(batches)) {
		j.children(batches, batches[n])
	}
	for _, n := range slices.Sorted(maps.Keys(batches)) {
		j.goOn(e, batches[n], contrary)
	}
	if !ended {
		j.finishJob(e, batches, contrary)
	}
	j.keep["jobs"][e.rowid] = e
}

func (s *sums) add(b entry) {
	n := b.num("count")
	switch state := b.num("state"); {
	case state == done && mail.Status(b.num("result")) == mail.StatusUncertain:
		s.settled += n
		return
	case state == done:
		return
	case state == uncertain:
		s.uncertain += n
	case b.num("round") == 0:
		s.queued += n
	default:
		s.deferred += n
	}
	s.live++
}

// fitsJob holds a batch against its job. The recipients of one that is done do
// not matter so much that the rest of it would be given up.
func (j *judge) fitsJob(b, job entry) bool {
	if b.text("account") != job.text("account") || b.num("lane") != job.num("lane") || b.num("count") > job.num("recipients") {
		return false
	}
	list, err := decodeRecipients(b.blob("recipients"))
	whole := err == nil && int64(len(list)) == b.num("count")
	if !whole && b.num("state") == done {
		b.set("recipients", encodeRecipients(nil))
		j.report.Unclear += b.num("count")
	}
	return whole || b.num("state") == done
}

// lostBatch stands for a batch of which nothing, or not all, can be read, so
// that its number is never used again. Who was in it is not known.
func (j *judge) lostBatch(job entry, number int64, remains entry) entry {
	var id int64
	if remains.row != nil {
		id = remains.rowid
	} else {
		id = j.newID("batches")
	}
	b := j.layouts["batches"].blank(id)
	for name, value := range map[string]any{
		"job": job.rowid, "number": number, "account": job.text("account"), "lane": job.num("lane"), "recipients": encodeRecipients(nil),
	} {
		b.set(name, value)
	}
	j.endBatch(b, mail.StatusFailed, lostReply)
	return b
}

// newID is a number that no row has had.
func (j *judge) newID(table string) int64 {
	j.top[table]++
	return j.top[table]
}

// tops finds the highest number of each table that was ever used: other rows
// may speak of one that is lost.
func (j *judge) tops() {
	j.top = make(map[string]int64)
	for table, rows := range j.rows {
		j.top[table] = max(j.top[table], j.sequence[table])
		for id, e := range rows {
			j.top[table] = max(j.top[table], id)
			switch table {
			case "batches":
				j.top["attempts"] = max(j.top["attempts"], e.num("attempt"))
			case "attempts", "outcomes":
				j.top["batches"] = max(j.top["batches"], e.num("batch"))
			}
		}
	}
	if j.suspect { // rows that are lost with the log may have had the next ones
		j.top["attempts"] += 1000
		j.top["batches"] += 1000
	}
}

// endBatch ends a batch: the reply holds for every recipient.
func (j *judge) endBatch(b entry, result mail.Status, why mail.Reply) {
	for name, value := range map[string]any{"state": int64(done), "held": int64(heldNot), "result": int64(result), "done_at": j.now.UnixMicro()} {
		b.set(name, value)
	}
	setReply(b, "", why)
}

func setReply(e entry, prefix string, r mail.Reply) {
	e.set(prefix+"code", int64(r.Code.Basic))
	e.set(prefix+"enhanced", int64(packEnhanced(r.Code)))
	e.set(prefix+"reply", r.Text)
	e.set(prefix+"command", r.Command)
}

// settle brings a live job's counts up to what its batches say; recipients
// whose batch is lost have failed. contrary says that even so they do not add
// up, or that what is missing has no reason.
func (j *judge) settle(e entry, s sums) (contrary bool) {
	missing := e.num("recipients") - e.num("accepted") - e.num("failed") - e.num("cancelled") -
		s.settled - s.queued - s.deferred - s.uncertain
	e.set("queued", s.queued)
	e.set("deferred", s.deferred)
	e.set("uncertain", s.uncertain+s.settled)
	e.set("live", s.live)
	if missing > 0 {
		e.set("failed", e.num("failed")+missing)
		setReply(e, "last_", lostReply)
		j.report.FailedRecipients += missing
		j.report.FailedMessages++
		return s.lost == 0
	}
	// More than there are: the row is older than the batches.
	for _, name := range []string{"accepted", "failed", "cancelled"} {
		less := min(-missing, e.num(name))
		e.set(name, e.num(name)-less)
		if missing += less; less > 0 {
			contrary = true
		}
	}
	if missing < 0 {
		e.set("recipients", e.num("recipients")-missing)
		return true
	}
	return contrary
}

// goOn decides about one batch that is kept, and takes its outcomes along.
func (j *judge) goOn(job, b entry, contrary bool) {
	switch state := b.num("state"); {
	case state == done:
		for place, o := range j.outcomes[b.rowid] {
			if place < b.num("count") {
				j.keep["outcomes"][o.rowid] = o
			}
		}
	case contrary && (state != sending || !j.running):
		if state != uncertain {
			j.move(job, b, "uncertain")
			setReply(b, "", doubtfulReply)
			j.report.Doubtful += b.num("count")
		}
		b.set("state", int64(uncertain))
		b.set("bound", int64(1))
	case j.suspect && state == ready:
		// What is ready here may have left meanwhile: the relay is asked.
		b.set("state", int64(unknown))
		b.set("attempts", max(1, b.num("attempts")))
		if store := j.stores[b.text("account")]; b.text("store") == "" && store != "" {
			b.set("store", store)
		}
		if b.text("store") != "" {
			b.set("bound", int64(1))
		}
	}
	j.keep["batches"][b.rowid] = b
}

// move takes a live batch's recipients into another count of its job.
func (j *judge) move(job, b entry, to string) {
	from := "queued"
	if b.num("round") > 0 {
		from = "deferred"
	}
	job.set(from, job.num(from)-b.num("count"))
	job.set(to, job.num(to)+b.num("count"))
}

// finishJob looks for the message of a live job, and ends one that has no live
// batch left.
func (j *judge) finishJob(e entry, batches map[int64]entry, contrary bool) {
	if e.num("live") == 0 {
		e.set("done_at", j.now.UnixMicro())
		e.set("body", int64(bodyGone))
		e.set("damaged", int64(0))
		return
	}
	if j.hasBody(e) {
		if e.num("damaged") == 0 && !contrary {
			j.report.Messages++
		}
		return
	}
	// Kept and not sent. Should the file come back, recovery lets it go.
	j.report.Damaged++
	e.set("damaged", int64(1))
	e.set("body", int64(bodyInFile))
	for _, b := range batches {
		if b.num("state") != done && b.num("held") == heldNot {
			b.set("held", int64(heldDamaged))
		}
	}
}
