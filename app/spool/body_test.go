package spool

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// A stored message that changed without changing its size is found by whoever
// reads it to its end; then it is kept and offered no more.
func TestCheckBody(t *testing.T) {
	dir := closedSpool(t)
	s, p := openHearing(t, dir)
	for _, id := range []int{1, 2} { // in a file, in the database
		must(t, s.CheckBody(t.Context(), jobID(id)))
	}
	wantErr(t, s.CheckBody(t.Context(), jobID(7)), ErrNotFound)
	path := filepath.Join(dir, bodiesName, string(jobID(1)))
	must(t, os.WriteFile(path, bytes.Repeat([]byte{1}, inlineMax+1), 0o600))
	wantErr(t, s.CheckBody(t.Context(), jobID(1)), ErrDamaged)
	if got := p.all(); len(got) != 1 || !errors.Is(got[0], ErrDamaged) {
		t.Errorf("problems %v", got)
	}
	if j := getJob(t, s, jobID(1)); !j.Damaged || j.Counts.Queued != 120 {
		t.Errorf("job %+v", j)
	}
	if got := readyNow(t, s, "office", start); len(got) != 1 || got[0].Job != jobID(2) {
		t.Errorf("ready %v", got)
	}
	must(t, os.Remove(path))
	wantErr(t, s.CheckBody(t.Context(), jobID(1)), ErrDamaged)
}
