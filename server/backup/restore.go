package backup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"servicesmtp.net/companion/internal/durable"
	"servicesmtp.net/companion/internal/lite"
	"servicesmtp.net/companion/server/store"
)

// workFolder is where a restore unpacks. Its existence says that the data
// folder is not to be used.
const workFolder = "restoring"

// Unfinished says that a restore into a data folder was cut off.
func Unfinished(dir string) bool { return exists(filepath.Join(dir, workFolder)) }

// Restorer brings a backup back into an empty data folder. The caller holds
// the folder's lock.
type Restorer struct {
	Dir      string
	Keep     []string // names in Dir that may be there: the lock, the settings
	Progress Progress
	Log      *slog.Logger

	step func(name string) error // an error is a crash at that step; for tests
}

// Restored tells what a restore did.
type Restored struct {
	Manifest
	NewStore string
	Waiting  int64 // recipients that wait, all held
	Held     int64 // of them, held before the backup was made
}

// errCrash makes a test's crash leave everything as it lies.
var errCrash = errors.New("crash")

// Restore reads a backup from r. After an error the folder is as it was
// before; after a crash it is Unfinished, or done.
func (o *Restorer) Restore(ctx context.Context, r io.Reader) (res Restored, err error) {
	if o.step == nil {
		o.step = func(string) error { return nil }
	}
	if err := o.clear(); err != nil {
		return res, err
	}
	work := filepath.Join(o.Dir, workFolder)
	if err := durable.MkdirAll(work); err != nil {
		return res, fmt.Errorf("make folder for restoring: %w", err)
	}
	placing := false
	defer func() {
		if err != nil && !placing && !errors.Is(err, errCrash) {
			err = errors.Join(err, os.RemoveAll(work))
		}
	}()
	t := &folder{dir: work, made: make(map[string]bool)}
	if res.Manifest, err = read(ctx, r, t, o.Progress); err != nil {
		return res, err
	}
	if err := errors.Join(t.sync(), o.step("unpacked")); err != nil {
		return res, err
	}
	if err := o.renew(ctx, work, &res); err != nil {
		return res, err
	}
	if err := o.step("renewed"); err != nil {
		return res, err
	}
	placing = true // from here on only another restore may clean up
	return res, o.place(work)
}

// renew opens the database where it was unpacked, brings its schema up to
// date, looks for the bodies that it names, and makes it another store.
func (o *Restorer) renew(ctx context.Context, work string, res *Restored) (err error) {
	st, err := store.Open(ctx, store.Options{Dir: work, Log: o.Log})
	if errors.Is(err, lite.ErrNewer) {
		return fmt.Errorf("%w: %w", ErrNewer, err)
	}
	if err != nil {
		return fmt.Errorf("open restored database: %w", err)
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	err = st.EachBodyFile(ctx, func(b store.BodyFile) error {
		name := bodyName(b.AccountID, b.SHA256)
		if !exists(filepath.Join(work, filepath.FromSlash(name))) && !slices.Contains(res.Missing, name) {
			return fmt.Errorf("%w: a body that its database names is not in it", ErrDamaged)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if err := st.NameBodies(ctx); err != nil {
		return err
	}
	r, err := st.Renew(ctx, Notice(res.MadeAt), time.Now())
	res.NewStore, res.Waiting, res.Held = r.Name, r.Waiting, r.Held
	return err
}

// Notice is what customers are told when the relay comes back as it was at a
// time; the zero time where nobody knows it.
func Notice(at time.Time) store.Notice {
	after := "after that backup was made"
	if !at.IsZero() {
		after = "after " + at.UTC().Format("2006-01-02 15:04 MST")
	}
	return store.Notice{Kind: "restored", Severity: "action", Subject: "The relay was brought back from a backup",
		Body: "What you handed in " + after + " is not known to it any more: it may not have been delivered, and is not counted as used. " +
			"Mail that waited then is held until the service has looked at it."}
}

// place puts everything where it belongs. The database comes last.
func (o *Restorer) place(work string) error {
	entries, err := os.ReadDir(work)
	if err != nil {
		return fmt.Errorf("list what was unpacked: %w", err)
	}
	var names []string
	for _, e := range entries {
		if e.Name() != databaseName {
			names = append(names, e.Name())
		}
	}
	for _, name := range append(names, databaseName) {
		if err := os.Rename(filepath.Join(work, name), filepath.Join(o.Dir, name)); err != nil {
			return fmt.Errorf("put %s in place: %w", name, durable.WithoutPath(err))
		}
		if err := o.step("placed " + name); err != nil {
			return err
		}
	}
	if err := durable.SyncDir(o.Dir); err != nil {
		return err
	}
	if err := errors.Join(os.Remove(work), o.step("done")); err != nil {
		return fmt.Errorf("end restore: %w", err)
	}
	return durable.SyncDir(o.Dir)
}

// clear makes sure that the folder is empty, but for what an unfinished
// restore left: that began in an empty folder, and nobody has served it since.
func (o *Restorer) clear() error {
	if err := durable.MkdirAll(o.Dir); err != nil {
		return fmt.Errorf("make data folder: %w", err)
	}
	entries, err := os.ReadDir(o.Dir)
	if err != nil {
		return fmt.Errorf("look at data folder: %w", err)
	}
	unfinished := Unfinished(o.Dir)
	var remove []string
	for _, e := range entries {
		name := e.Name()
		switch {
		case slices.Contains(o.Keep, name) || name == workFolder:
		case unfinished && ours(name):
			remove = append(remove, name)
		default:
			return fmt.Errorf("%w: %q is in it", ErrNotEmpty, name)
		}
	}
	for _, name := range remove {
		if err := os.RemoveAll(filepath.Join(o.Dir, name)); err != nil {
			return fmt.Errorf("remove what an unfinished restore left: %w", err)
		}
	}
	if !unfinished {
		return nil
	}
	// The mark goes last, after the rest is gone for good.
	if err := durable.SyncDir(o.Dir); err != nil {
		return err
	}
	if err := os.RemoveAll(filepath.Join(o.Dir, workFolder)); err != nil {
		return fmt.Errorf("remove what an unfinished restore left: %w", err)
	}
	return durable.SyncDir(o.Dir)
}

// ours are the names that place makes.
func ours(name string) bool {
	return name == bodiesName || strings.HasPrefix(name, databaseName) || slices.Contains(authorityNames, name)
}

// folder is the target that unpacks. Files are synced when they are closed,
// their folders by sync.
type folder struct {
	dir  string
	made map[string]bool
}

func (t *folder) path(name string) string { return filepath.Join(t.dir, filepath.FromSlash(name)) }

func (t *folder) create(name string, _ int64) (io.WriteCloser, error) {
	if parent := path.Dir(name); parent != "." && !t.made[parent] {
		if err := durable.MkdirAll(t.path(parent)); err != nil {
			return nil, fmt.Errorf("unpack backup: %w", err)
		}
		t.made[parent] = true
	}
	f, err := os.OpenFile(t.path(name), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, fmt.Errorf("unpack backup: %w", err)
	}
	return synced{f}, nil
}

func (t *folder) remove(name string) error { return os.Remove(t.path(name)) }

func (t *folder) sync() error {
	for parent := range t.made {
		if err := durable.SyncDir(t.path(parent)); err != nil {
			return err
		}
	}
	return durable.SyncDir(t.dir)
}

// synced is a file that is on disk when it is closed.
type synced struct{ *os.File }

// Close syncs first.
func (f synced) Close() error { return errors.Join(f.Sync(), f.File.Close()) }
