//go:build unix

package reports

import (
	"os"
	"testing"
)

func TestOnlyTheOwnerCanRead(t *testing.T) {
	dir := t.TempDir()
	c := openCache(t, dir)
	defer c.Close()
	if err := c.storeFact(t.Context(), "office", kindQuota, 1, day); err != nil {
		t.Fatal(err)
	}
	for _, suffix := range []string{"", "-wal"} {
		st, err := os.Stat(dbPath(dir) + suffix)
		if err != nil || st.Mode().Perm() != 0o600 {
			t.Errorf("%s%s: %v, %v; want 0600", Name, suffix, st.Mode().Perm(), err)
		}
	}
}
