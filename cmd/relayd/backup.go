package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"golang.org/x/term"

	"servicesmtp.net/companion/internal/durable"
	"servicesmtp.net/companion/internal/units"
	"servicesmtp.net/companion/server/backup"
	"servicesmtp.net/companion/server/config"
	"servicesmtp.net/companion/server/store"
)

// errAct marks an error after which everything was done, and a person must
// look at something all the same.
var errAct = errors.New("look at this")

func newMaker(st *store.Store, data string) *backup.Maker {
	return &backup.Maker{Store: st, Dir: data, Version: version}
}

// backups writes those of a running relay; nil where PostgreSQL does it.
func backups(st *store.Store, data string, cfg config.Config) func(context.Context, io.Writer) error {
	if cfg.Store.DSN != "" {
		return nil
	}
	return newMaker(st, data).Write
}

type backupCommand struct {
	File  string `arg:"" help:"File to write, readable by you alone; - is standard output."`
	Force bool   `help:"Replace a file of that name."`
}

// Run writes a backup and checks it while it is written.
func (c *backupCommand) Run(inv *invocation) (err error) {
	cfg, err := inv.settings()
	if err != nil {
		return err
	}
	if cfg.Store.DSN != "" {
		return inv.sayPostgres(cfg.Store, false)
	}
	out, err := c.open(inv)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.discard()) }()
	m, err := inv.backup(out)
	if err != nil {
		return err
	}
	if err := out.commit(); err != nil {
		return err
	}
	if err := c.tell(inv, m, out.size); err != nil {
		return err
	}
	if n := len(m.Missing); n > 0 {
		return fmt.Errorf("%w: %d bodies of messages are missing or damaged in the relay's own folder; the backup holds everything else", errAct, n)
	}
	return nil
}

// backup streams a backup from the relay, running or not, into w.
func (inv *invocation) backup(w io.Writer) (m backup.Manifest, err error) {
	adm, err := inv.administer()
	if err != nil {
		return m, err
	}
	defer func() { err = errors.Join(err, adm.close()) }()
	r, err := inv.backupOf(adm)
	if err != nil {
		return m, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	show := inv.newProgress("backup")
	defer show.end()
	read := io.TeeReader(r, w)
	if m, err = backup.Verify(inv.ctx, read, show.at); err != nil {
		if inv.ctx.Err() != nil {
			return m, errors.New("cancelled; nothing was written")
		}
		return m, err
	}
	// What padding may follow belongs to the file too, and an error there counts.
	if _, err := io.Copy(io.Discard, read); err != nil {
		return m, fmt.Errorf("read backup: %w", err)
	}
	return m, nil
}

// backupOf is the stream: a running relay's answer, or what a goroutine that
// Close waits for writes.
func (inv *invocation) backupOf(adm *administration) (io.ReadCloser, error) {
	if adm.store != nil {
		ctx, cancel := context.WithCancel(inv.ctx)
		r, w := io.Pipe()
		s := &stream{PipeReader: r, cancel: cancel}
		s.writer.Go(func() { w.CloseWithError(newMaker(adm.store, inv.data).Write(ctx, w)) })
		return s, nil
	}
	req, err := http.NewRequestWithContext(inv.ctx, http.MethodGet, "http://relay/backup", nil)
	if err != nil {
		return nil, err
	}
	resp, err := adm.http.Do(req)
	if err != nil {
		return nil, fmt.Errorf("ask the running relay: %w", err)
	}
	if resp.StatusCode != http.StatusOK {
		return nil, errors.Join(refusalOf(resp), resp.Body.Close())
	}
	return resp.Body, nil
}

// stream is a backup of a relay that does not run.
type stream struct {
	*io.PipeReader
	cancel context.CancelFunc
	writer sync.WaitGroup
}

// Close waits until the copy of the database is gone.
func (s *stream) Close() error {
	s.cancel()
	err := s.PipeReader.Close()
	s.writer.Wait()
	return err
}

// refusalOf is why the running relay answered something else than 200.
func refusalOf(resp *http.Response) error {
	var problem struct{ Detail string }
	if json.NewDecoder(resp.Body).Decode(&problem) != nil || problem.Detail == "" {
		problem.Detail = "the running relay answered " + resp.Status + "; are relay and command of the same version?"
	}
	return errors.New(problem.Detail)
}

// made is what backup prints with --json.
type made struct {
	File     string `json:"file"`
	FileSize int64  `json:"file_size"`
	backup.Manifest
}

func (c *backupCommand) tell(inv *invocation, m backup.Manifest, size int64) error {
	if c.File == "-" { // standard output is the backup
		told := *inv
		told.stdout = inv.stderr
		inv = &told
	}
	if inv.json {
		return inv.printJSON(made{File: c.File, FileSize: size, Manifest: m})
	}
	return inv.table([]string{"backup", c.File}, []string{"size", units.ByteSize(size).String()}, []string{"of", m.MadeAt.Format(time.RFC3339)},
		[]string{"accounts", strconv.FormatInt(m.Accounts, 10)}, []string{"messages", strconv.FormatInt(m.Messages, 10)},
		[]string{"recipients that wait", strconv.FormatInt(m.Waiting, 10)})
}

// output is where a backup goes. Until commit there is no file of its name.
type output struct {
	w    io.Writer
	file *os.File // nil: standard output
	path string
	over bool // a file of that name may be replaced
	size int64
}

func (c *backupCommand) open(inv *invocation) (*output, error) {
	if c.File == "-" {
		if f, ok := inv.stdout.(*os.File); ok && term.IsTerminal(int(f.Fd())) { //nolint:gosec // descriptors are small
			return nil, errors.New("a backup is not for a terminal: name a file, or write to a program")
		}
		return &output{w: inv.stdout}, nil
	}
	path, err := filepath.Abs(c.File)
	if err != nil {
		return nil, fmt.Errorf("name backup: %w", err)
	}
	if _, err := os.Lstat(path); err == nil && !c.Force {
		return nil, existing(path)
	}
	// A name of chance, made anew, 0600: nobody can have laid a link there.
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*"+durable.TempSuffix)
	if err != nil {
		return nil, fmt.Errorf("create backup: %w", err)
	}
	return &output{w: f, file: f, path: path, over: c.Force}, nil
}

func existing(path string) error {
	return fmt.Errorf("there is a file %s already: choose another name, or say --force to replace it", filepath.Base(path))
}

// Write implements io.Writer.
func (o *output) Write(p []byte) (int, error) {
	n, err := o.w.Write(p)
	o.size += int64(n)
	if err != nil {
		return n, fmt.Errorf("write backup: %w", err)
	}
	return n, nil
}

// commit syncs the file and gives it its name.
func (o *output) commit() error {
	if o.file == nil {
		return nil
	}
	if err := errors.Join(o.file.Sync(), o.file.Close()); err != nil {
		return fmt.Errorf("write backup: %w", err)
	}
	if err := o.name(); err != nil {
		return err
	}
	o.file = nil
	return durable.SyncDir(filepath.Dir(o.path))
}

// name never takes a name that came into use meanwhile. A link does so in one
// step; where the file system has none, looking first must do.
func (o *output) name() error {
	if !o.over {
		err := os.Link(o.file.Name(), o.path)
		if err == nil {
			return os.Remove(o.file.Name())
		}
		if _, there := os.Lstat(o.path); errors.Is(err, fs.ErrExist) || there == nil {
			return existing(o.path)
		}
	}
	if err := os.Rename(o.file.Name(), o.path); err != nil {
		return fmt.Errorf("name backup: %w", err)
	}
	return nil
}

// discard removes what was not committed.
func (o *output) discard() error {
	if o.file == nil {
		return nil
	}
	if err := o.file.Close(); err != nil && !errors.Is(err, os.ErrClosed) {
		return err
	}
	return os.Remove(o.file.Name())
}
