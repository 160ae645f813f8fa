package spool

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"servicesmtp.net/companion/app/mail"
	"servicesmtp.net/companion/internal/durable"
)

// closedSpool makes a spool with messages 1 (a file) and 2 (in the database)
// and closes it.
func closedSpool(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	s, err := Open(t.Context(), options(dir))
	must(t, err)
	accept(t, s, jobID(1), envelope("office", recipients(120)), make([]byte, inlineMax+1))
	accept(t, s, jobID(2), envelope("office", recipients(1)), []byte("x"))
	must(t, s.Close())
	return dir
}

func openHearing(t *testing.T, dir string) (*Spool, *problems) {
	t.Helper()
	p := &problems{}
	o := options(dir)
	o.OnProblem = p.add
	return openAt(t, o), p
}

func TestLeftoverBodiesAreRemoved(t *testing.T) {
	dir := closedSpool(t)
	bodies := filepath.Join(dir, bodiesName)
	for _, name := range []string{string(jobID(2)), string(jobID(8)), string(jobID(9)) + durable.TempSuffix, "somebody else's", "x" + durable.TempSuffix} {
		must(t, os.WriteFile(filepath.Join(bodies, name), []byte("?"), 0o600))
	}
	s, p := openHearing(t, dir)
	got := strings.Join(names(t, bodies), " ")
	if want := string(jobID(1)) + " somebody else's x" + durable.TempSuffix; got != want {
		t.Errorf("files: %s\nwant:  %s", got, want)
	}
	readBody(t, s, jobID(1))
	readBody(t, s, jobID(2))
	if len(p.all()) != 0 {
		t.Errorf("problems: %v", p.all())
	}
}

func TestMissingBodyIsHeldAndSaid(t *testing.T) {
	for name, damage := range map[string]func(path string) error{
		"removed":   os.Remove,
		"too short": func(path string) error { return os.Truncate(path, 10) },
	} {
		t.Run(name, func(t *testing.T) {
			dir := closedSpool(t)
			path := filepath.Join(dir, bodiesName, string(jobID(1)))
			whole, err := os.ReadFile(path)
			must(t, err)
			must(t, damage(path))

			s, p := openHearing(t, dir)
			if len(p.all()) != 1 || !errors.Is(p.all()[0], ErrDamaged) || !strings.Contains(p.all()[0].Error(), string(jobID(1))) {
				t.Errorf("problems: %v", p.all())
			}
			if got := readyNow(t, s, "office", start); len(got) != 1 || got[0].Job != jobID(2) {
				t.Errorf("ready: %v, want only the other job", got)
			}
			_, err = s.Begin(t.Context(), jobID(1), 1, "main", start)
			wantErr(t, err, ErrState)
			_, _, err = s.Body(t.Context(), jobID(1))
			wantErr(t, err, ErrDamaged)
			if j := getJob(t, s, jobID(1)); !j.Damaged || j.State != JobQueued || j.Counts.Queued != 120 {
				t.Errorf("job %+v", j)
			}
			checkRows(t, s)
			must(t, s.Close())

			// The file is put back, and everything is as before.
			must(t, os.WriteFile(path, whole, 0o600))
			s, p = openHearing(t, dir)
			if got := readyNow(t, s, "office", start); len(got) != 4 || getJob(t, s, jobID(1)).Damaged || len(p.all()) != 0 {
				t.Errorf("after repair: ready %v, problems %v", got, p.all())
			}
			readBody(t, s, jobID(1))
			must(t, s.Close())
		})
	}
}

func TestBodyMissingWhileOpen(t *testing.T) {
	dir := closedSpool(t)
	s, p := openHearing(t, dir)
	attempt := begin(t, s, jobID(1), 1, start)
	must(t, os.Remove(filepath.Join(dir, bodiesName, string(jobID(1)))))
	_, err := s.conn.ExecContext(t.Context(), `DELETE FROM bodies`)
	must(t, err)
	for n := 1; n <= 2; n++ {
		_, _, err := s.Body(t.Context(), jobID(n))
		wantErr(t, err, ErrDamaged)
	}
	if len(p.all()) != 4 { // the file; then the row, whose salvage and start miss messages, and the call itself
		t.Errorf("problems: %v", p.all())
	}
	must(t, s.Finish(t.Context(), FinishRequest{Attempt: attempt, At: start, Outcomes: answers(recipients(50), mail.StatusDeferred, greylisted)}))
	if got := readyNow(t, s, "office", start); len(got) != 0 {
		t.Errorf("would be tried again and again: %v", got)
	}
	_, err = s.Cancel(t.Context(), jobID(2), start) // a person can still end it
	must(t, err)
	if j := getJob(t, s, jobID(2)); j.State != JobDone || j.Counts.Cancelled != 1 {
		t.Errorf("job %+v", j)
	}
}

func TestBodiesWithoutTheirDatabaseAreKept(t *testing.T) {
	dir := closedSpool(t)
	must(t, os.Remove(filepath.Join(dir, databaseName)))
	s, p := openHearing(t, dir)
	if len(p.all()) != 1 || !errors.Is(p.all()[0], ErrDamaged) {
		t.Errorf("problems: %v", p.all())
	}
	list, err := s.Damages()
	must(t, err)
	if len(list) != 1 || list[0].Files != 1 || len(list[0].Lost) != 1 || list[0].Lost[0] != jobID(1) || !list[0].Short {
		t.Fatalf("reports %+v", list)
	}
	aside := filepath.Join(dir, quarantineName, list[0].Name, string(jobID(1)))
	if info, err := os.Stat(aside); err != nil || info.Size() != inlineMax+1 {
		t.Errorf("set aside: %v, %v", info, err)
	}
	accept(t, s, jobID(1), envelope("office", recipients(1)), make([]byte, inlineMax+1))
	must(t, s.Close())
	openHearing(t, dir)
	if _, err := os.Stat(aside); err != nil {
		t.Errorf("at the second start: %v", err)
	}
}

func TestCheckAfterAnUncleanEnd(t *testing.T) {
	for _, c := range []struct {
		name            string
		unclean, damage bool
		want            int
	}{
		{"clean end, sound", false, false, 0},
		{"clean end is not checked", false, true, 0},
		{"unclean end, sound", true, false, 0},
		{"unclean end, damaged", true, true, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := closedSpool(t)
			if c.unclean {
				must(t, os.WriteFile(filepath.Join(dir, markerName), nil, 0o600))
			}
			if c.damage {
				breakIndex(t, filepath.Join(dir, databaseName))
			}
			s, p := openHearing(t, dir)
			s.background.Wait()
			if got := p.all(); len(got) != c.want || c.want > 0 && !errors.Is(got[0], ErrDamaged) {
				t.Errorf("problems: %v", got)
			}
			must(t, s.Close())
		})
	}
}

// breakIndex overwrites the page of an index that Open does not read.
func breakIndex(t *testing.T, path string) {
	t.Helper()
	db, err := connect(path, 1)
	must(t, err)
	var page, size int64
	must(t, db.QueryRow(`SELECT rootpage FROM sqlite_schema WHERE name = 'attempts_started'`).Scan(&page))
	must(t, db.QueryRow(`PRAGMA page_size`).Scan(&size))
	must(t, db.Close())
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	must(t, err)
	_, err = f.WriteAt(bytes.Repeat([]byte{0xff}, 100), (page-1)*size)
	must(t, errors.Join(err, f.Close()))
}

func TestTotalsAreTheSameAfterAStart(t *testing.T) {
	dir := t.TempDir()
	s, err := Open(t.Context(), options(dir))
	must(t, err)
	for n := range 10 {
		accept(t, s, jobID(n), envelope([]string{"office", "home"}[n%2], recipients(60)), make([]byte, 100*n))
	}
	attempt := begin(t, s, jobID(1), 1, start)
	must(t, s.Unknown(t.Context(), Ended{Attempt: attempt, At: start}))
	must(t, s.MarkUncertain(t.Context(), jobID(1), 1, mail.Reply{}, start))
	begin(t, s, jobID(2), 2, start)
	_, err = s.Cancel(t.Context(), jobID(3), start)
	must(t, err)
	before, err := s.Totals(t.Context(), start)
	must(t, err)
	must(t, s.Close())
	s = openAt(t, options(dir))
	after, err := s.Totals(t.Context(), start)
	must(t, err)
	if before.Bytes != after.Bytes || len(before.Lanes) != 2 || before.Lanes[0] != after.Lanes[0] || before.Lanes[1] != after.Lanes[1] {
		t.Errorf("before %+v\nafter  %+v", before, after)
	}
}

func TestHistoryIsPrunedByItself(t *testing.T) {
	dir := t.TempDir()
	s, err := Open(t.Context(), options(dir))
	must(t, err)
	accept(t, s, jobID(1), envelope("office", recipients(1)), []byte("x"))
	accept(t, s, jobID(2), envelope("office", recipients(1)), []byte("x"))
	_, err = s.Cancel(t.Context(), jobID(1), time.Now().Add(-48*time.Hour))
	must(t, err)
	must(t, s.Close())

	o := options(dir)
	o.KeepHistory = 24 * time.Hour
	s = openAt(t, o)
	for err == nil { // the checker prunes as soon as it can
		_, err = s.Job(t.Context(), jobID(1))
	}
	wantErr(t, err, ErrNotFound)
	getJob(t, s, jobID(2)) // not done: kept however old
}

// The newest page of an index may never have reached the disk: what it does not
// find is no leftover.
func TestAFileThatAnIndexDoesNotFindIsNoLeftover(t *testing.T) {
	for name, index := range map[string]string{"waits": "jobs_live", "owes a report": "jobs_owing"} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			s, err := Open(t.Context(), options(dir))
			must(t, err)
			var root int64
			must(t, s.row(t.Context(), `SELECT rootpage FROM sqlite_schema WHERE name = ?`, []any{index}, &root))
			must(t, s.Close())
			path := filepath.Join(dir, databaseName)
			old, err := os.ReadFile(path)
			must(t, err)
			body := bytes.Repeat([]byte("x"), inlineMax+1)
			s, err = Open(t.Context(), options(dir))
			must(t, err)
			if index == "jobs_owing" {
				fail(t, s, jobID(1), envelope("office", recipients(2)), body)
			} else {
				accept(t, s, jobID(1), envelope("office", recipients(2)), body)
			}
			must(t, s.Close())
			f, err := os.OpenFile(path, os.O_RDWR, 0)
			must(t, err)
			_, err = f.WriteAt(old[(root-1)*4096:root*4096], (root-1)*4096)
			must(t, errors.Join(err, f.Close()))
			s = openAt(t, options(dir))
			s.background.Wait()
			if got := readBody(t, s, jobID(1)); !bytes.Equal(got, body) {
				t.Error("the message is damaged")
			}
			if list, err := s.Damages(); err != nil || len(list) != 1 {
				t.Errorf("reports %+v, %v", list, err)
			}
		})
	}
}
