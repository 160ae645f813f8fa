package backup

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"servicesmtp.net/companion/internal/wire"
	"servicesmtp.net/companion/server/store"
)

// home is the data folder of a relay with mail in it.
type home struct {
	t       *testing.T
	dir     string
	store   *store.Store
	bodies  *store.Bodies
	account string
	sums    []string // of the bodies in files
}

func open(t *testing.T, dir string) *store.Store {
	t.Helper()
	st, err := store.Open(t.Context(), store.Options{Dir: dir, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	return st
}

func furnish(t *testing.T) *home {
	t.Helper()
	h := &home{t: t, dir: t.TempDir(), account: store.NewID(time.Now())}
	h.store = open(t, h.dir)
	h.bodies = h.store.Bodies()
	err := h.store.Tx(t.Context(), func(tx *sql.Tx) error {
		return h.store.AddAccount(t.Context(), tx, store.Account{ID: h.account, Name: "alice", Email: "a@b", Zone: "UTC", Status: "active",
			Overage: "stop", CreatedAt: time.Now()})
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, status := range []string{"queued", "in_data", "delivered"} {
		h.add(status)
	}
	for _, name := range authorityNames {
		if err := os.WriteFile(filepath.Join(h.dir, name), []byte(name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return h
}

// add stores a message with a large body and one recipient.
func (h *home) add(status string) (sum string) {
	h.t.Helper()
	ctx := h.t.Context()
	text := make([]byte, store.InlineMax+100)
	rand.Read(text)
	d := h.bodies.Draft(h.account, 0)
	defer d.Close(ctx)
	if _, err := d.Write(text); err != nil {
		h.t.Fatal(err)
	}
	if err := d.Seal(wire.BodySum(sha256.Sum256(text))); err != nil {
		h.t.Fatal(err)
	}
	sum = d.SHA256()
	id := store.NewID(time.Now())
	in, err := h.store.Intake(ctx)
	if err != nil {
		h.t.Fatal(err)
	}
	defer in.Close()
	if err := h.store.Tx(ctx, func(tx *sql.Tx) error { return in.In(tx).AddBody(ctx, d, time.Now()) }); err != nil {
		h.t.Fatal(err)
	}
	h.exec(`INSERT INTO messages (id, account_id, mail_from, sha256, size, received, created_at) VALUES ($1, $2, '', $3, $4, '', 0)`, id, h.account, sum, len(text))
	h.exec(`INSERT INTO deliveries (message_id, account_id, recipient, lane, status, next_at, created_at) VALUES ($1, $2, 'x@y', 'mx', $3, 0, 0)`, id, h.account, status)
	h.sums = append(h.sums, sum)
	return sum
}

func (h *home) exec(query string, args ...any) {
	h.t.Helper()
	err := h.store.Tx(h.t.Context(), func(tx *sql.Tx) error {
		_, err := tx.Exec(query, args...)
		return err
	})
	if err != nil {
		h.t.Fatal(err)
	}
}

func (h *home) body(sum string) string {
	h.t.Helper()
	found, err := filepath.Glob(filepath.Join(h.dir, "bodies", h.account, sum+"*"))
	if err != nil || len(found) != 1 {
		h.t.Fatalf("files of one body: %v, %v", found, err)
	}
	return found[0]
}

func (h *home) make() []byte {
	h.t.Helper()
	var out bytes.Buffer
	if err := (&Maker{Store: h.store, Dir: h.dir, Version: "test"}).Write(h.t.Context(), &out); err != nil {
		h.t.Fatal(err)
	}
	h.noneLeft()
	return out.Bytes()
}

func (h *home) noneLeft() {
	h.t.Helper()
	left, err := filepath.Glob(filepath.Join(h.dir, "backup-*"))
	if err != nil || len(left) > 0 {
		h.t.Errorf("left in the data folder: %v, %v", left, err)
	}
}

func restorer(dir string) *Restorer {
	return &Restorer{Dir: dir, Keep: []string{"lock", "relay.toml"}, Log: slog.New(slog.DiscardHandler)}
}

func names(t *testing.T, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, e := range entries {
		all = append(all, e.Name())
	}
	return strings.Join(all, " ")
}

// whole checks a folder that was restored from h.
func (h *home) whole(dir string) {
	h.t.Helper()
	if Unfinished(dir) {
		h.t.Error("unfinished")
	}
	st := open(h.t, dir)
	defer st.Close()
	if st.Name() == h.store.Name() {
		h.t.Error("the store has its old name")
	}
	for _, sum := range h.sums {
		r, _, err := st.OpenBody(h.t.Context(), h.account, sum)
		if err != nil {
			h.t.Fatal(err)
		}
		sha := sha256.New()
		io.Copy(sha, r)
		r.Close()
		if got := fmt.Sprintf("%x", sha.Sum(nil)); got != sum {
			h.t.Errorf("body %s is %s", sum, got)
		}
	}
	for _, name := range authorityNames {
		if text, err := os.ReadFile(filepath.Join(dir, name)); err != nil || string(text) != name {
			h.t.Errorf("%s: %q, %v", name, text, err)
		}
	}
}

func TestThereAndBack(t *testing.T) {
	h := furnish(t)
	data := h.make()
	m, err := Verify(t.Context(), bytes.NewReader(data), nil)
	if err != nil || m.Bodies != 3 || m.Waiting != 2 || m.Messages != 3 || m.Accounts != 1 || m.Store != h.store.Name() || len(m.Files) != 3 || m.Schema == 0 {
		t.Errorf("manifest %+v, %v", m, err)
	}
	dir := filepath.Join(t.TempDir(), "new")
	got, err := restorer(dir).Restore(t.Context(), bytes.NewReader(data))
	if err != nil || got.Waiting != 2 || got.Held != 0 || got.NewStore == h.store.Name() {
		t.Fatalf("%+v, %v", got, err)
	}
	if n := names(t, dir); n != "bodies ca-key.pem ca.pem relay.db" {
		t.Errorf("in the folder: %s", n)
	}
	h.whole(dir)
}

// TestRestoredMailIsHeld is invariant 6: nothing is due, and what goes in the
// end is known to be perhaps a second time.
func TestRestoredMailIsHeld(t *testing.T) {
	h := furnish(t)
	dir := t.TempDir()
	if _, err := restorer(dir).Restore(t.Context(), bytes.NewReader(h.make())); err != nil {
		t.Fatal(err)
	}
	st := open(t, dir)
	if n, err := st.RecoverInData(t.Context(), time.Now()); n != 0 || err != nil {
		t.Errorf("%d recipients are found in the middle, %v", n, err)
	}
	lanes, err := st.Lanes(t.Context(), time.Now().Add(365*24*time.Hour), 10)
	if err != nil || len(lanes) != 1 || lanes[0].Due != 0 {
		t.Errorf("due: %+v, %v", lanes, err)
	}
	var free, sure int
	err = st.Reader().QueryRow(`SELECT (SELECT count(*) FROM deliveries d JOIN messages m ON m.id = d.message_id WHERE d.status = 'queued' AND m.held = 0),
		(SELECT count(*) FROM deliveries WHERE status = 'queued' AND maybe_dup = 0)`).Scan(&free, &sure)
	if err != nil || free != 0 || sure != 0 {
		t.Errorf("%d of messages not held, %d not marked, %v", free, sure, err)
	}
	if n, err := st.Notices(t.Context(), h.account, 0, 10); err != nil || len(n) != 1 || n[0].Kind != "restored" {
		t.Errorf("notices %+v, %v", n, err)
	}
	err = st.Tx(t.Context(), func(tx *sql.Tx) error {
		n, err := st.Release(t.Context(), tx, store.Selection{}, time.Now())
		if n != 2 {
			t.Errorf("released %d", n)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// TestBodyRemovedMeanwhile is invariant 1.
func TestBodyRemovedMeanwhile(t *testing.T) {
	h := furnish(t)
	var out bytes.Buffer
	m := &Maker{Store: h.store, Dir: h.dir}
	m.copied = func() {
		h.exec(`DELETE FROM bodies`)
		if n, err := h.bodies.Sweep(t.Context()); n != 0 || err != nil {
			t.Errorf("%d bodies removed, %v", n, err)
		}
	}
	if err := m.Write(t.Context(), &out); err != nil {
		t.Fatal(err)
	}
	if got, err := Verify(t.Context(), &out, nil); err != nil || got.Bodies != 3 || len(got.Missing) != 0 {
		t.Errorf("%+v, %v", got, err)
	}
	if n, err := h.bodies.Sweep(t.Context()); n != 3 || err != nil {
		t.Errorf("afterwards %d bodies removed, %v", n, err)
	}
}

// TestWritersGoOn holds that a backup lets mail in meanwhile, and holds none of it.
func TestWritersGoOn(t *testing.T) {
	h := furnish(t)
	var out bytes.Buffer
	m := &Maker{Store: h.store, Dir: h.dir}
	m.copied = func() { h.add("queued") }
	if err := m.Write(t.Context(), &out); err != nil {
		t.Fatal(err)
	}
	if got, err := Verify(t.Context(), &out, nil); err != nil || got.Bodies != 3 || got.Messages != 3 {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestMissingAndDamagedBodies(t *testing.T) {
	h := furnish(t)
	if err := errors.Join(os.Remove(h.body(h.sums[0])), os.WriteFile(h.body(h.sums[1]), make([]byte, store.InlineMax+100), 0o600)); err != nil {
		t.Fatal(err)
	}
	data := h.make()
	m, err := Verify(t.Context(), bytes.NewReader(data), nil)
	if err != nil || m.Bodies != 1 || len(m.Missing) != 2 {
		t.Errorf("%+v, %v", m, err)
	}
	dir := t.TempDir()
	if _, err := restorer(dir).Restore(t.Context(), bytes.NewReader(data)); err != nil {
		t.Error(err)
	}
	if exists(filepath.Join(dir, "bodies", h.account, h.sums[1])) {
		t.Error("a damaged body was restored")
	}
}

// failing is a disk that is full after so many bytes.
type failing struct{ left int }

func (f *failing) Write(p []byte) (int, error) {
	if f.left -= len(p); f.left < 0 {
		return 0, io.ErrShortWrite
	}
	return len(p), nil
}

// TestBrokenOffBackup is invariant 3.
func TestBrokenOffBackup(t *testing.T) {
	h := furnish(t)
	m := &Maker{Store: h.store, Dir: h.dir}
	if err := m.Write(t.Context(), &failing{1000}); !errors.Is(err, io.ErrShortWrite) {
		t.Errorf("full: %v", err)
	}
	h.noneLeft()
	ctx, cancel := context.WithCancel(t.Context())
	m.copied = cancel
	if err := m.Write(ctx, io.Discard); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	h.noneLeft()
	m.copied = func() {
		if err := m.Write(t.Context(), io.Discard); !errors.Is(err, ErrRunning) {
			t.Errorf("second at once: %v", err)
		}
	}
	// What a crash leaves.
	if err := os.MkdirAll(filepath.Join(h.dir, "backup-1.part", "x"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := m.Write(t.Context(), io.Discard); err != nil {
		t.Error(err)
	}
	h.noneLeft()
}

// TestCrashedRestore is invariants 4 and 5: after a crash at any step the
// folder is not served, or done, and another restore succeeds.
func TestCrashedRestore(t *testing.T) {
	h := furnish(t)
	data := h.make()
	steps := []string{"unpacked", "renewed", "placed bodies", "placed ca.pem", "placed ca-key.pem", "placed relay.db"}
	for _, crash := range steps {
		t.Run(crash, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "data")
			r := restorer(dir)
			hit := false
			r.step = func(name string) error {
				if name == crash {
					hit = true
					return errCrash
				}
				return nil
			}
			if _, err := r.Restore(t.Context(), bytes.NewReader(data)); !errors.Is(err, errCrash) || !hit {
				t.Fatalf("hit %v, %v", hit, err)
			}
			if !Unfinished(dir) {
				t.Error("the folder would be served")
			}
			if _, err := restorer(dir).Restore(t.Context(), bytes.NewReader(data)); err != nil {
				t.Fatal(err)
			}
			h.whole(dir)
		})
	}
}

func TestNotEmpty(t *testing.T) {
	h := furnish(t)
	data := h.make()
	before := names(t, h.dir)
	if _, err := restorer(h.dir).Restore(t.Context(), bytes.NewReader(data)); !errors.Is(err, ErrNotEmpty) {
		t.Errorf("over a relay: %v", err)
	}
	if after := names(t, h.dir); after != before {
		t.Errorf("%s became %s", before, after)
	}
	dir := t.TempDir()
	for _, name := range []string{"lock", "relay.toml"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := restorer(dir).Restore(t.Context(), bytes.NewReader(data)); err != nil {
		t.Errorf("beside lock and settings: %v", err)
	}
	// An unfinished restore gives no right over what is not its own.
	other := t.TempDir()
	if err := errors.Join(os.Mkdir(filepath.Join(other, workFolder), 0o700), os.WriteFile(filepath.Join(other, "diary"), nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	if _, err := restorer(other).Restore(t.Context(), bytes.NewReader(data)); !errors.Is(err, ErrNotEmpty) {
		t.Errorf("beside a stranger's file: %v", err)
	}
}
