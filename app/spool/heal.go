package spool

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"servicesmtp.net/companion/internal/durable"
	"servicesmtp.net/companion/internal/lite/pages"
)

// healPause is how long a salvage that failed, for lack of space above all, is
// not tried again.
const healPause = 30 * time.Second

// lookForDamage says what can be seen before SQLite opens the database, which
// would forget the end of a damaged log for good: a log that is broken in the
// middle, one that was cut off, a database that is empty or gone although there
// is mail beside it, or damage that the last owner found and could not deal with.
func (s *Spool) lookForDamage(unclean, promised bool) (damaged, cut bool, err error) {
	if damaged, err = exists(filepath.Join(s.dir, damagedName)); err != nil {
		return false, false, err
	}
	database := filepath.Join(s.dir, databaseName)
	size, err := sizeOf(database)
	if err != nil {
		return false, false, err
	}
	logged, err := sizeOf(database + "-wal")
	if err != nil {
		return false, false, err
	}
	old, err := pages.Open(database)
	if err != nil {
		return false, false, err
	}
	state := old.Log()
	if err := old.Close(); err != nil {
		return false, false, err
	}
	cut = promised && size >= 0 && state.Frames == 0 && !state.Begun
	if !damaged && !cut && !state.Broken && size < smallestPage {
		damaged, err = s.emptied(logged, unclean)
	}
	return damaged || cut || state.Broken, cut, err
}

// emptied says whether there was something in a database that has nothing, or
// that was taken away. What is beside it is mail; the sweep must not take it for
// leftovers.
func (s *Spool) emptied(logged int64, unclean bool) (bool, error) {
	if logged > 0 || unclean {
		return true, nil
	}
	return s.hasBodies()
}

// smallestPage is the least that a database can be; what is shorter is an empty
// one to SQLite.
const smallestPage = 512

// sizeOf is the size of a file, -1 where there is none.
func sizeOf(path string) (int64, error) {
	info, err := os.Stat(path)
	if errors.Is(err, os.ErrNotExist) {
		return -1, nil
	}
	if err != nil {
		return 0, fmt.Errorf("look at database: %w", err)
	}
	return info.Size(), nil
}

func (s *Spool) hasBodies() (bool, error) {
	files, err := s.bodyFiles()
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	return len(files) > 0, err
}

// healing uses the database, under gate. Where it turns out to be damaged it is
// replaced by what can be read of it, and used once more: the caller sees one
// slow call.
func (s *Spool) healing(use func() error) error {
	generation, err := s.used(use)
	if !errors.Is(err, ErrDamaged) {
		return err
	}
	if err := s.heal(generation, err); err != nil {
		return err
	}
	_, err = s.used(use)
	return err
}

func (s *Spool) used(use func() error) (generation int, err error) {
	s.gate.RLock()
	defer s.gate.RUnlock()
	if s.down != nil {
		return s.generation, s.down
	}
	return s.generation, use()
}

// heal replaces the database, if nobody has since it was used. cause is what
// its user met, and stays the answer where nothing can be done now.
func (s *Spool) heal(generation int, cause error) error {
	if stop := s.thorough.Load(); stop != nil {
		(*stop)()
	}
	s.gate.Lock()
	defer s.gate.Unlock()
	switch {
	case s.closed.Load():
		return ErrClosed
	case s.generation != generation:
		return nil
	case time.Now().Before(s.healAfter):
		return cause
	}
	s.log.Error("spool is damaged", "error", cause)
	// Should this process end now, the next one knows without meeting it.
	if err := durable.WriteFile(filepath.Join(s.dir, damagedName), strings.NewReader("")); err != nil {
		s.log.Warn("damage not marked", "error", fault(err))
	}
	if s.down == nil {
		s.writer.stop()
	}
	if err := errors.Join(s.markClosing(), s.closeDatabase()); err != nil { // of a damaged database that says nothing new
		s.log.Warn("damaged database closed", "error", fault(err))
	}
	ctx := context.Background()
	problem := fault(s.salvage(ctx, false, true))
	if problem != nil {
		// The old one is better than none.
		s.healAfter = time.Now().Add(healPause)
		if errors.Is(problem, ErrDamagedAgain) {
			s.healAfter = time.Now().Add(salvagePause)
		}
		s.report(problem)
	}
	// Where the salvage ended in the middle of the swap, the old one is an older
	// state of itself.
	if s.down = fault(s.swap()); s.down == nil {
		s.down = fault(s.use(ctx, true))
	}
	if s.down != nil {
		// Also where the reason is another: whoever comes next tries again.
		s.down = errors.Join(s.down, fault(s.closeDatabase()), ErrDamaged)
		s.healAfter = time.Now().Add(healPause)
		return s.down
	}
	s.generation++
	s.writer.start()
	return problem
}
