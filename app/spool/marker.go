package spool

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"servicesmtp.net/companion/internal/durable"
)

// marked says whether the last end was without Close, and whether there must be
// a log then.
func (s *Spool) marked() (unclean, logged bool, err error) {
	text, err := os.ReadFile(filepath.Join(s.dir, markerName))
	if errors.Is(err, os.ErrNotExist) {
		unclean, err = exists(filepath.Join(s.dir, closingName))
		return unclean, false, err
	}
	if err != nil {
		return false, false, fmt.Errorf("read mark of open spool: %w", err)
	}
	return true, string(text) == markerLogged, nil
}

// mark writes one page of the database, so that from now on a log without a
// frame is one that somebody has cut, and then the marker. On a full disk the
// spool opens all the same: what waits must leave.
func (s *Spool) mark(ctx context.Context) error {
	says := markerLogged
	if err := s.countOpening(ctx); errors.Is(fault(err), ErrDiskFull) {
		says = ""
	} else if err != nil {
		return err
	}
	if err := durable.WriteFile(filepath.Join(s.dir, markerName), strings.NewReader(says)); err != nil {
		return fmt.Errorf("mark spool as open: %w", err)
	}
	return removed(filepath.Join(s.dir, closingName))
}

func (s *Spool) countOpening(ctx context.Context) error {
	var n uint32
	if err := s.conn.QueryRowContext(ctx, "PRAGMA user_version").Scan(&n); err != nil {
		return fmt.Errorf("count opening: %w", err)
	}
	if _, err := s.conn.ExecContext(ctx, fmt.Sprintf("PRAGMA user_version = %d", (n+1)%(1<<30))); err != nil {
		return fmt.Errorf("count opening: %w", err)
	}
	return nil
}

// markClosing comes before the log may go: with the last connection, or when
// another database takes the place of this one. It needs no room.
func (s *Spool) markClosing() error {
	if err := renamed(filepath.Join(s.dir, markerName), filepath.Join(s.dir, closingName)); err != nil {
		return fmt.Errorf("mark spool as closing: %w", err)
	}
	return durable.SyncDir(s.dir)
}
