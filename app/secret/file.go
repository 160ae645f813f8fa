package secret

import (
	"errors"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"servicesmtp.net/companion/app/say"
	"servicesmtp.net/companion/internal/durable"
)

// maxSecret bounds what is read; a wrong path must not fill the memory.
const maxSecret = 64 << 10

// path is the file of a key in our own folder.
func (s *Store) path(key string) string { return filepath.Join(s.dir, url.PathEscape(key)) }

// readFile returns the content of a file that nobody else can read. One line
// end at its end is not part of the secret: editors put it there.
func readFile(key, path string) (string, error) {
	if err := private(key, path); err != nil {
		return "", err
	}
	f, err := os.Open(path)
	if err != nil {
		return "", refused(key, err)
	}
	defer f.Close() // only read
	text, err := io.ReadAll(io.LimitReader(f, maxSecret+1))
	if err != nil {
		return "", refused(key, err)
	}
	value := strings.TrimSuffix(strings.TrimSuffix(string(text), "\n"), "\r")
	if len(text) > maxSecret || check(key, value) != nil {
		return "", failure(ErrRefused, Said{
			Sentence: say.T("The file with the {{.Secret}} must hold it on one line and nothing else.").With("Secret", name(key)),
			Action:   say.T("Write it anew: {{.Path}}").With("Path", path),
		}, "", nil)
	}
	return value, nil
}

// private refuses a file that others can read, and what is no file, before it
// is opened: opening a pipe would wait. Windows has no such mode bits; there
// the folder's access list protects the file.
func private(key, path string) error {
	st, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return explained(key, ErrNotFound, nil)
	}
	if err != nil {
		return refused(key, err)
	}
	if !st.Mode().IsRegular() {
		return refused(key, errors.New("not a regular file"))
	}
	if runtime.GOOS != "windows" && st.Mode().Perm()&0o077 != 0 {
		return failure(ErrReadable, Said{
			Sentence: say.T("Others on this computer can read the file with the {{.Secret}}.").With("Secret", name(key)),
			Action:   say.T("Make it readable for you alone: {{.Path}}").With("Path", path),
		}, "Run: chmod 600 "+quoted(path), nil)
	}
	return nil
}

// quoted is the path as a shell takes it.
func quoted(path string) string { return "'" + strings.ReplaceAll(path, "'", `'\''`) + "'" }

func writeFile(key, path, value string) error {
	if err := durable.MkdirAll(filepath.Dir(path)); err != nil {
		return refused(key, err)
	}
	// A leftover with looser permissions would pass them on.
	if err := os.Remove(path + durable.TempSuffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return refused(key, err)
	}
	if err := durable.WriteFile(path, strings.NewReader(value+"\n")); err != nil {
		return refused(key, err)
	}
	return nil
}

func removeFile(key, path string) error {
	err := os.Remove(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		err = durable.SyncDir(filepath.Dir(path))
	}
	if err != nil {
		return refused(key, err)
	}
	return nil
}
