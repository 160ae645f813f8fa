// Command bench prints figures of the companion beside Postfix's, taken in
// turn in one run (A B A B), as medians and ratios: absolute figures move with
// the machine, ratios do not.
//
// Both accept durably and send nothing on: Postfix, in a folder of its own,
// puts everything on hold; the companion's relay does not answer. The load is
// Postfix's smtp-source. It must run as root, because Postfix does.
//
// Beside them stands what the disk allows: files of that size, written and
// synced. A second table has no peer: what big messages and a long queue cost the
// companion, with a relay behind it.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// load is one row of the table.
type load struct {
	conns, size, count int
	each               bool // a connection for each message
}

func (l load) String() string {
	s := fmt.Sprintf("%d × %s", l.conns, size(l.size))
	if l.each {
		s += ", a connection each"
	}
	return s
}

func size(n int) string {
	if n >= 1<<20 {
		return strconv.Itoa(n>>20) + " MB"
	}
	return strconv.Itoa(n>>10) + " KB"
}

// loads are those of the table in docs/figures.md; counts keep a run of the
// slower one near two seconds.
func loads() []load {
	var out []load
	for _, s := range []struct{ size, count int }{{1 << 10, 2000}, {10 << 10, 2000}, {100 << 10, 800}, {1 << 20, 200}} {
		for _, c := range []int{1, 8, 32} {
			out = append(out, load{conns: c, size: s.size, count: s.count})
		}
	}
	for _, c := range []int{1, 8, 32} {
		out = append(out, load{conns: c, size: 10 << 10, count: 2000, each: true})
	}
	return out
}

func main() {
	bin := flag.String("bin", "bin", "folder of the built programs")
	rounds := flag.Int("rounds", 5, "repetitions; the median counts")
	only := flag.String("only", "", "accept, large, relay or api; empty: all")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *bin, *rounds, *only); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// server is something that takes mail.
type server interface {
	addr() string
	cpu() time.Duration // of all its processes so far
	memory() int        // proportional set size of all its processes, KB
	reset() error       // forget what was taken, as a full disk would be no fun
	close()
}

func run(ctx context.Context, bin string, rounds int, only string) error {
	if os.Geteuid() != 0 {
		return fmt.Errorf("run it as root: Postfix starts as root only")
	}
	dir, err := os.MkdirTemp("", "companion-bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	for _, part := range []struct {
		name string
		run  func() error
	}{
		{"accept", func() error { return acceptance(ctx, bin, dir, rounds) }},
		{"large", func() error { return large(ctx, bin, filepath.Join(dir, "pair")) }},
		{"relay", func() error { return submissions(ctx, bin, dir, rounds) }},
		{"api", func() error { return apiLatency(ctx, bin, dir) }},
	} {
		if only == "" || only == part.name {
			if err := part.run(); err != nil {
				return err
			}
		}
	}
	return nil
}

// acceptance prints how fast companion and Postfix take mail.
func acceptance(ctx context.Context, bin, dir string, rounds int) error {
	p, err := startPostfix(ctx, filepath.Join(dir, "postfix"), "")
	if err != nil {
		return err
	}
	defer p.close()
	c, err := startCompanion(ctx, bin, filepath.Join(dir, "companion"))
	if err != nil {
		return err
	}
	defer c.close()
	fmt.Println("| connections × size | companion | Postfix | ratio (min–max) | CPU s per 1,000: companion | Postfix | PSS MB: companion | Postfix | one synced file each |")
	fmt.Println("|---|---|---|---|---|---|---|---|---|")
	for _, l := range loads() {
		var a, b []figure
		var files []float64
		for range rounds {
			n, err := disk(dir, l)
			if err != nil {
				return err
			}
			files = append(files, n)
			fa, err := measure(ctx, c, l)
			if err != nil {
				return err
			}
			fb, err := measure(ctx, p, l)
			if err != nil {
				return err
			}
			a, b = append(a, fa), append(b, fb)
		}
		fmt.Println(row(l, a, b) + fmt.Sprintf(" %.0f |", median(files)))
	}
	return nil
}

// figure is one measured run.
type figure struct {
	rate   float64 // messages per second
	cpu    float64 // seconds per 1,000 messages
	memory float64 // MB
}

func measure(ctx context.Context, s server, l load) (figure, error) {
	args := []string{"-s", strconv.Itoa(l.conns), "-m", strconv.Itoa(l.count), "-l", strconv.Itoa(l.size), "-f", "a@src.invalid", "-t", "b@dst.invalid"}
	if !l.each {
		args = append(args, "-d")
	}
	before, began := s.cpu(), time.Now()
	cmd := exec.CommandContext(ctx, "smtp-source", append(args, s.addr())...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return figure{}, fmt.Errorf("smtp-source: %w: %s", err, out)
	}
	took := time.Since(began).Seconds()
	f := figure{rate: float64(l.count) / took, cpu: (s.cpu() - before).Seconds() / float64(l.count) * 1000, memory: float64(s.memory()) / 1000}
	return f, s.reset()
}

func row(l load, a, b []figure) string {
	ratios := make([]float64, len(a))
	for i := range a {
		ratios[i] = a[i].rate / b[i].rate
	}
	slices.Sort(ratios)
	pick := func(fs []figure, get func(figure) float64) float64 {
		v := make([]float64, len(fs))
		for i, f := range fs {
			v[i] = get(f)
		}
		return median(v)
	}
	rate, cpu, mem := func(f figure) float64 { return f.rate }, func(f figure) float64 { return f.cpu }, func(f figure) float64 { return f.memory }
	return fmt.Sprintf("| %s | %.0f | %.0f | %.1f (%.1f–%.1f) | %.2f | %.2f | %.0f | %.0f |", l,
		pick(a, rate), pick(b, rate), median(ratios), ratios[0], ratios[len(ratios)-1], pick(a, cpu), pick(b, cpu), pick(a, mem), pick(b, mem))
}

func median(v []float64) float64 {
	v = slices.Clone(v)
	slices.Sort(v)
	n := len(v)
	if n%2 == 1 {
		return v[n/2]
	}
	return (v[n/2-1] + v[n/2]) / 2
}

// tree is a process with its descendants, read from /proc.
func tree(root int) []int {
	parents := map[int]int{}
	entries, _ := os.ReadDir("/proc")
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		if f := statFields(pid); len(f) > 1 {
			parents[pid], _ = strconv.Atoi(f[1])
		}
	}
	out := []int{root}
	for i := 0; i < len(out); i++ {
		for pid, parent := range parents {
			if parent == out[i] {
				out = append(out, pid)
			}
		}
	}
	return out
}

// statFields are the fields of /proc/PID/stat from the state on.
func statFields(pid int) []string {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return nil
	}
	_, rest, _ := strings.Cut(string(text), ") ")
	return strings.Fields(rest)
}

// treeCPU is user and system time of a process tree, ended children included.
func treeCPU(root int) time.Duration {
	const tick = 10 * time.Millisecond // USER_HZ is 100 on every Linux that Go runs on
	var sum time.Duration
	for _, pid := range tree(root) {
		f := statFields(pid)
		for i := 11; i <= 14 && i < len(f); i++ {
			n, _ := strconv.Atoi(f[i])
			sum += time.Duration(n) * tick
		}
	}
	return sum
}

// treePSS is the proportional set size of a process tree in KB.
func treePSS(root int) int {
	sum := 0
	for _, pid := range tree(root) {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
		if err != nil {
			continue
		}
		for line := range strings.Lines(string(text)) {
			if f := strings.Fields(line); len(f) > 1 && f[0] == "Pss:" {
				n, _ := strconv.Atoi(f[1])
				sum += n
			}
		}
	}
	return sum
}
