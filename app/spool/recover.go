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
// runs before the writer's goroutine starts. With running, sessions are at work
// and messages are coming in: both are left alone.
func (s *Spool) recover(running bool) error {
	files, err := s.bodyFiles()
	if err != nil {
		return err
	}
	s.totals.forget()
	r := recovery{files: files, running: running}
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
// that we do not give are left alone, and so are messages that are coming in.
func (s *Spool) bodyFiles() (map[string]int64, error) {
	entries, err := os.ReadDir(filepath.Join(s.dir, bodiesName))
	if err != nil {
		return nil, fmt.Errorf("read folder of bodies: %w", err)
	}
	files := make(map[string]int64, len(entries))
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range entries {
		if id := mail.JobID(strings.TrimSuffix(e.Name(), durable.TempSuffix)); !validJob(id) || s.opened[id] {
			continue
		}
		info, err := e.Info()
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
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
	running bool
	live    int
	unknown int64
	missing []mail.JobID
}

func (r *recovery) run(t *tx) error {
	// The dot may have left, and nobody was there to hear the answer. The
	// attempts stay open: the pacer must count them.
	if !r.running {
		res, err := t.exec(`UPDATE batches SET state = 3, bound = 1 WHERE state IN (2, 3, 4) AND state = 2`)
		if err != nil {
			return fmt.Errorf("settle batches on their way: %w", err)
		}
		if r.unknown, err = res.RowsAffected(); err != nil {
			return err
		}
	}
	healed, err := r.claim(t)
	if err != nil {
		return fmt.Errorf("match bodies: %w", err)
	}
	if err := r.claimReported(t); err != nil {
		return fmt.Errorf("match bodies: %w", err)
	}
	if err := r.doubt(t); err != nil {
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

// doubt looks for the files that no row has claimed in the table itself. They
// are going to be removed, and an index whose newest page never reached the disk
// finds less without an error.
func (r *recovery) doubt(t *tx) error {
	if len(r.files) == 0 {
		return nil
	}
	return t.each(`SELECT id FROM jobs NOT INDEXED WHERE body = 2 AND (done_at = 0 OR owing > 0)`, nil, func(rows *sql.Rows) error {
		var id string
		err := rows.Scan(&id)
		if _, have := r.files[id]; have && err == nil {
			err = fmt.Errorf("%w: message %s cannot be found by its index", ErrDamaged, id)
		}
		return err
	})
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

// check is the second goroutine: it looks for damage, thoroughly after an
// unclean end, and prunes history now and then.
func (s *Spool) check(ctx context.Context, unclean bool) {
	if err := s.healing(func() error { return s.crossCheck(ctx) }); err != nil && ctx.Err() == nil {
		s.log.Error("check of what waits failed", "error", err)
	}
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

// crossCheck holds what waits against the indexes by which it is found. A torn
// page of an index is no error to SQLite: it finds less, and mail would wait
// for ever. It reads rows of live jobs only.
func (s *Spool) crossCheck(ctx context.Context) error {
	for _, c := range []struct{ what, query string }{
		{"live batches cannot all be found", `SELECT
			(SELECT coalesce(sum(live), 0) FROM jobs INDEXED BY jobs_live WHERE done_at = 0) =
			(SELECT count(*) FROM batches INDEXED BY batches_ready WHERE state = 1 AND held = 0 AND count > 0) +
			(SELECT count(*) FROM batches INDEXED BY batches_busy WHERE state IN (2, 3, 4) AND count > 0) +
			(SELECT count(*) FROM batches INDEXED BY batches_closing WHERE held = 1 AND state IN (1, 3) AND state = 1 AND count > 0) +
			(SELECT count(*) FROM jobs j INDEXED BY jobs_live JOIN batches b ON b.job = j.seq WHERE j.done_at = 0 AND j.damaged <> 0 AND b.state = 1 AND b.held = 2)`},
		{"ready batches cannot all be found", `SELECT NOT EXISTS (SELECT 1 FROM jobs j INDEXED BY jobs_live
			JOIN batches b INDEXED BY sqlite_autoindex_batches_1 ON b.job = j.seq
			WHERE j.done_at = 0 AND b.state = 1 AND b.held = 0 AND NOT EXISTS (SELECT 1 FROM batches r INDEXED BY batches_ready
				WHERE r.state = 1 AND r.held = 0 AND r.account = b.account AND r.lane = b.lane AND r.not_before = b.not_before AND r.job = b.job AND r.number = b.number))`},
		{"live jobs cannot all be found by name", `SELECT NOT EXISTS (SELECT 1 FROM jobs j INDEXED BY jobs_live
			WHERE j.done_at = 0 AND NOT EXISTS (SELECT 1 FROM jobs k INDEXED BY sqlite_autoindex_jobs_1 WHERE k.id = j.id))`},
		{"messages cannot all be found", `SELECT NOT EXISTS (SELECT 1 FROM jobs j INDEXED BY jobs_live
			WHERE j.done_at = 0 AND j.body = 1 AND NOT EXISTS (SELECT 1 FROM bodies b WHERE b.job = j.seq))
			AND NOT EXISTS (SELECT 1 FROM jobs j INDEXED BY jobs_owing
			WHERE j.owing > 0 AND j.body = 1 AND NOT EXISTS (SELECT 1 FROM bodies b WHERE b.job = j.seq))`},
		{"batches cannot all be found by number", `SELECT NOT EXISTS (SELECT 1 FROM jobs j INDEXED BY jobs_live
			WHERE j.done_at = 0 AND j.batches <> (SELECT count(*) FROM batches b INDEXED BY sqlite_autoindex_batches_1 WHERE b.job = j.seq))`},
	} {
		var well bool
		if err := s.pool.QueryRowContext(ctx, c.query).Scan(&well); err != nil {
			return fault(err)
		}
		if !well {
			return fmt.Errorf("%w: %s", ErrDamaged, c.what)
		}
	}
	return nil
}

// quickCheck reads the whole database, which takes minutes where it is large. It
// gives way to whoever finds damage before it does.
func (s *Spool) quickCheck(ctx context.Context) {
	start := time.Now()
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	s.thorough.Store(&stop)
	err := s.healing(func() error { return s.verdict(ctx) })
	switch {
	case ctx.Err() != nil: // closing, or replaced: the marker stays away only after a clean end, so nothing is lost but this look
	case err != nil:
		s.log.Error("check after an unclean end failed", "error", err)
	default:
		s.log.Info("spool checked after an unclean end", "took", time.Since(start))
	}
}

func (s *Spool) verdict(ctx context.Context) error {
	var verdict string
	if err := s.pool.QueryRowContext(ctx, "PRAGMA quick_check(1)").Scan(&verdict); err != nil {
		return fault(err)
	}
	if verdict != "ok" {
		return fmt.Errorf("%w: %s", ErrDamaged, verdict)
	}
	return nil
}
