package world

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// Distrust lets companion.toml name the authority of another relay. The
// returned function gives the right one back, without a restart.
func (w *World) Distrust() (trust func()) {
	w.T.Helper()
	right := w.read(w.Path("relay/ca.pem"))
	w.Write("ca.pem", w.read(Relay(w.T, Options{}).Path("relay/ca.pem")))
	text := w.read(w.Path("companion.toml"))
	w.Write("companion.toml", strings.Replace(text, w.Path("relay/ca.pem"), w.Path("ca.pem"), 1))
	return func() { w.Write("ca.pem", right) }
}

func (w *World) read(path string) string {
	w.T.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		w.T.Fatal(err)
	}
	return string(text)
}

// SmallDisk puts the companion's folder on a file system of 5 MB. Mounting
// needs root, as in CI; elsewhere a limit of the spool's size gives the same
// answers.
func (o *Options) SmallDisk(t testing.TB) (mounted bool) {
	t.Helper()
	o.Data = t.TempDir()
	if os.Geteuid() == 0 && exec.Command("mount", "-t", "tmpfs", "-o", "size=5m", "tmpfs", o.Data).Run() == nil {
		t.Cleanup(func() { exec.Command("umount", "-l", o.Data).Run() }) // nothing else is left to do
		return true
	}
	o.Settings += "[spool]\nmax_size = \"5MB\"\n"
	return false
}
