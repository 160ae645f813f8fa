package e2e

import (
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"servicesmtp.net/companion/e2e/world"
)

// deaf stands between companion and relay. Once told to, it lets no answer
// through that follows a large message, as a network that breaks at the worst
// moment.
type deaf struct {
	upstream string
	on       atomic.Bool

	mu    sync.Mutex // guards conns
	conns []net.Conn
}

// burst is more than the commands in front of a message.
const burst = 100_000

func startDeaf(t *testing.T, upstream string) (d *deaf, addr string) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	d = &deaf{upstream: upstream}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			down, err := ln.Accept()
			if err != nil {
				return
			}
			all.Go(func() { d.serve(down) })
		}
	})
	t.Cleanup(func() { ln.Close(); d.cut(); all.Wait() })
	return d, ln.Addr().String()
}

func (d *deaf) serve(down net.Conn) {
	defer down.Close()
	up, err := net.Dial("tcp", d.upstream)
	if err != nil {
		return // the relay is away
	}
	defer up.Close()
	d.mu.Lock()
	d.conns = append(d.conns, down, up)
	d.mu.Unlock()
	var sent atomic.Int64
	var ways sync.WaitGroup
	ways.Go(func() {
		defer down.Close()
		defer up.Close()
		io.Copy(up, io.TeeReader(down, counter{&sent}))
	})
	buf := make([]byte, 16<<10)
	for {
		n, err := up.Read(buf)
		if d.on.Load() && sent.Load() > burst {
			n = 0
		}
		if _, werr := down.Write(buf[:n]); err != nil || werr != nil {
			break
		}
	}
	up.Close()
	ways.Wait()
}

// cut ends all connections.
func (d *deaf) cut() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, c := range d.conns {
		c.Close()
	}
	d.conns = nil
}

type counter struct{ n *atomic.Int64 }

func (c counter) Write(p []byte) (int, error) {
	c.n.Add(int64(len(p)))
	return len(p), nil
}

// TestRestoredRelayGetsNothingTwice: the answer to a batch is lost, and the
// relay comes back from a backup that does not know the batch. The companion
// must not take that for leave to send it again, and says so.
func TestRestoredRelayGetsNothingTwice(t *testing.T) {
	t.Parallel()
	w := world.Relay(t, world.Options{})
	real := w.Submission
	plain, plainAddr := startDeaf(t, real[0])
	secure, secureAddr := startDeaf(t, real[1])
	w.Submission = []string{plainAddr, secureAddr}
	w.WriteCompanionConfig()
	w.StartCompanion()
	w.MustSend("me@example.com", []string{"first@dst.invalid"}, world.Message("before the backup", 300))
	w.Far.WaitRecipients(t, 1, 20*time.Second)
	w.UntilIdle(20 * time.Second)
	backup := filepath.Join(t.TempDir(), "relay.backup")
	w.Relayd("backup", backup)

	plain.on.Store(true)
	secure.on.Store(true)
	w.MustSend("me@example.com", []string{"doubt@dst.invalid"}, world.Message("after the backup", 300_000))
	w.Far.WaitRecipients(t, 2, 30*time.Second)
	if n := relayUsage(w); n != 2 {
		t.Fatalf("the relay counts %d, want 2", n)
	}
	w.Relay.Kill()
	plain.cut()
	secure.cut()
	if err := os.Rename(w.Path("relay"), w.Path("lost")); err != nil {
		t.Fatal(err)
	}
	out := w.Relayd("restore", backup)
	if !containsAll(out, "is forgotten", "The store is now") {
		t.Errorf("restore says %q", out)
	}
	plain.on.Store(false)
	secure.on.Store(false)
	w.StartRelay()

	s := w.Until(60*time.Second, "in doubt", func(s world.Status) bool { return strings.Contains(s.Sentence, "not known whether the server took") })
	t.Logf("%s: %s", s.Sentence, s.Action)
	if text := strings.ReplaceAll(statusText(w), " ", ""); !strings.Contains(text, `"uncertain":1`) {
		t.Errorf("status %s", text)
	}
	w.MustSend("me@example.com", []string{"third@dst.invalid"}, world.Message("goes on", 300))
	w.Far.WaitRecipients(t, 3, 30*time.Second)
	for r, n := range w.Far.Counts() {
		if n != 1 {
			t.Errorf("%s got %d copies", r, n)
		}
	}
	if n := relayUsage(w); n != 2 { // first, third: what came between is forgotten
		t.Errorf("the restored relay counts %d, want 2", n)
	}
}

func statusText(w *world.World) string {
	out, _, _ := w.Ctl("status", "--json")
	return out
}
