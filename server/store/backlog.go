package store

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"time"
)

// LaneDeferral is a next host that cannot be reached, as an outcome for all
// who wait for it.
type LaneDeferral struct {
	DueQuery // whom it concerns: all that are due by Now, but for those in other hands
	Code     int
	Enhanced string
	Reply    string
	Remote   string
	At       time.Time
	Steps    []time.Duration // until the next attempt, by the number of attempts made; the last is repeated
	MaxAge   time.Duration   // older than that at At: failed
}

// DeferLane writes an outcome for everybody who is due in a lane, so that a
// dead host is asked once and not once for every message. Times are spread by
// a tenth, by the row's id.
func (s *Store) DeferLane(ctx context.Context, tx *sql.Tx, l LaneDeferral) error {
	if err := orderIDs(ctx, s.dialect, tx); err != nil {
		return err
	}
	old := Micros(l.At.Add(-l.MaxAge))
	cond, condArgs := l.where()
	cond += ` AND NOT EXISTS (SELECT 1 FROM messages h WHERE h.id = d.message_id AND h.held <> 0)`
	if s.dialect.postgres {
		ids, err := s.pin(ctx, tx, skipLocked, cond, condArgs)
		if err != nil {
			return err
		}
		cond, condArgs = `d.id = ANY($1)`, []any{ids}
	}
	// The condition's arguments come first; the others follow them.
	n := len(condArgs)
	num := func(i int) string { return fmt.Sprintf("$%d", n+i) }
	expired, young := ` AND d.created_at <= `+num(1), ` AND d.created_at > `+num(1)
	values := append(append([]any{}, condArgs...), old, l.Code, l.Enhanced, l.Reply, Micros(l.At), l.Remote)

	event := func(status, more string) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO events (account_id, message_id, envid, recipient, status, code, enhanced, reply, at)
			SELECT d.account_id, d.message_id, m.envid, d.recipient, '`+status+`', `+num(2)+`, `+num(3)+`, `+num(4)+`, `+num(5)+`
			FROM deliveries d JOIN messages m ON m.id = d.message_id WHERE `+cond+more+` ORDER BY d.id`, values[:n+5]...) // no remote here
		if err != nil {
			return fmt.Errorf("add events: %w", err)
		}
		return nil
	}
	if err := event("failed", expired); err != nil {
		return err
	}
	if err := event("deferred", young+` AND (d.attempts = 0 OR d.code <> `+num(2)+`)`); err != nil {
		return err
	}
	set := `code = ` + num(2) + `, enhanced = ` + num(3) + `, reply = ` + num(4) + `, remote = ` + num(6) + `, attempts = attempts + 1`
	pick := ` WHERE id IN (SELECT d.id FROM deliveries d WHERE ` + cond
	for _, statement := range []string{
		`UPDATE deliveries SET status = 'failed', done_at = ` + num(5) + `, ` + set + pick + expired + `)`,
		`UPDATE deliveries SET next_at = ` + num(5) + ` + ` + l.steps() + `, ` + set + pick + young + `)`,
	} {
		if _, err := tx.ExecContext(ctx, statement, values...); err != nil {
			return fmt.Errorf("defer lane: %w", err)
		}
	}
	return nil
}

// steps is the delay of a row in microseconds, as SQL.
func (l LaneDeferral) steps() string {
	var b strings.Builder
	b.WriteString(`(CASE attempts`)
	for i, d := range l.Steps[:len(l.Steps)-1] {
		fmt.Fprintf(&b, ` WHEN %d THEN %d`, i, d.Microseconds())
	}
	fmt.Fprintf(&b, ` ELSE %d END * (1000 + id * 7919 %% 101) / 1000)`, l.Steps[len(l.Steps)-1].Microseconds())
	return b.String()
}

// Selection names a part of the queue. Empty fields select everything.
type Selection struct {
	AccountID string
	Domain    string // of the recipient
	MessageID string
}

// where is the condition on d (deliveries) that finds the selection.
func (f Selection) where(args *[]any) string {
	cond := `1 = 1`
	add := func(c string, v any) {
		cond += ` AND ` + c + holders(args, []any{v})
	}
	if f.AccountID != "" {
		add(`d.account_id = `, f.AccountID)
	}
	if f.MessageID != "" {
		add(`d.message_id = `, f.MessageID)
	}
	if f.Domain != "" {
		add(`lower(d.recipient) LIKE `, `%@`+escapeLike(f.Domain))
		cond += ` ESCAPE '\'`
	}
	return cond
}

// escapeLike writes words for LIKE with ESCAPE '\', in lower case.
func escapeLike(words string) string {
	return strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(strings.ToLower(words))
}

// Waiting is one recipient that is not done.
type Waiting struct {
	MessageID string
	AccountID string
	Account   string
	Recipient string
	Attempts  int
	CreatedAt time.Time
	NextAt    time.Time
	Held      bool
	Code      int
	Enhanced  string
	Reply     string
}

// EachWaiting calls fn for every selected recipient that is not done, oldest
// first.
func (s *Store) EachWaiting(ctx context.Context, f Selection, fn func(Waiting)) error {
	var args []any
	chosen := f.where(&args)
	rows, err := s.read.QueryContext(ctx, `SELECT d.message_id, d.account_id, coalesce(a.name, ''), d.recipient, d.attempts, d.created_at, d.next_at, m.held, d.code, d.enhanced, d.reply
		FROM deliveries d JOIN messages m ON m.id = d.message_id LEFT JOIN accounts a ON a.id = d.account_id
		WHERE d.status IN ('queued', 'in_data') AND `+chosen+` ORDER BY d.id`, args...)
	if err != nil {
		return fmt.Errorf("list queue: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var w Waiting
		var created, next int64
		var held int
		if err := rows.Scan(&w.MessageID, &w.AccountID, &w.Account, &w.Recipient, &w.Attempts, &created, &next, &held, &w.Code, &w.Enhanced, &w.Reply); err != nil {
			return fmt.Errorf("list queue: %w", err)
		}
		w.CreatedAt, w.NextAt = Time(created), Time(next)
		w.Held = held != 0 || !w.NextAt.Before(Parked)
		fn(w)
	}
	return rows.Err()
}

// Hold keeps the selected recipients from being sent until Release. Without a
// domain their messages are held as a whole. It tells how many recipients wait.
func (s *Store) Hold(ctx context.Context, tx *sql.Tx, f Selection) (int64, error) {
	if f.Domain == "" {
		if err := setHeld(ctx, tx, f, 1); err != nil {
			return 0, err
		}
	}
	args := []any{Micros(Parked)}
	chosen := f.where(&args)
	return exec(ctx, tx, "hold recipients", `UPDATE deliveries SET next_at = $1 WHERE id IN
		(SELECT d.id FROM deliveries d WHERE d.status = 'queued' AND `+chosen+`)`, args)
}

// Release undoes Hold: the selected recipients are due at next, or when their
// sender wanted them to leave, if that is later. From then on they count as
// made: after a long hold they would be too old for a second attempt.
func (s *Store) Release(ctx context.Context, tx *sql.Tx, f Selection, next time.Time) (int64, error) {
	if f.Domain == "" {
		if err := setHeld(ctx, tx, f, 0); err != nil {
			return 0, err
		}
	}
	args := []any{Micros(next), Micros(Parked)}
	chosen := f.where(&args)
	const at = `CASE WHEN created_at > $1 THEN created_at ELSE $1 END`
	return exec(ctx, tx, "release recipients", `UPDATE deliveries SET next_at = `+at+`, created_at = `+at+` WHERE id IN
		(SELECT d.id FROM deliveries d JOIN messages m ON m.id = d.message_id WHERE d.status = 'queued' AND d.next_at >= $2 AND m.held = 0 AND `+chosen+`)`, args)
}

// Park takes a held message out of its lanes' way. One that was released since
// is left alone: nobody would release it again.
func (s *Store) Park(ctx context.Context, tx *sql.Tx, messageID string) error {
	look := `SELECT held FROM messages WHERE id = $1`
	if s.dialect.postgres {
		look += ` FOR SHARE` // a release waits, and then finds what was parked; or is waited for
	}
	var held int
	if err := tx.QueryRowContext(ctx, look, messageID).Scan(&held); err != nil {
		return fmt.Errorf("park recipients: %w", err)
	}
	if held == 0 {
		return nil
	}
	_, err := exec(ctx, tx, "park recipients", `UPDATE deliveries SET next_at = $1 WHERE message_id = $2 AND status = 'queued'`, []any{Micros(Parked), messageID})
	return err
}

// Drop fails the selected recipients that are queued, with an event each.
func (s *Store) Drop(ctx context.Context, tx *sql.Tx, f Selection, o Outcome) (int64, error) {
	cond := func(args *[]any) string { return `d.status = 'queued' AND ` + f.where(args) }
	cond, err := s.pinned(ctx, tx, cond)
	if err != nil {
		return 0, err
	}
	args := []any{"failed", o.Code, o.Enhanced, o.Reply, Micros(o.At)}
	chosen := cond(&args)
	if err := s.addEvents(ctx, tx, chosen, args); err != nil {
		return 0, err
	}
	args = []any{o.Code, o.Enhanced, o.Reply, Micros(o.At)}
	chosen = cond(&args)
	return exec(ctx, tx, "drop recipients", `UPDATE deliveries SET status = 'failed', code = $1, enhanced = $2, reply = $3, next_at = $4, done_at = $4 WHERE id IN
		(SELECT d.id FROM deliveries d WHERE `+chosen+`)`, args)
}

// setHeld marks the messages that have selected recipients waiting.
func setHeld(ctx context.Context, tx *sql.Tx, f Selection, held int) error {
	args := []any{held}
	chosen := f.where(&args)
	_, err := exec(ctx, tx, "mark messages", `UPDATE messages SET held = $1 WHERE held <> $1 AND id IN
		(SELECT d.message_id FROM deliveries d WHERE d.status IN ('queued', 'in_data') AND `+chosen+`)`, args)
	return err
}

func exec(ctx context.Context, tx *sql.Tx, what, statement string, args []any) (int64, error) {
	res, err := tx.ExecContext(ctx, statement, args...)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", what, err)
	}
	return res.RowsAffected()
}
