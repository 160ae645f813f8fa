package backup

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
)

// entry is a file of a backup taken apart.
type entry struct {
	name string
	data []byte
}

func apart(t *testing.T, data []byte) []entry {
	t.Helper()
	z, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	var all []entry
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return all
		}
		text, err2 := io.ReadAll(r)
		if err := errors.Join(err, err2); err != nil {
			t.Fatal(err)
		}
		all = append(all, entry{h.Name, text})
	}
}

func together(t *testing.T, all []entry) []byte {
	t.Helper()
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	w := tar.NewWriter(z)
	for _, e := range all {
		err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: e.name, Size: int64(len(e.data)), Mode: 0o600})
		_, err2 := w.Write(e.data)
		if err := errors.Join(err, err2); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(w.Close(), z.Close()); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// changed is a copy of a backup in which every file passes through fn; nil
// takes it out.
func changed(t *testing.T, data []byte, fn func(entry) *entry) []byte {
	var all []entry
	for _, e := range apart(t, data) {
		if e := fn(e); e != nil {
			all = append(all, *e)
		}
	}
	return together(t, all)
}

func TestRefusedBackups(t *testing.T) {
	h := furnish(t)
	data := h.make()
	without := func(part string) []byte {
		return changed(t, data, func(e entry) *entry {
			if strings.HasPrefix(e.name, part) {
				return nil
			}
			return &e
		})
	}
	flipped := func(part string) []byte {
		return changed(t, data, func(e entry) *entry {
			if strings.HasPrefix(e.name, part) {
				e.data[len(e.data)/2] ^= 1
			}
			return &e
		})
	}
	renamed := func(part, name string) []byte {
		return changed(t, data, func(e entry) *entry {
			if strings.HasPrefix(e.name, part) {
				e.name = name
			}
			return &e
		})
	}
	newer := changed(t, data, func(e entry) *entry {
		if e.name == headName {
			e.data, _ = json.Marshal(head{Format: format + 1})
		}
		return &e
	})
	bit := bytes.Clone(data)
	bit[len(bit)/2] ^= 1
	// The same file with the sums of a database of a later schema.
	later := furnish(t)
	later.exec(`INSERT INTO goose_db_version (version_id, is_applied) VALUES (99999, 1)`)
	for _, c := range []struct {
		name string
		data []byte
		want error
	}{
		{"nothing", nil, ErrNotBackup},
		{"a text", []byte("Dear operator, this is not a backup"), ErrNotBackup},
		{"another archive", together(t, []entry{{"etc/passwd", []byte("x")}}), ErrNotBackup},
		{"cut in the middle", data[:len(data)/2], ErrDamaged},
		{"cut at the end", data[:len(data)-1], ErrDamaged},
		{"a bit", bit, nil}, // whatever part finds it
		{"no manifest", without(manifestName), ErrDamaged},
		{"no database", without(databaseName), ErrDamaged},
		{"no body", without("bodies/" + h.account + "/" + h.sums[0]), ErrDamaged},
		{"no key", without("ca-key.pem"), ErrDamaged},
		{"changed database", flipped(databaseName), ErrDamaged},
		{"changed body", flipped("bodies/" + h.account + "/" + h.sums[0]), ErrDamaged},
		{"changed key", flipped("ca-key.pem"), ErrDamaged},
		{"leads out", renamed("ca.pem", "../ca.pem"), ErrDamaged},
		{"leads out from bodies", renamed("ca.pem", "bodies/../"+strings.Repeat("a", 64)), ErrDamaged},
		{"absolute", renamed("ca.pem", "/etc/ca.pem"), ErrDamaged},
		{"newer format", newer, ErrNewer},
		{"newer schema", later.make(), ErrNewer},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			_, err := restorer(dir).Restore(t.Context(), bytes.NewReader(c.data))
			if err == nil || c.want != nil && !errors.Is(err, c.want) {
				t.Errorf("%v, want %v", err, c.want)
			}
			if left := names(t, dir); left != "" {
				t.Errorf("left behind: %s", left)
			}
		})
	}
}
