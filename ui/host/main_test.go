//go:build linux

package host

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"servicesmtp.net/companion/ui/hosttest"
)

// TestMain fails when anything is left running after the last test.
func TestMain(m *testing.M) {
	before := runtime.NumGoroutine()
	code := m.Run()
	for end := time.Now().Add(time.Minute); runtime.NumGoroutine() > before; runtime.Gosched() {
		if time.Now().After(end) {
			buf := make([]byte, 1<<20)
			fmt.Printf("goroutines are left:\n%s\n", buf[:runtime.Stack(buf, true)])
			os.Exit(1)
		}
	}
	os.Exit(code)
}

// join makes the test a program of a new session.
func join(t *testing.T) *hosttest.Session {
	t.Helper()
	s := hosttest.NewSession(t)
	for _, variable := range s.Env() {
		name, value, _ := strings.Cut(variable, "=")
		t.Setenv(name, value)
	}
	return s
}

// short is a deadline that a test waits for; long is one that it must not
// reach.
const (
	short = 200 * time.Millisecond
	long  = hosttest.Patience
)
