package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/textproto"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// limit is what a slow machine may need for one of the figures below.
const limit = 5 * time.Minute

// large prints what one big message and a long queue cost.
func large(ctx context.Context, bin, dir string) error {
	p, err := newPair(ctx, bin, dir)
	if err != nil {
		return err
	}
	defer p.close()
	fmt.Println("\n| what | figure | goal |")
	fmt.Println("|---|---|---|")
	for _, figure := range []func(context.Context, *pair) error{tenThousand, ninetyMegabytes, queued} {
		if err := figure(ctx, p); err != nil {
			return err
		}
	}
	return nil
}

// tenThousand hands in 1 MB to 10,000 recipients while the relay is away.
func tenThousand(ctx context.Context, p *pair) error {
	if err := p.startCompanion(ctx); err != nil {
		return err
	}
	took, rate, err := handIn(ctx, p.companion.addr(), 10_000, 1<<20)
	if err != nil {
		return err
	}
	disk, err := onDisk(filepath.Join(p.dir, "companion", "spool"))
	if err != nil {
		return err
	}
	print1("1 MB to 10,000 recipients: last RCPT to `250`", fmt.Sprintf("%.0f ms (%.0f MB/s)", took.Seconds()*1000, rate), "≤ 1 s")
	print1("the same on disk", fmt.Sprintf("%.1f MB", disk), "≤ 2 MB")
	print1("the same, most that was resident", fmt.Sprintf("%.0f MB", p.companion.peak()), "≤ 40 MB")
	return p.forget()
}

// ninetyMegabytes goes the whole way to 500 recipients.
func ninetyMegabytes(ctx context.Context, p *pair) error {
	if err := errors.Join(p.startRelay(ctx), p.startCompanion(ctx)); err != nil {
		return err
	}
	began := time.Now()
	took, rate, err := handIn(ctx, p.companion.addr(), 500, 90<<20)
	if err != nil {
		return err
	}
	if err := p.until(ctx, "verdict=done", 10); err != nil {
		return err
	}
	print1("90 MB to 500 recipients: DATA to `250`", fmt.Sprintf("%.1f s (%.0f MB/s)", took.Seconds(), rate), "≥ 100 MB/s")
	print1("the same, accepted by the relay after", fmt.Sprintf("%.1f s", time.Since(began).Seconds()), "")
	print1("the same, most that was resident: companion / relay", fmt.Sprintf("%.0f / %.0f MB", p.companion.peak(), p.relay.peak()), "≤ 64 MB")
	return errors.Join(p.relay.stop(), p.forget())
}

// queued fills the spool with 100,000 messages, and starts again.
func queued(ctx context.Context, p *pair) error {
	if err := p.startCompanion(ctx); err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, "smtp-source", "-d", "-s", "8", "-m", "100000", "-l", "2000", "-f", "a@src.invalid", "-t", "b@dst.invalid", p.companion.addr())
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("smtp-source: %w: %s", err, out)
	}
	filled := p.companion.peak()
	if err := errors.Join(p.companion.stop(), os.Remove(p.companion.log), p.startRelay(ctx)); err != nil {
		return err
	}
	began := time.Now()
	if err := p.startCompanion(ctx); err != nil {
		return err
	}
	listening := time.Since(began)
	if err := p.until(ctx, "verdict=done", 1); err != nil {
		return err
	}
	first := time.Since(began)
	var times []float64
	for range 21 {
		asked := time.Now()
		waiting, err := p.waiting(ctx)
		if err != nil {
			return err
		}
		times = append(times, time.Since(asked).Seconds()*1000)
		if waiting < 90_000 { // some have left meanwhile
			return fmt.Errorf("%d messages wait, of 100,000", waiting)
		}
	}
	print1("100,000 messages wait: start to listening / to the first that the relay has", fmt.Sprintf("%.0f ms / %.0f ms", listening.Seconds()*1000, first.Seconds()*1000), "≤ 2 s")
	print1("the same: `status`, median of 21 (a process each)", fmt.Sprintf("%.0f ms", median(times)), "≤ 50 ms")
	print1("the same, resident while it sends / most while it was filled", fmt.Sprintf("%.0f / %.0f MB", p.companion.resident(), filled), "≤ 30 MB")
	return errors.Join(p.relay.stop(), p.forget())
}

// waiting asks for the status and reads from it how many messages wait.
func (p *pair) waiting(ctx context.Context) (int, error) {
	out, err := exec.CommandContext(ctx, filepath.Join(p.bin, "companionctl"), append(p.folders(), "status", "--json")...).Output()
	if err != nil {
		return 0, fmt.Errorf("status: %w", err)
	}
	var state struct {
		Accounts []struct {
			Waiting int `json:"queued_messages"`
		}
	}
	if err := json.Unmarshal(out, &state); err != nil {
		return 0, fmt.Errorf("status: %w", err)
	}
	if len(state.Accounts) != 1 {
		return 0, fmt.Errorf("status: %d accounts", len(state.Accounts))
	}
	return state.Accounts[0].Waiting, nil
}

func print1(what, figure, goal string) { fmt.Printf("| %s | %s | %s |\n", what, figure, goal) }

// forget ends the companion and removes what it kept.
func (p *pair) forget() error {
	return errors.Join(p.companion.stop(), os.RemoveAll(filepath.Join(p.dir, "companion")), os.Remove(p.companion.log))
}

// until waits until the companion has logged a text so many times.
func (p *pair) until(ctx context.Context, text string, times int) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	for {
		log, err := os.ReadFile(p.companion.log)
		if err != nil {
			return err
		}
		if strings.Count(string(log), text) >= times {
			return nil
		}
		select {
		case <-time.After(5 * time.Millisecond):
		case <-ctx.Done():
			return fmt.Errorf("%q is not in the companion's log: %w", text, ctx.Err())
		}
	}
}

// onDisk is what a folder takes, in MB.
func onDisk(dir string) (float64, error) {
	var sum int64
	err := filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err == nil {
			sum += info.Size()
		}
		return err
	})
	return float64(sum) / 1e6, err
}

// handIn sends one message of size octets and measures from the last RCPT to
// the 250 after the data. RCPTs are pipelined.
func handIn(ctx context.Context, addr string, recipients, size int) (took time.Duration, mbPerSecond float64, err error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return 0, 0, err
	}
	defer conn.Close()
	c := textproto.NewConn(conn)
	say := func(code int, lines ...string) {
		for _, l := range lines {
			if err == nil {
				_, err = c.W.WriteString(l + "\r\n")
			}
		}
		if err == nil {
			err = c.W.Flush()
		}
		for range lines {
			if err == nil {
				_, _, err = c.ReadResponse(code)
			}
		}
	}
	if _, _, err = c.ReadResponse(220); err != nil {
		return 0, 0, err
	}
	say(250, "EHLO bench.invalid")
	say(250, "MAIL FROM:<news@example.com>")
	const together = 200
	for i := 0; i < recipients; i += together {
		var lines []string
		for k := i; k < min(i+together, recipients); k++ {
			lines = append(lines, fmt.Sprintf("RCPT TO:<r%d@dst%d.invalid>", k, k%100))
		}
		say(250, lines...)
	}
	began := time.Now()
	say(354, "DATA")
	if err == nil {
		err = writeBody(conn, size)
	}
	say(250, ".")
	took = time.Since(began)
	return took, float64(size) / 1e6 / took.Seconds(), err
}

// writeBody writes a header and lines of 76 octets.
func writeBody(w io.Writer, size int) error {
	out := bufio.NewWriterSize(w, 256<<10)
	fmt.Fprint(out, "From: <news@example.com>\r\nSubject: bench\r\n\r\n") // Flush has the error
	line := strings.Repeat("0123456789abcdef", 5)[:74] + "\r\n"
	for n := 0; n < size; n += len(line) {
		if _, err := out.WriteString(line); err != nil {
			return err
		}
	}
	return out.Flush()
}
