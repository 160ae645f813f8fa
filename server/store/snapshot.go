package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"

	"servicesmtp.net/companion/internal/lite"
)

// Snapshot is the database as it was at one moment, as a file of its own.
type Snapshot struct {
	Path string
	db   *sql.DB
}

// Snapshot writes the database as it is now to path, which must not exist.
// Writers go on meanwhile: SQLite copies what one reading transaction sees. An
// error leaves no file.
func (s *Store) Snapshot(ctx context.Context, path string) (*Snapshot, error) {
	// A connection of its own: the writer is not kept waiting, and those that
	// only read refuse this statement.
	copier, err := lite.Open(filepath.Join(s.dir, databaseFile), 1)
	if err != nil {
		return nil, err
	}
	_, err = copier.ExecContext(ctx, `VACUUM INTO $1`, path)
	if err = errors.Join(err, copier.Close()); err != nil {
		return nil, errors.Join(fmt.Errorf("copy database: %w", err), removeIfThere(path))
	}
	// It is only read, by nobody else, and deleted soon: no locks, no log.
	u := url.URL{Scheme: "file", Opaque: url.PathEscape(path), RawQuery: "mode=ro&immutable=1"}
	db, err := sql.Open("sqlite", u.String())
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open copy of database: %w", err), removeIfThere(path))
	}
	db.SetMaxOpenConns(1)
	return &Snapshot{Path: path, db: db}, nil
}

// Close removes the file.
func (n *Snapshot) Close() error { return errors.Join(n.db.Close(), removeIfThere(n.Path)) }

// Figures tell what a snapshot holds.
type Figures struct {
	Schema    int64
	Store     string // its name
	Accounts  int64
	Messages  int64
	Waiting   int64 // recipients that are not done
	Bodies    int64 // those in files
	BodyBytes int64
}

// Figures reads them.
func (n *Snapshot) Figures(ctx context.Context) (Figures, error) {
	var f Figures
	err := n.db.QueryRowContext(ctx, `SELECT (SELECT max(version_id) FROM goose_db_version WHERE is_applied), (SELECT value FROM settings WHERE key = 'store'),
		(SELECT count(*) FROM accounts WHERE id <> '`+ServiceID+`'), (SELECT count(*) FROM messages), (SELECT count(*) FROM deliveries WHERE status IN ('queued', 'in_data')),
		(SELECT count(*) FROM bodies WHERE inline IS NULL), (SELECT coalesce(sum(size), 0) FROM bodies WHERE inline IS NULL)`).
		Scan(&f.Schema, &f.Store, &f.Accounts, &f.Messages, &f.Waiting, &f.Bodies, &f.BodyBytes)
	if err != nil {
		return f, fmt.Errorf("look at copy of database: %w", err)
	}
	return f, nil
}

// BodyFile is a body that is in a file.
type BodyFile struct {
	AccountID, SHA256 string
	Name              string // of the file; "": the hash
	Size              int64
}

// EachBody calls fn for every body that is in a file, until it fails.
func (n *Snapshot) EachBody(ctx context.Context, fn func(BodyFile) error) error {
	return eachBody(ctx, n.db, fn)
}

// EachBodyFile is EachBody of the open database.
func (s *Store) EachBodyFile(ctx context.Context, fn func(BodyFile) error) error {
	return eachBody(ctx, s.read, fn)
}

func eachBody(ctx context.Context, db *sql.DB, fn func(BodyFile) error) error {
	rows, err := db.QueryContext(ctx, `SELECT account_id, sha256, file, size FROM bodies WHERE inline IS NULL ORDER BY account_id, sha256`)
	if err != nil {
		return fmt.Errorf("list bodies: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var b BodyFile
		if err := rows.Scan(&b.AccountID, &b.SHA256, &b.Name, &b.Size); err != nil {
			return fmt.Errorf("list bodies: %w", err)
		}
		if err := fn(b); err != nil {
			return err
		}
	}
	return rows.Err()
}

// OpenBodyFile opens a body's file, whatever the database says of it.
func (s *Store) OpenBodyFile(b BodyFile) (*os.File, error) {
	path, err := s.pathOf(bodiesFolder, bodyName{b.AccountID, b.SHA256}, b.Name)
	if err != nil {
		return nil, err
	}
	return os.Open(path)
}

// NameBodies gives every body's file the name of its hash alone, as those in a
// backup are called. It must not be called while the store serves.
func (s *Store) NameBodies(ctx context.Context) error {
	_, err := s.write.ExecContext(ctx, `UPDATE bodies SET file = '' WHERE file <> ''`)
	if err != nil {
		return fmt.Errorf("name bodies: %w", err)
	}
	return nil
}

// KeepBodies lets no body's file be removed until release is called, so that
// what a snapshot names can be read after it was taken. Files that nobody
// needs meanwhile are removed by a later Sweep. It holds for this process, as
// snapshots are of SQLite, which has one.
//
// A removal that has looked before this call concerns a file that no row names
// and that none will: a snapshot taken after this call does not name it either.
func (s *Store) KeepBodies() (release func()) {
	s.kept.Add(1)
	return func() { s.kept.Add(-1) }
}
