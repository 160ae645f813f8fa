package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"servicesmtp.net/companion/server/backup"
	"servicesmtp.net/companion/server/config"
	"servicesmtp.net/companion/server/store"
)

// defaultSettings is the name of the settings that lie in the data folder.
const defaultSettings = "relay.toml"

type restoreCommand struct {
	File string `arg:"" help:"Backup to bring back; - is standard input."`
}

// restored is what restore and renew-name print with --json.
type restored struct {
	BackupOf *time.Time `json:"backup_of,omitempty"` // missing: not known
	OldStore string     `json:"old_store"`
	NewStore string     `json:"new_store"`
	Accounts int64      `json:"accounts,omitempty"`
	Messages int64      `json:"messages,omitempty"`
	Waiting  int64      `json:"waiting"`
	Held     int64      `json:"held_before"`
	Missing  int        `json:"missing_bodies"`
}

// Run brings a backup back.
func (c *restoreCommand) Run(inv *invocation) (err error) {
	cfg, err := inv.settings()
	if err != nil {
		return err
	}
	if cfg.Store.DSN != "" {
		return inv.sayPostgres(cfg.Store, true)
	}
	var in io.Reader = inv.stdin
	if c.File != "-" {
		f, err := os.Open(c.File)
		if err != nil {
			return fmt.Errorf("open backup: %w", err)
		}
		defer f.Close()
		in = f
	}
	l, err := lockAnyway(inv.data)
	if errors.Is(err, errBusy) {
		return fmt.Errorf("%w: stop it, and name an empty folder with --data", err)
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.Unlock()) }()
	show := inv.newProgress("restore")
	r := &backup.Restorer{Dir: inv.data, Keep: []string{lockFile, defaultSettings}, Progress: show.at,
		Log: slog.New(slog.NewTextHandler(inv.stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))}
	got, err := r.Restore(inv.ctx, in)
	show.end()
	switch {
	case errors.Is(err, backup.ErrNotEmpty):
		return fmt.Errorf("%w: a backup is never laid over other data; move them away, or name another folder with --data", err)
	case err != nil && backup.Unfinished(inv.data):
		return fmt.Errorf("%w; the relay will not serve this folder: give relayd restore again", err)
	case err != nil && inv.ctx.Err() != nil:
		return errors.New("cancelled; nothing was restored")
	case err != nil:
		return err
	}
	return inv.tellRestored(restored{BackupOf: &got.MadeAt, OldStore: got.Store, NewStore: got.NewStore, Accounts: got.Accounts,
		Messages: got.Messages, Waiting: got.Waiting, Held: got.Held, Missing: len(got.Missing)})
}

// tellRestored says what the operator must know now.
func (inv *invocation) tellRestored(r restored) error {
	if inv.json {
		return inv.printJSON(r)
	}
	since := "that backup"
	if r.BackupOf != nil {
		since = r.BackupOf.Format(time.RFC3339)
		fmt.Fprintf(inv.stdout, "Restored the relay of %s: %d accounts, %d messages.\n", since, r.Accounts, r.Messages)
	}
	fmt.Fprintf(inv.stdout, `Everything after %s is forgotten:
- Mail accepted since. What was not delivered yet is lost here, and companions count it as handed over.
- Its keys. The store is now %s (it was %s), so that no companion sends
  a batch again whose answer it lost; it asks its user instead.
- Usage, and changes of accounts, passwords and tokens.
The customers find a notice of this.
`, since, r.NewStore, r.OldStore)
	if r.Waiting > 0 {
		fmt.Fprintf(inv.stdout, `%d recipients wait and may have been delivered already. All are held (%d were before).
  relayd queue list              shows them
  relayd queue release --all     sends them; some may get their mail twice
  relayd queue drop --all        fails them; their senders are told
`, r.Waiting, r.Held)
	}
	if r.Missing > 0 {
		fmt.Fprintf(inv.stdout, "%d bodies of messages were missing or damaged when the backup was made.\n", r.Missing)
	}
	_, err := fmt.Fprintln(inv.stdout, "Settings and certificates from files are not in a backup: look that they are there, then start the relay.")
	return err
}

type storeGroup struct {
	RenewName renewName `cmd:"" help:"After a database was brought back by other means than restore: new name, queue held."`
}

type renewName struct{}

// Run makes a database that was brought back by its own tools another store.
func (renewName) Run(inv *invocation) (err error) {
	adm, err := inv.administer()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, adm.close()) }()
	if adm.store == nil {
		return errors.New("the relay runs: stop it first, nothing may be sent before the name is new")
	}
	cfg, err := inv.settings()
	if err != nil {
		return err
	}
	if err := adm.store.AtRest(inv.ctx, time.Duration(cfg.Store.Lease)); err != nil {
		return err
	}
	r, err := renew(inv, adm.store)
	if err != nil {
		return err
	}
	return inv.tellRestored(restored{OldStore: r.Old, NewStore: r.Name, Waiting: r.Waiting, Held: r.Held})
}

func renew(inv *invocation, st *store.Store) (store.Renewed, error) {
	now := time.Now()
	return st.Renew(inv.ctx, backup.Notice(time.Time{}), now)
}

// folders that belong to a relay beside its database.
func (inv *invocation) foldersToCopy(s config.Store) []string {
	return []string{filepath.Join(cmp.Or(s.Bodies, inv.data), "bodies"), filepath.Join(inv.data, "ca.pem"), filepath.Join(inv.data, "ca-key.pem")}
}
