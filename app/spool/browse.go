package spool

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"servicesmtp.net/companion/app/mail"
)

// Filter selects jobs for a list that is scrolled; the zero value is all.
type Filter struct {
	Account string
	Show    Show
	Search  string       // part of a sender's or a recipient's address
	Refused []mail.JobID // for ShowFailed: jobs that others know to have failed
}

// Show is a group of jobs.
type Show string

// The groups.
const (
	ShowAll       Show = ""
	ShowOpen      Show = "open" // not done
	ShowUncertain Show = "uncertain"
	ShowFailed    Show = "failed" // with a failed recipient
	ShowDone      Show = "done"
)

// conditions of each group, on the index jobs_list.
var conditions = map[Show]string{
	ShowAll:  ` WHERE 1`,
	ShowOpen: ` WHERE done_at = 0`,
	ShowUncertain: ` WHERE done_at = 0 AND seq IN (SELECT b.job FROM batches b INDEXED BY batches_busy
		WHERE b.state IN (2, 3, 4) AND b.state = 4)`,
	ShowFailed: ` WHERE failed > 0`,
	ShowDone:   ` WHERE done_at > 0`,
}

// Browse reads limit jobs (at most 1,000) from offset on, newest first, and
// counts all that the filter selects.
func (s *Spool) Browse(ctx context.Context, f Filter, offset, limit int) (total int, jobs []Job, err error) {
	where, ok := conditions[f.Show]
	if !ok {
		return 0, nil, fmt.Errorf("jobs %q: %w", f.Show, ErrNotFound)
	}
	where = ` FROM jobs INDEXED BY jobs_list` + where
	var args []any
	if f.Account != "" {
		where, args = where+` AND account = ?`, append(args, f.Account)
	}
	if f.Show == ShowFailed && len(f.Refused) > 0 {
		known, err := json.Marshal(f.Refused)
		if err != nil {
			return 0, nil, fmt.Errorf("list jobs: %w", err)
		}
		where = ` FROM jobs INDEXED BY jobs_list WHERE (failed > 0 OR seq IN (SELECT k.seq FROM json_each(?) JOIN jobs k ON k.id = value))`
		args = append([]any{string(known)}, args...)
		if f.Account != "" {
			where += ` AND account = ?`
		}
	}
	if f.Search != "" {
		found, err := s.find(ctx, f.Search)
		if err != nil {
			return 0, nil, fmt.Errorf("search jobs: %w", err)
		}
		where, args = where+` AND seq IN (SELECT value FROM json_each(?))`, append(args, found)
	}
	if err := s.row(ctx, `SELECT count(*)`+where, args, &total); err != nil {
		return 0, nil, fmt.Errorf("count jobs: %w", err)
	}
	args = append(args, pageSize(limit, 100, 1000), max(offset, 0))
	err = s.rows(ctx, jobColumns+`WHERE j.seq IN (SELECT seq`+where+` ORDER BY seq DESC LIMIT ? OFFSET ?) ORDER BY j.seq DESC`, args, func() { jobs = nil },
		func(rows *sql.Rows) error {
			j, _, err := scanJob(rows)
			jobs = append(jobs, j)
			return err
		})
	if err != nil {
		return 0, nil, fmt.Errorf("read jobs: %w", err)
	}
	return total, jobs, nil
}

// find lists the jobs whose sender or one of whose recipients has the text in
// it, as JSON. It reads every list of recipients: they are blobs, so that
// 20,000 recipients are 400 rows, and an index of addresses would cost more at
// every message than this does at a search.
func (s *Spool) find(ctx context.Context, search string) (string, error) {
	seqs := []int64{}
	var seq int64
	err := s.rows(ctx, `SELECT seq FROM jobs NOT INDEXED WHERE sender LIKE ? ESCAPE '\'`, []any{"%" + likeEscaper.Replace(search) + "%"}, func() { seqs = seqs[:0] },
		func(rows *sql.Rows) error {
			err := rows.Scan(&seq)
			seqs = append(seqs, seq)
			return err
		})
	if err != nil {
		return "", err
	}
	match := containing(search)
	var list sql.RawBytes
	bySender := len(seqs)
	// A batch with a parent has recipients of another batch of its job.
	err = s.rows(ctx, `SELECT job, recipients FROM batches NOT INDEXED WHERE parent = 0`, nil, func() { seqs = seqs[:bySender] }, func(rows *sql.Rows) error {
		err := rows.Scan(&seq, &list)
		if err == nil && anyAddress(list, match) {
			seqs = append(seqs, seq)
		}
		return err
	})
	if err != nil {
		return "", err
	}
	slices.Sort(seqs)
	text, err := json.Marshal(slices.Compact(seqs))
	return string(text), err
}

var likeEscaper = strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`)

// containing matches as LIKE does: the case of ASCII letters is ignored.
func containing(search string) func([]byte) bool {
	part := []byte(search)
	for i, c := range part {
		part[i] = lower(c)
	}
	return func(address []byte) bool {
		for ; len(address) >= len(part); address = address[1:] {
			i := 0
			for i < len(part) && lower(address[i]) == part[i] {
				i++
			}
			if i == len(part) {
				return true
			}
		}
		return false
	}
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}
