package spool

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"servicesmtp.net/companion/app/mail"
)

// testdata/schemaN.sql is a spool as schema N left it after a kill: a
// newsletter half sent (one batch done with failures and deferrals, one on its
// way), one message that nobody touched yet, and one that is done. Each
// released schema gets such a file, and keeps it.
func TestMigrate(t *testing.T) {
	for _, schema := range []string{"schema1", "schema2", "schema3"} {
		t.Run(schema, func(t *testing.T) { testMigrate(t, schema) })
	}
}

func testMigrate(t *testing.T, schema string) {
	dump, err := os.ReadFile(filepath.Join("testdata", schema+".sql"))
	must(t, err)
	dir := t.TempDir()
	db, err := connect(filepath.Join(dir, databaseName), 1)
	must(t, err)
	_, err = db.Exec(string(dump))
	must(t, err)
	must(t, db.Close())

	s := openAt(t, options(dir))
	checkDebts(t, s)
	var version int
	must(t, s.pool.QueryRow(`SELECT max(version_id) FROM goose_db_version`).Scan(&version))
	if version != 3 {
		t.Errorf("version %d", version)
	}
	var states []JobState
	jobs, _, err := s.Jobs(t.Context(), JobQuery{})
	must(t, err)
	for _, j := range jobs {
		states = append(states, j.State)
	}
	if d := cmp.Diff([]JobState{JobDone, JobQueued, JobSending}, states); d != "" {
		t.Errorf("states, newest first:\n%s", d)
	}
	newsletter := jobs[2]
	if want := (Counts{Queued: 50, Accepted: 48, Deferred: 1, Failed: 1}); newsletter.Counts != want || newsletter.Batches != 3 || newsletter.BatchesDone != 1 {
		t.Errorf("newsletter %+v", newsletter)
	}
	unknowns, err := s.Unknowns(t.Context(), "office")
	must(t, err)
	if len(unknowns) != 1 || unknowns[0].Number != 2 || unknowns[0].Store != "main" {
		t.Errorf("unknown %+v", unknowns)
	}
	due := readyNow(t, s, "office", start.AddDate(1, 0, 0))
	if len(due) != 2 || due[0].Number != 3 || due[0].Round != 1 || due[0].Recipients[0].Address != "person7@example.com" {
		t.Errorf("due %+v", due)
	}
	if got := readBody(t, s, newsletter.ID); !bytes.Equal(got, []byte("Subject: news\r\n\r\nHello.\r\n")) {
		t.Errorf("body %q", got)
	}
	if _, found, err := s.Browse(t.Context(), Filter{Show: ShowDone, Search: "PERSON"}, 0, 10); err != nil || len(found) != 1 || found[0].ID != jobs[0].ID {
		t.Errorf("browsed %+v, %v", found, err)
	}
	if sent, err := s.Sent(t.Context(), "office", time.Time{}, 24*time.Hour); err != nil || len(sent) != 1 || sent[0].Accepted != 48 || sent[0].Failed != 1 {
		t.Errorf("sent %+v, %v", sent, err)
	}
	failed, _, err := s.Failed(t.Context(), "", "", "", 0)
	must(t, err)
	if len(failed) != 1 || failed[0].Reply != noSuchUser {
		t.Errorf("failed %+v", failed)
	}
	// And it goes on working.
	must(t, s.Finish(t.Context(), FinishRequest{Job: newsletter.ID, Number: 2, At: start,
		Outcomes: answers(unknowns[0].Recipients, mail.StatusAccepted, mail.Reply{})}))
	accept(t, s, jobID(500), envelope("office", recipients(1)), []byte("x"))
	checkDebts(t, s)
	// Of failures from before schema 3 nobody is told afterwards.
	must(t, finishDue(t, s, due[0], mail.StatusFailed))
	want := map[string]int{"schema1": 1, "schema2": 1, "schema3": 2}[schema]
	if got := onlyDue(t, s); got.ID != newsletter.ID || got.Failures != want {
		t.Errorf("due report %+v, want %d failures", got, want)
	}
}

func finishDue(t *testing.T, s *Spool, b mail.Batch, status mail.Status) error {
	t.Helper()
	attempt := begin(t, s, b.Job, b.Number, start.AddDate(1, 0, 0))
	return s.Finish(t.Context(), FinishRequest{Attempt: attempt, At: start.AddDate(1, 0, 0), Outcomes: answers(b.Recipients, status, noSuchUser)})
}

func TestANewerSchemaIsRefused(t *testing.T) {
	dir := closedSpool(t)
	db, err := connect(filepath.Join(dir, databaseName), 1)
	must(t, err)
	_, err = db.Exec(`INSERT INTO goose_db_version (version_id, is_applied) VALUES (9999, 1)`)
	must(t, err)
	must(t, db.Close())
	_, err = Open(t.Context(), options(dir))
	wantErr(t, err, ErrNewer)
	if left := names(t, filepath.Join(dir, bodiesName)); len(left) != 1 {
		t.Errorf("bodies: %v", left)
	}
}
