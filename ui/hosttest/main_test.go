//go:build linux

package hosttest

import (
	"fmt"
	"os"
	"runtime"
	"testing"
	"time"
)

// TestMain fails when anything is left running after the last test.
func TestMain(m *testing.M) {
	before := runtime.NumGoroutine()
	code := m.Run()
	for end := time.Now().Add(time.Minute); runtime.NumGoroutine() > before; time.Sleep(moment) {
		if time.Now().After(end) {
			buf := make([]byte, 1<<20)
			fmt.Printf("goroutines are left:\n%s\n", buf[:runtime.Stack(buf, true)])
			os.Exit(1)
		}
	}
	os.Exit(code)
}
