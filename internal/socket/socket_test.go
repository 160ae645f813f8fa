package socket

import (
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestListenAndTalk(t *testing.T) {
	path := filepath.Join(t.TempDir(), "control.sock")
	if _, err := Client(path).Get("http://control/"); !errors.Is(err, ErrNotRunning) {
		t.Fatalf("no socket: got %v, want ErrNotRunning", err)
	}
	ln, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	if st, err := os.Stat(path); err != nil || st.Mode().Perm() != 0o600 {
		t.Fatalf("mode %v %v", st.Mode(), err)
	}
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "hello") })}
	served := make(chan struct{})
	go func() { srv.Serve(ln); close(served) }()
	resp, err := Client(path).Get("http://control/")
	if err != nil {
		t.Fatal(err)
	}
	body, _ := io.ReadAll(resp.Body)
	resp.Body.Close()
	if string(body) != "hello" {
		t.Errorf("got %q", body)
	}
	srv.Close()
	<-served
}

func TestSocketOfACrashIsReplaced(t *testing.T) {
	path := filepath.Join(t.TempDir(), "control.sock")
	ln, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	ln.(interface{ SetUnlinkOnClose(bool) }).SetUnlinkOnClose(false)
	ln.Close() // the file stays, as after kill -9
	if _, err := Client(path).Get("http://control/"); !errors.Is(err, ErrNotRunning) {
		t.Fatalf("stale socket: got %v, want ErrNotRunning", err)
	}
	again, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	again.Close()
}

func TestPathTooLong(t *testing.T) {
	dir := filepath.Join(t.TempDir(), strings.Repeat("long", 40))
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	_, err := Listen(filepath.Join(dir, "control.sock"))
	if err == nil || !strings.Contains(err.Error(), "--data") {
		t.Fatalf("got %v, want advice", err)
	}
	t.Chdir(dir)
	ln, err := Listen(filepath.Join(dir, "control.sock"))
	if err != nil {
		t.Fatalf("from inside the folder it fits: %v", err)
	}
	ln.Close()
}
