package spool

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"servicesmtp.net/companion/app/mail"
	"servicesmtp.net/companion/internal/durable"
)

// pruneEvery is how often history is pruned while the spool is open.
const pruneEvery = 6 * time.Hour

// recover brings rows and files to where they belong after any kind of end. It
// runs before the writer's goroutine starts.
func (s *Spool) recover() error {
	files, err := s.bodyFiles()
	if err != nil {
		return err
	}
	r := recovery{files: files}
	o := &op{run: r.run}
	if _, err := s.writer.transact([]*op{o}, 1); err != nil || o.err != nil {
		return fmt.Errorf("recover spool: %w", errors.Join(err, o.err))
	}
	for name := range r.files { // what no row has claimed
		if err := os.Remove(filepath.Join(s.dir, bodiesName, name)); err != nil {
			return fmt.Errorf("remove leftover: %w", err)
		}
	}
	s.log.Info("spool opened", "messages", r.live, "unknown_batches", r.unknown, "leftover_files", len(r.files), "missing_bodies", len(r.missing))
	if len(r.missing) > 0 {
		s.report(fmt.Errorf("%w: the bodies of %d messages are missing, the first is %s; they are kept and not sent",
			ErrDamaged, len(r.missing), r.missing[0]))
	}
	return nil
}

// bodyFiles lists our files in the folder of bodies with their sizes. Names
// that we do not give are left alone.
func (s *Spool) bodyFiles() (map[string]int64, error) {
	entries, err := os.ReadDir(filepath.Join(s.dir, bodiesName))
	if err != nil {
		return nil, fmt.Errorf("read folder of bodies: %w", err)
	}
	files := make(map[string]int64, len(entries))
	for _, e := range entries {
		if !validJob(mail.JobID(strings.TrimSuffix(e.Name(), durable.TempSuffix))) {
			continue
		}
		info, err := e.Info()
		if err != nil {
			return nil, fmt.Errorf("look at body: %w", err)
		}
		files[e.Name()] = info.Size()
	}
	return files, nil
}

// recovery is what one pass over rows and files found.
type recovery struct {
	files   map[string]int64 // those without a row stay in it
	live    int
	unknown int64
	missing []mail.JobID
}

func (r *recovery) run(t *tx) error {
	// The dot may have left, and nobody was there to hear the answer. The
	// attempts stay open: the pacer must count them.
	res, err := t.exec(`UPDATE batches SET state = 3, bound = 1 WHERE state IN (2, 3, 4) AND state = 2`)
	if err != nil {
		return fmt.Errorf("settle batches on their way: %w", err)
	}
	if r.unknown, err = res.RowsAffected(); err != nil {
		return err
	}
	healed, err := r.claim(t)
	if err != nil {
		return fmt.Errorf("match bodies: %w", err)
	}
	if err := r.claimReported(t); err != nil {
		return fmt.Errorf("match bodies: %w", err)
	}
	for _, id := range r.missing {
		if err := t.setDamaged(id, true); err != nil {
			return fmt.Errorf("set damaged message aside: %w", err)
		}
	}
	for _, id := range healed {
		if err := t.setDamaged(id, false); err != nil {
			return fmt.Errorf("take back repaired message: %w", err)
		}
	}
	return t.loadTotals()
}

// claim matches the live jobs whose body is a file with the files.
func (r *recovery) claim(t *tx) (healed []mail.JobID, err error) {
	err = t.each(`SELECT id, size, body, damaged FROM jobs WHERE done_at = 0 ORDER BY seq`, nil, func(rows *sql.Rows) error {
		var id string
		var size int64
		var body, damaged int
		if err := rows.Scan(&id, &size, &body, &damaged); err != nil {
			return err
		}
		r.live++
		if body != bodyInFile {
			return nil
		}
		have, ok := r.files[id]
		delete(r.files, id)
		switch {
		case !ok || have != size:
			r.missing = append(r.missing, mail.JobID(id))
		case damaged != 0:
			healed = append(healed, mail.JobID(id))
		}
		return nil
	})
	return healed, err
}

// setDamaged holds the live batches of a job, or lets them go.
func (t *tx) setDamaged(id mail.JobID, damaged bool) error {
	from, to := heldNot, heldDamaged
	if !damaged {
		from, to = to, from
	}
	if _, err := t.exec(`UPDATE batches SET held = ? WHERE job = (SELECT seq FROM jobs WHERE id = ?) AND state <> 5 AND held = ?`, to, id, from); err != nil {
		return err
	}
	_, err := t.exec(`UPDATE jobs SET damaged = ? WHERE id = ?`, damaged, id)
	return err
}

// check is the second goroutine: it looks for damage after an unclean end, and
// prunes history now and then.
func (s *Spool) check(ctx context.Context, unclean bool) {
	if unclean {
		s.quickCheck(ctx)
	}
	if s.keep <= 0 {
		return
	}
	every := time.NewTicker(pruneEvery)
	defer every.Stop()
	for {
		if _, err := s.Prune(ctx, time.Now().Add(-s.keep)); err != nil && ctx.Err() == nil {
			s.log.Warn("history not pruned", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-every.C:
		}
	}
}

func (s *Spool) quickCheck(ctx context.Context) {
	start := time.Now()
	var verdict string
	err := s.pool.QueryRowContext(ctx, "PRAGMA quick_check(1)").Scan(&verdict)
	switch {
	case ctx.Err() != nil: // closing: the marker stays away only after a clean end, so nothing is lost but this look
	case err != nil:
		s.report(fmt.Errorf("%w: the check after an unclean end failed: %w", ErrDamaged, fault(err)))
	case verdict != "ok":
		s.report(fmt.Errorf("%w: the check after an unclean end found: %s", ErrDamaged, verdict))
	default:
		s.log.Info("spool checked after an unclean end", "took", time.Since(start))
	}
}
