package spool

import (
	"errors"
	"path/filepath"
	"syscall"
	"testing"

	"servicesmtp.net/companion/app/mail"
)

// smallDisk is a folder on a file system of its own with room for size bytes,
// and a function that sets the room anew. Where the test may not mount, it is
// an ordinary folder and fill is nil.
func smallDisk(t *testing.T, size string) (dir string, remount func(options string)) {
	t.Helper()
	dir = t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size="+size); err != nil {
		t.Logf("no mount here (%v): the database's own limit is used instead", err)
		return dir, nil
	}
	t.Cleanup(func() { must(t, syscall.Unmount(dir, syscall.MNT_DETACH)) })
	return dir, func(options string) {
		t.Helper()
		var flags uintptr = syscall.MS_REMOUNT
		if options == "ro" {
			flags |= syscall.MS_RDONLY
			options = ""
		}
		must(t, syscall.Mount("tmpfs", dir, "tmpfs", flags, options))
	}
}

// TestDiskFull fills a real, small disk in every way that a message can, and
// makes room again.
func TestDiskFull(t *testing.T) {
	for _, size := range []int{500, 50_000, inlineMax + 1} {
		dir, remount := smallDisk(t, "4m")
		s := openAt(t, options(filepath.Join(dir, "spool")))
		if remount == nil {
			limitPages(t, s, 300)
		}
		var stored []mail.JobID
		var full error
		for n := 0; full == nil && n < 20_000; n++ {
			if full = put(t.Context(), s, jobID(n), envelope("office", recipients(1)), make([]byte, size)); full == nil {
				stored = append(stored, jobID(n))
			}
			if remount == nil && size > inlineMax && n == 20 {
				break // files are not limited here
			}
		}
		if remount != nil || size <= inlineMax {
			wantErr(t, full, ErrDiskFull)
		}
		for range 3 { // it stays full, says so, and breaks nothing
			if err := put(t.Context(), s, jobID(900_000), envelope("office", recipients(1)), make([]byte, 3<<20)); remount != nil {
				wantErr(t, err, ErrDiskFull)
			} else if err != nil && !errors.Is(err, ErrState) {
				t.Fatal(err)
			}
		}
		for _, id := range stored {
			if len(readBody(t, s, id)) != size {
				t.Fatalf("%s is damaged", id)
			}
		}
		checkRows(t, s)
		if remount != nil {
			remount("size=64m")
		} else {
			limitPages(t, s, 100_000)
		}
		accept(t, s, jobID(900_001), envelope("office", recipients(100)), make([]byte, size))
		begin(t, s, stored[0], 1, start)
		checkRows(t, s)
		if left := names(t, filepath.Join(s.dir, bodiesName)); remount != nil && size <= inlineMax && len(left) != 0 {
			t.Errorf("files left behind: %v", left)
		}
	}
}

func TestDiskBecomesReadOnly(t *testing.T) {
	dir, remount := smallDisk(t, "16m")
	if remount == nil {
		return // TestReadOnlyDatabase shows the rest
	}
	s, err := Open(t.Context(), options(filepath.Join(dir, "spool")))
	must(t, err)
	accept(t, s, jobID(1), envelope("office", recipients(1)), []byte("x"))
	must(t, s.Close()) // a disk with files open for writing cannot become read-only
	remount("ro")
	_, err = Open(t.Context(), options(filepath.Join(dir, "spool")))
	wantErr(t, err, ErrReadOnly)
	remount("size=16m")
	s = openAt(t, options(filepath.Join(dir, "spool")))
	readBody(t, s, jobID(1))
}

// A disk without room for a second database is no reason to lose the first.
func TestSalvageNeedsRoom(t *testing.T) {
	dir, remount := smallDisk(t, "8m")
	if remount == nil {
		return // nothing here is small
	}
	at := filepath.Join(dir, "spool")
	s, err := Open(t.Context(), options(at))
	must(t, err)
	for n := range 40 {
		accept(t, s, jobID(n), envelope("office", recipients(3)), make([]byte, 50_000))
	}
	must(t, s.Close())
	breakRoot(t, at)
	remount("size=3m")
	for range 2 {
		_, err = Open(t.Context(), options(at))
		wantErr(t, err, ErrDiskFull)
		if kept := names(t, filepath.Join(at, quarantineName)); len(kept) != 0 {
			t.Errorf("left in quarantine: %v", kept)
		}
		if have, err := exists(filepath.Join(at, rebuiltName)); have || err != nil {
			t.Errorf("what could not be finished takes room: %v, %v", have, err)
		}
	}
	remount("size=32m")
	s = openAt(t, options(at))
	for n := range 40 {
		readBody(t, s, jobID(n))
	}
	checkRows(t, s)
	if list, err := s.Damages(); err != nil || len(list) != 1 {
		t.Errorf("reports %+v, %v", list, err)
	}
}
