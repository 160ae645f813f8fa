package spool

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"servicesmtp.net/companion/app/mail"
	"servicesmtp.net/companion/internal/durable"
)

// Rows that contradict each other are left to a person, whatever the reason: the
// counts add up again, nothing of the job goes on by itself, and no number is
// used twice.
func TestContradictionsAreLeftToAPerson(t *testing.T) {
	for name, edit := range map[string]string{
		"the job is older than its batches":  `UPDATE jobs SET batches = 2 WHERE seq = 1`,
		"more recipients than batches have":  `UPDATE jobs SET recipients = recipients + 10, queued = queued + 10 WHERE seq = 1`,
		"batches have more than there are":   `UPDATE jobs SET accepted = accepted + 60, queued = queued - 60 WHERE seq = 1`,
		"fewer recipients than batches have": `UPDATE jobs SET recipients = recipients - 70, queued = queued - 70 WHERE seq = 1`,
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			s := openAt(t, options(dir))
			accept(t, s, jobID(1), envelope("office", recipients(170)), []byte("x"))
			accept(t, s, jobID(2), envelope("office", recipients(1)), []byte("x"))
			s.background.Wait()
			a := begin(t, s, jobID(1), 1, start)
			must(t, s.Finish(t.Context(), FinishRequest{Attempt: a, At: start, Outcomes: answers(recipients(50), mail.StatusAccepted, mail.Reply{})}))
			begin(t, s, jobID(1), 2, start)
			_, err := s.conn.ExecContext(t.Context(), edit)
			must(t, err)
			must(t, s.Close())
			must(t, os.WriteFile(filepath.Join(dir, damagedName), nil, 0o600))
			s = openAt(t, options(dir))
			checkRows(t, s)
			if got := readyNow(t, s, "office", start); len(got) != 1 || got[0].Job != jobID(2) {
				t.Errorf("ready %v, want the other job only", got)
			}
			doubts, err := s.Uncertains(t.Context(), "office")
			must(t, err)
			if len(doubts) != 3 {
				t.Errorf("%d batches in doubt, want all that were live", len(doubts))
			}
			list, err := s.Damages()
			must(t, err)
			if len(list) != 1 || list[0].Doubtful != 120 || list[0].Messages != 1 {
				t.Errorf("reports %+v", list)
			}
			must(t, s.Resolve(t.Context(), jobID(1), doubts[0].Number, true, start))
			begin(t, s, jobID(1), doubts[0].Number, start)
			if j := getJob(t, s, jobID(1)); j.Batches != 4 || j.LastReply.Text == "" && strings.Contains(name, "more recipients") {
				t.Errorf("job %+v", j)
			}
			checkRows(t, s)
		})
	}
}

// From the swap on there is no log, and nobody must miss it after a kill.
func TestSwapPromisesNoLog(t *testing.T) {
	dir := closedSpool(t)
	s := &Spool{dir: dir}
	folder := filepath.Join(dir, quarantineName, DamageName(time.Now()))
	must(t, os.MkdirAll(folder, 0o700))
	for path, text := range map[string]string{
		filepath.Join(folder, reportName): "{}", filepath.Join(dir, swapName): filepath.Base(folder), filepath.Join(dir, markerName): markerLogged,
	} {
		must(t, durable.WriteFile(path, strings.NewReader(text)))
	}
	must(t, os.Rename(filepath.Join(dir, databaseName), filepath.Join(dir, rebuiltName)))
	must(t, s.swap())
	unclean, logged, err := s.marked()
	if !unclean || logged || err != nil {
		t.Errorf("unclean %v, a log is promised %v, %v", unclean, logged, err)
	}
	s, p := openHearing(t, dir)
	if len(p.all()) != 0 {
		t.Errorf("problems %v", p.all())
	}
	readBody(t, s, jobID(2))
}
