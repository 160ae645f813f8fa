package spool

import (
	"bufio"
	"bytes"
	"context"
	"database/sql"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"servicesmtp.net/companion/app/mail"
	"servicesmtp.net/companion/internal/durable"
	"servicesmtp.net/companion/internal/race"
)

// childDir names the folder in which a copy of the test program works until it
// is killed.
const childDir = "SPOOL_TEST_CHILD_DIR"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childDir); dir != "" {
		if err := child(dir); err != nil {
			fmt.Println("error", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	if err := flag.Set("rapid.checks", strconv.Itoa(100/race.Sample(8))); err != nil { // a flag on the command line counts more
		panic(err)
	}
	os.Exit(m.Run())
}

// childBody is the message of a job, made from its name.
func childBody(id mail.JobID) []byte {
	size := 200
	if id[25]%4 == 0 {
		size = inlineMax + 1
	}
	return bytes.Repeat([]byte(id), size/len(id)+1)
}

// child accepts, sends and reports failures without end, and says on standard output what it was
// told is durable.
func child(dir string) error {
	ctx := context.Background()
	s, err := Open(ctx, options(dir))
	if err != nil {
		return err
	}
	say := func(words ...any) { fmt.Println(words...) } // one write each
	jobs, _, err := s.Jobs(ctx, JobQuery{Limit: 1})
	if err != nil {
		return err
	}
	var number atomic.Int64
	if len(jobs) > 0 {
		var last int64
		if _, err := fmt.Sscanf(string(jobs[0].ID), "01K%d", &last); err != nil {
			return err
		}
		number.Store(last + 100) // past what was in flight
	}
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			for {
				id := jobID(int(number.Add(1)))
				if err := put(ctx, s, id, envelope("office", recipients(60)), childBody(id)); err != nil {
					say("error", err)
					return
				}
				say("accepted", id)
			}
		})
	}
	group.Go(func() {
		for {
			list, _, err := s.Ready(ctx, "office", mail.Bulk, start, 1)
			if err != nil {
				say("error", err)
				return
			}
			for _, b := range list {
				say("beginning", b.Job, b.Number)
				attempt, err := s.Begin(ctx, b.Job, b.Number, "main", start)
				if err == nil {
					say("begun", b.Job, b.Number)
					status := mail.StatusAccepted
					if b.Number == 2 {
						status = mail.StatusFailed
					}
					err = s.Finish(ctx, FinishRequest{Attempt: attempt, At: start, Outcomes: answers(b.Recipients, status, mail.Reply{})})
				}
				if err != nil {
					say("error", err)
					return
				}
				say("finished", b.Job, b.Number)
			}
		}
	})
	group.Go(func() {
		for ; ; <-s.ReportsDue() {
			due, _, err := s.DueReports(ctx, "", 10)
			for i := 0; err == nil && i < len(due); i++ {
				id := jobID(int(number.Add(1)))
				if err = putReport(ctx, s, id, due[i], start, childBody(id)); err == nil {
					say("accepted", id)
					say("told", due[i].ID)
				}
			}
			if err != nil {
				say("error", err)
				return
			}
		}
	})
	group.Wait()
	return errors.New("the child ended by itself")
}

// TestKill kills a working process with SIGKILL again and again: whatever it
// said is stored must be there, and nothing may block the next start.
func TestKill(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "spool")
	said := make(map[string]bool) // "accepted <id>", "begun <id> <n>", ...
	for round := range 4 {
		cmd := exec.CommandContext(t.Context(), os.Args[0])
		cmd.Env = append(os.Environ(), childDir+"="+dir)
		cmd.Stderr = os.Stderr
		out, err := cmd.StdoutPipe()
		must(t, err)
		must(t, cmd.Start())
		lines := 0
		for scan := bufio.NewScanner(out); scan.Scan(); lines++ {
			if strings.HasPrefix(scan.Text(), "error") {
				t.Errorf("round %d: %s", round, scan.Text())
			}
			said[scan.Text()] = true
			if lines == 40+37*round {
				must(t, cmd.Process.Kill())
			}
		}
		_ = cmd.Wait() // killed
		if lines < 40 {
			t.Fatalf("round %d: the child ended after %d lines", round, lines)
		}
		s, err := Open(t.Context(), options(dir))
		must(t, err)
		checkSaid(t, s, said)
		checkDebts(t, s)
		var astray int
		must(t, s.row(t.Context(), `SELECT count(*) FROM jobs j WHERE failed > 0
			AND (owing > 0) + (SELECT count(*) FROM jobs r WHERE r.report_of = j.id) <> 1`, nil, &astray))
		if astray != 0 {
			t.Errorf("round %d: %d failures with neither a report nor a debt, or with both", round, astray)
		}
		for _, name := range names(t, filepath.Join(dir, bodiesName)) {
			if strings.HasSuffix(name, durable.TempSuffix) {
				t.Errorf("round %d: %s was not swept away", round, name)
			}
		}
		must(t, s.Close())
	}
}

func checkSaid(t *testing.T, s *Spool, said map[string]bool) {
	t.Helper()
	told := 0
	for line := range said {
		var word, id string
		var number int
		fmt.Sscan(line, &word, &id, &number)
		if len(id) != 26 {
			continue // cut off by the kill
		}
		switch word {
		case "accepted":
			j := getJob(t, s, mail.JobID(id))
			if j.State != JobDone && !bytes.Equal(readBody(t, s, j.ID), childBody(j.ID)) {
				t.Errorf("%s: body differs", id)
			}
		case "told":
			told++
			if j := getJob(t, s, mail.JobID(id)); j.Report == "" {
				t.Errorf("%s: the report is lost", id)
			}
		case "begun", "finished":
			var state int
			must(t, s.pool.QueryRow(`SELECT state FROM batches b JOIN jobs j ON j.seq = b.job WHERE j.id = ? AND number = ?`, id, number).Scan(&state))
			if word == "begun" && state != unknown && state != done || word == "finished" && state != done {
				t.Errorf("%s, found in state %d", line, state)
			}
		}
	}
	t.Logf("%d reports were said to be stored", told)
}

// hookedFile runs a function between a body's last sync and its row.
type hookedFile struct {
	bodyFile
	after func()
}

func (f hookedFile) Commit() error {
	err := f.bodyFile.Commit()
	f.after()
	return err
}

func TestCrashBetweenFileAndRow(t *testing.T) {
	s := newSpool(t)
	accept(t, s, jobID(1), envelope("office", recipients(1)), make([]byte, inlineMax+1))
	copied := filepath.Join(t.TempDir(), "copy")
	s.create = func(path string) (bodyFile, error) {
		f, err := durable.Create(path)
		return hookedFile{f, func() { snapshot(t, s.dir, copied) }}, err
	}
	accept(t, s, jobID(2), envelope("office", recipients(1)), make([]byte, inlineMax+1))
	if got := names(t, filepath.Join(copied, bodiesName)); len(got) != 2 {
		t.Fatalf("at the crash: %v", got)
	}
	s = openAt(t, options(copied))
	if got := names(t, filepath.Join(copied, bodiesName)); len(got) != 1 || got[0] != string(jobID(1)) {
		t.Errorf("after it: %v", got)
	}
	_, err := s.Job(t.Context(), jobID(2)) // it was never acknowledged
	wantErr(t, err, ErrNotFound)
	accept(t, s, jobID(2), envelope("office", recipients(1)), make([]byte, inlineMax+1))
}

// After every single step of a message's life the disk holds that step.
func TestEveryStepIsOnDiskWhenItReturns(t *testing.T) {
	s := newSpool(t)
	ctx, id := t.Context(), jobID(1)
	var attempt int64
	var err error
	list := recipients(2)
	states := func(s *Spool) (out []int) {
		rows, err := s.pool.Query(`SELECT state FROM batches ORDER BY number`)
		must(t, err)
		must(t, eachRow(rows, err, func(rows *sql.Rows) error {
			var state int
			err := rows.Scan(&state)
			out = append(out, state)
			return err
		}))
		return out
	}
	for i, step := range []struct {
		name string
		do   func() error
		want []int
	}{
		{"accept", func() error { return put(ctx, s, id, envelope("office", list), []byte("x")) }, []int{ready}},
		{"begin", func() error { attempt, err = s.Begin(ctx, id, 1, "main", start); return err }, []int{unknown}}, // as the next Open finds it
		{"return", func() error { return s.Return(ctx, Ended{Attempt: attempt, At: start}, time.Time{}) }, []int{ready}},
		{"begin again", func() error { attempt, err = s.Begin(ctx, id, 1, "main", start); return err }, []int{unknown}},
		{"unknown", func() error { return s.Unknown(ctx, Ended{Attempt: attempt, At: start}) }, []int{unknown}},
		{"replay", func() error { return s.Replay(ctx, id, 1, start) }, []int{ready}},
		{"begin a third time", func() error { attempt, err = s.Begin(ctx, id, 1, "main", start); return err }, []int{unknown}},
		{"finish", func() error {
			return s.Finish(ctx, FinishRequest{Attempt: attempt, At: start, Outcomes: answers(list, mail.StatusDeferred, greylisted)})
		}, []int{done, ready}},
		{"cancel", func() error { _, err := s.Cancel(ctx, id, start); return err }, []int{done, done}},
	} {
		must(t, step.do())
		dir := filepath.Join(t.TempDir(), fmt.Sprint(i))
		snapshot(t, s.dir, dir)
		copied, err := Open(ctx, options(dir))
		must(t, err)
		if got := states(copied); fmt.Sprint(got) != fmt.Sprint(step.want) {
			t.Errorf("after %s: %v, want %v", step.name, got, step.want)
		}
		checkRows(t, copied)
		open, err := copied.Attempts(ctx, "office", start.Add(time.Hour))
		must(t, err)
		if wantOpen := strings.HasPrefix(step.name, "begin"); (len(open) == 1) != wantOpen {
			t.Errorf("after %s: open attempts %v", step.name, open)
		}
		must(t, copied.Close())
	}
}
