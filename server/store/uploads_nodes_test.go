package store

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"servicesmtp.net/companion/server/store/storetest"
)

// put sends what follows offset, up to end.
func put(u *Uploads, content []byte, offset, end int) (Upload, error) {
	return u.Write(context.Background(), Part{AccountID: "acc", SHA256: sumText(content), Size: int64(len(content)), Offset: int64(offset),
		Body: bytes.NewReader(content[offset:end])})
}

// whole reads a complete upload.
func whole(t *testing.T, u *Uploads, content []byte) {
	t.Helper()
	r, size, err := u.Open(t.Context(), "acc", sumText(content))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if got, err := io.ReadAll(r); err != nil || size != int64(len(content)) || !bytes.Equal(got, content) {
		t.Errorf("read %d of %d bytes, %v", len(got), size, err)
	}
}

// uploadFiles lists the files below uploads/.
func (s *shelf) uploadFiles(t *testing.T) []string {
	t.Helper()
	all, err := filepath.Glob(filepath.Join(s.dir, uploadsFolder, "*", "*"))
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// A message comes piece by piece, each to another relay, and is submitted at
// either.
func TestUploadOverTwoNodes(t *testing.T) {
	one, two := twoNodes(t)
	a, b := one.Uploads(), two.Uploads()
	content := bytes.Repeat([]byte("0123456789"), 1000)
	for i, u := range []*Uploads{a, b, a} {
		up, err := put(u, content, i*3000, (i+1)*3000)
		if err != nil || up.There != int64(i+1)*3000 {
			t.Fatalf("piece %d: %+v, %v", i, up, err)
		}
		for _, other := range []*Uploads{a, b} {
			if s, err := other.State(t.Context(), "acc", sumText(content)); err != nil || s.There != up.There || s.Complete {
				t.Errorf("piece %d: %+v, %v", i, s, err)
			}
		}
	}
	if up, err := put(b, content, 9500, 10_000); !errors.Is(err, ErrUploadOffset) || up.There != 9000 {
		t.Errorf("a gap: %+v, %v", up, err)
	}
	if up, err := put(b, content, 9000, 10_000); err != nil || !up.Complete {
		t.Fatalf("%+v, %v", up, err)
	}
	whole(t, a, content)
	whole(t, b, content)
	if f := one.uploadFiles(t); len(f) != 1 {
		t.Errorf("pieces that nobody wrote at once were copied: %v", f)
	}
	if up, err := put(a, content, 0, 10_000); err != nil || !up.Complete {
		t.Errorf("again: %+v, %v", up, err)
	}
	if err := a.Remove(t.Context(), "acc", sumText(content)); err != nil {
		t.Fatal(err)
	}
	if _, _, err := b.Open(t.Context(), "acc", sumText(content)); !errors.Is(err, ErrNotFound) || len(one.uploadFiles(t)) != 0 {
		t.Errorf("removed: %v, %v", err, one.uploadFiles(t))
	}
}

// held is a content whose rest comes when it is let go.
type held struct {
	io.Reader
	there chan struct{} // closed when the rest is asked for
	rest  chan io.Reader
}

func (h *held) Read(p []byte) (int, error) {
	n, err := h.Reader.Read(p)
	if errors.Is(err, io.EOF) && h.rest != nil {
		close(h.there)
		h.Reader = <-h.rest
		h.rest = nil
		return h.Reader.Read(p)
	}
	return n, err
}

// The newest request is at another relay: the older one may write on, what it
// writes changes nothing, and its client is told.
func TestUploadTakenOverByAnotherNode(t *testing.T) {
	for _, c := range []struct {
		name  string
		rest  []byte // that the older one still gets; nil: its content ends early
		early bool   // the older one ends before the newer
	}{
		{"wrong bytes, late", bytes.Repeat([]byte{'!'}, 6000), false},
		{"wrong bytes, early", bytes.Repeat([]byte{'!'}, 6000), true},
		{"nothing more", nil, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			one, two := twoNodes(t)
			a, b := one.Uploads(), two.Uploads()
			content := bytes.Repeat([]byte("0123456789"), 1000)
			older := &held{Reader: bytes.NewReader(content[:4000]), there: make(chan struct{}), rest: make(chan io.Reader)}
			ended := make(chan error, 1)
			go func() {
				_, err := a.Write(context.Background(), Part{AccountID: "acc", SHA256: sumText(content), Size: 10_000, Body: older})
				ended <- err
			}()
			<-older.there
			letGo := func() {
				older.rest <- bytes.NewReader(c.rest)
				if err := <-ended; !errors.Is(err, ErrUploadTaken) {
					t.Errorf("the older one ended with %v, want ErrUploadTaken", err)
				}
			}
			s, err := b.State(t.Context(), "acc", sumText(content))
			if err != nil || s.There != 4000 {
				t.Fatalf("%+v, %v", s, err)
			}
			if s, err = put(b, content, 4000, 7000); err != nil || s.There != 7000 {
				t.Fatalf("%+v, %v", s, err)
			}
			if c.early {
				letGo()
			}
			if s, err = put(b, content, 7000, 10_000); err != nil || !s.Complete {
				t.Fatalf("%+v, %v", s, err)
			}
			if !c.early {
				letGo()
			}
			whole(t, a, content)
			if f := one.uploadFiles(t); len(f) != 1 {
				t.Errorf("files %v, want the one that is complete", f)
			}
		})
	}
}

// A relay was killed while it wrote: another goes on, and what is left is
// removed a day later, not sooner.
func TestUploadOfAKilledNode(t *testing.T) {
	one, two := twoNodes(t)
	content := bytes.Repeat([]byte("0123456789"), 1000)
	if _, err := put(one.Uploads(), content, 0, 4000); err != nil {
		t.Fatal(err)
	}
	if _, err := one.Writer().Exec(`UPDATE uploads SET holder = 'killed'`); err != nil {
		t.Fatal(err)
	}
	left := one.uploadFiles(t)
	b := two.Uploads()
	if up, err := put(b, content, 4000, 10_000); err != nil || !up.Complete {
		t.Fatalf("%+v, %v", up, err)
	}
	whole(t, b, content)
	for _, want := range []int{0, 1} {
		if n, err := b.Expire(t.Context(), time.Now().Add(-time.Hour)); n != want || err != nil {
			t.Errorf("removed %d, %v, want %d", n, err, want)
		}
		old := time.Now().Add(-25 * time.Hour)
		for _, path := range one.uploadFiles(t) { // the one that is named, too
			if err := os.Chtimes(path, old, old); err != nil {
				t.Fatal(err)
			}
		}
	}
	if _, err := os.Stat(left[0]); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("what was left: %v", err)
	}
	whole(t, b, content)
}

// After a crash of the only relay the file goes on where it is.
func TestUploadAfterACrash(t *testing.T) {
	s := openShelf(t, "", t.TempDir())
	content := bytes.Repeat([]byte("0123456789"), 1000)
	if _, err := put(s.Uploads(), content, 0, 4000); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Writer().Exec(`UPDATE uploads SET holder = 'killed'`); err != nil {
		t.Fatal(err)
	}
	again := s.Uploads()
	if up, err := put(again, content, 4000, 10_000); err != nil || !up.Complete {
		t.Fatalf("%+v, %v", up, err)
	}
	whole(t, again, content)
	if f := s.uploadFiles(t); len(f) != 1 {
		t.Errorf("files %v", f)
	}
}

// An upload of before is found under its hash alone, and goes on.
func TestUploadOfBefore(t *testing.T) { storetest.Each(t, testUploadOfBefore) }

func testUploadOfBefore(t *testing.T, dsn string) {
	s := openShelf(t, dsn, t.TempDir())
	content := bytes.Repeat([]byte("0123456789"), 1000)
	if _, err := put(s.Uploads(), content, 0, 4000); err != nil {
		t.Fatal(err)
	}
	file := s.uploadFiles(t)[0]
	if err := os.Rename(file, filepath.Join(filepath.Dir(file), sumText(content))); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Writer().Exec(`UPDATE uploads SET file = ''`); err != nil {
		t.Fatal(err)
	}
	u := s.Uploads()
	if n, err := u.Expire(t.Context(), time.Now().Add(-time.Hour)); n != 0 || err != nil {
		t.Errorf("removed %d, %v", n, err)
	}
	if up, err := put(u, content, 4000, 10_000); err != nil || !up.Complete {
		t.Fatalf("%+v, %v", up, err)
	}
	whole(t, u, content)
}

// Two relays get the first piece of one upload at the same time.
func TestUploadBegunOnTwoNodes(t *testing.T) {
	one, two := twoNodes(t)
	a, b := one.Uploads(), two.Uploads()
	content := bytes.Repeat([]byte("0123456789"), 1000)
	ended := make(chan error, 2)
	for _, u := range []*Uploads{a, b} {
		go func() { _, err := put(u, content, 0, 10_000); ended <- err }()
	}
	for range 2 {
		if err := <-ended; err != nil && !errors.Is(err, ErrUploadTaken) {
			t.Error(err)
		}
	}
	whole(t, a, content)
	if f := one.uploadFiles(t); len(f) != 1 {
		t.Errorf("files %v", f)
	}
}
