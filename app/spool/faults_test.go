package spool

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
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

func TestOneFailingRequestFailsAlone(t *testing.T) {
	s := newSpool(t)
	accept(t, s, jobID(1), envelope("office", recipients(1)), []byte("x"))
	// The first request holds the writer until the others wait behind it, so
	// that all are one group.
	const others = 20
	waiting := make(chan struct{})
	var group sync.WaitGroup
	hold := make(chan struct{})
	group.Go(func() {
		err := s.write(context.Background(), func(*tx) error { close(waiting); <-hold; return nil })
		if err != nil {
			t.Errorf("first: %v", err)
		}
	})
	<-waiting
	errs := make([]error, others)
	for i := range others {
		group.Go(func() {
			id := jobID(10 + i)
			if i%2 == 0 {
				id = jobID(1) // is there already
			}
			errs[i] = put(context.Background(), s, id, envelope("office", recipients(1)), make([]byte, (i%4)*inlineMax/2))
		})
	}
	close(hold)
	group.Wait()
	for i, err := range errs {
		if i%2 == 0 && !errors.Is(err, ErrState) || i%2 == 1 && err != nil {
			t.Errorf("request %d: %v", i, err)
		}
	}
	checkRows(t, s)
	totals, err := s.Totals(t.Context(), start)
	must(t, err)
	if totals.Lanes[0].Messages != 1+others/2 {
		t.Errorf("totals %+v", totals)
	}
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
	// In one group with a request that does not fit, one that fits is stored.
	// SQLite gives up the whole transaction then, so this is the second try.
	var group sync.WaitGroup
	waiting, hold := make(chan struct{}), make(chan struct{})
	group.Go(func() {
		if err := s.write(context.Background(), func(*tx) error {
			select {
			case <-waiting:
			default:
				close(waiting)
			}
			<-hold
			return nil
		}); err != nil {
			t.Errorf("first: %v", err)
		}
	})
	<-waiting
	var large, small error
	group.Go(func() {
		large = put(context.Background(), s, jobID(902), envelope("office", recipients(1)), make([]byte, 100_000))
	})
	group.Go(func() { _, small = s.Begin(context.Background(), stored[0], 1, "main", start) })
	close(hold)
	group.Wait()
	wantErr(t, large, ErrDiskFull)
	wantErr(t, small, nil)

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
	in, err := s.Create(t.Context(), jobID(1), 0)
	must(t, err)
	_, err = in.Write(make([]byte, inlineMax+1))
	must(t, err)
	var doubt inDoubt
	if err := fault(fmt.Errorf("commit: %w", inDoubt{syscall.EIO})); !errors.As(err, &doubt) {
		t.Fatalf("the doubt is lost on the way: %v", err)
	}
	// A deferred constraint is the one way to make COMMIT itself fail here.
	_, err = s.conn.ExecContext(t.Context(), `PRAGMA foreign_keys = 1`)
	must(t, err)
	must(t, s.write(t.Context(), func(tx *tx) error {
		if err := tx.do(`CREATE TABLE parent (id INTEGER PRIMARY KEY)`); err != nil {
			return err
		}
		if err := tx.do(`CREATE TABLE child (id INTEGER REFERENCES parent (id) DEFERRABLE INITIALLY DEFERRED)`); err != nil {
			return err
		}
		return tx.do(`CREATE TRIGGER broken AFTER INSERT ON jobs BEGIN INSERT INTO child VALUES (1); END`)
	}))
	err = in.Commit(t.Context(), envelope("office", recipients(1)))
	if !errors.As(err, &doubt) {
		t.Fatalf("got %v, want a doubtful commit", err)
	}
	if got := names(t, filepath.Join(s.dir, bodiesName)); len(got) != 1 {
		t.Errorf("files: %v, want the one in doubt", got)
	}
	_, err = s.Job(t.Context(), jobID(1))
	wantErr(t, err, ErrNotFound)
	must(t, s.write(t.Context(), func(tx *tx) error { return tx.do(`DROP TRIGGER broken`) }))
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
