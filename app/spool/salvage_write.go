package spool

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"servicesmtp.net/companion/app/mail"
	"servicesmtp.net/companion/internal/durable"
	"servicesmtp.net/companion/internal/lite"
	"servicesmtp.net/companion/internal/lite/pages"
	"servicesmtp.net/companion/internal/wire"
)

// builder fills a new database with what is left of a damaged one.
type builder struct {
	spool   *Spool
	old     *pages.Database
	db      *sql.DB
	plan    *plan
	running bool
	now     time.Time

	judge judge
}

func (b *builder) build(ctx context.Context, cut bool) error {
	if err := withoutLog(ctx, b.db); err != nil {
		return err
	}
	if err := migrate(ctx, b.db); err != nil {
		return err
	}
	l, err := layouts(ctx, b.db)
	if err != nil {
		return err
	}
	var known int64
	if err := b.db.QueryRowContext(ctx, `SELECT max(version_id) FROM goose_db_version`).Scan(&known); err != nil {
		return fmt.Errorf("read version of schema: %w", err)
	}
	r := readRemains(b.old, l)
	if r.version > known {
		return fmt.Errorf("%w: schema %d, this program knows %d: install the newer version again", ErrNewer, r.version, known)
	}
	r.suspect = r.suspect || cut
	b.judge = judge{remains: r, now: b.now, running: b.running, hasBody: b.hasBody}
	b.judge.run()
	report := b.judge.report
	report.Name, report.At, report.Log, report.Short = b.plan.Name, b.plan.At, b.plan.Log, b.plan.Short
	b.plan.Damage = report
	if err := b.asides(); err != nil {
		return err
	}
	return lite.Tx(ctx, b.db, func(tx *sql.Tx) error {
		for _, table := range []string{"jobs", "batches", "outcomes", "attempts"} {
			if err := b.insert(ctx, tx, table); err != nil {
				return fmt.Errorf("store %s: %w", table, err)
			}
			if table != "jobs" { // bodies asks for those
				delete(b.judge.keep, table)
			}
		}
		if err := b.bodies(ctx, tx); err != nil {
			return fmt.Errorf("store bodies: %w", err)
		}
		if err := b.debts(ctx, tx); err != nil {
			return fmt.Errorf("count debts: %w", err)
		}
		return b.sequences(ctx, tx)
	})
}

// hasBody says whether the message of a job is whole. A file that is not goes
// into quarantine, so that it is not taken for the message at the next start.
func (b *builder) hasBody(job entry) bool {
	size, sum := job.num("size"), job.blob("sum")
	if job.num("body") == bodyInline {
		have, ok := b.judge.bodies[job.rowid][wire.BodySum(sum)]
		return ok && have == size
	}
	whole, there := b.spool.bodyWhole(mail.JobID(job.text("id")), size, sum)
	if there && !whole {
		b.plan.Aside = append(b.plan.Aside, job.text("id"))
	}
	return whole
}

// asides finds the stored messages that no row claims any more. Files of jobs
// whose own row says that they are done are leftovers; those of messages that
// are coming in at this moment have no row yet.
func (b *builder) asides() error {
	files, err := b.spool.bodyFiles()
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	claimed := make(map[string]bool)
	for _, e := range b.judge.rows["jobs"] {
		claimed[e.text("id")] = true
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if !claimed[name] && !strings.HasSuffix(name, durable.TempSuffix) {
			b.plan.Aside = append(b.plan.Aside, name)
			b.plan.Files++
			if !slices.Contains(b.plan.Lost, mail.JobID(name)) {
				b.plan.Lost = append(b.plan.Lost, mail.JobID(name))
			}
		}
	}
	return nil
}

func (b *builder) insert(ctx context.Context, tx *sql.Tx, table string) error {
	rows := b.judge.keep[table]
	prepared := make(map[int]*sql.Stmt) // by number of columns; tx closes them
	for _, id := range slices.Sorted(maps.Keys(rows)) {
		e := rows[id]
		v := e.values()
		stmt := prepared[len(v)]
		if stmt == nil {
			var err error
			if stmt, err = tx.PrepareContext(ctx, insertion(e.l, len(v))); err != nil {
				return err
			}
			prepared[len(v)] = stmt
		}
		for i, c := range e.l.columns {
			if c.key {
				v[i] = e.rowid
			}
		}
		if _, err := stmt.ExecContext(ctx, v...); err != nil {
			return err
		}
	}
	return nil
}

// insertion stores a row of n columns under its old number; those that it is
// too old to have get what the schema says.
func insertion(l *layout, n int) string {
	names := make([]string, n)
	for i := range names {
		names[i] = l.columns[i].name
	}
	return "INSERT INTO " + l.table + " (" + strings.Join(names, ", ") + ") VALUES (?" + strings.Repeat(", ?", n-1) + ")"
}

// bodies reads the content of the stored messages a second time, one by one:
// live ones go into the new database, those of lost messages into quarantine.
func (b *builder) bodies(ctx context.Context, tx *sql.Tx) error {
	stored := make(map[int64]bool)
	var failed error
	b.old.Cells(func(c pages.Cell) {
		if failed != nil || c.Index || stored[c.Rowid] {
			return
		}
		v, err := pages.Values(c.Payload)
		if err != nil || !b.judge.layouts["bodies"].fits(v) {
			return
		}
		data, _ := v[1].([]byte) // fits has seen it
		job, have := b.judge.keep["jobs"][c.Rowid]
		if !have {
			return
		}
		if _, own := b.judge.rows["jobs"][c.Rowid]; !own {
			stored[c.Rowid] = true
			b.plan.Files++
			failed = durable.WriteFile(filepath.Join(b.spool.dir, quarantineName, b.plan.Name, job.text("id")+".eml"), strings.NewReader(string(data)))
			return
		}
		sum := sha256.Sum256(data)
		if job.num("body") == bodyInline && slices.Equal(sum[:], job.blob("sum")) {
			stored[c.Rowid] = true
			_, failed = tx.ExecContext(ctx, `INSERT INTO bodies (job, data) VALUES (?, ?)`, c.Rowid, data)
		}
	})
	return failed
}

// debts counts anew of which failures senders are still to be told. A report
// whose message is lost goes without it.
func (b *builder) debts(ctx context.Context, tx *sql.Tx) error {
	for _, query := range []string{
		// A debt to a sender who is lost cannot be paid; a person is told of it.
		`UPDATE outcomes SET owed = 0 WHERE owed = 1 AND batch IN (SELECT b.id FROM jobs j JOIN batches b ON b.job = j.seq WHERE j.sender = '')`,
		// Outcomes that are lost leave their numbers to the next ones, of which
		// the sender must hear.
		`UPDATE jobs SET reported = (SELECT coalesce(max(id), 0) FROM outcomes) WHERE reported > (SELECT coalesce(max(id), 0) FROM outcomes)`,
		// Where the report is there and the row of its job is an older one, the
		// sender was told all the same.
		`UPDATE jobs SET report = r.report, told_at = r.at, reported = max(reported, (SELECT coalesce(max(o.id), 0)
				FROM batches b CROSS JOIN outcomes o ON o.batch = b.id WHERE b.job = jobs.seq AND o.owed = 1 AND o.at <= r.at))
			FROM (SELECT report_of, id AS report, max(accepted_at) AS at FROM jobs WHERE report_of <> '' GROUP BY report_of) r
			WHERE jobs.id = r.report_of AND jobs.told_at < r.at`,
		`UPDATE jobs SET owing = (SELECT count(*) FROM batches b CROSS JOIN outcomes o ON o.batch = b.id
			WHERE b.job = jobs.seq AND o.owed = 1 AND o.id > jobs.reported AND jobs.sender <> '')`,
		`UPDATE jobs SET body = 3 WHERE done_at > 0 AND (owing = 0 OR body = 1 AND NOT EXISTS (SELECT 1 FROM bodies WHERE job = seq))`,
		`DELETE FROM bodies WHERE job IN (SELECT seq FROM jobs WHERE body <> 1)`,
	} {
		if _, err := tx.ExecContext(ctx, query); err != nil {
			return err
		}
	}
	return nil
}

// sequences makes sure that numbers of lost rows are not given again.
func (b *builder) sequences(ctx context.Context, tx *sql.Tx) error {
	var errs []error
	for _, table := range []string{"batches", "attempts"} {
		_, err := tx.ExecContext(ctx, `DELETE FROM sqlite_sequence WHERE name = ?`, table)
		_, err2 := tx.ExecContext(ctx, `INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)`, table, b.judge.top[table])
		errs = append(errs, err, err2)
	}
	return errors.Join(errs...)
}
