package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"servicesmtp.net/companion/internal/durable"
)

// The folder of large bodies and uploads (Options.Bodies):
//
//	bodies/store              the mark: which database its files belong to
//	bodies/<account>/<file>   named by rows of bodies
//	uploads/<account>/<file>  named by rows of uploads
//
// Several relays may share it. It must then be a file system on which a rename
// is atomic, fsync reaches the disk, and whoever opens a file sees what was
// written before another closed it (NFS calls that close-to-open). No locks are
// needed and no clock of a relay is compared with those of files.
const (
	bodiesFolder  = "bodies"
	uploadsFolder = "uploads"
	markFile      = "store"
)

// orphanAge is how old a file that no row names must be before it is removed
// where several relays share the folder: nobody waits with a draft for so long,
// see draftLife.
const orphanAge = 24 * time.Hour

// bodyName tells a body or an upload from all others.
type bodyName struct{ account, sha256 string }

// hashOf tells which content a file is named for.
func hashOf(file string) (sha256 string, ok bool) {
	sha256, _, _ = strings.Cut(file, ".")
	return sha256, isSHA256(sha256)
}

func isSHA256(s string) bool {
	return len(s) == 64 && strings.Trim(s, "0123456789abcdef") == ""
}

// folderOf is where an account's files are.
func (s *Store) folderOf(kind, accountID string) (string, error) {
	if !filepath.IsLocal(accountID) || strings.ContainsAny(accountID, `/\.:`) {
		return "", errors.New("account id cannot name a folder")
	}
	return filepath.Join(s.files, kind, accountID), nil
}

// pathOf is where a file is that a row names; no name of file: the hash's.
func (s *Store) pathOf(kind string, n bodyName, file string) (string, error) {
	folder, err := s.folderOf(kind, n.account)
	if err != nil {
		return "", err
	}
	if file == "" {
		file = n.sha256
	}
	if sum, ok := hashOf(file); !ok || sum != n.sha256 || strings.ContainsAny(file, `/\:`) {
		return "", errors.New("file is not named by its SHA-256")
	}
	return filepath.Join(folder, file), nil
}

// TakeFolder makes sure that the folder of bodies is this database's, before
// the relay serves: a share that is not mounted must not look like lost bodies,
// and a relay with another folder could not open what the others accepted. The
// first relay of a database marks its folder. SQLite's folder has a lock of its
// own.
func (s *Store) TakeFolder(ctx context.Context) error {
	if !s.dialect.postgres {
		return nil
	}
	return s.locked(ctx, lockSchema, func() error { return s.takeFolder(ctx) })
}

func (s *Store) takeFolder(ctx context.Context) error {
	path := filepath.Join(s.files, bodiesFolder, markFile)
	text, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("read mark of the folder of bodies: %w", err)
	}
	have, want := strings.TrimSpace(string(text)), ""
	err = s.write.QueryRowContext(ctx, `SELECT value FROM settings WHERE key = 'bodies'`).Scan(&want)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return fmt.Errorf("read name of the folder of bodies: %w", err)
	}
	switch {
	case want == "" && have == "":
		if err := s.mark(ctx, path); err != nil {
			return err
		}
		fallthrough
	case want == "" && have == s.name: // a crash came between mark and row
		_, err := s.write.ExecContext(ctx, `INSERT INTO settings (key, value) VALUES ('bodies', $1)`, s.name)
		if err != nil {
			return fmt.Errorf("name folder of bodies: %w", err)
		}
		return nil
	case have == "":
		return fmt.Errorf("store.bodies: large messages of this database are in another folder than %s: mount it, or set bodies in [store] to the folder that all relays of this database share", s.files)
	case want != have:
		return fmt.Errorf("store.bodies: %s holds large messages of another database: set bodies in [store] to the folder of this one", s.files)
	}
	return nil
}

// mark marks the folder of a database that has none yet. What is in it must be
// the database's: a folder that lacks its files is not the one, and files that
// no row names would be removed some day.
func (s *Store) mark(ctx context.Context, path string) error {
	var named bool
	if err := s.write.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM bodies WHERE inline IS NULL)`).Scan(&named); err != nil {
		return fmt.Errorf("look for large bodies: %w", err)
	}
	found, err := filepath.Glob(filepath.Join(filepath.Dir(path), "*", "*"))
	if err != nil {
		return fmt.Errorf("look at folder of bodies: %w", err)
	}
	switch {
	case named && len(found) == 0:
		return fmt.Errorf("store.bodies: this database has large messages, and %s has none: mount the folder, or set bodies in [store] to it", s.files)
	case !named && len(found) > 0:
		return fmt.Errorf("store.bodies: %s holds large messages that are not of this database: set bodies in [store] to an empty folder", s.files)
	}
	if err := durable.MkdirAll(filepath.Dir(path)); err != nil {
		return fmt.Errorf("make folder of bodies: %w", err)
	}
	if err := durable.WriteFile(path, strings.NewReader(s.name+"\n")); err != nil {
		return fmt.Errorf("mark folder of bodies: %w", err)
	}
	return nil
}

// eachFile calls fn for every file of a kind that is older than age, by the
// clock of the file system itself.
func (s *Store) eachFile(ctx context.Context, kind string, age time.Duration, fn func(accountID, file, path string) error) error {
	root := filepath.Join(s.files, kind)
	accounts, err := os.ReadDir(root)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	now, err := s.fileClock(kind, age)
	if err != nil {
		return err
	}
	for _, a := range accounts {
		if !a.IsDir() {
			continue
		}
		files, err := os.ReadDir(filepath.Join(root, a.Name()))
		if err != nil {
			return err
		}
		for _, f := range files {
			if err := ctx.Err(); err != nil {
				return err
			}
			info, err := f.Info()
			if errors.Is(err, fs.ErrNotExist) || err == nil && (!info.Mode().IsRegular() || now.Sub(info.ModTime()) < age) {
				continue
			}
			if err != nil {
				return err
			}
			if err := fn(a.Name(), f.Name(), filepath.Join(root, a.Name(), f.Name())); err != nil {
				return err
			}
		}
	}
	return nil
}

// fileClock is the time that a file gets that is written now. Without an age
// nobody compares it.
func (s *Store) fileClock(kind string, age time.Duration) (now time.Time, err error) {
	if age <= 0 {
		return time.Now().Add(100 * 365 * 24 * time.Hour), nil
	}
	f, err := os.CreateTemp(filepath.Join(s.files, kind), "clock-*"+durable.TempSuffix)
	if err != nil {
		return now, err
	}
	defer func() { err = errors.Join(err, removeIfThere(f.Name())) }()
	_, err = f.WriteString("now")
	if err = errors.Join(err, f.Close()); err != nil {
		return now, err
	}
	info, err := os.Stat(f.Name())
	if err != nil {
		return now, err
	}
	return info.ModTime(), nil
}

func removeIfThere(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
