package spool

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"servicesmtp.net/companion/app/mail"
	"servicesmtp.net/companion/internal/durable"
	"servicesmtp.net/companion/internal/lite/pages"
)

// Names of a salvage under way.
const (
	rebuiltName = databaseName + ".rebuilt" // the new database
	swapName    = "swap"                    // says that it is whole and takes its place; holds the name of the folder in quarantine
	damagedName = "damaged"                 // damage was found, and not dealt with yet
)

// salvagePause is how soon after a salvage a second one would mean that the
// disk itself cannot be trusted.
const salvagePause = 10 * time.Minute

// plan is what salvage leaves in quarantine for the moment of the swap.
type plan struct {
	Damage
	Aside []string `json:"aside,omitempty"` // files of the folder of bodies that go into quarantine
}

// salvage builds a new database from what can be read of the damaged one, and
// puts it in its place. SQLite must have nothing open. Until the swap nothing
// is touched, and the swap is finished by the next Open if need be. cut says
// that the log is known to be shorter than it was; running that sessions are at
// work on batches.
func (s *Spool) salvage(ctx context.Context, cut, running bool) error {
	// One that ended in the middle of its swap is finished: what is there now is
	// an older state.
	if waits, err := exists(filepath.Join(s.dir, swapName)); err != nil || waits {
		return errors.Join(err, s.swap())
	}
	now := time.Now().UTC().Truncate(time.Millisecond)
	last, err := s.Rebuilt()
	if err != nil {
		return err
	}
	// A clock that was put back must not forbid it until that day comes again.
	if now.Sub(last).Abs() < salvagePause {
		return ErrDamagedAgain
	}
	p := &plan{Damage: Damage{Name: DamageName(now), At: now}}
	if err := s.prepare(ctx, p, cut, running); err != nil {
		return errors.Join(err, s.abandon(p.Name))
	}
	if err := s.swap(); err != nil {
		return err
	}
	s.log.Error("spool salvaged", "folder", quarantineName+"/"+p.Name, "messages", p.Messages, "lost", len(p.Lost)+p.Nameless,
		"failed_rcpt", p.FailedRecipients, "log_damaged", p.Log, "took", time.Since(now))
	s.report(&DamageError{p.Damage})
	return nil
}

// prepare makes all that swap needs, and touches nothing of what is there.
func (s *Spool) prepare(ctx context.Context, p *plan, cut, running bool) error {
	folder := filepath.Join(s.dir, quarantineName, p.Name)
	if err := durable.MkdirAll(folder); err != nil {
		return fmt.Errorf("make quarantine: %w", err)
	}
	for _, suffix := range []string{"", "-wal", "-shm"} {
		if err := keepCopy(filepath.Join(s.dir, databaseName+suffix), filepath.Join(folder, databaseName+suffix)); err != nil {
			return fmt.Errorf("keep damaged database: %w", err)
		}
	}
	if err := s.rebuild(ctx, p, cut, running); err != nil {
		return fmt.Errorf("rebuild database: %w", err)
	}
	text, err := json.Marshal(p)
	if err != nil {
		return fmt.Errorf("write report of damage: %w", err)
	}
	if err := durable.WriteFile(filepath.Join(folder, reportName), bytes.NewReader(text)); err != nil {
		return fmt.Errorf("write report of damage: %w", err)
	}
	if err := durable.WriteFile(filepath.Join(s.dir, swapName), strings.NewReader(p.Name)); err != nil {
		return fmt.Errorf("mark rebuilt database: %w", err)
	}
	return nil
}

// abandon takes back what prepare has made: while a disk is full it is tried
// again and again, and must not fill it. The damaged files are in their place.
func (s *Spool) abandon(name string) error {
	if err := removed(filepath.Join(s.dir, swapName)); err != nil {
		return fmt.Errorf("give up salvage: %w", err)
	}
	if err := s.removeRebuilt(); err != nil {
		return fmt.Errorf("give up salvage: %w", err)
	}
	if err := os.RemoveAll(filepath.Join(s.dir, quarantineName, name)); err != nil {
		return fmt.Errorf("give up salvage: %w", err)
	}
	return nil
}

func (s *Spool) removeRebuilt() error {
	for _, suffix := range []string{"", "-journal", "-wal", "-shm"} {
		if err := removed(filepath.Join(s.dir, rebuiltName+suffix)); err != nil {
			return err
		}
	}
	return nil
}

// swap puts the rebuilt database in its place, where one is ready. It may be
// called any number of times.
func (s *Spool) swap() error {
	mark := filepath.Join(s.dir, swapName)
	name, err := os.ReadFile(mark)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read mark of rebuilt database: %w", err)
	}
	folder := filepath.Join(s.dir, quarantineName, filepath.Base(string(name)))
	text, err := os.ReadFile(filepath.Join(folder, reportName))
	if err != nil {
		return fmt.Errorf("read report of damage: %w", err)
	}
	var p plan
	if err := json.Unmarshal(text, &p); err != nil {
		return fmt.Errorf("read report of damage: %w", err)
	}
	for _, file := range p.Aside {
		if err := renamed(filepath.Join(s.dir, bodiesName, filepath.Base(file)), filepath.Join(folder, filepath.Base(file))); err != nil {
			return fmt.Errorf("set body aside: %w", err)
		}
	}
	// Without its log the old database would be an older state of itself, so
	// the mark is removed only after both are gone. Once it is gone, a log is
	// that of the new one.
	rebuilt := filepath.Join(s.dir, rebuiltName)
	waits, err := exists(rebuilt)
	if err != nil {
		return err
	}
	if waits {
		if err := s.removeLog(); err != nil {
			return err
		}
		if err := os.Rename(rebuilt, filepath.Join(s.dir, databaseName)); err != nil {
			return fmt.Errorf("put rebuilt database in its place: %w", err)
		}
	}
	for _, dir := range []string{folder, s.dir} {
		if err := durable.SyncDir(dir); err != nil {
			return err
		}
	}
	if err := removed(filepath.Join(s.dir, damagedName)); err != nil {
		return fmt.Errorf("remove mark of damage: %w", err)
	}
	return errors.Join(removed(mark), durable.SyncDir(s.dir))
}

// removeLog removes the log of the damaged database. It is gone for good before
// another database takes the name that it belongs to.
func (s *Spool) removeLog() error {
	if err := s.markClosing(); err != nil {
		return err
	}
	for _, suffix := range []string{"-wal", "-shm"} {
		if err := removed(filepath.Join(s.dir, databaseName+suffix)); err != nil {
			return fmt.Errorf("remove damaged log: %w", err)
		}
	}
	return durable.SyncDir(s.dir)
}

// renamed moves a file that may have been moved before.
func renamed(from, to string) error {
	if err := os.Rename(from, to); !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

func removed(path string) error {
	if err := os.Remove(path); !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// keepCopy makes a second name for a file that nobody will write again, or a
// copy where the file system knows no second names.
func keepCopy(from, to string) error {
	in, err := os.Open(from)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer in.Close()
	if os.Link(from, to) == nil {
		return nil
	}
	return durable.WriteFile(to, in)
}

// rebuild makes the new database and completes the plan.
func (s *Spool) rebuild(ctx context.Context, p *plan, cut, running bool) (err error) {
	old, err := pages.Open(filepath.Join(s.dir, databaseName))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, old.Close()) }()
	path := filepath.Join(s.dir, rebuiltName)
	if err := s.removeRebuilt(); err != nil {
		return err
	}
	if err := privateFile(path); err != nil {
		return err
	}
	b := &builder{spool: s, old: old, plan: p, running: running, now: p.At}
	p.Log, p.Short = cut || old.Log().Broken, old.Short()
	if b.db, err = connect(path, 1); err != nil {
		return err
	}
	if err := errors.Join(b.build(ctx, cut), b.db.Close()); err != nil {
		return err
	}
	return durable.SyncDir(s.dir)
}

// withoutLog lets each commit write the database itself. Closing one with a log
// says nothing when the log cannot be folded in for lack of room, and only the
// file goes to its place.
func withoutLog(ctx context.Context, db *sql.DB) error {
	var mode string
	if err := db.QueryRowContext(ctx, "PRAGMA journal_mode = DELETE").Scan(&mode); err != nil {
		return fmt.Errorf("do without a log: %w", err)
	}
	if mode != "delete" {
		return fmt.Errorf("do without a log: mode is %q", mode)
	}
	return nil
}

// privateFile makes an empty file for the owner only.
func privateFile(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	return f.Close()
}

// bodyWhole says whether a stored message is what was accepted.
func (s *Spool) bodyWhole(job mail.JobID, size int64, sum []byte) (whole, there bool) {
	f, err := os.Open(s.bodyPath(job))
	if err != nil {
		return false, !errors.Is(err, os.ErrNotExist)
	}
	defer f.Close()
	return sameContent(f, size, sum), true
}
