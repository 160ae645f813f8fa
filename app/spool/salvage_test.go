package spool

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"servicesmtp.net/companion/app/mail"
	"servicesmtp.net/companion/internal/durable"
	"servicesmtp.net/companion/internal/race"
)

// sampled is one in how many damages are tried.
var sampled = race.Sample(60)

// wrecks are the ways in which a page can be bad.
var wrecks = map[string]func(page []byte, seed uint64){
	"zero": func(page []byte, _ uint64) { clear(page) },
	"random": func(page []byte, seed uint64) {
		r := rand.New(rand.NewPCG(seed, 1)) //nolint:gosec // the same every time
		for i := range page {
			page[i] = byte(r.Uint32())
		}
	},
	"torn": func(page []byte, _ uint64) { clear(page[len(page)/2:]) },
}

// TestEveryPageDamaged damages each page of a database in turn: nothing is sent
// twice, what is whole goes out unchanged, and what is not is said.
func TestEveryPageDamaged(t *testing.T) {
	w := newShipwreck(t)
	whole, err := os.ReadFile(filepath.Join(w.dir, databaseName))
	must(t, err)
	const size = 4096
	for name, wreck := range wrecks {
		for page := len(name) % sampled; page < len(whole)/size; page += sampled {
			t.Run(fmt.Sprintf("%s page %d", name, page+1), func(t *testing.T) {
				dir := copyOf(t, w.dir)
				data := bytes.Clone(whole)
				wreck(data[page*size:(page+1)*size], uint64(page))
				must(t, os.WriteFile(filepath.Join(dir, databaseName), data, 0o600))
				w.survives(t, dir)
			})
		}
	}
}

// survives opens a damaged copy, sends all that goes, and holds that everybody
// is accounted for, then and after one more start.
func (w *shipwreck) survives(t *testing.T, dir string) {
	t.Helper()
	s, err := Open(t.Context(), options(dir))
	must(t, err)
	s.background.Wait() // it has looked
	r := w.relay(t)
	r.drain(s, w)
	w.account(t, s, r)
	must(t, s.Close())
	s = openAt(t, options(dir))
	r.drain(s, w)
	w.account(t, s, r)
	must(t, s.Close())
}

func TestTruncatedDatabase(t *testing.T) {
	w := newShipwreck(t)
	whole, err := os.ReadFile(filepath.Join(w.dir, databaseName))
	must(t, err)
	for _, left := range []int{0, 1, 50, 4096, 5000, 2 * 4096, len(whole) / 4, len(whole) / 2, len(whole) - 4096, len(whole) - 1} {
		t.Run(fmt.Sprintf("to %d of %d bytes", left, len(whole)), func(t *testing.T) {
			dir := copyOf(t, w.dir)
			must(t, os.Truncate(filepath.Join(dir, databaseName), int64(left)))
			w.survives(t, dir)
		})
	}
}

// TestDamagedLog damages the write-ahead log that kill -9 left.
func TestDamagedLog(t *testing.T) {
	w := newShipwreck(t)
	const frame = frameSize
	whole, err := os.ReadFile(filepath.Join(w.killed, databaseName+"-wal"))
	must(t, err)
	frames := (len(whole) - 32) / frame
	damages := map[string]func(log []byte) []byte{
		"whole":      func(log []byte) []byte { return log },
		"empty":      func([]byte) []byte { return nil },
		"no frame":   func(log []byte) []byte { return log[:32] },
		"half":       func(log []byte) []byte { return log[:32+frames/2*frame] },
		"torn end":   func(log []byte) []byte { return log[:len(log)-100] },
		"head zero":  func(log []byte) []byte { clear(log[:32]); return log },
		"page zero":  func(log []byte) []byte { clear(log[:4096]); return log },
		"all random": func(log []byte) []byte { wrecks["random"](log, 1); return log },
	}
	for i := 0; i < 30; i += sampled {
		at := 32 + frames*i/30*frame
		for name, wreck := range wrecks {
			damages[fmt.Sprintf("frame %d %s", frames*i/30, name)] = func(log []byte) []byte {
				wreck(log[at:at+frame], uint64(i))
				return log
			}
		}
	}
	for name, damage := range damages {
		t.Run(name, func(t *testing.T) {
			dir := copyOf(t, w.killed)
			must(t, os.WriteFile(filepath.Join(dir, databaseName+"-wal"), damage(bytes.Clone(whole)), 0o600))
			here := *w
			if name == "half" { // as if the other half had never been: nobody can tell, but nothing is sent twice
				here.total = nil
			}
			here.survives(t, dir)
		})
	}
	t.Run("removed", func(t *testing.T) {
		dir := copyOf(t, w.killed)
		must(t, os.Remove(filepath.Join(dir, databaseName+"-wal")))
		w.survives(t, dir)
	})
}

// frameSize is a frame of the log with its page.
const frameSize = 24 + 4096

func TestDamageWhileOpen(t *testing.T) {
	w := newShipwreck(t)
	whole, err := os.ReadFile(filepath.Join(w.dir, databaseName))
	must(t, err)
	const size = 4096
	for name, wreck := range wrecks {
		for page := len(name) % sampled; page < len(whole)/size; page += sampled {
			t.Run(fmt.Sprintf("%s page %d", name, page+1), func(t *testing.T) {
				s := openAt(t, options(copyOf(t, w.dir)))
				s.background.Wait()
				f, err := os.OpenFile(filepath.Join(s.dir, databaseName), os.O_RDWR, 0)
				must(t, err)
				data := make([]byte, size)
				_, err = f.ReadAt(data, int64(page*size))
				must(t, err)
				wreck(data, uint64(page))
				_, err = f.WriteAt(data, int64(page*size))
				must(t, errors.Join(err, f.Close()))
				r := w.relay(t)
				r.drain(s, w)
				if err := s.healing(func() error { return s.crossCheck(t.Context()) }); err != nil {
					t.Error(err)
				}
				r.drain(s, w)
				w.account(t, s, r)
				must(t, s.Close())
			})
		}
	}
}

func TestDamagesAreSeenOnce(t *testing.T) {
	w := newShipwreck(t)
	dir := copyOf(t, w.dir)
	breakRoot(t, dir)
	s := openAt(t, options(dir))
	list, err := s.Damages()
	must(t, err)
	if len(list) != 1 || list[0].Messages == 0 {
		t.Fatalf("reports %+v", list)
	}
	wantErr(t, s.SeeDamage(DamageName(start)), ErrNotFound)
	torn := filepath.Join(dir, quarantineName, DamageName(start))
	must(t, os.MkdirAll(torn, 0o700))
	must(t, os.WriteFile(filepath.Join(torn, reportName), nil, 0o600))
	if again, err := s.Damages(); err == nil || len(again) != 1 {
		t.Errorf("beside a torn report: %v, %v", again, err)
	}
	must(t, s.SeeDamage(DamageName(start)))
	must(t, s.SeeDamage(list[0].Name))
	must(t, s.Close())
	s = openAt(t, options(dir))
	if list, err := s.Damages(); err != nil || len(list) != 0 {
		t.Errorf("seen, and still told: %v, %v", list, err)
	}
	folder := filepath.Join(dir, quarantineName, list[0].Name)
	old, err := os.ReadFile(filepath.Join(folder, databaseName))
	must(t, err)
	if len(old) == 0 || old[0] != 0 {
		t.Error("the damaged database is not kept")
	}
	var p plan
	text, err := os.ReadFile(filepath.Join(folder, reportName))
	must(t, errors.Join(err, json.Unmarshal(text, &p)))
}

// The stored message of a job whose row is lost is mail: it goes into
// quarantine, and the report names it.
func TestBodiesWithoutARowAreSetAside(t *testing.T) {
	dir := closedSpool(t)
	must(t, os.WriteFile(filepath.Join(dir, bodiesName, string(jobID(8))), []byte("mail"), 0o600))
	must(t, os.WriteFile(filepath.Join(dir, bodiesName, string(jobID(9))+durable.TempSuffix), []byte("half"), 0o600))
	breakRoot(t, dir)
	s, _ := openHearing(t, dir)
	list, err := s.Damages()
	must(t, err)
	if len(list) != 1 || list[0].Files != 1 || len(list[0].Lost) != 1 || list[0].Lost[0] != jobID(8) {
		t.Errorf("reports %+v", list)
	}
	if got, err := os.ReadFile(filepath.Join(dir, quarantineName, list[0].Name, string(jobID(8)))); err != nil || string(got) != "mail" {
		t.Errorf("set aside: %q, %v", got, err)
	}
	if got := names(t, filepath.Join(dir, bodiesName)); len(got) != 1 {
		t.Errorf("bodies %v", got)
	}
}

// A stored message that is not what was accepted is kept and not sent.
func TestATornBodyIsNotSent(t *testing.T) {
	dir := closedSpool(t)
	path := filepath.Join(dir, bodiesName, string(jobID(1)))
	must(t, os.WriteFile(path, bytes.Repeat([]byte{1}, inlineMax+1), 0o600)) // the size is right
	must(t, os.WriteFile(filepath.Join(dir, damagedName), nil, 0o600))
	s, _ := openHearing(t, dir)
	for range 2 {
		if j := getJob(t, s, jobID(1)); !j.Damaged || j.Counts.Queued != 120 {
			t.Errorf("job %+v", j)
		}
		if got := readyNow(t, s, "office", start); len(got) != 1 || got[0].Job != jobID(2) {
			t.Errorf("ready %v", got)
		}
		must(t, s.Close())
		s, _ = openHearing(t, dir)
	}
}

// Attempts that are lost count at the latest moment at which they can have
// left, so that nothing goes faster for it.
func TestLostAttemptsCount(t *testing.T) {
	dir := t.TempDir()
	s, err := Open(t.Context(), options(dir))
	must(t, err)
	now := time.Now().Truncate(time.Microsecond)
	accept(t, s, jobID(1), envelope("office", recipients(150)), []byte("x"))
	a := begin(t, s, jobID(1), 1, now.Add(-time.Hour))
	must(t, s.Finish(t.Context(), FinishRequest{Attempt: a, LeftAt: now.Add(-time.Hour), At: now.Add(-time.Minute), Outcomes: answers(recipients(50), mail.StatusAccepted, mail.Reply{})}))
	a = begin(t, s, jobID(1), 2, now) // returned, and tried again
	must(t, s.Return(t.Context(), Ended{Attempt: a, At: now}, time.Time{}))
	begin(t, s, jobID(1), 2, now)
	_, err = s.conn.ExecContext(t.Context(), `DELETE FROM attempts`)
	must(t, err)
	must(t, s.Close())
	must(t, os.WriteFile(filepath.Join(dir, damagedName), nil, 0o600))
	s = openAt(t, options(dir))
	list, err := s.Attempts(t.Context(), "office", now.Add(-24*time.Hour))
	must(t, err)
	total := 0
	for _, x := range list {
		total += x.Recipients
		if x.Result == AttemptDone && x.Left.Before(now.Add(-time.Minute)) {
			t.Errorf("attempt %+v counts earlier than it may have left", x)
		}
	}
	if len(list) != 3 || total != 150 {
		t.Errorf("%d attempts for %d recipients: %+v; want all three", len(list), total, list)
	}
	checkRows(t, s)
	next := begin(t, s, jobID(1), 3, now)
	if next <= 3 {
		t.Errorf("attempt %d was given again", next)
	}
}

// Where the newest state may be lost, what is ready may have left: the relay is
// asked before anything is offered.
func TestWhatMayHaveLeftIsAskedFirst(t *testing.T) {
	dir := t.TempDir()
	s := openAt(t, options(dir))
	accept(t, s, jobID(1), envelope("office", recipients(60)), []byte("x"))
	a := begin(t, s, jobID(1), 1, start)
	must(t, s.Return(t.Context(), Ended{Attempt: a, At: start}, time.Time{}))
	cut := t.TempDir()
	snapshot(t, dir, cut)
	database, err := os.ReadFile(filepath.Join(cut, databaseName))
	must(t, err)
	must(t, s.Close())
	whole, err := os.ReadFile(filepath.Join(dir, databaseName)) // the log is folded in
	must(t, err)
	if bytes.Equal(database, whole) {
		t.Fatal("nothing stood in the log")
	}
	must(t, os.WriteFile(filepath.Join(cut, databaseName), whole, 0o600))
	must(t, os.Truncate(filepath.Join(cut, databaseName+"-wal"), 0))
	s, p := openHearing(t, cut)
	if got := p.all(); len(got) != 1 || !strings.Contains(got[0].Error(), "last minutes") {
		t.Errorf("problems %v", got)
	}
	if got := readyNow(t, s, "office", start); len(got) != 0 {
		t.Errorf("would leave unasked: %v", got)
	}
	unknowns, err := s.Unknowns(t.Context(), "office")
	must(t, err)
	if len(unknowns) != 2 || unknowns[1].Number != 2 || unknowns[1].Store != "main" {
		t.Errorf("unknown %+v", unknowns)
	}
	for _, b := range unknowns { // and then they go on
		must(t, s.Replay(t.Context(), b.Job, b.Number, start))
		begin(t, s, b.Job, b.Number, start)
	}
	checkRows(t, s)
}

// A recipient who was deferred stands in the later batch alone, also where the
// row that says so is lost.
func TestLostOutcomesDoubleNobody(t *testing.T) {
	dir := t.TempDir()
	s := openAt(t, options(dir))
	accept(t, s, jobID(1), envelope("office", recipients(10)), []byte("x"))
	a := begin(t, s, jobID(1), 1, start)
	outcomes := answers(recipients(10), mail.StatusAccepted, mail.Reply{})
	outcomes[3].Status, outcomes[3].Reply = mail.StatusDeferred, greylisted
	must(t, s.Finish(t.Context(), FinishRequest{Attempt: a, At: start, Outcomes: outcomes}))
	_, err := s.conn.ExecContext(t.Context(), `DELETE FROM outcomes`)
	must(t, err)
	must(t, s.Close())
	must(t, os.WriteFile(filepath.Join(dir, damagedName), nil, 0o600))
	s = openAt(t, options(dir))
	list, err := s.AllRecipients(t.Context(), jobID(1))
	must(t, err)
	if c := getJob(t, s, jobID(1)).Counts; len(list) != 10 || c.Accepted != 9 || c.Deferred != 1 {
		t.Errorf("%d recipients, %+v", len(list), c)
	}
	checkRows(t, s)
}

// Of two forms of a row the later one counts, and everything is suspect then.
func TestTheLaterRowCounts(t *testing.T) {
	s := newSpool(t)
	l, err := layouts(t.Context(), s.pool)
	must(t, err)
	for _, order := range [][]int64{{done, ready}, {ready, done}, {sending, done, unknown}} {
		r := &remains{layouts: l, rows: map[string]map[int64]entry{"batches": {}}, sequence: map[string]int64{}}
		for _, state := range order {
			b := l["batches"].blank(7)
			b.set("state", state)
			r.add(7, b.v, func() []byte { return stored(b.v) })
		}
		if got := r.rows["batches"][7].num("state"); got != done || !r.suspect {
			t.Errorf("%v: state %d, suspect %v", order, got, r.suspect)
		}
	}
}

// Attempts outlive the batches of pruned jobs: their numbers must not be given
// to others, after a salvage either.
func TestNumbersOfForgottenBatchesAreNotGivenAgain(t *testing.T) {
	dir := t.TempDir()
	s := openAt(t, options(dir))
	accept(t, s, jobID(1), envelope("office", recipients(100)), []byte("x"))
	for number := 1; number <= 2; number++ {
		a := begin(t, s, jobID(1), number, start)
		must(t, s.Finish(t.Context(), FinishRequest{Attempt: a, At: start, Outcomes: answers(recipients(100)[50*number-50:50*number], mail.StatusAccepted, mail.Reply{})}))
	}
	n, err := s.Prune(t.Context(), start.Add(time.Hour)) // and the attempts stay for the pace
	must(t, err)
	must(t, s.Close())
	must(t, os.WriteFile(filepath.Join(dir, damagedName), nil, 0o600))
	s = openAt(t, options(dir))
	accept(t, s, jobID(2), envelope("office", recipients(1)), []byte("x"))
	list, err := s.Attempts(t.Context(), "office", start)
	must(t, err)
	if n != 1 || len(list) != 2 || list[0].Job != "" || list[1].Job != "" {
		t.Errorf("%d pruned, attempts %+v", n, list)
	}
}

// stored is a row as a database stores it, of short values only.
func stored(v []any) []byte {
	head, body := []byte{byte(1 + len(v))}, []byte(nil)
	for _, x := range v {
		switch x := x.(type) {
		case nil:
			head = append(head, 0)
		case int64:
			head, body = append(head, 6), binary.BigEndian.AppendUint64(body, uint64(x))
		case string:
			head, body = append(head, byte(13+2*len(x))), append(body, x...)
		case []byte:
			head, body = append(head, byte(12+2*len(x))), append(body, x...)
		}
	}
	return append(head, body...)
}
