package world

import (
	"os"
	"testing"
)

// Beside starts one more companion of the same account and relay, as on
// another computer.
func (w *World) Beside(t testing.TB) *World {
	t.Helper()
	o := &World{T: t, Dir: t.TempDir(), Opts: w.Opts, Far: w.Far, Submission: w.Submission, API: w.API, Password: w.Password}
	ca, err := os.ReadFile(w.Path("relay/ca.pem"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(o.Path("relay"), 0o700); err != nil {
		t.Fatal(err)
	}
	o.Write("relay/ca.pem", string(ca))
	o.Write("password", o.Password)
	o.WriteCompanionConfig()
	o.StartCompanion()
	return o
}
