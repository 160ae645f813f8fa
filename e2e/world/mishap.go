package world

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
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

// ReadOnly makes what is in dir unwritable, also for a program that runs, and
// gives a function that mends it. As root, for whom permissions do not count, a
// mount lies over the folder; what is open already stays as it is.
func (w *World) ReadOnly(dir string) (mend func()) {
	w.T.Helper()
	if os.Geteuid() != 0 {
		return w.forbid(dir)
	}
	for _, args := range [][]string{{"--bind", dir, dir}, {"-o", "remount,ro,bind", dir}} {
		if out, err := exec.Command("mount", args...).CombinedOutput(); err != nil {
			w.T.Fatalf("mount %v: %v %s", args, err, out)
		}
	}
	var once sync.Once
	mend = func() { once.Do(func() { exec.Command("umount", "-l", dir).Run() }) } // nothing else is left to do
	w.T.Cleanup(mend)
	return mend
}

// forbid takes the permission to write from every folder in dir.
func (w *World) forbid(dir string) (mend func()) {
	w.T.Helper()
	set := func(mode os.FileMode) {
		err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
			if err != nil || !d.IsDir() {
				return err
			}
			return os.Chmod(path, mode)
		})
		if err != nil {
			w.T.Error(err)
		}
	}
	set(0o500)
	mend = func() { set(0o700) }
	w.T.Cleanup(mend)
	return mend
}
