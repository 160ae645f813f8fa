package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Parked is the next_at of a recipient that waits for the operator: it is due
// for nobody, so that held mail costs a lane nothing.
var Parked = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)

// Due is a message with those of its recipients that a lane may send now.
type Due struct {
	MessageID  string
	AccountID  string
	MailFrom   string
	SHA256     string
	Size       int64
	UTF8       bool
	EightBit   bool
	Ret        string
	ClientID   string
	Received   string
	Held       bool // nobody may send it; see Park
	Recipients []DueRecipient
}

// DueRecipient is one row of deliveries, queued and due.
type DueRecipient struct {
	ID        int64
	Recipient string
	Notify    string
	ORCPT     string
	Attempts  int
	CreatedAt time.Time
}

// IDs of the recipients.
func (d *Due) IDs() []int64 {
	ids := make([]int64, 0, len(d.Recipients))
	for _, r := range d.Recipients {
		ids = append(ids, r.ID)
	}
	return ids
}

// DueQuery says what a connection of a lane looks for.
type DueQuery struct {
	Lane         string
	Now          time.Time
	Single       bool     // one recipient, not all of a message
	SkipMessages []string // in other hands
	SkipIDs      []int64  // in other hands

	// Where nodes share a lane (PostgreSQL), a connection prefers its own part of
	// the messages: two that begin with the same one both ask for its recipients
	// in vain, though only one sends. Zero Parts: no preference.
	Part, Parts int
}

const (
	// headStart is by how much a connection's own part goes before the others':
	// a part for which no connection runs waits no longer than that.
	headStart = 30 * time.Second
	// inSight is how many rows the preference chooses from.
	inSight = 256
)

// first picks the row that goes first: what follows FROM for d and its message m.
func (q DueQuery) first(cond string, args *[]any) string {
	if q.Parts < 2 {
		return `deliveries d JOIN messages m ON m.id = d.message_id WHERE ` + cond + ` ORDER BY d.next_at LIMIT 1`
	}
	number := `(hashtext(message_id) & 2147483647)`
	if q.Single {
		number = `id`
	}
	*args = append(*args, q.Parts, q.Part)
	n := len(*args)
	return fmt.Sprintf(`(SELECT id, message_id FROM (SELECT d.id, d.message_id, d.next_at FROM deliveries d WHERE %s ORDER BY d.next_at LIMIT %d) sight
		ORDER BY next_at - CASE WHEN %s %% $%d = $%d THEN %d ELSE 0 END LIMIT 1) d JOIN messages m ON m.id = d.message_id`, cond, inSight, number, n-1, n, headStart.Microseconds())
}

// maxDue is the most recipients of one message that are handed out at once.
const maxDue = 1000

// where is the condition that finds what q looks for, with its arguments.
func (q DueQuery) where() (string, []any) {
	args := []any{q.Lane, Micros(q.Now)}
	cond := `d.lane = $1 AND d.status = 'queued' AND d.next_at <= $2`
	if len(q.SkipMessages) > 0 {
		cond += ` AND d.message_id NOT IN (` + holders(&args, q.SkipMessages) + `)`
	}
	if len(q.SkipIDs) > 0 {
		cond += ` AND d.id NOT IN (` + holders(&args, q.SkipIDs) + `)`
	}
	return cond, args
}

// holders appends values to args and returns their placeholders.
func holders[T any](args *[]any, values []T) string {
	var b strings.Builder
	for i, v := range values {
		if i > 0 {
			b.WriteByte(',')
		}
		*args = append(*args, v)
		b.WriteString("$" + strconv.Itoa(len(*args)))
	}
	return b.String()
}

// NextDue finds the message that has waited longest in a lane. It is
// ErrNotFound when nothing is due.
func (s *Store) NextDue(ctx context.Context, q DueQuery) (*Due, error) {
	cond, args := q.where()
	var id int64
	d := &Due{}
	var utf8, eight, held int
	err := s.read.QueryRowContext(ctx, `SELECT d.id, m.id, m.account_id, m.mail_from, m.sha256, m.size, m.utf8, m.eight_bit, m.ret, m.client_id, m.received, m.held
		FROM `+q.first(cond, &args), args...).
		Scan(&id, &d.MessageID, &d.AccountID, &d.MailFrom, &d.SHA256, &d.Size, &utf8, &eight, &d.Ret, &d.ClientID, &d.Received, &held)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, ErrNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("find due message: %w", err)
	}
	d.UTF8, d.EightBit, d.Held = utf8 != 0, eight != 0, held != 0
	if d.Held {
		return d, nil
	}
	one := int64(0)
	if q.Single {
		one = id
	}
	return d, s.dueRecipients(ctx, q, d, one)
}

// dueRecipients reads the due recipients of d, or only the one with id one.
func (s *Store) dueRecipients(ctx context.Context, q DueQuery, d *Due, one int64) error {
	// The other conditions are looked at here: named in the query, they would
	// lead SQLite to walk through the whole lane.
	cond, arg := `message_id = $1`, any(d.MessageID)
	if one != 0 {
		cond, arg = `id = $1`, one
	}
	rows, err := s.read.QueryContext(ctx, `SELECT id, recipient, notify, orcpt, attempts, created_at, lane, status, next_at FROM deliveries
		WHERE `+cond+` ORDER BY id`, arg)
	if err != nil {
		return fmt.Errorf("list due recipients: %w", err)
	}
	defer rows.Close()
	for rows.Next() && len(d.Recipients) < maxDue {
		var r DueRecipient
		var created, next int64
		var lane, status string
		if err := rows.Scan(&r.ID, &r.Recipient, &r.Notify, &r.ORCPT, &r.Attempts, &created, &lane, &status, &next); err != nil {
			return fmt.Errorf("list due recipients: %w", err)
		}
		if lane != q.Lane || status != "queued" || next > Micros(q.Now) {
			continue
		}
		r.CreatedAt = Time(created)
		d.Recipients = append(d.Recipients, r)
	}
	return rows.Err()
}

// AnyDue says, within a transaction, whether NextDue would find anything.
func (s *Store) AnyDue(ctx context.Context, tx *sql.Tx, q DueQuery) (bool, error) {
	cond, args := q.where()
	var n int
	err := tx.QueryRowContext(ctx, `SELECT count(*) FROM (SELECT 1 FROM deliveries d WHERE `+cond+` LIMIT 1) due`, args...).Scan(&n)
	if err != nil {
		return false, fmt.Errorf("look for due recipients: %w", err)
	}
	return n > 0, nil
}

// Lane is a lane that has queued recipients.
type Lane struct {
	Name string
	Due  int       // recipients due, counted up to the limit asked for
	Next time.Time // when the first of those not due yet will be; zero: all are due or parked
}

// Lanes lists the lanes with queued recipients. It hops from lane to lane in
// the index, so it costs by the lane, not by the row.
func (s *Store) Lanes(ctx context.Context, now time.Time, limit int) ([]Lane, error) {
	rows, err := s.read.QueryContext(ctx, `WITH RECURSIVE lanes(lane) AS (
		SELECT min(lane) FROM deliveries WHERE status = 'queued'
		UNION ALL
		SELECT (SELECT min(d.lane) FROM deliveries d WHERE d.status = 'queued' AND d.lane > lanes.lane) FROM lanes WHERE lanes.lane IS NOT NULL)
		SELECT lane, coalesce((SELECT min(d.next_at) FROM deliveries d WHERE d.status = 'queued' AND d.lane = lanes.lane AND d.next_at > $1), 0),
			(SELECT count(*) FROM (SELECT 1 FROM deliveries d WHERE d.status = 'queued' AND d.lane = lanes.lane AND d.next_at <= $1 LIMIT $2) due)
		FROM lanes WHERE lane IS NOT NULL`, Micros(now), limit)
	if err != nil {
		return nil, fmt.Errorf("list lanes: %w", err)
	}
	defer rows.Close()
	var all []Lane
	for rows.Next() {
		var l Lane
		var next int64
		if err := rows.Scan(&l.Name, &next, &l.Due); err != nil {
			return nil, fmt.Errorf("list lanes: %w", err)
		}
		if next != 0 && next < Micros(Parked) {
			l.Next = Time(next)
		}
		all = append(all, l)
	}
	return all, rows.Err()
}

// MarkInData writes down that the content is about to be sent to these
// recipients. It is false when one of them is no longer queued and due at now
// (another node may have tried it since), or its message is held; the
// transaction must then be rolled back. It is ErrFenced when this node's lease
// is over.
func (s *Store) MarkInData(ctx context.Context, tx *sql.Tx, ids []int64, now time.Time) (bool, error) {
	if err := s.alive(ctx, tx); err != nil {
		return false, err
	}
	args := []any{s.node, Micros(now)}
	chosen := holders(&args, ids)
	n, err := exec(ctx, tx, "mark recipients", `UPDATE deliveries SET status = 'in_data', node = $1 WHERE id IN (`+chosen+`) AND status = 'queued' AND next_at <= $2
		AND NOT EXISTS (SELECT 1 FROM messages m WHERE m.id = deliveries.message_id AND m.held <> 0)`, args)
	return n == int64(len(ids)), err
}

// Outcome is what became of some recipients in one attempt, all alike.
type Outcome struct {
	IDs      []int64
	Status   string // "delivered", "failed", or "queued" to try again at NextAt
	Code     int
	Enhanced string
	Reply    string
	Remote   string
	MaybeDup bool
	NextAt   time.Time
	At       time.Time
}

// mine finds what this node may write the end of: what it has in hand, and what
// nobody has. The latter may be what others took over from it: an answer that
// comes late is still true, and keeps the message from being sent again.
const mine = `(status = 'queued' OR status = 'in_data' AND node = $1)`

// WriteOutcome stores an outcome with its events and tells for how many
// recipients. Those that are done already, or in another node's hands, stay as
// they are. A deferral makes an event when it is the first or
// says something else than the last: five days of the same answer are one
// piece of news.
func (s *Store) WriteOutcome(ctx context.Context, tx *sql.Tx, o Outcome) (int64, error) {
	if s.dialect.postgres && len(o.IDs) > 0 {
		args := []any{s.node}
		ids := holders(&args, o.IDs)
		err := orderIDs(ctx, s.dialect, tx) // before the rows: so does who takes over
		if err != nil {
			return 0, err
		}
		if o.IDs, err = s.pin(ctx, tx, "", mine+` AND id IN (`+ids+`)`, args); err != nil {
			return 0, err
		}
	}
	if len(o.IDs) == 0 {
		return 0, nil
	}
	event, news := o.Status, ``
	var done any
	next := Micros(o.NextAt)
	if o.Status == "queued" {
		event, news = "deferred", ` AND (d.attempts = 0 OR d.code <> $2)`
	} else {
		done, next = Micros(o.At), Micros(o.At)
	}
	args := []any{event, o.Code, o.Enhanced, o.Reply, Micros(o.At)}
	ids := holders(&args, o.IDs)
	if err := s.addEvents(ctx, tx, `d.id IN (`+ids+`) AND d.status IN ('queued', 'in_data')`+news, args); err != nil {
		return 0, err
	}
	args = []any{o.Status, o.Code, o.Enhanced, o.Reply, o.Remote, number(o.MaybeDup), next, done}
	ids = holders(&args, o.IDs)
	when := `$7`
	if o.Status == "queued" { // who was put off by a hold since is not due sooner for having been tried
		when = `CASE WHEN status = 'queued' AND next_at > $7 THEN next_at ELSE $7 END`
	}
	return exec(ctx, tx, "write outcome", `UPDATE deliveries SET status = $1, node = '', code = $2, enhanced = $3, reply = $4, remote = $5,
		maybe_dup = CASE WHEN $6 = 1 THEN 1 ELSE maybe_dup END, next_at = `+when+`, done_at = $8, attempts = attempts + 1
		WHERE id IN (`+ids+`) AND status IN ('queued', 'in_data')`, args)
}

// Requeue puts recipients back that were not attempted, due at next, and tells
// how many. Those in another node's hands stay as they are, and those that it
// put off.
func (s *Store) Requeue(ctx context.Context, tx *sql.Tx, ids []int64, next time.Time) (int64, error) {
	args := []any{s.node, Micros(next)}
	chosen := holders(&args, ids)
	return exec(ctx, tx, "requeue recipients", `UPDATE deliveries SET status = 'queued', node = '', next_at = $2
		WHERE id IN (`+chosen+`) AND (status = 'queued' AND next_at <= $2 OR status = 'in_data' AND node = $1)`, args)
}

// inData repeats the condition of the index deliveries_open, without which
// SQLite does not use it.
const inData = `status IN ('queued', 'in_data') AND status = 'in_data'`

const recoverInData = `UPDATE deliveries SET status = 'queued', node = '', maybe_dup = 1, attempts = attempts + 1, next_at = $1 WHERE ` + inData

// RecoverInData puts back, due at next, the recipients whose answer a crash
// swallowed; those of nodes that are alive stay as they are. They may have the
// message already. It tells how many there were. On PostgreSQL the jobs of dead
// nodes are made available with them.
func (s *Store) RecoverInData(ctx context.Context, next time.Time) (n int64, err error) {
	if s.dialect.postgres {
		err = s.Tx(ctx, func(tx *sql.Tx) error {
			n, _, err = s.orphans(ctx, tx, next)
			return err
		})
		return n, err
	}
	res, err := s.write.ExecContext(ctx, recoverInData, Micros(next))
	if err != nil {
		return 0, fmt.Errorf("recover recipients: %w", err)
	}
	return res.RowsAffected()
}
