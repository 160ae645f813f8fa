package spool

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"servicesmtp.net/companion/app/mail"
	"servicesmtp.net/companion/internal/wire"
)

// start is when the tests take place.
var start = time.Date(2026, 11, 25, 9, 0, 0, 0, time.UTC)

// jobID is the n-th job of a test.
func jobID(n int) mail.JobID { return mail.JobID(fmt.Sprintf("01K%023d", n)) }

// inFifties splits as the engine does, in the simplest way.
func inFifties(list []mail.Recipient) [][]mail.Recipient {
	return slices.Collect(slices.Chunk(list, 50))
}

// recipients are n different ones.
func recipients(n int) []mail.Recipient {
	list := make([]mail.Recipient, n)
	for i := range list {
		list[i].Address = fmt.Sprintf("person%d@example.com", i)
	}
	return list
}

// problems collects what OnProblem hears.
type problems struct {
	mu   sync.Mutex // guards list
	list []error
}

func (p *problems) add(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.list = append(p.list, err)
}

func (p *problems) all() []error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.list
}

func options(dir string) Options {
	return Options{Dir: dir, Split: inFifties, Log: slog.New(slog.DiscardHandler)}
}

// openAt opens a spool that is closed with the test, if not before.
func openAt(t testing.TB, o Options) *Spool {
	t.Helper()
	s, err := Open(t.Context(), o)
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil && !errors.Is(err, ErrClosed) {
			t.Errorf("close: %v", err)
		}
	})
	return s
}

func newSpool(t testing.TB) *Spool { return openAt(t, options(t.TempDir())) }

func envelope(account string, list []mail.Recipient) mail.Envelope {
	return mail.Envelope{Account: account, Lane: mail.Bulk, From: "news@example.com", Recipients: list, AcceptedAt: start}
}

// put offers a message as a mail program would.
func put(ctx context.Context, s *Spool, id mail.JobID, env mail.Envelope, body []byte) error {
	in, err := s.Create(ctx, id, mail.ByteSize(len(body)))
	if err != nil {
		return err
	}
	defer in.Discard()
	for rest := body; len(rest) > 0; { // in pieces, as from a connection
		n := min(len(rest), 32<<10)
		if _, err := in.Write(rest[:n]); err != nil {
			return err
		}
		rest = rest[n:]
	}
	return in.Commit(ctx, env)
}

// onlyReader hides WriterTo, so that io.Copy reads in pieces.
type onlyReader struct{ io.Reader }

func accept(t testing.TB, s *Spool, id mail.JobID, env mail.Envelope, body []byte) {
	t.Helper()
	if err := put(t.Context(), s, id, env, body); err != nil {
		t.Fatalf("accept %s: %v", id, err)
	}
}

func readBody(t tb, s *Spool, id mail.JobID) []byte {
	t.Helper()
	r, size, err := s.Body(t.Context(), id)
	if err != nil {
		t.Fatalf("body of %s: %v", id, err)
	}
	defer r.Close()
	data, err := io.ReadAll(r)
	if err != nil {
		t.Fatalf("read body of %s: %v", id, err)
	}
	if mail.ByteSize(len(data)) != size {
		t.Fatalf("body of %s: %d bytes, said %d", id, len(data), size)
	}
	return data
}

func readyNow(t tb, s *Spool, account string, now time.Time) []mail.Batch {
	t.Helper()
	return readyIn(t, s, account, mail.Bulk, now)
}

func readyIn(t tb, s *Spool, account string, lane mail.Lane, now time.Time) []mail.Batch {
	t.Helper()
	list, _, err := s.Ready(t.Context(), account, lane, now, 1000)
	if err != nil {
		t.Fatalf("ready: %v", err)
	}
	return list
}

func begin(t testing.TB, s *Spool, id mail.JobID, number int, now time.Time) int64 {
	t.Helper()
	attempt, err := s.Begin(t.Context(), id, number, "main", now)
	if err != nil {
		t.Fatalf("begin %s %d: %v", id, number, err)
	}
	return attempt
}

func must(t tb, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantErr(t tb, got, want error) {
	t.Helper()
	if !errors.Is(got, want) {
		t.Fatalf("got error %v, want %v", got, want)
	}
}

// answers makes outcomes with one status for all recipients.
func answers(list []mail.Recipient, status mail.Status, reply mail.Reply) []mail.Outcome {
	out := make([]mail.Outcome, len(list))
	for i, r := range list {
		out[i] = mail.Outcome{Address: r.Address, Status: status, Reply: reply}
	}
	return out
}

func getJob(t tb, s *Spool, id mail.JobID) Job {
	t.Helper()
	j, err := s.Job(t.Context(), id)
	if err != nil {
		t.Fatalf("job %s: %v", id, err)
	}
	return j
}

func sum(body []byte) wire.BodySum { return sha256.Sum256(body) }

// names lists a folder.
func names(t testing.TB, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	must(t, err)
	var out []string
	for _, e := range entries {
		out = append(out, e.Name())
	}
	return out
}

// snapshot copies a spool's folder to another as a power cut at this moment leaves it:
// without the log's index, which is rebuilt from the log.
func snapshot(t testing.TB, dir, to string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		if d.IsDir() {
			return os.MkdirAll(filepath.Join(to, rel), 0o700)
		}
		if rel == lockName || strings.HasSuffix(rel, "-shm") {
			return nil
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(to, rel), data, 0o600)
	})
	must(t, err)
}

// checkRows holds the rows against the invariants of the package comment, as
// far as they can be seen without knowing what was asked for.
func checkRows(t tb, s *Spool) {
	t.Helper()
	for _, c := range []struct{ what, query string }{
		{"counts do not add up to the recipients", `SELECT count(*) FROM jobs
			WHERE recipients <> queued + deferred + accepted + failed + uncertain + cancelled OR min(queued, deferred, accepted, failed, uncertain, cancelled) < 0`},
		{"live batches are miscounted", `SELECT count(*) FROM jobs j WHERE live <> (SELECT count(*) FROM batches b WHERE b.job = j.seq AND state <> 5)`},
		{"numbers have a gap", `SELECT count(*) FROM jobs j WHERE batches <> (SELECT count(*) FROM batches b WHERE b.job = j.seq)
			OR batches <> (SELECT max(number) FROM batches b WHERE b.job = j.seq)`},
		{"waiting recipients are miscounted", `SELECT count(*) FROM jobs j WHERE queued + deferred <>
			(SELECT coalesce(sum(count), 0) FROM batches b WHERE b.job = j.seq AND state IN (1, 2, 3))`},
		{"a live job has no body, or one that is done has one that no report needs", `SELECT count(*) FROM jobs j
			WHERE done_at = 0 AND (body = 3 OR (body = 1) <> EXISTS (SELECT 1 FROM bodies b WHERE b.job = j.seq))
			OR done_at > 0 AND owing = 0 AND (body <> 3 OR EXISTS (SELECT 1 FROM bodies b WHERE b.job = j.seq))`},
		{"a job is done with live batches, or the reverse", `SELECT count(*) FROM jobs WHERE (done_at = 0) <> (live > 0)`},
		{"a batch on its way has no open attempt", `SELECT count(*) FROM batches b WHERE state = 2 AND NOT EXISTS
			(SELECT 1 FROM attempts a WHERE a.id = b.attempt AND a.result = 1)`},
		{"an attempt stays open", `SELECT count(*) FROM attempts a WHERE result = 1 AND NOT EXISTS
			(SELECT 1 FROM batches b WHERE b.attempt = a.id AND b.state IN (2, 3))`},
	} {
		var n int
		must(t, s.row(t.Context(), c.query, nil, &n))
		if n != 0 {
			t.Fatalf("%s: %d rows", c.what, n)
		}
	}
}

// tb is what *testing.T and *rapid.T share.
type tb interface {
	Helper()
	Fatal(args ...any)
	Fatalf(format string, args ...any)
	Context() context.Context
}

// memoryDir is a folder whose syncs cost nothing, where the system has one:
// for tests of what is written, not of what survives.
func memoryDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "spool")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { must(t, os.RemoveAll(dir)) })
	return dir
}
