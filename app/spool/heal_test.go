package spool

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"servicesmtp.net/companion/app/mail"
)

// breakRoot damages a spool so that the next Open must rebuild it.
func breakRoot(t *testing.T, dir string) {
	t.Helper()
	f, err := os.OpenFile(filepath.Join(dir, databaseName), os.O_RDWR, 0)
	must(t, err)
	_, err = f.WriteAt(make([]byte, 100), 0)
	must(t, errors.Join(err, f.Close()))
}

// earlier lets the last salvage have been long ago.
func earlier(t *testing.T, dir string) {
	t.Helper()
	for _, name := range names(t, filepath.Join(dir, quarantineName)) {
		old := filepath.Join(dir, quarantineName, name)
		at, err := time.Parse(quarantineTime, name)
		must(t, err)
		must(t, os.Rename(old, filepath.Join(dir, quarantineName, DamageName(at.Add(-time.Hour)))))
	}
}

func TestASecondSalvageWithinMinutesHolds(t *testing.T) {
	dir := closedSpool(t)
	breakRoot(t, dir)
	s, p := openHearing(t, dir)
	if got := p.all(); len(got) != 1 || !errors.Is(got[0], ErrDamaged) || !strings.Contains(got[0].Error(), "2 messages go on") || strings.Contains(got[0].Error(), dir) {
		t.Fatalf("problems %v", got)
	}
	readBody(t, s, jobID(1))
	readBody(t, s, jobID(2))
	must(t, s.Close())

	breakRoot(t, dir)
	before, err := os.ReadFile(filepath.Join(dir, databaseName))
	must(t, err)
	for range 2 {
		_, err = Open(t.Context(), options(dir))
		wantErr(t, err, ErrDamagedAgain)
		wantErr(t, err, ErrDamaged)
	}
	after, err := os.ReadFile(filepath.Join(dir, databaseName))
	must(t, err)
	if !bytes.Equal(before, after) || len(names(t, filepath.Join(dir, quarantineName))) != 1 {
		t.Error("it was touched all the same")
	}
	earlier(t, dir)
	s, p = openHearing(t, dir)
	if len(p.all()) != 1 || len(names(t, filepath.Join(dir, quarantineName))) != 2 {
		t.Errorf("later: problems %v", p.all())
	}
	readBody(t, s, jobID(1))
}

func TestASecondDamageWhileOpenHolds(t *testing.T) {
	s, p := openHearing(t, closedSpool(t))
	s.background.Wait()
	cause := fmt.Errorf("%w: for the test", ErrDamaged)
	tries := 0
	meet := func() error { tries++; return cause }
	wantErr(t, s.healing(meet), ErrDamaged) // rebuilt, used again, and no better
	for range 3 {
		wantErr(t, s.healing(meet), ErrDamaged)
	}
	if got := p.all(); len(got) != 2 || !errors.Is(got[1], ErrDamagedAgain) {
		t.Errorf("problems %v, want the salvage and one refusal", got)
	}
	if tries != 5 {
		t.Errorf("%d tries", tries)
	}
	accept(t, s, jobID(5), envelope("office", recipients(1)), []byte("x")) // what can be done still is
	readBody(t, s, jobID(1))
}

// Damage that the last owner could not deal with is dealt with by the next.
func TestMarkedDamageIsDealtWithAtTheNextStart(t *testing.T) {
	dir := closedSpool(t)
	must(t, os.WriteFile(filepath.Join(dir, damagedName), nil, 0o600))
	s, p := openHearing(t, dir)
	if len(p.all()) != 1 {
		t.Errorf("problems %v", p.all())
	}
	if have, _ := exists(filepath.Join(dir, damagedName)); have {
		t.Error("the mark stays")
	}
	readBody(t, s, jobID(1))
	checkRows(t, s)
}

// A salvage that is cut off at any point is finished, or made again, by the
// next Open.
func TestSalvageSurvivesAnEndAtEachStep(t *testing.T) {
	dir := closedSpool(t)
	breakRoot(t, dir)
	s, err := Open(t.Context(), options(dir))
	must(t, err)
	damages, err := s.Damages()
	must(t, err)
	must(t, s.Close())
	folder := filepath.Join(quarantineName, damages[0].Name)
	steps := []func(at string){
		func(at string) { must(t, os.Rename(filepath.Join(at, databaseName), filepath.Join(at, rebuiltName))) }, // back to before the swap
		func(at string) { breakRoot(t, at) },
		func(at string) { must(t, os.WriteFile(filepath.Join(at, databaseName+"-wal"), []byte("old"), 0o600)) },
		func(at string) { must(t, os.WriteFile(filepath.Join(at, swapName), []byte(damages[0].Name), 0o600)) },
	}
	for name, c := range map[string]struct{ rename, old, log, mark bool }{
		"mark written":       {true, true, true, true},
		"log removed":        {true, true, false, true},
		"renamed":            {false, false, false, true},
		"before the mark":    {false, true, false, false},
		"everything is done": {false, false, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			at := t.TempDir()
			snapshot(t, dir, at)
			if c.rename {
				steps[0](at)
				must(t, os.WriteFile(filepath.Join(at, databaseName), make([]byte, 8192), 0o600))
			}
			if c.old && !c.rename { // the report was not written yet, either
				steps[1](at)
				must(t, os.Remove(filepath.Join(at, folder, reportName)))
				must(t, os.WriteFile(filepath.Join(at, rebuiltName), []byte("half"), 0o600))
			}
			if c.log {
				steps[2](at)
			}
			if c.mark {
				steps[3](at)
			}
			s, err := Open(t.Context(), options(at))
			must(t, err)
			readBody(t, s, jobID(1))
			readBody(t, s, jobID(2))
			checkRows(t, s)
			if list, err := s.Damages(); err != nil || len(list) != 1 {
				t.Errorf("reports %v, %v", list, err)
			}
			must(t, s.Close())
			for _, left := range []string{rebuiltName, swapName, damagedName, databaseName + "-wal", markerName, closingName} {
				if have, _ := exists(filepath.Join(at, left)); have {
					t.Errorf("%s is left", left)
				}
			}
		})
	}
}

// Every reader that meets a list of recipients that cannot be read has it
// rebuilt, and then its answer.
func TestEveryReaderOfAListStartsASalvage(t *testing.T) {
	for name, read := range map[string]func(s *Spool) error{
		"ready":    func(s *Spool) error { _, err := s.Unknowns(t.Context(), "office"); return err },
		"page":     func(s *Spool) error { _, _, err := s.Recipients(t.Context(), jobID(1), "", 0); return err },
		"scrolled": func(s *Spool) error { _, _, err := s.BrowseRecipients(t.Context(), jobID(1), 0, 0); return err },
		"all":      func(s *Spool) error { _, err := s.AllRecipients(t.Context(), jobID(1)); return err },
		"report": func(s *Spool) error {
			for _, err := range s.ReportedFailures(t.Context(), onlyDue(t, s)) {
				if err != nil {
					return err
				}
			}
			return nil
		},
		"finish": func(s *Spool) error {
			return s.Finish(t.Context(), FinishRequest{Job: jobID(2), Number: 1, At: start, Outcomes: answers(recipients(1), mail.StatusAccepted, mail.Reply{})})
		},
	} {
		t.Run(name, func(t *testing.T) {
			s, p := openHearing(t, t.TempDir())
			env := envelope("office", recipients(1))
			env.Lane = mail.Personal
			fail(t, s, jobID(1), env, []byte("x"))
			accept(t, s, jobID(2), env, []byte("x"))
			a := begin(t, s, jobID(2), 1, start)
			must(t, s.Unknown(t.Context(), Ended{Attempt: a, LeftAt: start, At: start}))
			s.background.Wait()
			_, err := s.conn.ExecContext(t.Context(), `UPDATE batches SET recipients = x'01ff'`)
			must(t, err)
			if err := read(s); err != nil && !errors.Is(err, ErrState) { // the batch is lost, and has failed
				t.Error(err)
			}
			if got := p.all(); len(got) != 1 || !errors.Is(got[0], ErrDamaged) {
				t.Errorf("problems %v, want one salvage", got)
			}
		})
	}
}

// Where the row of a job is older than the report of its failures, the sender is
// not told again.
func TestNobodyIsToldTwiceAfterASalvage(t *testing.T) {
	dir := t.TempDir()
	s := openAt(t, options(dir))
	fail(t, s, jobID(1), envelope("office", recipients(2)), []byte("x"))
	must(t, putReport(t.Context(), s, jobID(2), onlyDue(t, s), start.Add(time.Hour), []byte("report")))
	_, err := s.conn.ExecContext(t.Context(), `UPDATE jobs SET reported = 0, report = '', told_at = 0, owing = 2 WHERE report_of = '' `)
	must(t, err)
	must(t, s.Close())
	must(t, os.WriteFile(filepath.Join(dir, damagedName), nil, 0o600))
	s = openAt(t, options(dir))
	checkDebts(t, s)
	list, _, err := s.DueReports(t.Context(), "", 10)
	must(t, err)
	if j := getJob(t, s, jobID(1)); len(list) != 0 || j.Report != jobID(2) {
		t.Errorf("due %+v, told by %q", list, j.Report)
	}
}

// A message whose row is gone starts a salvage, at a look as well as at the
// next check; its job is kept and not sent, also where none can be made now.
func TestAMessageWithoutItsRow(t *testing.T) {
	for name, meet := range map[string]func(s *Spool) error{
		"read":    func(s *Spool) error { _, _, err := s.Body(t.Context(), jobID(1)); return err },
		"checked": func(s *Spool) error { return s.healing(func() error { return s.crossCheck(t.Context()) }) },
		"again": func(s *Spool) error {
			must(t, s.healing(func() error { return nil }))
			if err := s.heal(s.generation, fmt.Errorf("%w: for the test", ErrDamaged)); err != nil {
				return err
			}
			accept(t, s, jobID(2), envelope("office", recipients(1)), []byte("x"))
			_, err := s.conn.ExecContext(t.Context(), `DELETE FROM bodies`)
			must(t, err)
			_, _, err = s.Body(t.Context(), jobID(2))
			if j := getJob(t, s, jobID(2)); !j.Damaged {
				t.Errorf("not held: %+v", j)
			}
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			s, _ := openHearing(t, t.TempDir())
			accept(t, s, jobID(1), envelope("office", recipients(1)), []byte("x"))
			s.background.Wait()
			_, err := s.conn.ExecContext(t.Context(), `DELETE FROM bodies`)
			must(t, err)
			if err := meet(s); name != "checked" || err != nil {
				wantErr(t, err, ErrDamaged)
			}
			if j := getJob(t, s, jobID(1)); !j.Damaged || j.Counts.Queued != 1 {
				t.Errorf("job %+v, want it kept and not sent", j)
			}
			if got := readyNow(t, s, "office", start); len(got) != 0 {
				t.Errorf("would leave: %v", got)
			}
			if list, err := s.Damages(); err != nil || len(list) != 1 || list[0].Damaged != 1 {
				t.Errorf("reports %+v, %v", list, err)
			}
		})
	}
}

// The end of a row that is torn reads as a job of nobody that never ended. As
// long as its message is there somebody may have to be told, so a person is.
func TestATornRowOfAJobThatOwesIsReported(t *testing.T) {
	dir := t.TempDir()
	s := openAt(t, options(dir))
	fail(t, s, jobID(1), envelope("office", recipients(2)), []byte("x"))
	must(t, s.Close())
	db, err := connect(filepath.Join(dir, databaseName), 1)
	must(t, err)
	// The index jobs_list still says what was there.
	_, err = db.ExecContext(t.Context(), `PRAGMA writable_schema = ON; DELETE FROM sqlite_schema WHERE name = 'jobs_list'; PRAGMA writable_schema = RESET;
		UPDATE jobs SET recipients = 0, failed = 0, done_at = 0, owing = 0`)
	must(t, errors.Join(err, db.Close()))
	must(t, os.WriteFile(filepath.Join(dir, damagedName), nil, 0o600))
	s = openAt(t, options(dir))
	checkDebts(t, s)
	list, err := s.Damages()
	must(t, err)
	if len(list) != 1 || len(list[0].Lost) != 1 || list[0].Lost[0] != jobID(1) {
		t.Errorf("reports %+v, want the message among those lost", list)
	}
	if j := getJob(t, s, jobID(1)); j.State != JobDone || j.Counts.Failed != 2 {
		t.Errorf("job %+v", j)
	}
}

// The look at the whole database takes minutes where it is large: whoever finds
// damage meanwhile does not wait for it, nor does everybody else.
func TestARebuildDoesNotWaitForTheThoroughCheck(t *testing.T) {
	s, p := openHearing(t, closedSpool(t))
	s.background.Wait()
	looking, ended := make(chan struct{}), make(chan struct{})
	ctx, stop := context.WithCancel(t.Context())
	s.thorough.Store(&stop)
	go func() {
		defer close(ended)
		_, _ = s.used(func() error { close(looking); <-ctx.Done(); return ctx.Err() })
	}()
	<-looking
	tries := 0
	must(t, s.healing(func() error {
		if tries++; tries == 1 {
			return fmt.Errorf("%w: for the test", ErrDamaged)
		}
		return nil
	}))
	<-ended
	if got := p.all(); len(got) != 1 {
		t.Errorf("problems %v, want the salvage", got)
	}
	readBody(t, s, jobID(1))
}
