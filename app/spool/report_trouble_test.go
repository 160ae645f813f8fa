package spool

import (
	"path/filepath"
	"slices"
	"testing"

	"servicesmtp.net/companion/app/mail"
	"servicesmtp.net/companion/internal/durable"
)

// A report that does not fit is not lost.
func TestReportOnAFullSpool(t *testing.T) {
	o := options(t.TempDir())
	o.MaxSize = 5000
	s := openAt(t, o)
	fail(t, s, jobID(1), envelope("office", recipients(1)), make([]byte, 4000))
	accept(t, s, jobID(2), envelope("office", recipients(1)), make([]byte, 4500))
	d := onlyDue(t, s)
	wantErr(t, putReport(t.Context(), s, jobID(3), d, start, make([]byte, 1000)), ErrFull)
	if got := onlyDue(t, s); got.Failures != 1 || len(readBody(t, s, jobID(1))) != 4000 {
		t.Errorf("due %+v", got)
	}
	finish(t, s, jobID(2), 1, answers(recipients(1), mail.StatusAccepted, mail.Reply{}))
	must(t, putReport(t.Context(), s, jobID(3), d, start, make([]byte, 1000)))
	wantNoneDue(t, s)
	checkDebts(t, s)
}

func TestReportOnAFullDisk(t *testing.T) {
	s := newSpool(t)
	fail(t, s, jobID(1), envelope("office", recipients(1)), []byte("x"))
	limitPages(t, s, 1) // no page more than there are
	wantErr(t, putReport(t.Context(), s, jobID(2), onlyDue(t, s), start, make([]byte, 100_000)), ErrDiskFull)
	limitPages(t, s, 100_000)
	must(t, putReport(t.Context(), s, jobID(2), onlyDue(t, s), start, make([]byte, 100_000)))
	checkDebts(t, s)
}

// Whenever the power goes: the debt, or the report; never both, never neither.
func TestCrashAroundAReport(t *testing.T) {
	s := newSpool(t)
	at := map[string]string{}
	cut := func(name string) {
		at[name] = filepath.Join(t.TempDir(), "cut")
		snapshot(t, s.dir, at[name])
	}
	fail(t, s, jobID(1), envelope("office", recipients(3)), make([]byte, inlineMax+1))
	cut("after the failure")
	s.create = func(path string) (bodyFile, error) {
		f, err := durable.Create(path)
		cut("with a file begun")
		return hookedFile{f, func() { cut("between the report's file and its row") }}, err
	}
	must(t, putReport(t.Context(), s, jobID(2), onlyDue(t, s), start, make([]byte, inlineMax+1)))
	cut("after the report")
	for name, dir := range at {
		s, err := Open(t.Context(), options(dir))
		must(t, err)
		due, _, err := s.DueReports(t.Context(), "", 10)
		must(t, err)
		jobs, _, err := s.Jobs(t.Context(), JobQuery{})
		must(t, err)
		reports := len(jobs) - 1
		if len(due)+reports != 1 || (name == "after the report") != (reports == 1) {
			t.Errorf("%s: %d due, %d stored", name, len(due), reports)
		}
		for _, d := range due {
			must(t, putReport(t.Context(), s, jobID(2), d, start, make([]byte, inlineMax+1)))
		}
		wantNoneDue(t, s)
		checkDebts(t, s)
		must(t, s.Close())
	}
	if len(at) != 4 {
		t.Errorf("crashed at %v", at)
	}
}

// What damage has left of a debt is paid, and what it has taken is forgotten.
func TestDebtsAfterDamage(t *testing.T) {
	o := options(t.TempDir())
	s := openAt(t, o)
	for n := range 4 {
		fail(t, s, jobID(n), envelope("office", recipients(4)), make([]byte, inlineMax+1))
	}
	must(t, s.write(t.Context(), func(tx *tx) error {
		for _, query := range []string{
			`DELETE FROM outcomes WHERE batch = 1`,               // of the first job nothing is known
			`DELETE FROM outcomes WHERE batch = 2 AND place = 1`, // of the second, something is missing
			`UPDATE batches SET recipients = x'' WHERE id = 3`,   // of the third, the list of recipients
			`UPDATE jobs SET sender = '' WHERE seq = 4`,          // of the fourth, who sent it
		} {
			if err := tx.do(query); err != nil {
				return err
			}
		}
		return nil
	}))
	must(t, s.Close())
	s = openAt(t, o)
	checkRows(t, s)
	if left := names(t, filepath.Join(o.Dir, bodiesName)); len(left) != 2 {
		t.Errorf("bodies %v", left)
	}
	due, _, err := s.DueReports(t.Context(), "", 10)
	must(t, err)
	if len(due) != 2 || due[0].Failures != 3 || due[1].Failures != 4 {
		t.Fatalf("due %+v", due)
	}
	var got []string
	for f, err := range s.ReportedFailures(t.Context(), due[1]) {
		must(t, err)
		got = append(got, f.Recipient.Address)
	}
	if !slices.Equal(got, []string{"person0@example.com", "person1@example.com", "person2@example.com", "person3@example.com"}) {
		t.Errorf("told of %v", got)
	}
}
