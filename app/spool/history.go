package spool

import (
	"context"
	"database/sql"
	"fmt"
	"strconv"
	"strings"
	"time"

	"servicesmtp.net/companion/app/mail"
)

// Counts are a job's recipients by status. They add up to all of them.
type Counts struct {
	Queued    int // wait, or are on their way
	Accepted  int
	Deferred  int // wait after the relay said "later"
	Failed    int
	Uncertain int
	Cancelled int
}

// JobState is how far a job is.
type JobState string

// The words are part of docs/json.md.
const (
	JobQueued    JobState = "queued"    // nothing of it was dialled yet
	JobSending   JobState = "sending"   // begun, and not done
	JobUncertain JobState = "uncertain" // a person must decide of a batch
	JobDone      JobState = "done"
)

// Job is a message and what became of it.
type Job struct {
	ID          mail.JobID
	Account     string
	Lane        mail.Lane
	From        string
	Size        mail.ByteSize
	AcceptedAt  time.Time
	DoneAt      time.Time // zero while it is not done
	Client      mail.Client
	Return      string // RET
	ClientID    string // ENVID of the mail program
	Recipients  int
	Batches     int
	BatchesDone int
	Counts      Counts
	State       JobState
	Damaged     bool       // the body is missing or damaged: it cannot be sent
	LastReply   mail.Reply // the last one that was not a success, or zero
	Report      mail.JobID // the latest report to its sender, or ""
	ReportedAt  time.Time  // when that was stored
	ReportOf    mail.JobID // of a report: the job that it tells of
	ReportTo    string     // of a report: whom it goes to
}

// JobQuery selects jobs; the zero value is the first page of all.
type JobQuery struct {
	Account string // "": all
	Open    bool   // only those not done
	Oldest  bool   // oldest first instead of newest first
	Cursor  string // from the page before
	Limit   int    // 0: 100; at most 1,000
}

const jobColumns = `SELECT j.seq, j.id, j.account, j.lane, j.sender, j.size, j.accepted_at, j.done_at, j.flags, j.family, j.hello, j.auth,
	j.ret, j.client_id, j.recipients, j.batches, j.live, j.queued, j.accepted, j.deferred, j.failed, j.uncertain, j.cancelled, j.damaged,
	j.last_code, j.last_enhanced, j.last_reply, j.last_command, j.report, j.told_at, j.report_of, j.report_to,
	j.batches > j.live OR EXISTS (SELECT 1 FROM batches b WHERE b.job = j.seq AND b.state IN (2, 3, 4)),
	EXISTS (SELECT 1 FROM batches b WHERE b.job = j.seq AND b.state IN (2, 3, 4) AND b.state = 4)
	FROM jobs j `

func scanJob(rows *sql.Rows) (j Job, seq int64, err error) {
	var accepted, ended, told int64
	var flags, live, code, enhanced int
	var begun, doubt bool
	c, r := &j.Counts, &j.LastReply
	err = rows.Scan(&seq, &j.ID, &j.Account, &j.Lane, &j.From, &j.Size, &accepted, &ended, &flags, &j.Client.Family, &j.Client.Hello,
		&j.Client.Auth, &j.Return, &j.ClientID, &j.Recipients, &j.Batches, &live, &c.Queued, &c.Accepted, &c.Deferred, &c.Failed,
		&c.Uncertain, &c.Cancelled, &j.Damaged, &code, &enhanced, &r.Text, &r.Command,
		&j.Report, &told, &j.ReportOf, &j.ReportTo, &begun, &doubt)
	j.AcceptedAt, j.DoneAt, j.ReportedAt = moment(accepted), moment(ended), moment(told)
	j.Client.TLS = flags&flagClientTLS != 0
	j.BatchesDone = j.Batches - live
	r.Code = unpackCode(code, enhanced)
	switch {
	case ended != 0:
		j.State = JobDone
	case doubt:
		j.State = JobUncertain
	case begun:
		j.State = JobSending
	default:
		j.State = JobQueued
	}
	return j, seq, err
}

// Jobs lists a page of jobs. next is the cursor of the page after it, or "".
func (s *Spool) Jobs(ctx context.Context, q JobQuery) (jobs []Job, next string, err error) {
	limit := pageSize(q.Limit, 100, 1000)
	query, order := jobColumns+`WHERE `, ` ORDER BY j.seq DESC LIMIT ?`
	var args []any
	if q.Open {
		query += `j.done_at = 0 AND `
	}
	if q.Account != "" {
		query, args = query+`j.account = ? AND `, append(args, q.Account)
	}
	from, err := parseCursor(q.Cursor, 1)
	if err != nil {
		return nil, "", err
	}
	switch {
	case q.Oldest:
		query, order, args = query+`j.seq > ?`, ` ORDER BY j.seq LIMIT ?`, append(args, from[0])
	case q.Cursor != "":
		query, args = query+`j.seq < ?`, append(args, from[0])
	default:
		query += `j.seq > 0`
	}
	var last int64
	err = s.rows(ctx, query+order, append(args, limit+1), func() { jobs, next = nil, "" }, func(rows *sql.Rows) error {
		j, seq, err := scanJob(rows)
		if err == nil && len(jobs) == limit {
			next = strconv.FormatInt(last, 10)
			return nil
		}
		jobs, last = append(jobs, j), seq
		return err
	})
	if err != nil {
		return nil, "", fmt.Errorf("read jobs: %w", err)
	}
	return jobs, next, nil
}

// Job reads one job.
func (s *Spool) Job(ctx context.Context, id mail.JobID) (Job, error) {
	var j Job
	err := s.rows(ctx, jobColumns+`WHERE j.id = ?`, []any{id}, nil, func(rows *sql.Rows) (err error) {
		j, _, err = scanJob(rows)
		return err
	})
	if err == nil && j.ID == "" {
		err = ErrNotFound
	}
	if err != nil {
		return Job{}, fmt.Errorf("read job %s: %w", id, err)
	}
	return j, nil
}

// Failure is a recipient whom the relay refused for good, or put off for too
// long.
type Failure struct {
	Job     mail.JobID
	Batch   int
	Account string
	Address string
	Reply   mail.Reply
	At      time.Time
}

// Failed lists a page of failures, newest first: of one account, or all, with
// search (part of an address or a reply) where it is not empty.
func (s *Spool) Failed(ctx context.Context, account, search, cursor string, limit int) (list []Failure, next string, err error) {
	limit = pageSize(limit, 1000, 10_000)
	before, err := parseCursor(cursor, 1)
	if err != nil {
		return nil, "", err
	}
	pattern := "%" + likeEscaper.Replace(search) + "%"
	var last int64
	err = s.rows(ctx, `SELECT o.id, j.id, b.number, b.account, o.address, o.code, o.enhanced, o.reply, o.command, o.at
		FROM outcomes o CROSS JOIN batches b ON b.id = o.batch CROSS JOIN jobs j ON j.seq = b.job
		WHERE o.status = 4 AND (? = 0 OR o.id < ?) AND (? = '' OR b.account = ?)
			AND (? = '' OR o.address LIKE ? ESCAPE '\' OR o.reply LIKE ? ESCAPE '\')
		ORDER BY o.id DESC LIMIT ?`,
		[]any{before[0], before[0], account, account, search, pattern, pattern, limit + 1}, func() { list, next = nil, "" }, func(rows *sql.Rows) error {
			var f Failure
			var id, at int64
			var code, enhanced int
			err := rows.Scan(&id, &f.Job, &f.Batch, &f.Account, &f.Address, &code, &enhanced, &f.Reply.Text, &f.Reply.Command, &at)
			if err == nil && len(list) == limit {
				next = strconv.FormatInt(last, 10)
				return nil
			}
			f.Reply.Code, f.At = unpackCode(code, enhanced), moment(at)
			list, last = append(list, f), id
			return err
		})
	if err != nil {
		return nil, "", fmt.Errorf("read failures: %w", err)
	}
	return list, next, nil
}

// Attempts lists the attempts of an account that started or left at since or
// later, and all that are open.
func (s *Spool) Attempts(ctx context.Context, account string, since time.Time) (list []Attempt, err error) {
	const columns = `SELECT a.id, coalesce(j.id, ''), coalesce(b.number, 0), a.account, a.lane, a.recipients, a.started_at, a.left_at, a.ended_at, a.result
		FROM attempts a LEFT JOIN batches b ON b.id = a.batch LEFT JOIN jobs j ON j.seq = b.job `
	// An attempt may wait for its turn between start and DATA, but not for a day.
	err = s.rows(ctx, columns+`WHERE a.started_at >= ? AND a.account = ? AND a.result <> 1 AND (a.started_at >= ? OR a.left_at >= ?)
		UNION ALL `+columns+`WHERE a.result = 1 AND a.account = ? ORDER BY 1`,
		[]any{micros(since.Add(-attemptSlack)), account, micros(since), micros(since), account}, func() { list = nil }, func(rows *sql.Rows) error {
			var a Attempt
			var started, left, ended int64
			err := rows.Scan(&a.ID, &a.Job, &a.Number, &a.Account, &a.Lane, &a.Recipients, &started, &left, &ended, &a.Result)
			a.Started, a.Left, a.Ended = moment(started), moment(left), moment(ended)
			list = append(list, a)
			return err
		})
	if err != nil {
		return nil, fmt.Errorf("read attempts: %w", err)
	}
	return list, nil
}

// attemptSlack is how much longer attempts are kept and looked for than asked.
const attemptSlack = 24 * time.Hour

func pageSize(limit, usual, most int) int {
	if limit <= 0 {
		return usual
	}
	return min(limit, most)
}

// parseCursor reads a cursor of n numbers with dots between them; "" is all
// zeros.
func parseCursor(cursor string, n int) ([]int64, error) {
	out := make([]int64, n)
	if cursor == "" {
		return out, nil
	}
	parts := strings.Split(cursor, ".")
	if len(parts) != n {
		return nil, fmt.Errorf("cursor: %w", ErrNotFound)
	}
	for i, p := range parts {
		v, err := strconv.ParseInt(p, 10, 64)
		if err != nil || v < 0 {
			return nil, fmt.Errorf("cursor: %w", ErrNotFound)
		}
		out[i] = v
	}
	return out, nil
}
