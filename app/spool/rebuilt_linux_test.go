package spool

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// However little room there is for the second database, what counts as rebuilt
// is whole in its own file: its log does not follow it to its place.
func TestWhatIsRebuiltIsWholeOnANearlyFullDisk(t *testing.T) {
	dir, remount := smallDisk(t, "64m")
	if remount == nil {
		return // nothing here is small
	}
	at := filepath.Join(dir, "spool")
	s, err := Open(t.Context(), options(at))
	must(t, err)
	const messages = 20
	for n := range messages {
		accept(t, s, jobID(n), envelope("office", recipients(3)), make([]byte, 50_000))
	}
	must(t, s.Close())
	breakRoot(t, at)
	refused, made := 0, 0
	for room := 0; made < 3; room += 64 { // KiB
		remount(fmt.Sprintf("size=%dk", 1200+room))
		s := &Spool{dir: at, log: slog.New(slog.DiscardHandler)}
		err := s.rebuild(t.Context(), &plan{Damage: Damage{At: time.Now()}}, false, false)
		rebuilt := filepath.Join(at, rebuiltName)
		if err != nil {
			wantErr(t, fault(err), ErrDiskFull)
			refused++
		} else {
			made++
			moved := filepath.Join(t.TempDir(), databaseName)
			data, err := os.ReadFile(rebuilt)
			must(t, err)
			must(t, os.WriteFile(moved, data, 0o600))
			db, err := connect(moved, 1)
			must(t, err)
			var n int
			if err := db.QueryRow(`SELECT count(*) FROM bodies WHERE length(data) = 50000`).Scan(&n); err != nil || n != messages {
				t.Errorf("with %d KiB: %d messages, %v", room, n, err)
			}
			must(t, db.Close())
		}
		for _, suffix := range []string{"", "-wal", "-shm"} {
			must(t, removed(rebuilt+suffix))
		}
	}
	if refused == 0 {
		t.Error("there was room each time")
	}
}
