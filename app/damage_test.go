package app

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"servicesmtp.net/companion/app/mail"
	"servicesmtp.net/companion/app/spool"
)

// A spool that was damaged is told of until a person has seen it, over restarts
// too, while what waits goes on, and not at once.
func TestDamageIsANoticeUntilItIsSeen(t *testing.T) {
	e := newEngineTest(t, engineOptions{})
	e.store("01K00000000000000000000001", "me@example.com", time.Now(), "a@example.com")
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(e.cfg.DataDir, spoolName, "spool.db")
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	clear(data[:100]) // its head
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	again := func() {
		t.Helper()
		if e.Engine, err = New(t.Context(), e.cfg); err != nil {
			t.Fatal(err)
		}
	}
	again()
	s := e.State()
	if len(s.Notices) != 1 || s.Notices[0].Account != "" || s.Notices[0].Severity != "critical" || s.Notices[0].Subject != "The spool was damaged and has been rebuilt." {
		t.Fatalf("notices %+v", s.Notices)
	}
	if body := s.Notices[0].Body; !strings.HasPrefix(body, "1 message goes on by itself.") || !strings.Contains(body, "spool/quarantine/2") || strings.Contains(body, e.dir) {
		t.Errorf("body %q", body)
	}
	if !s.Spool.OK || s.Accounts[0].Messages != 1 {
		t.Errorf("spool %+v, account %+v", s.Spool, s.Accounts[0])
	}
	if next := s.Accounts[0].Pace.NextAt; next == nil || time.Until(*next) < 30*time.Second {
		t.Errorf("next mail at %v, want a minute from now: what left before is not known", next)
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	again()
	e.closed()
	s = e.State()
	if len(s.Notices) != 1 {
		t.Fatalf("notices after a restart: %+v", s.Notices)
	}
	if next := s.Accounts[0].Pace.NextAt; next == nil || time.Until(*next) < 30*time.Second {
		t.Errorf("after a restart, next mail at %v", next)
	}
	if err := e.SeeNotice(t.Context(), "", s.Notices[0].ID+1); !errors.Is(err, ErrNotFound) {
		t.Errorf("another notice: %v", err)
	}
	if err := e.SeeNotice(t.Context(), "", s.Notices[0].ID); err != nil {
		t.Fatal(err)
	}
	if s := e.State(); len(s.Notices) != 0 {
		t.Errorf("seen: %+v", s.Notices)
	}
}

func TestDamageWords(t *testing.T) {
	d := spool.Damage{Name: "20261125T090000.000Z", Messages: 2, Damaged: 1, Doubtful: 3, FailedRecipients: 4,
		Lost: []mail.JobID{"01K00000000000000000000001"}, Log: true}
	want := "2 messages go on by themselves. 1 message could not be read and is not sent. Not readable: 01K00000000000000000000001. " +
		"4 recipients could not be read and count as failed. Decide in the queue about 3 recipients. " +
		"1 message is kept and not sent, because its text is damaged. Mail that was handed in shortly before may be missing without a trace. " +
		"The damaged files are kept in the data folder, in spool/quarantine/20261125T090000.000Z. Check this disk."
	if got := damageWords(d).String(); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	for _, err := range []error{spool.ErrDamaged, spool.ErrDamagedAgain} {
		if w := spoolWords(err); w.action.IsZero() {
			t.Errorf("%v: no action", err)
		}
	}
	if again := spoolError(spool.ErrDamagedAgain).Error(); !strings.Contains(again, "cannot be trusted") {
		t.Errorf("again: %s", again)
	}
}

// After a database was replaced while the engine runs, batches may have become
// unknown, so the relay is asked, and the state of the spool is well.
func TestARebuiltSpoolIsAskedAbout(t *testing.T) {
	e := newEngineTest(t, engineOptions{})
	e.closed()
	a, err := e.account("office")
	if err != nil {
		t.Fatal(err)
	}
	e.spoolReports(&spool.DamageError{Damage: spool.Damage{Name: "x", Messages: 1}})
	select {
	case <-a.sender.doubt:
	default:
		t.Error("the relay is not asked")
	}
	if !a.sender.stale || e.problem != nil {
		t.Errorf("lanes read again: %v, problem %v", a.sender.stale, e.problem)
	}
	e.spoolReports(spool.ErrDamagedAgain)
	if !errors.Is(e.problem, spool.ErrDamagedAgain) {
		t.Errorf("problem %v", e.problem)
	}
}
