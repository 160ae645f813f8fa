package store

import (
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"servicesmtp.net/companion/internal/wire"
	"servicesmtp.net/companion/server/store/storetest"
)

// openNode is one of several relays on a database, with a data folder of its
// own and the folder of bodies that all share.
func openNode(t *testing.T, dsn, shared string) *shelf {
	t.Helper()
	s, err := openAt(t, dsn, t.TempDir(), shared)
	if err != nil {
		t.Fatal(err)
	}
	in, err := s.Intake(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { in.Close() })
	if _, err := s.Writer().Exec(`INSERT INTO accounts (id, name, email, password_hash, created_at) VALUES ('acc', 'acc', '', '', 0) ON CONFLICT (id) DO NOTHING`); err != nil {
		t.Fatal(err)
	}
	return &shelf{Store: s, bodies: s.Bodies(), intake: in, dir: shared}
}

// twoNodes share a database and a folder.
func twoNodes(t *testing.T) (one, two *shelf) {
	t.Helper()
	dsn, shared := storetest.Database(t), t.TempDir()
	return openNode(t, dsn, shared), openNode(t, dsn, shared)
}

func large(c byte) []byte { return bytes.Repeat([]byte{c}, InlineMax+1) }

func sumText(content []byte) string { return wire.BodySum(sha256.Sum256(content)).String() }

// addMessage writes the row of a message that needs a body.
func addMessage(tx *sql.Tx, id string, content []byte) error {
	_, err := tx.Exec(`INSERT INTO messages (id, account_id, mail_from, sha256, size, received, created_at) VALUES ($1, 'acc', '', $2, 1, '', 0)`, id, sumText(content))
	return err
}

// The same body comes to both; whichever row is first names a file that stays,
// and the other's goes.
func TestSameBodyOnTwoNodes(t *testing.T) {
	one, two := twoNodes(t)
	content := large('x')
	a, b := one.upload(t, "acc", content), two.upload(t, "acc", content)
	if n := len(one.files(t)); n != 2 {
		t.Fatalf("%d files while both wait, want one for each", n)
	}
	one.commit(t, a)
	two.commit(t, b)
	two.shut(t, b)
	for _, s := range []*shelf{one, two} {
		if got, err := s.read("acc", content); err != nil || !bytes.Equal(got, content) {
			t.Errorf("read %d bytes, %v", len(got), err)
		}
	}
	one.shut(t, a)
	if got, err := two.read("acc", content); err != nil || !bytes.Equal(got, content) {
		t.Errorf("after both closed: %d bytes, %v", len(got), err)
	}
	if f := one.files(t); len(f) != 1 {
		t.Errorf("files %v, want the one that the row names", f)
	}
}

// Both write at the same time: the second waits for the first row, and then
// does without its own.
func TestSameBodyAtOnceOnTwoNodes(t *testing.T) {
	one, two := twoNodes(t)
	content := large('x')
	a, b := one.upload(t, "acc", content), two.upload(t, "acc", content)
	done := make(chan error, 1)
	err := one.Tx(t.Context(), func(tx *sql.Tx) error {
		if err := one.intake.In(tx).AddBody(t.Context(), a, time.Now()); err != nil {
			return err
		}
		go func() {
			done <- two.Tx(context.Background(), func(tx *sql.Tx) error {
				return errors.Join(two.intake.In(tx).AddBody(context.Background(), b, time.Now()), addMessage(tx, "m2", content))
			})
		}()
		return addMessage(tx, "m1", content)
	})
	if err := errors.Join(err, <-done); err != nil {
		t.Fatal(err)
	}
	one.shut(t, a)
	two.shut(t, b)
	if _, err := two.read("acc", content); err != nil || len(one.files(t)) != 1 {
		t.Errorf("files %v, %v", one.files(t), err)
	}
}

// A row that another's uncommitted message needs cannot go; one that goes first
// makes the acceptance bring its own.
func TestRemovalRacesWithAcceptance(t *testing.T) {
	one, two := twoNodes(t)
	content := large('x')
	first := one.upload(t, "acc", content)
	one.commit(t, first)
	one.shut(t, first)
	again := one.upload(t, "acc", content)

	// The acceptance relies on the row, then the removal comes.
	removing := make(chan error, 1)
	err := one.Tx(t.Context(), func(tx *sql.Tx) error {
		if err := one.intake.In(tx).AddBody(t.Context(), again, time.Now()); err != nil {
			return err
		}
		if err := addMessage(tx, "m1", content); err != nil {
			return err
		}
		go func() { _, err := two.Writer().Exec(`DELETE FROM bodies`); removing <- err }()
		return waiting(one.Store, removing)
	})
	if err != nil {
		t.Fatal(err)
	}
	if e, ok := errors.AsType[*pgconn.PgError](<-removing); !ok || e.Code != "23503" {
		t.Errorf("the removal of a needed body got %v, want a violated foreign key", e)
	}

	// The removal comes between the acceptance's look at the row and its message.
	if _, err := two.Writer().Exec(`DELETE FROM messages`); err != nil {
		t.Fatal(err)
	}
	tries := 0
	err = one.Tx(t.Context(), func(tx *sql.Tx) error {
		tries++
		if err := one.intake.In(tx).AddBody(t.Context(), again, time.Now()); err != nil {
			return err
		}
		if tries == 1 { // as whoever removes does: the row, then its file
			if _, err := two.Writer().Exec(`DELETE FROM bodies`); err != nil {
				return err
			}
			if err := os.Remove(filepath.Join(one.dir, bodiesFolder, "acc", first.fileNameOf())); err != nil {
				return err
			}
		}
		return addMessage(tx, "m2", content)
	})
	if err != nil || tries != 2 {
		t.Fatalf("%d tries, %v; want a second one that brings the body", tries, err)
	}
	one.shut(t, again)
	if got, err := two.read("acc", content); err != nil || !bytes.Equal(got, content) {
		t.Errorf("an accepted body is lost: %v", err)
	}
}

// fileNameOf is fileName of a draft that was closed.
func (d *Draft) fileNameOf() string { return d.name.sha256 + "." + d.mark() }

// waiting returns when somebody waits for a lock, or has ended without.
func waiting(s *Store, ended chan error) error {
	for {
		if len(ended) > 0 {
			return errors.New("did not wait")
		}
		var n int
		if err := s.Reader().QueryRow(`SELECT count(*) FROM pg_locks WHERE NOT granted`).Scan(&n); err != nil || n > 0 {
			return err
		}
	}
}

// One node sweeps while another has drafts in hand, and after one was killed
// between naming a file and committing.
func TestSweepBesideAnotherNode(t *testing.T) {
	one, two := twoNodes(t)
	named, sealed, killed := large('n'), large('s'), large('k')
	d := one.upload(t, "acc", named)
	one.commit(t, d)
	one.shut(t, d)
	open := one.bodies.Draft("acc", 0)
	if _, err := open.Write(large('o')); err != nil {
		t.Fatal(err)
	}
	waits := one.upload(t, "acc", sealed)
	dead := one.upload(t, "acc", killed)
	sweep := func(want int) {
		t.Helper()
		if n, err := two.bodies.Sweep(t.Context()); n != want || err != nil {
			t.Errorf("swept %d, %v, want %d", n, err, want)
		}
	}
	sweep(0)
	// All but what is in hand was written the day before.
	old := time.Now().Add(-25 * time.Hour)
	for _, file := range []string{d.fileNameOf(), dead.fileName()} {
		if err := os.Chtimes(filepath.Join(one.dir, bodiesFolder, "acc", file), old, old); err != nil {
			t.Fatal(err)
		}
	}
	sweep(1)
	if _, err := os.Stat(dead.path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("what the killed one left: %v", err)
	}
	one.commit(t, waits)
	one.shut(t, waits)
	one.shut(t, open)
	for _, content := range [][]byte{named, sealed} {
		if _, err := two.read("acc", content); err != nil {
			t.Error(err)
		}
	}
	if f := one.files(t); len(f) != 2 {
		t.Errorf("files %v", f)
	}
}

// A node that was stopped for half a day must not commit what others may be
// about to sweep.
func TestDraftThatWaitedTooLong(t *testing.T) { storetest.Each(t, testDraftThatWaitedTooLong) }

func testDraftThatWaitedTooLong(t *testing.T, dsn string) {
	s := openShelf(t, dsn, t.TempDir())
	d := s.upload(t, "acc", large('x'))
	d.sealed = d.sealed.Add(-draftLife - time.Second)
	err := s.Tx(t.Context(), func(tx *sql.Tx) error { return s.intake.In(tx).AddBody(t.Context(), d, time.Now()) })
	if err == nil {
		t.Error("was committed")
	}
	s.shut(t, d)
	if f := s.files(t); len(f) != 0 {
		t.Errorf("files %v", f)
	}
}

// A body whose transaction was rolled back leaves nothing, now or a day later.
func TestRolledBackBody(t *testing.T) { storetest.Each(t, testRolledBackBody) }

func testRolledBackBody(t *testing.T, dsn string) {
	s := openShelf(t, dsn, t.TempDir())
	d, no := s.upload(t, "acc", large('x')), errors.New("no")
	err := s.Tx(t.Context(), func(tx *sql.Tx) error {
		return errors.Join(s.intake.In(tx).AddBody(t.Context(), d, time.Now()), no)
	})
	if !errors.Is(err, no) {
		t.Fatal(err)
	}
	s.shut(t, d)
	if f := s.files(t); dsn == "" && len(f) != 0 {
		t.Errorf("files %v", f)
	}
	if _, err := s.bodies.Sweep(t.Context()); err != nil || len(s.files(t)) != 0 {
		t.Errorf("swept: files %v, %v", s.files(t), err)
	}
}

// Bodies of before are found under their hash alone.
func TestBodyOfBefore(t *testing.T) { storetest.Each(t, testBodyOfBefore) }

func testBodyOfBefore(t *testing.T, dsn string) {
	s := openShelf(t, dsn, t.TempDir())
	content := large('x')
	d := s.upload(t, "acc", content)
	s.commit(t, d)
	s.shut(t, d)
	folder := filepath.Join(s.dir, bodiesFolder, "acc")
	if err := os.Rename(filepath.Join(folder, d.fileNameOf()), filepath.Join(folder, sumText(content))); err != nil {
		t.Fatal(err)
	}
	if err := s.NameBodies(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n, err := s.bodies.Sweep(t.Context()); n != 0 || err != nil {
		t.Errorf("swept %d, %v", n, err)
	}
	if got, err := s.read("acc", content); err != nil || !bytes.Equal(got, content) {
		t.Errorf("read %d bytes, %v", len(got), err)
	}
}

// What a row says of a file leads out of no folder.
func TestFileNames(t *testing.T) {
	s, sum := openTest(t, "", t.TempDir()), strings.Repeat("ab", 32)
	for file, good := range map[string]bool{
		"": true, sum: true, sum + ".01ARZ3NDEKTSV4RRFFQ69G5FAW-1": true,
		sum + "/../x": false, sum + "./../../x": false, strings.Repeat("cd", 32): false, "..": false, sum + `.\x`: false, "x" + sum: false,
	} {
		if _, err := s.pathOf(bodiesFolder, bodyName{"acc", sum}, file); (err == nil) != good {
			t.Errorf("%q: %v", file, err)
		}
	}
}
