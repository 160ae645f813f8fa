package spool

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"servicesmtp.net/companion/app/mail"
	"servicesmtp.net/companion/internal/durable"
)

// faultyFile fails one call, as a disk might.
type faultyFile struct {
	bodyFile
	call string
	err  error
}

func (f faultyFile) Write(p []byte) (int, error) {
	if f.call == "write" {
		return 0, f.err
	}
	return f.bodyFile.Write(p)
}

func (f faultyFile) Commit() error {
	if f.call == "commit" {
		return errors.Join(f.err, f.Discard()) // as durable.File promises
	}
	return f.bodyFile.Commit()
}

func TestFileFaults(t *testing.T) {
	wrap := func(err error) error {
		return &fs.PathError{Op: "write", Path: "/secret/folder/name", Err: err}
	}
	for _, c := range []struct {
		name string
		err  error
		want error
	}{
		{"disk full", wrap(diskFull[0]), ErrDiskFull},
		{"read-only", wrap(readOnly[0]), ErrReadOnly},
		{"no permission", wrap(fs.ErrPermission), ErrReadOnly},
		{"rename", &os.LinkError{Op: "rename", Old: "/secret/a", New: "/secret/b", Err: diskFull[0]}, ErrDiskFull},
		{"I/O error", wrap(syscall.EIO), syscall.EIO},
	} {
		for _, call := range []string{"create", "write", "commit"} {
			t.Run(c.name+" at "+call, func(t *testing.T) {
				s := newSpool(t)
				healthy := s.create
				s.create = func(path string) (bodyFile, error) {
					if call == "create" {
						return nil, c.err
					}
					f, err := durable.Create(path)
					return faultyFile{f, call, c.err}, err
				}
				// Large enough for the file's buffer to be written before Commit.
				err := put(t.Context(), s, jobID(1), envelope("office", recipients(1)), make([]byte, 4*inlineMax))
				wantErr(t, err, c.want)
				if strings.Contains(err.Error(), "secret") {
					t.Errorf("the error names a folder: %v", err)
				}
				wantEmpty(t, s)
				s.create = healthy
				accept(t, s, jobID(1), envelope("office", recipients(1)), make([]byte, 4*inlineMax))
			})
		}
	}
}

// together makes one group of several requests, and returns their answers.
func together(t *testing.T, s *Spool, requests []func(*tx) error) []error {
	t.Helper()
	s.writer.stop()
	stmts := s.writer.stmts
	s.writer = newWriter(s.conn, s.committed)
	s.writer.stmts = stmts
	group := make([]*op, len(requests))
	for i, run := range requests {
		group[i] = &op{run: run, done: make(chan error, 1)}
	}
	s.writer.serve(group)
	s.writer.start()
	errs := make([]error, len(group))
	for i, o := range group {
		errs[i] = <-o.done
	}
	return errs
}

// inserts are the requests of n messages, the first of which is job 0.
func inserts(t *testing.T, n int) (out []func(*tx) error) {
	t.Helper()
	for i := range n {
		env := envelope("office", recipients(2))
		env.Job, env.Size = jobID(i), 1
		m, err := newMessage(env, inFifties)
		must(t, err)
		m.inline = []byte("x")
		out = append(out, m.insert)
	}
	return out
}

func TestOneFailingRequestFailsAlone(t *testing.T) {
	s := newSpool(t)
	accept(t, s, jobID(7), envelope("office", recipients(2)), []byte("x"))
	for i, err := range together(t, s, inserts(t, 20)) {
		if i == 7 && !errors.Is(err, ErrState) || i != 7 && err != nil {
			t.Errorf("request %d: %v", i, err)
		}
	}
	wantMessages(t, s, 20)
}

// Where the transaction of a group is lost as a whole, each request gets a
// second try of its own, and nothing is counted twice.
func TestALostGroupIsTriedOneByOne(t *testing.T) {
	s := newSpool(t)
	brokenCommit(t, s, jobID(13))
	for i, err := range together(t, s, inserts(t, 20)) {
		if (err != nil) != (i == 13) {
			t.Errorf("request %d: %v", i, err)
		}
	}
	wantMessages(t, s, 19)
}

// A request whose group may be found committed after a crash stays in doubt when
// its own try fails for another reason: its body must stay.
func TestADoubtOutlivesTheSecondTry(t *testing.T) {
	s := newSpool(t)
	brokenCommit(t, s, jobID(0))
	tries, cause := 0, errors.New("second try")
	errs := together(t, s, append(inserts(t, 1), func(*tx) error {
		if tries++; tries > 1 {
			return cause
		}
		return nil
	}))
	for i, err := range errs {
		var doubt inDoubt
		if !errors.As(err, &doubt) {
			t.Errorf("request %d: got %v, want a doubt", i, err)
		}
	}
	wantErr(t, errs[1], cause)
}

// wantMessages holds that n messages of two recipients wait, and are counted.
func wantMessages(t *testing.T, s *Spool, n int) {
	t.Helper()
	checkRows(t, s)
	totals, err := s.Totals(t.Context(), start)
	must(t, err)
	if got := len(readyNow(t, s, "office", start)); got != n || totals.Lanes[0].Messages != n || totals.Lanes[0].Recipients != 2*n {
		t.Errorf("%d batches, totals %+v, want %d messages", got, totals, n)
	}
}

// brokenCommit makes every COMMIT fail whose transaction stores a certain job:
// a deferred constraint is the one way to make COMMIT itself fail at will.
func brokenCommit(t *testing.T, s *Spool, id mail.JobID) {
	t.Helper()
	_, err := s.conn.ExecContext(t.Context(), `PRAGMA foreign_keys = 1;
		CREATE TABLE parent (id INTEGER PRIMARY KEY);
		CREATE TABLE child (id INTEGER REFERENCES parent (id) DEFERRABLE INITIALLY DEFERRED);
		CREATE TRIGGER broken AFTER INSERT ON jobs WHEN new.id = '`+string(id)+`' BEGIN INSERT INTO child VALUES (1); END`)
	must(t, err)
}

// A failed request takes back its counts too, in the same group as one that
// succeeds.
func TestAFailedRequestIsNotCounted(t *testing.T) {
	s := newSpool(t)
	m, err := newMessage(mail.Envelope{Job: jobID(1), Account: "a", Lane: mail.Bulk, Recipients: recipients(5), AcceptedAt: start}, inFifties)
	must(t, err)
	m.inline = []byte("x")
	cause := errors.New("afterwards")
	err = s.write(t.Context(), func(tx *tx) error {
		if err := m.insert(tx); err != nil {
			return err
		}
		tx.gone = append(tx.gone, jobID(1))
		return cause
	})
	wantErr(t, err, cause)
	wantEmpty(t, s)
}

// limitPages makes the database full, or lets it grow again.
func limitPages(t *testing.T, s *Spool, pages int) {
	t.Helper()
	must(t, s.write(t.Context(), func(tx *tx) error {
		var got int
		return tx.row(fmt.Sprintf("PRAGMA max_page_count = %d", pages), nil, &got)
	}))
}

func TestDatabaseFull(t *testing.T) {
	s := newSpool(t)
	limitPages(t, s, 200)
	var stored []mail.JobID
	var full error
	for n := 0; full == nil; n++ {
		if full = put(t.Context(), s, jobID(n), envelope("office", recipients(3)), make([]byte, 20_000)); full == nil {
			stored = append(stored, jobID(n))
		}
	}
	wantErr(t, full, ErrDiskFull)
	wantErr(t, put(t.Context(), s, jobID(900), envelope("office", recipients(3)), make([]byte, inlineMax+1)), nil) // a file, and a small row
	err := put(t.Context(), s, jobID(901), envelope("office", recipients(50_000)), make([]byte, inlineMax+1))
	wantErr(t, err, ErrDiskFull)
	if got := names(t, filepath.Join(s.dir, bodiesName)); len(got) != 1 {
		t.Errorf("files: %v, want the accepted one", got)
	}
	checkRows(t, s)
	for _, id := range stored {
		if len(readBody(t, s, id)) != 20_000 {
			t.Errorf("%s is damaged", id)
		}
	}
	begin(t, s, stored[0], 1, start) // what fits is still stored

	limitPages(t, s, 100_000)
	accept(t, s, jobID(903), envelope("office", recipients(50_000)), make([]byte, 100_000))
	checkRows(t, s)
}

func TestReadOnlyDatabase(t *testing.T) {
	s := newSpool(t)
	accept(t, s, jobID(1), envelope("office", recipients(1)), []byte("x"))
	_, err := s.conn.ExecContext(t.Context(), "PRAGMA query_only = 1")
	must(t, err)
	wantErr(t, put(t.Context(), s, jobID(2), envelope("office", recipients(1)), []byte("x")), ErrReadOnly)
	wantErr(t, put(t.Context(), s, jobID(2), envelope("office", recipients(1)), make([]byte, inlineMax+1)), ErrReadOnly)
	_, err = s.Begin(t.Context(), jobID(1), 1, "main", start)
	wantErr(t, err, ErrReadOnly)
	readBody(t, s, jobID(1))
	_, err = s.conn.ExecContext(t.Context(), "PRAGMA query_only = 0")
	must(t, err)
	begin(t, s, jobID(1), 1, start)
	accept(t, s, jobID(2), envelope("office", recipients(1)), []byte("x"))
}

// An unclear COMMIT keeps the body: the row may be there after a crash.
func TestBodyStaysWhenTheCommitIsInDoubt(t *testing.T) {
	s := newSpool(t)
	brokenCommit(t, s, jobID(1))
	err := put(t.Context(), s, jobID(1), envelope("office", recipients(1)), make([]byte, inlineMax+1))
	var doubt inDoubt
	if !errors.As(err, &doubt) {
		t.Fatalf("got %v, want a doubtful commit", err)
	}
	if got := names(t, filepath.Join(s.dir, bodiesName)); len(got) != 1 {
		t.Errorf("files: %v, want the one in doubt", got)
	}
	_, err = s.Job(t.Context(), jobID(1))
	wantErr(t, err, ErrNotFound)
	accept(t, s, jobID(2), envelope("office", recipients(1)), []byte("x"))
}

func TestDeadlineOfACallerDoesNotStopTheWriter(t *testing.T) {
	s := newSpool(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
	waiting := make(chan struct{})
	result := make(chan error)
	go func() {
		result <- s.write(ctx, func(tx *tx) error { close(waiting); <-ctx.Done(); return tx.do(`UPDATE jobs SET damaged = 0`) })
	}()
	<-waiting
	cancel()
	wantErr(t, <-result, nil) // it was taken, so its answer is the truth
}
