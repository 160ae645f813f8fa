package spool

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"time"
)

// Sent is what the relay decided within one unit of time.
type Sent struct {
	From     time.Time
	Accepted int // recipients
	Failed   int // likewise
}

// Sent counts what the relay decided since a time, by units counted from 1970
// in UTC, oldest first, without the empty ones. account "" means all. It counts
// by the end of the batch, and reaches as far back as the history.
func (s *Spool) Sent(ctx context.Context, account string, since time.Time, unit time.Duration) (list []Sent, err error) {
	micro := unit.Microseconds()
	args := []any{micro, micros(since), account, account}
	places := make(map[int64]int) // by number of the unit
	err = s.rows(ctx, `SELECT done_at / ?, sum(count) FROM batches INDEXED BY batches_done
		WHERE done_at > 0 AND done_at >= ? AND (? = '' OR account = ?) AND result = 2 GROUP BY 1 ORDER BY 1`, args, func() { list = nil }, func(rows *sql.Rows) error {
		var number int64
		var x Sent
		err := rows.Scan(&number, &x.Accepted)
		x.From = time.UnixMicro(number * micro).UTC()
		places[number] = len(list)
		list = append(list, x)
		return err
	})
	if err == nil {
		all := slices.Clone(list)
		// Recipients with an outcome of their own are those who were not accepted.
		err = s.rows(ctx, `SELECT b.done_at / ?, count(*), sum(o.status = 4) FROM batches b INDEXED BY batches_done CROSS JOIN outcomes o ON o.batch = b.id
			WHERE b.done_at > 0 AND b.done_at >= ? AND (? = '' OR b.account = ?) AND b.result = 2 GROUP BY 1`, args, func() { copy(list, all) }, func(rows *sql.Rows) error {
			var number int64
			var own, failed int
			err := rows.Scan(&number, &own, &failed)
			if i, ok := places[number]; ok { // a batch that ended between the two queries may not be there
				list[i].Accepted -= own
				list[i].Failed = failed
			}
			return err
		})
	}
	if err != nil {
		return nil, fmt.Errorf("count what was sent: %w", err)
	}
	return list, nil
}
