package settings

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func text(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestSaveReadsBackAndIsPrivate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "new folder", "companion.toml")
	want := Default()
	want.Accounts = []Account{office}
	want.Pace.PerProvider = map[string]int{"gmail.com": 20}
	want.Pace.Quiet = []Quiet{{1, 2}}
	want.Pace.Quiet[0] = Quiet{From: 22 * 3600e9, To: 7 * 3600e9}
	if err := Save(path, want); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, load(t, path)); diff != "" {
		t.Errorf("%s\n%s", diff, text(t, path))
	}
	st, err := os.Stat(path)
	if err != nil || runtime.GOOS != "windows" && st.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", st.Mode(), err)
	}
	want.Pace.Batch = 0
	if err := Save(path, want); err == nil {
		t.Error("invalid settings were saved")
	}
}

func TestSaveTightensPermissions(t *testing.T) {
	path := write(t, documented)
	for _, p := range []string{path, path + ".part"} { // the second as a crash would leave it
		if err := os.WriteFile(p, []byte(documented), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(p, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := SetAccount(path, office); err != nil {
		t.Fatal(err)
	}
	for _, p := range []string{path, path + BackupSuffix} {
		if st, err := os.Stat(p); err != nil || runtime.GOOS != "windows" && st.Mode().Perm() != 0o600 {
			t.Errorf("%s: mode %v, %v", filepath.Base(p), st.Mode(), err)
		}
	}
}

func TestSetAccountKeepsWhatTheUserWrote(t *testing.T) {
	const before = "# my settings\n\n[[ account ]]\nname = \"office\" # the old one\nuser = \"old\"\nendpoints = [\n  \"tls://h:465\",\n]\n\n" +
		"# pace, as agreed\n[pace]\nbatch = 20 # fewer\n"
	path := write(t, before)
	if err := SetAccount(path, office); err != nil {
		t.Fatal(err)
	}
	got := text(t, path)
	for _, keep := range []string{"# my settings\n", "# pace, as agreed\n[pace]\nbatch = 20 # fewer\n"} {
		if !strings.Contains(got, keep) {
			t.Errorf("lost %q in\n%s", keep, got)
		}
	}
	if strings.Contains(got, `"old"`) || strings.Contains(got, "[listen]") {
		t.Errorf("kept the old account, or wrote what nobody set:\n%s", got)
	}
	if text(t, path+BackupSuffix) != before {
		t.Error("the backup is not the old file")
	}
	want := Default()
	want.Accounts, want.Pace.Batch = []Account{office}, 20
	if diff := cmp.Diff(want, load(t, path)); diff != "" {
		t.Error(diff)
	}
}

func TestSetAccountInAnyForm(t *testing.T) {
	second := Account{Name: "second", User: "bob", Credential: Keyring, Endpoints: []string{"tls://h:465"}, Senders: []string{"b.example"}}
	for name, before := range map[string]string{
		"empty":          "",
		"documented":     documented,
		"no newline":     "[pace]\nbatch = 20",
		"inline":         "account = [{name = \"office\", user = \"old\", endpoints = [\"tls://h:465\"]}]\n[pace]\nbatch = 20\n",
		"header in text": "[[account]]\nname = \"office\"\nuser = '''\n[[account]]'''\nendpoints = [\"tls://h:465\"]\n",
		"quoted table":   "[[\"account\"]]\nname = \"office\"\nuser = \"old\"\nendpoints = [\"tls://h:465\"]\n",
	} {
		t.Run(name, func(t *testing.T) {
			path := write(t, before)
			batch := load(t, path).Pace.Batch
			for _, a := range []Account{office, second} {
				if err := SetAccount(path, a); err != nil {
					t.Fatal(err)
				}
			}
			s := load(t, path)
			want := []Account{office, second}
			if diff := cmp.Diff(want, s.Accounts); diff != "" || s.Pace.Batch != batch {
				t.Errorf("batch %d, want %d, %s", s.Pace.Batch, batch, diff)
			}
			if err := ForgetAccount(path, "OFFICE"); err != nil {
				t.Fatal(err)
			}
			if got := load(t, path).Accounts; !cmp.Equal(got, want[1:]) {
				t.Errorf("after forgetting: %+v", got)
			}
			if err := ForgetAccount(path, "office"); !errors.Is(err, ErrNoAccount) {
				t.Errorf("forgetting twice: %v", err)
			}
			if err := ForgetAccount(path, "second"); err != nil {
				t.Fatal(err)
			}
			if got := load(t, path).Accounts; len(got) > 0 {
				t.Errorf("left: %+v", got)
			}
		})
	}
}

func TestNothingIsWrittenOverAFileWithErrors(t *testing.T) {
	const broken = "[pace]\nbatch = 0\n"
	path := write(t, broken)
	var wrong *Error
	if err := SetAccount(path, office); !errors.As(err, &wrong) {
		t.Fatalf("got %v", err)
	}
	if text(t, path) != broken {
		t.Error("the file was changed")
	}
	if err := SetAccount(write(t, ""), Account{Name: "x"}); !errors.As(err, &wrong) {
		t.Errorf("an account without a user was stored: %v", err)
	}
	if _, err := os.Stat(path + BackupSuffix); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("backup: %v", err)
	}
}

func TestASymbolicLinkStaysOne(t *testing.T) {
	target := write(t, documented)
	link := filepath.Join(t.TempDir(), "companion.toml")
	if err := os.Symlink(target, link); err != nil {
		t.Fatal(err)
	}
	if err := ForgetAccount(link, "office"); err != nil {
		t.Fatal(err)
	}
	if st, err := os.Lstat(link); err != nil || st.Mode()&fs.ModeSymlink == 0 {
		t.Errorf("the link became a file: %v %v", st.Mode(), err)
	}
	if len(load(t, target).Accounts) != 0 {
		t.Error("the file behind the link was not changed")
	}
}

// TestEditsAgreeWithTheModel runs random edits on the file and on a plain list.
func TestEditsAgreeWithTheModel(t *testing.T) {
	dir := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		path := filepath.Join(dir, rapid.StringMatching("[a-z]{12}").Draw(t, "file"))
		if err := os.WriteFile(path, []byte("# top\n[pace]\nbatch = 7 # mine\n# end\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		want := Default()
		want.Pace.Batch = 7
		for range rapid.IntRange(1, 8).Draw(t, "edits") {
			name := rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "name")
			i := want.index(name)
			if rapid.Bool().Draw(t, "forget") {
				if err := ForgetAccount(path, name); (err == nil) != (i >= 0) {
					t.Fatalf("forget: %v", err)
				}
				if i >= 0 {
					want.Accounts = append(want.Accounts[:i:i], want.Accounts[i+1:]...)
				}
				continue
			}
			a := Account{Name: name, User: rapid.StringMatching(`["'\\#\[ä-]{0,3}x`).Draw(t, "user"), Credential: Keyring,
				Senders: []string{}, Endpoints: []string{"tls://[::1]:465"}}
			if err := SetAccount(path, a); err != nil {
				t.Fatal(err)
			}
			if i >= 0 {
				want.Accounts[i] = a
			} else {
				want.Accounts = append(want.Accounts, a)
			}
		}
		got, err := Load(path)
		if err != nil || !equal(got, want) {
			t.Fatalf("%v\n%s", err, cmp.Diff(want, got))
		}
		if b, _ := os.ReadFile(path); !strings.Contains(string(b), "batch = 7 # mine\n# end\n") {
			t.Fatalf("comments are gone:\n%s", b)
		}
	})
}
