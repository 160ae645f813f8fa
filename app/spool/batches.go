package spool

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"slices"
	"time"

	"servicesmtp.net/companion/app/mail"
	"servicesmtp.net/companion/internal/wire"
)

// States of a batch. Values are stored; queries and partial indexes name them
// as numbers, because SQLite uses a partial index only for the very words of
// its condition.
const (
	ready     = 1
	sending   = 2
	unknown   = 3
	uncertain = 4
	done      = 5
)

// Why a batch does not leave although it is ready. Values are stored.
const (
	heldNot        = 0
	heldCancelling = 1
	heldDamaged    = 2
)

// batchColumns are what a mail.Batch is made of, in the order of scanBatch.
const batchColumns = `b.job, b.number, j.id, b.account, b.lane, j.sender, b.recipients, j.size, j.sum, j.flags, j.ret, j.client_id,
	b.attempts, b.round, CASE b.first_try WHEN 0 THEN j.accepted_at ELSE b.first_try END, b.bound, b.store, b.count`

// storedBatch is a batch with its place in the order of acceptance.
type storedBatch struct {
	mail.Batch
	seq int64
}

func scanBatch(rows *sql.Rows) (b storedBatch, err error) {
	var list storedList
	var sum []byte
	var flags, count int
	var first int64
	if err := rows.Scan(&b.seq, &b.Number, &b.Job, &b.Account, &b.Lane, &b.From, &list, &b.Size, &sum, &flags, &b.Return, &b.ClientID,
		&b.Attempts, &b.Round, &first, &b.Bound, &b.Store, &count); err != nil {
		return b, err
	}
	b.Recipients = list
	if len(sum) != len(b.BodySum) {
		return b, fmt.Errorf("job %s: sum of body: %w", b.Job, ErrDamaged)
	}
	if len(b.Recipients) != count {
		return b, fmt.Errorf("job %s, batch %d: number of recipients: %w", b.Job, b.Number, ErrDamaged)
	}
	b.BodySum = wire.BodySum(sum)
	b.UTF8, b.EightBit = flags&flagUTF8 != 0, flags&flagEightBit != 0
	b.FirstTry = moment(first)
	return b, nil
}

// batches runs a query for batchColumns.
func (s *Spool) batches(ctx context.Context, query string, args ...any) (list []storedBatch, err error) {
	err = s.rows(ctx, query, args, func() { list = nil }, func(rows *sql.Rows) error {
		b, err := scanBatch(rows)
		list = append(list, b)
		return err
	})
	return list, err
}

// longestWait is longer than anybody asks a batch to wait (pace.Backoff). A batch
// that would have to was put off before the clock was set back: where the year
// was wrong, it would wait for a year.
const longestWait = 3 * time.Hour

// Ready lists the batches of a lane that may leave at now, oldest job first,
// at most limit. next is when the first of the others becomes due; it is the
// zero time where there is none. It does not mark anything: Begin does.
func (s *Spool) Ready(ctx context.Context, account string, lane mail.Lane, now time.Time, limit int) (list []mail.Batch, next time.Time, err error) {
	// Nearly everything that is due has not_before 0, and within that value
	// the index is in the order wanted. The rest, deferred before, must be
	// sorted, and is merged with it.
	const due = `SELECT ` + batchColumns + ` FROM batches b INDEXED BY batches_ready JOIN jobs j ON j.seq = b.job
		WHERE b.state = 1 AND b.held = 0 AND b.account = ? AND b.lane = ? AND `
	atOnce, err := s.batches(ctx, due+`b.not_before = 0 ORDER BY b.job, b.number LIMIT ?`, account, lane, limit)
	if err != nil {
		return nil, time.Time{}, fmt.Errorf("read ready batches: %w", err)
	}
	later, err := s.batches(ctx, due+`b.not_before > 0 AND b.not_before <= ? ORDER BY b.job, b.number LIMIT ?`, account, lane, micros(now), limit)
	if err != nil {
		return nil, time.Time{}, fmt.Errorf("read due batches: %w", err)
	}
	first, err := s.next(ctx, laneKey{account, lane}, micros(now))
	if err != nil {
		return nil, time.Time{}, err
	}
	all := append(atOnce, later...)
	if first > micros(now.Add(longestWait)) { // and so are all behind it
		strayed, err := s.batches(ctx, due+`b.not_before > ? ORDER BY b.job, b.number LIMIT ?`, account, lane, micros(now), limit)
		if err != nil {
			return nil, time.Time{}, fmt.Errorf("read strayed batches: %w", err)
		}
		all = append(all, strayed...)
	}
	slices.SortFunc(all, func(a, b storedBatch) int {
		return cmp.Or(cmp.Compare(a.seq, b.seq), cmp.Compare(a.Number, b.Number))
	})
	list = plain(all[:min(limit, len(all))])
	if first < 0 {
		return list, time.Time{}, nil
	}
	return list, moment(first), nil
}

// Unknowns lists the batches of which the relay must be asked: their dot may
// have left. Those of cancelled jobs are in Closing instead.
func (s *Spool) Unknowns(ctx context.Context, account string) ([]mail.Batch, error) {
	return s.busy(ctx, account, `FROM batches b INDEXED BY batches_busy JOIN jobs j ON j.seq = b.job
		WHERE b.state IN (2, 3, 4) AND b.state = 3 AND b.held <> 1`)
}

// Uncertains lists the batches of which a person must decide.
func (s *Spool) Uncertains(ctx context.Context, account string) ([]mail.Batch, error) {
	return s.busy(ctx, account, `FROM batches b INDEXED BY batches_busy JOIN jobs j ON j.seq = b.job
		WHERE b.state IN (2, 3, 4) AND b.state = 4`)
}

// Closing lists the batches of cancelled jobs whose keys the relay must close,
// after which FinishClosed, or Finish where the relay had accepted them, ends
// them. It survives a restart.
func (s *Spool) Closing(ctx context.Context, account string) ([]mail.Batch, error) {
	return s.busy(ctx, account, `FROM batches b INDEXED BY batches_closing JOIN jobs j ON j.seq = b.job
		WHERE b.held = 1 AND b.state IN (1, 3)`)
}

func (s *Spool) busy(ctx context.Context, account, from string) ([]mail.Batch, error) {
	list, err := s.batches(ctx, `SELECT `+batchColumns+` `+from+` AND b.account = ? ORDER BY b.job, b.number`, account)
	if err != nil {
		return nil, fmt.Errorf("read batches: %w", err)
	}
	return plain(list), nil
}

func plain(list []storedBatch) []mail.Batch {
	out := make([]mail.Batch, len(list))
	for i, b := range list {
		out[i] = b.Batch
	}
	return out
}

// rows queries the read-only pool. A query that meets damage is made again in
// the rebuilt database; before that, again takes back what scan has done. It
// may be nil where nothing needs to be.
func (s *Spool) rows(ctx context.Context, query string, args []any, again func(), scan func(rows *sql.Rows) error) error {
	second := false
	return s.healing(func() error {
		if second && again != nil {
			again()
		}
		second = true
		return s.rowsOnce(ctx, query, args, scan)
	})
}

// rowsOnce is called with gate held.
func (s *Spool) rowsOnce(ctx context.Context, query string, args []any, scan func(rows *sql.Rows) error) error {
	if s.closed.Load() && s.reads == nil {
		return ErrClosed
	}
	stmt, err := s.reads.get(ctx, query)
	if err == nil {
		var rows *sql.Rows
		rows, err = stmt.QueryContext(ctx, args...)
		err = eachRow(rows, err, scan)
	}
	if err != nil && s.closed.Load() {
		return ErrClosed
	}
	return fault(err)
}

// row reads the first row, or returns ErrNotFound.
func (s *Spool) row(ctx context.Context, query string, args []any, into ...any) error {
	found := false
	err := s.rows(ctx, query, args, func() { found = false }, func(rows *sql.Rows) error {
		found = true
		return rows.Scan(into...)
	})
	if err == nil && !found {
		return ErrNotFound
	}
	return err
}
