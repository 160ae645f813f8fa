package durable

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestCommitAndDiscard(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "b")
	if err := MkdirAll(dir); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "x")
	f, err := Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write([]byte("hello")); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Fatalf("final name before Commit: %v", err)
	}
	if err := f.Commit(); err != nil {
		t.Fatal(err)
	}
	if err := f.Discard(); err != nil {
		t.Fatalf("Discard after Commit: %v", err)
	}
	if err := f.Commit(); err == nil {
		t.Fatal("second Commit must fail")
	}
	g, err := Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := g.Discard(); err != nil {
		t.Fatal(err)
	}
	if got, _ := os.ReadFile(path); string(got) != "hello" {
		t.Fatalf("got %q after a discarded rewrite", got)
	}
	if err := WriteFile(path, strings.NewReader("new")); err != nil {
		t.Fatal(err)
	}
	names, _ := os.ReadDir(dir)
	if len(names) != 1 {
		t.Fatalf("left behind: %v", names)
	}
}

// A folder that cannot be synced, for want of a file descriptor or on a file
// system that knows no such thing, must not cost what was there before.
func TestAFolderThatCannotBeSynced(t *testing.T) {
	cause := errors.New("no sync")
	path := filepath.Join(t.TempDir(), "settings")
	if err := WriteFile(path, strings.NewReader("old")); err != nil {
		t.Fatal(err)
	}
	f, err := Create(path)
	if err != nil {
		t.Fatal(err)
	}
	f.syncDir = func(string) error { return cause }
	if err := f.write(strings.NewReader("new")); !errors.Is(err, cause) {
		t.Errorf("got %v", err)
	}
	if got, err := os.ReadFile(path); string(got) != "new" {
		t.Errorf("replaced: got %q, %v", got, err)
	}

	fresh := filepath.Join(filepath.Dir(path), "fresh")
	if f, err = Create(fresh); err != nil {
		t.Fatal(err)
	}
	f.syncDir = func(string) error { return cause }
	if err := f.Commit(); !errors.Is(err, cause) {
		t.Errorf("got %v", err)
	}
	if _, err := os.Stat(fresh); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a file that was not stored is there: %v", err)
	}
}

func TestMkdirAllOnAFile(t *testing.T) {
	p := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(p, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := MkdirAll(p); err == nil {
		t.Fatal("a file was taken for a folder")
	}
}
