package secret

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// memory is a keyring whose state a test sets.
type memory struct {
	values map[string]string
	fail   error
	before func() // runs at the start of every call
	forget bool   // says that it stored, and does not
}

func newMemory() *memory { return &memory{values: make(map[string]string)} }

func (m *memory) enter() error {
	if m.before != nil {
		m.before()
	}
	return m.fail
}

func (m *memory) get(key string) (string, error) {
	if err := m.enter(); err != nil {
		return "", err
	}
	v, ok := m.values[key]
	if !ok {
		return "", ErrNotFound
	}
	return v, nil
}

func (m *memory) set(key, value string) error {
	if err := m.enter(); err != nil || m.forget {
		return err
	}
	m.values[key] = value
	return nil
}

func (m *memory) delete(key string) error {
	if err := m.enter(); err != nil {
		return err
	}
	if _, ok := m.values[key]; !ok {
		return ErrNotFound
	}
	delete(m.values, key)
	return nil
}

func testStore(t *testing.T, ring keyring) *Store {
	t.Helper()
	s := open(Config{Dir: filepath.Join(t.TempDir(), "secrets"), Log: slog.New(slog.DiscardHandler)}, ring, deadline)
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func set(t *testing.T, s *Store, key, value string) {
	t.Helper()
	if err := s.Set(t.Context(), key, value); err != nil {
		t.Fatal(err)
	}
}

func wantValue(t *testing.T, s *Store, key, want string) {
	t.Helper()
	if got, err := s.Get(t.Context(), key); err != nil || got != want {
		t.Errorf("Get(%s) = %q, %v; want %q", key, got, err, want)
	}
}

func wantKind(t *testing.T, err, kind error) {
	t.Helper()
	e, ok := errors.AsType[*Error](err)
	if !ok || !errors.Is(err, kind) {
		t.Fatalf("got %v, want an *Error that is %q", err, kind)
	}
	if !strings.HasSuffix(e.Sentence, ".") || strings.Contains(e.Error(), "hunter2") {
		t.Errorf("not a sentence, or with a secret: %q", e.Error())
	}
	if e.Said.Sentence.String() != e.Sentence || strings.Contains(e.Said.Action.String(), "credential") || strings.Contains(e.Said.Action.String(), "chmod") {
		t.Errorf("said %q / %q", e.Said.Sentence, e.Said.Action)
	}
}

func TestKeyring(t *testing.T) {
	ring := newMemory()
	s := testStore(t, ring)
	for _, key := range []string{RelayKey("office"), TokenKey("office"), LocalKey} {
		_, err := s.Get(t.Context(), key)
		wantKind(t, err, ErrNotFound)
		set(t, s, key, "hunter2")
		set(t, s, key, "hunter2 new")
		wantValue(t, s, key, "hunter2 new")
		if ring.values[key] != "hunter2 new" {
			t.Errorf("%s is not in the keyring: %v", key, ring.values)
		}
		for range 2 {
			if err := s.Delete(t.Context(), key); err != nil {
				t.Errorf("delete: %v", err)
			}
		}
	}
	if len(ring.values) > 0 {
		t.Errorf("left behind: %v", ring.values)
	}
}

func TestASecretThatWasNotKeptIsNotStored(t *testing.T) {
	ring := newMemory()
	ring.forget = true // as go-keyring does after a dismissed prompt
	s := testStore(t, ring)
	wantKind(t, s.Set(t.Context(), RelayKey("office"), "hunter2"), ErrNotFound)
	ring.values[RelayKey("office")] = "old"
	wantKind(t, s.Set(t.Context(), RelayKey("office"), "hunter2"), ErrRefused)
}

func TestFailuresEraseNothing(t *testing.T) {
	ring := newMemory()
	s := testStore(t, ring)
	set(t, s, RelayKey("office"), "hunter2")
	for _, kind := range []error{ErrAbsent, errVanished, errors.New("too big")} {
		ring.fail = kind
		if _, err := s.Get(t.Context(), RelayKey("office")); err == nil {
			t.Errorf("%v: no error", kind)
		}
		if err := s.Set(t.Context(), RelayKey("office"), "other"); err == nil {
			t.Errorf("%v: no error", kind)
		}
		if err := s.Delete(t.Context(), RelayKey("office")); err == nil {
			t.Errorf("%v: no error", kind)
		}
	}
	ring.fail = nil
	wantValue(t, s, RelayKey("office"), "hunter2")
}

func TestWhatAPasteBringsAlongIsRefused(t *testing.T) {
	s := testStore(t, newMemory())
	for _, value := range []string{"", "hunter2\n", "hun\rter2", "hunter2\x00"} {
		wantKind(t, s.Set(t.Context(), RelayKey("office"), value), ErrRefused)
	}
}

func TestPasswordFile(t *testing.T) {
	ring := newMemory()
	ring.fail = ErrAbsent
	s := testStore(t, ring)
	path := filepath.Join(t.TempDir(), "it's the password")
	s.Use("office", "file:"+path)
	_, err := s.Get(t.Context(), RelayKey("office"))
	wantKind(t, err, ErrNotFound)
	for name, c := range map[string]struct {
		text, want string
		kind       error
	}{
		"plain":           {"hunter2", "hunter2", nil},
		"with newline":    {"hunter2\n", "hunter2", nil},
		"from Windows":    {"hunter2\r\n", "hunter2", nil},
		"spaces stay":     {" hunter2 \n", " hunter2 ", nil},
		"two newlines":    {"hunter2\n\n", "", ErrRefused},
		"two lines":       {"hunter2\nhunter2", "", ErrRefused},
		"empty":           {"", "", ErrRefused},
		"newline only":    {"\n", "", ErrRefused},
		"no password":     {strings.Repeat("hunter2", 10_000), "", ErrRefused},
		"bytes, not text": {"\x00\x01", "", ErrRefused},
	} {
		t.Run(name, func(t *testing.T) {
			if err := os.WriteFile(path, []byte(c.text), 0o600); err != nil {
				t.Fatal(err)
			}
			got, err := s.Get(t.Context(), RelayKey("office"))
			if c.kind != nil {
				wantKind(t, err, c.kind)
			} else if err != nil || got != c.want {
				t.Errorf("got %q, %v; want %q", got, err, c.want)
			}
		})
	}
	set(t, s, RelayKey("office"), "hunter2 new")
	set(t, s, TokenKey("office"), "token")
	wantValue(t, s, RelayKey("office"), "hunter2 new")
	wantValue(t, s, TokenKey("office"), "token")
	for _, key := range []string{RelayKey("office"), TokenKey("office")} {
		if err := s.Delete(t.Context(), key); err != nil {
			t.Error(err)
		}
	}
	wantValue(t, s, RelayKey("office"), "hunter2 new") // the user's own file stays
	_, err = s.Get(t.Context(), TokenKey("office"))
	wantKind(t, err, ErrNotFound)
}

func TestAFileThatOthersCanReadIsRefused(t *testing.T) {
	if runtime.GOOS == "windows" {
		return // no mode bits there
	}
	s := testStore(t, newMemory())
	path := filepath.Join(t.TempDir(), "it's")
	if err := os.WriteFile(path, []byte("hunter2"), 0o600); err != nil {
		t.Fatal(err)
	}
	s.Use("office", "file:"+path)
	for _, mode := range []os.FileMode{0o604, 0o640, 0o660, 0o644, 0o601} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		_, err := s.Get(t.Context(), RelayKey("office"))
		wantKind(t, err, ErrReadable)
		e, _ := errors.AsType[*Error](err)
		if want := "chmod 600 '" + strings.ReplaceAll(path, "'", `'\''`) + "'"; !strings.Contains(e.Action, want) {
			t.Errorf("action %q, want %q in it", e.Action, want)
		}
		if strings.Contains(e.Error(), path) {
			t.Errorf("the path would reach the log: %q", e.Error())
		}
	}
	s.Use("office", "file:"+filepath.Dir(path))
	_, err := s.Get(t.Context(), RelayKey("office"))
	wantKind(t, err, ErrRefused)
}

func TestWrittenFilesArePrivate(t *testing.T) {
	ring := newMemory()
	ring.fail = ErrAbsent
	s := testStore(t, ring)
	set(t, s, LocalKey, "hunter2")
	if err := os.WriteFile(s.path(LocalKey)+".part", nil, 0o644); err != nil { // as a crash would leave it
		t.Fatal(err)
	}
	set(t, s, LocalKey, "hunter2 again")
	for path, want := range map[string]os.FileMode{s.dir: 0o700, s.path(LocalKey): 0o600} {
		if st, err := os.Stat(path); err != nil || runtime.GOOS != "windows" && st.Mode().Perm() != want {
			t.Errorf("mode %v, %v; want %v", st.Mode(), err, want)
		}
	}
}

// TestKeep: where a password goes when the user only typed it.
func TestKeep(t *testing.T) {
	ring := newMemory()
	s := testStore(t, ring)
	credential, err := s.Keep(t.Context(), "office", "hunter2")
	if err != nil || credential != "keyring" || ring.values[RelayKey("office")] != "hunter2" {
		t.Fatalf("%q, %v, %v", credential, err, ring.values)
	}
	ring.fail = errors.New("locked, or some such")
	_, err = s.Keep(t.Context(), "office", "other")
	wantKind(t, err, ErrRefused) // a keyring that only fails is not gone: no file beside it
	ring.fail = ErrAbsent
	credential, err = s.Keep(t.Context(), "home/../x", "hunter2")
	if want := "file:" + s.path(RelayKey("home/../x")); err != nil || credential != want {
		t.Fatalf("got %q, %v; want %q", credential, err, want)
	}
	wantValue(t, s, RelayKey("home/../x"), "hunter2")
	if names, _ := os.ReadDir(s.dir); len(names) != 1 {
		t.Errorf("outside its folder, or too many: %v", names)
	}
	s.Use("home/../x", "keyring")
	ring.fail = nil
	_, err = s.Get(t.Context(), RelayKey("home/../x"))
	wantKind(t, err, ErrNotFound)
}

func TestWithoutAKeyringTokensGoIntoFiles(t *testing.T) {
	ring := newMemory()
	ring.fail = ErrAbsent
	s := testStore(t, ring)
	set(t, s, TokenKey("office"), "in a file")
	wantValue(t, s, TokenKey("office"), "in a file")
	ring.fail = nil
	wantValue(t, s, TokenKey("office"), "in a file")
	set(t, s, TokenKey("office"), "in the keyring")
	wantValue(t, s, TokenKey("office"), "in the keyring")
	if names, _ := os.ReadDir(s.dir); len(names) != 0 {
		t.Errorf("the older file is still there: %v", names)
	}
}

func localLogin(t *testing.T, store keeper, file string) *LocalLogin {
	t.Helper()
	l, err := OpenLocalLogin(t.Context(), store, file, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestLocalLogin(t *testing.T) {
	ring := newMemory()
	s := testStore(t, ring)
	file := filepath.Join(t.TempDir(), "local.hash")
	l := localLogin(t, s, file)
	password, err := l.Password(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(password) != 27 || strings.Trim(password, letters+groupSplit) != "" {
		t.Errorf("password %q", password)
	}
	for range 2 { // the second time from memory
		for given, want := range map[string]bool{password: true, password + "\r\n": true, "": false, password + "x": false, strings.ToUpper(password): false} {
			if got := l.Verify("whoever@example.com", given); got != want {
				t.Errorf("Verify(%q) = %v", given, got)
			}
		}
	}
	if text, _ := os.ReadFile(file); strings.Contains(string(text), password) {
		t.Error("the hash file holds the password")
	}

	// A later start needs no keyring, and with it gone mail is still taken.
	ring.fail = errors.New("locked")
	ring.before = func() { t.Error("the keyring was asked") }
	again := localLogin(t, s, file)
	if !again.Verify("", password) || again.Verify("", "wrong") {
		t.Error("after a restart without a keyring")
	}
	ring.before = nil
	_, err = again.Password(t.Context())
	wantKind(t, err, ErrRefused)

	renewed, err := again.Renew(t.Context()) // goes into a file, the keyring fails
	if err != nil || renewed == password || again.Verify("", password) || !again.Verify("", renewed) {
		t.Errorf("after Renew: %v", err)
	}
	ring.fail = nil
	if got, err := again.Password(t.Context()); err != nil || got != renewed {
		t.Errorf("shows %q, %v; want %q", got, err, renewed)
	}
}

func TestLocalLoginKnowsAPasswordFromBefore(t *testing.T) {
	ring := newMemory()
	s := testStore(t, ring)
	password, err := localLogin(t, s, filepath.Join(t.TempDir(), "a")).Password(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "b")
	if err := os.WriteFile(file, []byte("damaged"), 0o600); err != nil {
		t.Fatal(err)
	}
	b := localLogin(t, s, file)
	if !b.Verify("", password) {
		t.Error("a new data folder locks out the programs that are set up")
	}
	ring.values[LocalKey] = "of another folder"
	_, err = b.Password(t.Context())
	wantKind(t, err, ErrNotFound)
}

func TestFirstStartWithAKeyringThatFails(t *testing.T) {
	ring := newMemory()
	ring.fail = errors.New("locked")
	s := testStore(t, ring)
	l := localLogin(t, s, filepath.Join(t.TempDir(), "local.hash"))
	password, err := l.Password(t.Context())
	if err != nil || !l.Verify("", password) {
		t.Errorf("%q, %v", password, err)
	}
}

func TestARenewalThatFailsKeepsTheOldPassword(t *testing.T) {
	s := testStore(t, newMemory())
	l := localLogin(t, s, filepath.Join(t.TempDir(), "local.hash"))
	password, err := l.Password(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	l.store = broken{}
	if _, err := l.Renew(t.Context()); err == nil || !l.Verify("", password) {
		t.Errorf("got %v", err)
	}
}

type broken struct{}

func (broken) Get(context.Context, string) (string, error) { return "", errors.New("broken") }
func (broken) Set(context.Context, string, string) error   { return errors.New("broken") }
