package spool

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"servicesmtp.net/companion/app/mail"
)

func TestLockIsHeldOnce(t *testing.T) {
	dir := t.TempDir()
	s, err := Open(t.Context(), options(dir))
	must(t, err)
	_, err = Open(t.Context(), options(dir))
	wantErr(t, err, ErrLocked)
	must(t, s.Close())
	openAt(t, options(dir))
}

func TestNetworkFileSystemIsRefused(t *testing.T) {
	dir := t.TempDir()
	_, err := open(t.Context(), options(dir), func(string) (string, error) { return "nfs", nil })
	wantErr(t, err, ErrNetworkFS)
	if !strings.Contains(err.Error(), "nfs") || strings.Contains(err.Error(), dir) {
		t.Errorf("error %q", err)
	}
	if left := names(t, dir); len(left) != 0 {
		t.Errorf("written there: %v", left)
	}
}

// Whoever waits while a transaction is written shares the next COMMIT.
func TestWaitingRequestsShareACommit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSpool(t)
		commits := 0
		s.writer.committed = func(tx *tx) { commits++; s.committed(tx) }
		hold := make(chan struct{})
		var group sync.WaitGroup
		group.Go(func() {
			if err := s.write(context.Background(), func(*tx) error { <-hold; return nil }); err != nil {
				t.Errorf("first: %v", err)
			}
		})
		synctest.Wait()
		for n := range 32 {
			group.Go(func() {
				if err := put(context.Background(), s, jobID(n), envelope("office", recipients(1)), []byte("x")); err != nil {
					t.Errorf("accept %d: %v", n, err)
				}
			})
		}
		synctest.Wait()
		close(hold)
		group.Wait()
		if commits != 1 {
			t.Errorf("%d commits for all, want 1", commits)
		}
		must(t, s.Close())
	})
}

func TestThirtyTwoWriters(t *testing.T) {
	s := newSpool(t)
	const writers, each = 32, 8
	var group sync.WaitGroup
	for w := range writers {
		group.Go(func() {
			for i := range each {
				n := w*each + i
				size := 100
				if i == each-1 {
					size = inlineMax + 1
				}
				id := jobID(n)
				if err := put(context.Background(), s, id, envelope("office", recipients(1+n%120)), bytes.Repeat([]byte{byte(n)}, size)); err != nil {
					t.Errorf("accept %d: %v", n, err)
					return
				}
				attempt, err := s.Begin(context.Background(), id, 1, "main", start)
				if err != nil {
					t.Errorf("begin %d: %v", n, err)
					return
				}
				if err := s.Return(context.Background(), Ended{Attempt: attempt, At: start}, time.Time{}); err != nil {
					t.Errorf("return %d: %v", n, err)
				}
				if _, err := s.Totals(context.Background(), start); err != nil {
					t.Errorf("totals: %v", err)
				}
			}
		})
	}
	group.Wait()
	checkRows(t, s)
	totals, err := s.Totals(t.Context(), start)
	must(t, err)
	want := 0
	for n := range writers * each {
		want += 1 + n%120
		if got := readBody(t, s, jobID(n)); len(got) == 0 || got[0] != byte(n) {
			t.Errorf("body %d", n)
		}
	}
	if len(totals.Lanes) != 1 || totals.Lanes[0].Messages != writers*each || totals.Lanes[0].Recipients != want {
		t.Errorf("totals %+v, want %d messages, %d recipients", totals.Lanes, writers*each, want)
	}
}

func TestClosedSpool(t *testing.T) {
	s, err := Open(t.Context(), options(t.TempDir()))
	must(t, err)
	in, err := s.Create(t.Context(), jobID(1), 0)
	must(t, err)
	must(t, s.Close())
	wantErr(t, in.Commit(t.Context(), envelope("office", recipients(1))), ErrClosed)
	_, err = s.Begin(t.Context(), jobID(1), 1, "main", start)
	wantErr(t, err, ErrClosed)
	wantErr(t, s.Close(), ErrClosed)
	if d := cmp.Diff([]string{bodiesName, lockName, databaseName}, names(t, s.dir)); d != "" {
		t.Errorf("files after Close:\n%s", d) // no log, no marker: everything was closed
	}
	stack := make([]byte, 1<<20)
	stack = stack[:runtime.Stack(stack, true)]
	for _, name := range []string{"(*writer).loop", "(*Spool).check("} {
		if bytes.Contains(stack, []byte(name)) {
			t.Errorf("%s still runs", name)
		}
	}
}

func TestCloseWhileMessagesComeIn(t *testing.T) {
	dir := t.TempDir()
	s, err := Open(t.Context(), options(dir))
	must(t, err)
	var group sync.WaitGroup
	var mu sync.Mutex
	var acknowledged []mail.JobID
	first := make(chan struct{}, 1000)
	for w := range 8 {
		group.Go(func() {
			for i := 0; ; i++ {
				id := jobID(w*10_000 + i)
				if err := put(context.Background(), s, id, envelope("office", recipients(1)), []byte("x")); err != nil {
					if !errors.Is(err, ErrClosed) {
						t.Errorf("accept: %v", err)
					}
					return
				}
				mu.Lock()
				acknowledged = append(acknowledged, id)
				mu.Unlock()
				select {
				case first <- struct{}{}:
				default:
				}
			}
		})
	}
	for range 100 {
		<-first
	}
	must(t, s.Close())
	group.Wait()
	s = openAt(t, options(dir))
	for _, id := range acknowledged {
		getJob(t, s, id)
	}
	totals, err := s.Totals(t.Context(), start)
	must(t, err)
	if totals.Lanes[0].Messages != len(acknowledged) {
		t.Errorf("%d messages, %d acknowledged", totals.Lanes[0].Messages, len(acknowledged))
	}
}

func TestCancelledContextStoresNothing(t *testing.T) {
	s := newSpool(t)
	ctx, cancel := context.WithCancel(t.Context())
	in, err := s.Create(ctx, jobID(1), 0)
	must(t, err)
	cancel()
	wantErr(t, in.Commit(ctx, envelope("office", recipients(1))), context.Canceled)
	_, err = s.Create(ctx, jobID(1), 0)
	wantErr(t, err, context.Canceled)
	wantEmpty(t, s)
}

func TestFilesAreForTheOwnerOnly(t *testing.T) {
	if runtime.GOOS == "windows" {
		return // permissions there are the folder's
	}
	dir := filepath.Join(t.TempDir(), "spool")
	s := openAt(t, options(dir))
	accept(t, s, jobID(1), envelope("office", recipients(1)), make([]byte, inlineMax+1))
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err == nil && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %v", d.Name(), info.Mode())
		}
		return err
	})
	must(t, err)
}
