package store

import (
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"servicesmtp.net/companion/internal/wire"

	"servicesmtp.net/companion/server/store/storetest"
)

// shelf is a store with its bodies and what acceptance needs of it.
type shelf struct {
	*Store
	bodies *Bodies
	intake *Intake
	dir    string
}

type fataler interface {
	Helper()
	Fatal(...any)
	Fatalf(string, ...any)
}

func openShelf(t *testing.T, dsn, dir string) *shelf {
	t.Helper()
	s := openTest(t, dsn, dir)
	in, err := s.Intake(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { in.Close() })
	for _, id := range []string{"acc", "other"} {
		if _, err := s.Writer().Exec(`INSERT INTO accounts (id, name, email, password_hash, created_at)
			VALUES ($1, $1, '', '', 0) ON CONFLICT (id) DO NOTHING`, id); err != nil {
			t.Fatal(err)
		}
	}
	return &shelf{Store: s, bodies: nextDay(s), intake: in, dir: dir}
}

// nextDay takes bodies in as if what other runs left were a day old.
func nextDay(s *Store) *Bodies {
	b := s.Bodies()
	b.age = 0
	return b
}

// upload makes a sealed draft.
func (s *shelf) upload(t fataler, accountID string, content []byte) *Draft {
	t.Helper()
	d := s.bodies.Draft(accountID, 0)
	for rest := content; len(rest) > 0; rest = rest[min(len(rest), 100_000):] {
		if _, err := d.Write(rest[:min(len(rest), 100_000)]); err != nil {
			t.Fatal(err)
		}
	}
	sum, err := d.Sum()
	if err != nil || sum != wire.BodySum(sha256.Sum256(content)) {
		t.Fatalf("sum %v, %v", sum, err)
	}
	if err := d.Seal(sum); err != nil {
		t.Fatal(err)
	}
	return d
}

func (s *shelf) commit(t fataler, d *Draft) {
	t.Helper()
	err := s.Tx(context.Background(), func(tx *sql.Tx) error { return s.intake.In(tx).AddBody(context.Background(), d, time.Now()) })
	if err != nil {
		t.Fatal(err)
	}
}

func (s *shelf) shut(t fataler, d *Draft) {
	t.Helper()
	if err := d.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
}

func (s *shelf) read(accountID string, content []byte) ([]byte, error) {
	r, size, err := s.OpenBody(context.Background(), accountID, wire.BodySum(sha256.Sum256(content)).String())
	if err != nil {
		return nil, err
	}
	defer r.Close()
	got, err := io.ReadAll(r)
	if err == nil && int64(len(got)) != size {
		err = errors.New("size does not fit")
	}
	return got, err
}

// files lists all files below bodies/.
func (s *shelf) files(t fataler) []string {
	t.Helper()
	var names []string
	err := filepath.WalkDir(filepath.Join(s.dir, bodiesFolder), func(p string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			names = append(names, d.Name())
		}
		if errors.Is(err, os.ErrNotExist) {
			return nil
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func TestBodiesInlineAndInFiles(t *testing.T) { storetest.Each(t, testBodiesInlineAndInFiles) }

func testBodiesInlineAndInFiles(t *testing.T, dsn string) {
	for _, c := range []struct {
		name   string
		size   int
		inFile bool
	}{
		{"empty", 0, false},
		{"small", 10_000, false},
		{"the most inline", InlineMax, false},
		{"one more", InlineMax + 1, true},
		{"large", 3_000_000, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			s := openShelf(t, dsn, dir)
			content := bytes.Repeat([]byte{'x'}, c.size)
			d := s.upload(t, "acc", content)
			s.commit(t, d)
			s.shut(t, d)
			if got := len(s.files(t)) == 1; got != c.inFile {
				t.Errorf("in a file: %v, want %v", got, c.inFile)
			}
			for range 2 { // and after opening again
				if got, err := s.read("acc", content); err != nil || !bytes.Equal(got, content) {
					t.Errorf("read back %d bytes, %v", len(got), err)
				}
				if _, err := s.read("other", content); !errors.Is(err, ErrNotFound) {
					t.Errorf("another account: %v, want ErrNotFound", err)
				}
				s = openShelf(t, dsn, dir)
				if n, err := s.bodies.Sweep(context.Background()); n != 0 || err != nil {
					t.Errorf("swept %d, %v", n, err)
				}
			}
		})
	}
}

func TestUnsealedDraftLeavesNothing(t *testing.T) { storetest.Each(t, testUnsealedDraftLeavesNothing) }

func testUnsealedDraftLeavesNothing(t *testing.T, dsn string) {
	s := openShelf(t, dsn, t.TempDir())
	d := s.bodies.Draft("acc", 1<<40)
	if _, err := d.Write(make([]byte, InlineMax+1)); err != nil {
		t.Fatal(err)
	}
	if n := len(s.files(t)); n != 1 {
		t.Fatalf("%d files while writing", n)
	}
	s.shut(t, d)
	s.shut(t, d) // a second time does nothing
	if f := s.files(t); len(f) != 0 {
		t.Errorf("left behind: %v", f)
	}
}

func TestFolderNames(t *testing.T) { storetest.Each(t, testFolderNames) }

func testFolderNames(t *testing.T, dsn string) {
	s := openShelf(t, dsn, t.TempDir())
	for _, id := range []string{"", ".", "..", "a/b", `a\b`, "../acc", "c:"} {
		d := s.bodies.Draft(id, 0)
		if _, err := d.Write(make([]byte, InlineMax+1)); err == nil {
			t.Errorf("account %q named a folder", id)
		}
	}
}

// TestSweepAfterACrash: what a dead process left is removed, what a message
// needs and what is being written is not.
func TestSweepAfterACrash(t *testing.T) { storetest.Each(t, testSweepAfterACrash) }

func testSweepAfterACrash(t *testing.T, dsn string) {
	dir := t.TempDir()
	s := openShelf(t, dsn, dir)
	needed, orphan, draft := bytes.Repeat([]byte("n"), InlineMax+1), bytes.Repeat([]byte("o"), InlineMax+1), bytes.Repeat([]byte("d"), InlineMax+1)
	s.commit(t, s.upload(t, "acc", needed))
	s.upload(t, "acc", orphan)
	dead := s.bodies.Draft("acc", 0)
	if _, err := dead.Write(draft); err != nil {
		t.Fatal(err)
	}
	// Nothing is closed: the process is gone.
	s = openShelf(t, dsn, dir)
	live := s.bodies.Draft("acc", 0)
	if _, err := live.Write(draft); err != nil {
		t.Fatal(err)
	}
	sealed := s.upload(t, "other", orphan)
	foreign := filepath.Join(dir, bodiesFolder, "acc", "README")
	if err := os.WriteFile(foreign, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	n, err := s.bodies.Sweep(context.Background())
	if err != nil || n != 2 {
		t.Errorf("swept %d, %v; want the orphan and the dead draft", n, err)
	}
	if got, err := s.read("acc", needed); err != nil || !bytes.Equal(got, needed) {
		t.Errorf("a needed body: %d bytes, %v", len(got), err)
	}
	if _, err := os.Stat(foreign); err != nil {
		t.Errorf("a file that is not ours was removed: %v", err)
	}
	sum, err := live.Sum()
	if err == nil {
		err = live.Seal(sum)
	}
	if err != nil {
		t.Fatalf("a draft in hand was swept: %v", err)
	}
	s.commit(t, live)
	s.commit(t, sealed)
	for id, content := range map[string][]byte{"acc": draft, "other": orphan} {
		if _, err := s.read(id, content); err != nil {
			t.Errorf("%s: %v", id, err)
		}
	}
}

// TestSweepWithoutAFolder: a new store has none.
func TestSweepWithoutAFolder(t *testing.T) { storetest.Each(t, testSweepWithoutAFolder) }

func testSweepWithoutAFolder(t *testing.T, dsn string) {
	if n, err := openShelf(t, dsn, t.TempDir()).bodies.Sweep(context.Background()); n != 0 || err != nil {
		t.Errorf("swept %d, %v", n, err)
	}
}

// TestNoOrderLosesABody tries orders of what two uploads of one body, their
// commits or refusals, sweeps and crashes may do.
func TestNoOrderLosesABody(t *testing.T) { storetest.Each(t, testNoOrderLosesABody) }

func testNoOrderLosesABody(t *testing.T, dsn string) {
	dir := t.TempDir()
	base := openShelf(t, dsn, dir)
	round := 0
	rapid.Check(t, func(rt *rapid.T) {
		round++
		s := &shelf{Store: base.Store, bodies: nextDay(base.Store), intake: base.intake, dir: dir}
		content := append(bytes.Repeat([]byte{'x'}, InlineMax), byte(round), byte(round>>8), byte(round>>16))
		var open []*Draft
		committed := false
		for range rapid.IntRange(1, 12).Draw(rt, "steps") {
			switch step := rapid.SampledFrom([]string{"upload", "commit", "close", "sweep", "crash"}).Draw(rt, "step"); step {
			case "upload":
				open = append(open, s.upload(rt, "acc", content))
			case "commit":
				if len(open) > 0 {
					s.commit(rt, rapid.SampledFrom(open).Draw(rt, "draft"))
					committed = true
				}
			case "close":
				if len(open) > 0 {
					i := rapid.IntRange(0, len(open)-1).Draw(rt, "index")
					s.shut(rt, open[i])
					open = slices.Delete(open, i, i+1)
				}
			case "sweep":
				if _, err := s.bodies.Sweep(context.Background()); err != nil {
					rt.Fatal(err)
				}
			case "crash": // drafts are forgotten, files and rows stay
				open, s.bodies = nil, nextDay(s.Store)
			}
			if _, err := s.read("acc", content); committed && err != nil {
				rt.Fatalf("a committed body is lost: %v", err)
			}
		}
		for _, d := range open {
			s.shut(rt, d)
		}
		if _, err := s.bodies.Sweep(context.Background()); err != nil {
			rt.Fatal(err)
		}
		if _, err := s.read("acc", content); committed != (err == nil) {
			rt.Fatalf("committed %v, read %v", committed, err)
		}
		var rows int
		if err := s.Reader().QueryRow(`SELECT count(*) FROM bodies`).Scan(&rows); err != nil || rows != len(s.files(rt)) {
			rt.Fatalf("%d rows, %d files, %v", rows, len(s.files(rt)), err)
		}
	})
}

// TestUploadsAtOnce: the same body from many sessions, half of them refused,
// with sweeps between.
func TestUploadsAtOnce(t *testing.T) { storetest.Each(t, testUploadsAtOnce) }

func testUploadsAtOnce(t *testing.T, dsn string) {
	s := openShelf(t, dsn, t.TempDir())
	for round := range 10 {
		content := append(bytes.Repeat([]byte{'x'}, InlineMax), byte(round))
		var commits sync.Mutex // the intake is for one goroutine at a time
		var wg sync.WaitGroup
		for i := range 8 {
			wg.Go(func() {
				d := s.upload(t, "acc", content)
				if i%2 == 0 {
					commits.Lock()
					s.commit(t, d)
					commits.Unlock()
				}
				s.shut(t, d)
				if got, err := s.read("acc", content); i%2 == 0 && (err != nil || !bytes.Equal(got, content)) {
					t.Errorf("committed, then %v", err)
				}
			})
		}
		wg.Go(func() {
			if _, err := s.bodies.Sweep(context.Background()); err != nil {
				t.Error(err)
			}
		})
		wg.Wait()
		if got := s.files(t); len(got) != round+1 {
			t.Fatalf("files %v, want one for each round", got)
		}
	}
}

// TestAFileThatCannotBeNamedIsAnError: a failed rename must not pass for a
// stored body.
func TestAFileThatCannotBeNamedIsAnError(t *testing.T) {
	storetest.Each(t, testAFileThatCannotBeNamedIsAnError)
}

func testAFileThatCannotBeNamedIsAnError(t *testing.T, dsn string) {
	s := openTest(t, dsn, t.TempDir())
	d := s.Bodies().Draft("account", 1<<20)
	if _, err := d.Write(make([]byte, InlineMax+1)); err != nil {
		t.Fatal(err)
	}
	d.name.sha256 = strings.Repeat("ab", 32)
	d.path += ".gone"
	if err := d.rename(); err == nil {
		t.Error("the body has no file, and nobody was told")
	}
}
