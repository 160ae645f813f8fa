//go:build linux && figures

package ui

import (
	"fmt"
	"image"
	"image/draw"
	"image/png"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"servicesmtp.net/companion/e2e/world"
	"servicesmtp.net/companion/ui/hosttest"
)

// TestFigures prints what the desktop app costs: make bench-window.
func TestFigures(t *testing.T) {
	t.Run("start", figureStart)
	t.Run("idle", figureIdle)
	t.Run("list", figureList)
}

// figureStart times ten starts: to listening, and to a window that shows its
// first page. The screen is looked at every few milliseconds.
func figureStart(t *testing.T) {
	d := newDesk(t, offer{world: world.Options{Window: world.Release}})
	var ready, window []time.Duration
	for range 10 {
		began := time.Now()
		d.StartCompanion()
		ready = append(ready, time.Since(began))
		w := d.Window(title)
		hosttest.Eventually(t, "a painted window", func() bool { return d.painted(w) })
		window = append(window, time.Since(began))
		d.win = w
		d.quit()
	}
	print(t, "start to listening", ready)
	print(t, "start to the first page in sight", window)
}

// painted says whether the accent colour of the selected page is to be seen.
func (d *desk) painted(w hosttest.Window) bool {
	file := d.Path("painted.png")
	d.Picture(w, file)
	out, err := exec.CommandContext(d.t.Context(), "convert", file, "-crop", "180x200+0+30", "-format", "%k", "info:").Output()
	if err != nil {
		d.t.Fatal(err)
	}
	colours, err := strconv.Atoi(strings.TrimSpace(string(out)))
	return err == nil && colours > 50 // the navigation has icons and letters
}

// figureIdle measures a minute with the window in sight and one with it hidden.
func figureIdle(t *testing.T) {
	d := newDesk(t, offer{world: world.Options{Window: world.Release}})
	d.open()
	d.see("Ready. Nothing waits to be sent.")
	pid := d.Companion.Cmd.Process.Pid
	for _, hidden := range []bool{false, true} {
		if hidden {
			d.CloseWindow(d.win)
			d.NoWindow(title)
		}
		time.Sleep(atRest + 10*time.Second) // what was begun is done
		before := processor(t, pid)
		time.Sleep(time.Minute)
		used := processor(t, pid) - before
		resident, graphics := memory(t, pid)
		fmt.Printf("idle for 60 s, hidden %v: %.3f %% of a processor, %d MB resident, %d MB of them files of OpenGL\n",
			hidden, used.Seconds()/60*100, resident>>20, graphics>>20)
	}
}

// processor is the time that the threads of a process have used so far.
func processor(t *testing.T, pid int) (used time.Duration) {
	t.Helper()
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
	if err != nil || len(files) == 0 {
		t.Fatalf("threads of %d: %d, %v", pid, len(files), err)
	}
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			continue // it has ended
		}
		spent, _, _ := strings.Cut(string(text), " ") // in nanoseconds
		n, err := strconv.ParseInt(spent, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		used += time.Duration(n)
	}
	return used
}

var ofGraphics = regexp.MustCompile(`libLLVM|/dri/|libgallium|libGL|swrast`)

// memory is what is resident, and how much of it are files of OpenGL's.
func memory(t *testing.T, pid int) (resident, graphics int) {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps", pid))
	if err != nil {
		t.Fatal(err)
	}
	name := ""
	for line := range strings.Lines(string(text)) {
		f := strings.Fields(line)
		if strings.Contains(f[0], "-") && len(f) >= 5 {
			name = strings.Join(f[5:], " ")
			continue
		}
		if f[0] == "Rss:" {
			n, _ := strconv.Atoi(f[1])
			resident += n << 10
			if ofGraphics.MatchString(name) {
				graphics += n << 10
			}
		}
	}
	return resident, graphics
}

// figureList times a queue of 100,000 messages: opened, scrolled, filtered.
// Each time ends when the picture has changed and does not change any more.
func figureList(t *testing.T) {
	d := newDesk(t, offer{world: world.Options{Window: world.Release}})
	d.open()
	d.Must("queue", "pause")
	host, port, err := net.SplitHostPort(d.SMTP)
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), "smtp-source", "-s", "16", "-m", "100000", "-l", "500", "-f", "src@example.com", "-t", "dst@dst.invalid", "-N", host+":"+port).CombinedOutput()
	if err != nil {
		t.Fatalf("smtp-source: %v\n%s", err, out)
	}
	times := map[string][]time.Duration{}
	steps := []struct {
		name string
		keys []string
	}{{"open the list", []string{"ctrl+2"}}, {"to its end", []string{"End"}}, {"a page up", []string{"Prior"}}, {"to its beginning", []string{"Home"}}}
	for range 10 {
		d.Key("ctrl+1")
		d.still()
		for _, s := range steps {
			times[s.name] = append(times[s.name], d.timed(func() { d.Key(s.keys...) }))
		}
		d.Key("ctrl+f")
		times["search 4 letters"] = append(times["search 4 letters"], d.timed(func() { d.Type("9999") }))
		d.Key("ctrl+a", "BackSpace")
		d.still()
	}
	for _, s := range append(steps, struct {
		name string
		keys []string
	}{name: "search 4 letters"}) {
		print(t, "100,000 messages, "+s.name, times[s.name])
	}
	resident, _ := memory(t, d.Companion.Cmd.Process.Pid)
	fmt.Printf("100,000 messages: %d MB resident with the list open\n", resident>>20)
}

func (d *desk) look() []byte {
	file := filepath.Join(d.Dir, "look.png")
	d.Picture(d.win, file)
	f, err := os.Open(file)
	if err != nil {
		d.t.Fatal(err)
	}
	defer f.Close()
	m, err := png.Decode(f)
	if err != nil {
		d.t.Fatal(err)
	}
	part := image.NewGray(image.Rect(190, 150, m.Bounds().Dx(), m.Bounds().Dy())) // below what has a caret
	draw.Draw(part, part.Bounds(), m, part.Bounds().Min, draw.Src)
	return part.Pix
}

// still waits until the picture stays the same for half a second and returns
// when it last changed.
func (d *desk) still() (changed time.Time) {
	before := d.look()
	changed = time.Now()
	for end := time.Now().Add(hosttest.Patience); time.Since(changed) < 500*time.Millisecond; {
		if time.Now().After(end) {
			d.t.Fatal("the window does not come to rest")
		}
		if now := d.look(); !slices.Equal(now, before) {
			before, changed = now, time.Now()
		}
	}
	return changed
}

// timed is how long what f does takes until the window shows all of it; it
// counts the keys' own time too.
func (d *desk) timed(f func()) time.Duration {
	d.t.Helper()
	began := time.Now()
	f()
	return d.still().Sub(began)
}

func print(t *testing.T, what string, times []time.Duration) {
	t.Helper()
	slices.Sort(times)
	fmt.Printf("%s: median %v, longest %v of %d\n", what, times[len(times)/2].Round(time.Millisecond), times[len(times)-1].Round(time.Millisecond), len(times))
}
