package spool

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"servicesmtp.net/companion/app/mail"
)

// An end right after SQLite has begun its log anew, which it does when all of it
// is in the database, is no damage.
func TestALogBegunAnewIsNotOneThatWasCut(t *testing.T) {
	dir := t.TempDir()
	s := openAt(t, options(dir))
	accept(t, s, jobID(1), envelope("office", recipients(1)), []byte("x"))
	s.background.Wait()
	_, err := s.conn.ExecContext(t.Context(), `PRAGMA wal_checkpoint(RESTART)`)
	must(t, err)
	killed, path := t.TempDir(), databaseName+"-wal"
	snapshot(t, dir, killed)
	log, err := os.ReadFile(filepath.Join(killed, path))
	must(t, err)
	accept(t, s, jobID(2), envelope("office", recipients(1)), []byte("x"))
	anew, err := os.ReadFile(filepath.Join(dir, path))
	must(t, err)
	if bytes.Equal(log[:32], anew[:32]) {
		t.Fatal("the log was not begun anew")
	}
	copy(log, anew[:32]) // and its first frame was not written
	must(t, os.WriteFile(filepath.Join(killed, path), log, 0o600))
	must(t, s.Close())
	s, p := openHearing(t, killed)
	if got := readyNow(t, s, "office", start); len(got) != 1 || len(p.all()) != 0 {
		t.Errorf("ready %v, problems %v", got, p.all())
	}
}

// A mark of the swap that stayed behind, because the disk failed in its last
// step, says nothing of the log that the new database has got since.
func TestAMarkLeftBehindTakesNoLogAway(t *testing.T) {
	dir := closedSpool(t)
	breakRoot(t, dir)
	s, err := Open(t.Context(), options(dir))
	must(t, err)
	damages, err := s.Damages()
	must(t, err)
	must(t, os.WriteFile(filepath.Join(dir, swapName), []byte(damages[0].Name), 0o600))
	accept(t, s, jobID(7), envelope("office", recipients(1)), []byte("accepted since"))
	killed := t.TempDir()
	snapshot(t, dir, killed)
	must(t, s.Close())
	s, p := openHearing(t, killed)
	if got := readBody(t, s, jobID(7)); string(got) != "accepted since" || len(p.all()) != 0 {
		t.Errorf("body %q, problems %v", got, p.all())
	}
	if have, _ := exists(filepath.Join(killed, swapName)); have {
		t.Error("the mark stays")
	}
}

// A salvage that fails while the spool is open and in the middle of the swap
// leaves no older state to work with.
func TestNobodyWorksWithHalfASwap(t *testing.T) {
	s, _ := openHearing(t, closedSpool(t))
	s.background.Wait()
	must(t, os.WriteFile(filepath.Join(s.dir, swapName), []byte("nothing"), 0o600)) // its report cannot be read
	wantErr(t, s.healing(func() error { return ErrDamaged }), ErrDamaged)
	if _, err := s.Job(t.Context(), jobID(1)); !errors.Is(err, ErrDamaged) {
		t.Errorf("used all the same: %v", err)
	}
}

// A clock that was wrong once must not forbid a salvage for years.
func TestAClockPutBackForbidsNoSalvage(t *testing.T) {
	dir := closedSpool(t)
	future := filepath.Join(dir, quarantineName, DamageName(time.Now().AddDate(10, 0, 0)))
	must(t, os.MkdirAll(future, 0o700))
	must(t, os.WriteFile(filepath.Join(future, reportName), []byte("{}"), 0o600))
	breakRoot(t, dir)
	s := openAt(t, options(dir))
	readBody(t, s, jobID(1))
}

// What fails after outcomes were lost is told as well, although its number is
// not above the mark of what was told before.
func TestTheNextFailureIsToldAfterOutcomesAreLost(t *testing.T) {
	dir := t.TempDir()
	s := openAt(t, options(dir))
	env := envelope("office", recipients(4))
	env.Lane = mail.Personal
	accept(t, s, jobID(1), env, []byte("x"))
	outcomes := answers(recipients(4), mail.StatusFailed, noSuchUser)
	outcomes[3].Status = mail.StatusDeferred
	finish(t, s, jobID(1), 1, outcomes)
	must(t, putReport(t.Context(), s, jobID(2), onlyDue(t, s), start.Add(time.Hour), []byte("report")))
	_, err := s.conn.ExecContext(t.Context(), `DELETE FROM outcomes`)
	must(t, err)
	must(t, s.Close())
	must(t, os.WriteFile(filepath.Join(dir, damagedName), nil, 0o600))
	s = openAt(t, options(dir))
	wantNoneDue(t, s)
	finish(t, s, jobID(1), 2, answers(recipients(4)[3:], mail.StatusFailed, noSuchUser))
	if d := onlyDue(t, s); d.ID != jobID(1) || d.Failures != 1 {
		t.Errorf("due %+v", d)
	}
	checkDebts(t, s)
}

// Of a message whose rows are all lost, an index or its text may still speak.
func TestWhatOnlyAnIndexOrATextSpeaksOfIsReported(t *testing.T) {
	for name, left := range map[string]string{"text": `DELETE FROM jobs`, "list": `DELETE FROM bodies`} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			s := openAt(t, options(dir))
			accept(t, s, jobID(1), envelope("office", recipients(1)), []byte("mail"))
			must(t, s.Close())
			db, err := connect(filepath.Join(dir, databaseName), 1)
			must(t, err)
			_, err = db.ExecContext(t.Context(), `DELETE FROM batches;`+left)
			must(t, err)
			if name == "list" { // the table's page is lost, and the index of names
				var pages [2]int64
				must(t, db.QueryRow(`SELECT (SELECT rootpage FROM sqlite_schema WHERE name = 'jobs'), (SELECT rootpage FROM sqlite_schema WHERE name = 'sqlite_autoindex_jobs_1')`).Scan(&pages[0], &pages[1]))
				must(t, db.Close())
				f, err := os.OpenFile(filepath.Join(dir, databaseName), os.O_RDWR, 0)
				must(t, err)
				for _, page := range pages {
					_, err := f.WriteAt(make([]byte, 4096), (page-1)*4096)
					must(t, err)
				}
				must(t, f.Close())
			}
			must(t, errors.Join(db.Close(), os.WriteFile(filepath.Join(dir, damagedName), nil, 0o600)))
			s = openAt(t, options(dir))
			list, err := s.Damages()
			must(t, err)
			if len(list) != 1 || list[0].Nameless != 1 {
				t.Errorf("reports %+v, want a message without a name", list)
			}
			if name == "text" && list[0].Files != 1 {
				t.Errorf("reports %+v, want its text set aside", list)
			}
			checkRows(t, s)
		})
	}
}
