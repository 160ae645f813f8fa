package queue

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver"
	"github.com/riverqueue/river/rivertype"
)

// riverQueue is the name of the one River queue; lanes are its jobs.
const riverQueue = "lanes"

// jobKind of the lane drains.
const jobKind = "lane"

// laneArgs is the right to drain a lane over one connection.
type laneArgs struct {
	Lane string `json:"lane"`
	Slot int    `json:"slot"`
}

// Kind implements river.JobArgs.
func (laneArgs) Kind() string { return jobKind }

// InsertOpts implements river.JobArgsWithInsertOpts. Attempts are not what
// limits a lane: every message has its own.
func (laneArgs) InsertOpts() river.InsertOpts {
	return river.InsertOpts{
		Queue:       riverQueue,
		MaxAttempts: 1 << 30,
		UniqueOpts: river.UniqueOpts{ByArgs: true, ByState: []rivertype.JobState{rivertype.JobStateAvailable, rivertype.JobStatePending,
			rivertype.JobStateRetryable, rivertype.JobStateRunning, rivertype.JobStateScheduled}},
	}
}

// jobTimeout is above whatever a job's budget and its last message can take;
// the deliverer keeps its own, closer limits.
const jobTimeout = 6 * time.Hour

// newClient configures River to be quiet when there is nothing to do: it is
// woken by the bell, and only backed up by polling.
func newClient(q *Queue) (*river.Client[*sql.Tx], error) {
	workers := river.NewWorkers()
	if err := river.AddWorkerSafely(workers, &laneWorker{q: q}); err != nil {
		return nil, err
	}
	return river.NewClient[*sql.Tx](&driver{q.c.Store.Driver(), q.bell}, &river.Config{
		ID:                          q.c.Store.JobClient(),
		Queues:                      map[string]river.QueueConfig{riverQueue: {MaxWorkers: q.c.Workers}},
		Workers:                     workers,
		FetchCooldown:               river.FetchCooldownMin,
		FetchPollInterval:           q.c.poll,
		JobTimeout:                  jobTimeout,
		RescueStuckJobsAfter:        2 * jobTimeout,
		CompletedJobRetentionPeriod: time.Minute,
		CancelledJobRetentionPeriod: time.Minute,
		DiscardedJobRetentionPeriod: time.Hour,
		RetryPolicy:                 soon{},
		SoftStopTimeout:             q.c.StopWait,
		ReindexerIndexNames:         []string{}, // the table is small, and a rebuild at midnight would stop the one writer
		Logger:                      slog.New(warnings{q.log.Handler()}),
	})
}

// soon retries a job that failed: only the database can make one fail.
type soon struct{}

// NextRetry implements river.ClientRetryPolicy.
func (soon) NextRetry(*rivertype.JobRow) time.Time { return time.Now().Add(time.Second) }

// warnings passes on what matters of River's own log.
type warnings struct{ slog.Handler }

// Enabled implements slog.Handler.
func (w warnings) Enabled(ctx context.Context, l slog.Level) bool {
	return l >= slog.LevelWarn && w.Handler.Enabled(ctx, l)
}

// driver is River's driver with another way to be told of new jobs. That for
// SQLite polls a table through the one writing connection 20 times a
// second; all our inserts come from this process, so a bell does.
type driver struct {
	riverdriver.Driver[*sql.Tx]
	bell *bell
}

// GetListener implements riverdriver.Driver.
func (d *driver) GetListener(*riverdriver.GetListenenerParams) riverdriver.Listener { return d.bell }

// SupportsListener implements riverdriver.Driver. The one for PostgreSQL over
// database/sql says no, and River would only poll.
func (d *driver) SupportsListener() bool { return true }

// SupportsListenNotify implements riverdriver.Driver: inserts leave no note
// for other processes.
func (d *driver) SupportsListenNotify() bool { return false }

// bell is a riverdriver.Listener within the process.
type bell struct{ c chan struct{} }

var _ riverdriver.Listener = (*bell)(nil)

func newBell() *bell { return &bell{make(chan struct{}, 1)} }

// ring makes River look for jobs now. It never waits: a bell that was rung and
// not yet heard covers this call too.
func (b *bell) ring() {
	select {
	case b.c <- struct{}{}:
	default:
	}
}

// WaitForNotification implements riverdriver.Listener.
func (b *bell) WaitForNotification(ctx context.Context) (*riverdriver.Notification, error) {
	select {
	case <-b.c:
		return &riverdriver.Notification{Topic: "river_insert", Payload: `{"queue":"` + riverQueue + `"}`}, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// The rest of riverdriver.Listener has nothing to do here.

func (b *bell) Close(context.Context) error            { return nil }
func (b *bell) Connect(context.Context) error          { return nil }
func (b *bell) Listen(context.Context, string) error   { return nil }
func (b *bell) Ping(context.Context) error             { return nil }
func (b *bell) Schema() string                         { return "" }
func (b *bell) SetAfterConnectExec(string)             {}
func (b *bell) Unlisten(context.Context, string) error { return nil }

// rescueOwn makes this node's jobs available again that a crash left running:
// being unique, they would block their own replacement. It tells their number.
// On PostgreSQL the store does so for all nodes that are gone.
func (q *Queue) rescueOwn(ctx context.Context) (int, error) {
	if q.c.Store.Shared() {
		return 0, nil
	}
	rescued := 0
	running := river.NewJobListParams().Kinds(jobKind).States(rivertype.JobStateRunning).OrderBy(river.JobListOrderByID, river.SortOrderAsc).First(1000)
	for {
		list, err := q.client.JobList(ctx, running)
		if err != nil {
			return rescued, fmt.Errorf("list running jobs: %w", err)
		}
		if len(list.Jobs) == 0 {
			return rescued, nil
		}
		running = running.After(list.LastCursor)
		n, err := q.rescue(ctx, list.Jobs)
		if err != nil {
			return rescued, err
		}
		rescued += n
	}
}

// rescue makes those of the jobs available that this node ran.
func (q *Queue) rescue(ctx context.Context, jobs []*rivertype.JobRow) (int, error) {
	now := time.Now()
	params := &riverdriver.JobRescueManyParams{StuckHorizon: now.Add(time.Hour)}
	for _, job := range jobs {
		if by := job.AttemptedBy; len(by) > 0 && by[len(by)-1] != q.client.ID() {
			continue // another node's, which may be alive
		}
		note, err := json.Marshal(rivertype.AttemptError{At: now, Attempt: job.Attempt, Error: "the program ended"})
		if err != nil {
			return 0, err
		}
		params.ID = append(params.ID, job.ID)
		params.Error = append(params.Error, note)
		params.FinalizedAt = append(params.FinalizedAt, nil)
		params.ScheduledAt = append(params.ScheduledAt, now)
		params.State = append(params.State, string(rivertype.JobStateAvailable))
	}
	if len(params.ID) == 0 {
		return 0, nil
	}
	if _, err := q.client.Driver().GetExecutor().JobRescueMany(ctx, params); err != nil {
		return 0, fmt.Errorf("free running jobs: %w", err)
	}
	return len(params.ID), nil
}

// insert adds lane jobs outside any transaction of ours.
func (q *Queue) insert(ctx context.Context, jobs []laneArgs) error {
	for some := range slices.Chunk(jobs, 500) {
		params := make([]river.InsertManyParams, 0, len(some))
		for _, j := range some {
			params = append(params, river.InsertManyParams{Args: j})
		}
		if _, err := q.client.InsertMany(ctx, params); err != nil {
			return fmt.Errorf("insert lane jobs: %w", err)
		}
	}
	return nil
}
