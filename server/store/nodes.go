package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/stdlib"

	"servicesmtp.net/companion/internal/lite"
)

// ErrFenced says that this node's lease is over: others may have taken over
// what it had in hand, and it must send nothing more.
var ErrFenced = errors.New("this node lost its lease on the database")

// MinLease is the shortest lease. Below it, a database that is slow for a
// moment would end nodes.
const MinLease = 5 * time.Second

// Node is a relay that works on the database.
type Node struct {
	ID      string
	Name    string // of its host
	Started time.Time
	Seen    time.Time // by the clock of the database
}

// dbNow is the clock of the database, the only one that leases go by.
const dbNow = `CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS BIGINT)`

// Shared says that other nodes may work on the database.
func (s *Store) Shared() bool { return s.dialect.postgres }

// NodeID is what Join made; "": this program is no node.
func (s *Store) NodeID() string { return s.node }

// JobClient is the name under which this program runs jobs.
func (s *Store) JobClient() string {
	if s.node == "" {
		return "relayd-" + s.name
	}
	return s.jobClients() + s.node
}

// jobClients begins the names under which nodes run jobs; a node's id ends it.
func (s *Store) jobClients() string { return "relayd-" + s.name + "-" }

// Join makes this program a node, alive for the lease. RenewLease must come before
// that is over. It must be called before anything is sent, and once. On SQLite
// it does nothing: the data folder has one program.
func (s *Store) Join(ctx context.Context, name string, lease time.Duration) error {
	if !s.dialect.postgres {
		return nil
	}
	if lease < MinLease {
		return fmt.Errorf("a lease of %s is too short: at least %s", lease, MinLease)
	}
	// A connection of its own: a renewal must not wait for a long transaction.
	s.leases = stdlib.OpenDB(*s.config)
	s.leases.SetMaxOpenConns(1)
	id := NewID(time.Now())
	if _, err := s.leases.ExecContext(ctx, `INSERT INTO nodes (id, name, started_at, seen_at) SELECT $1, $2, now, now FROM (SELECT `+dbNow+` AS now) clock`, id, name); err != nil {
		return fmt.Errorf("join the nodes: %w", err)
	}
	s.node, s.lease = id, lease
	return nil
}

// RenewLease begins this node's lease anew. It is ErrFenced when others took over.
func (s *Store) RenewLease(ctx context.Context) error {
	res, err := s.leases.ExecContext(ctx, `UPDATE nodes SET seen_at = `+dbNow+` WHERE id = $1`, s.node)
	if err != nil {
		return fmt.Errorf("renew lease: %w", err)
	}
	if n, err := res.RowsAffected(); err != nil || n == 1 {
		return err
	}
	return ErrFenced
}

// TakenOver is what nodes left behind.
type TakenOver struct {
	Nodes      []Node // whose lease was over
	Recipients int64  // that were in their hands, and may have the message
	Jobs       int64  // that they ran
}

// TakeOver ends the nodes whose lease is over, and puts back, due at next, what
// they had in hand. Of several that try, one does it.
func (s *Store) TakeOver(ctx context.Context, next time.Time) (TakenOver, error) {
	var t TakenOver
	err := lite.Tx(ctx, s.leases, func(tx *sql.Tx) error {
		t = TakenOver{}
		// SKIP LOCKED: a node that is just marking is not waited for.
		rows, err := tx.QueryContext(ctx, `DELETE FROM nodes WHERE id IN (SELECT id FROM nodes WHERE seen_at < `+dbNow+` - $1 ORDER BY id FOR UPDATE SKIP LOCKED)
			RETURNING id, name, started_at, seen_at`, s.lease.Microseconds())
		if err != nil {
			return fmt.Errorf("end nodes: %w", err)
		}
		if t.Nodes, err = scanNodes(rows); err != nil || len(t.Nodes) == 0 {
			return err
		}
		t.Recipients, t.Jobs, err = s.orphans(ctx, tx, next)
		return err
	})
	return t, err
}

// Leave ends this node in order: what it could not finish is put back.
func (s *Store) Leave(ctx context.Context, next time.Time) error {
	if s.leases == nil {
		return nil
	}
	err := lite.Tx(ctx, s.leases, func(tx *sql.Tx) error {
		n, err := exec(ctx, tx, "leave the nodes", `DELETE FROM nodes WHERE id = $1`, []any{s.node})
		if err != nil || n == 0 { // taken over already
			return err
		}
		_, _, err = s.orphans(ctx, tx, next)
		return err
	})
	return errors.Join(err, s.leases.Close())
}

// orphans puts back what is in the hands of nodes that are gone. The statements
// come after the node's row is deleted and see all that it marked: MarkInData
// holds that row until its commit.
func (s *Store) orphans(ctx context.Context, tx *sql.Tx, next time.Time) (recipients, jobs int64, err error) {
	// A late outcome of a node that thinks it is alive writes under this lock.
	if err := orderIDs(ctx, s.dialect, tx); err != nil {
		return 0, 0, err
	}
	recipients, err = exec(ctx, tx, "recover recipients", recoverInData+` AND node NOT IN (SELECT id FROM nodes)`, []any{Micros(next)})
	if err != nil {
		return 0, 0, err
	}
	// Running jobs are unique: they would block their own replacement.
	jobs, err = exec(ctx, tx, "free jobs", `UPDATE river_job SET state = 'available', scheduled_at = now() WHERE kind = 'lane' AND state = 'running'
		AND NOT EXISTS (SELECT 1 FROM nodes WHERE $1 || nodes.id = river_job.attempted_by[array_length(river_job.attempted_by, 1)])`, []any{s.jobClients()})
	return recipients, jobs, err
}

// Nodes lists the nodes, oldest first. Those whose lease is over are among them
// until they are taken over.
func (s *Store) Nodes(ctx context.Context) ([]Node, error) {
	rows, err := s.read.QueryContext(ctx, `SELECT id, name, started_at, seen_at FROM nodes ORDER BY id`)
	if err != nil {
		return nil, fmt.Errorf("list nodes: %w", err)
	}
	return scanNodes(rows)
}

// AtRest is ErrInUse, naming them, when nodes were heard of within the lease. It
// is for what must not be done under a relay at work.
func (s *Store) AtRest(ctx context.Context, lease time.Duration) error {
	if !s.dialect.postgres {
		return nil // the data folder's lock says so
	}
	rows, err := s.read.QueryContext(ctx, `SELECT id, name, started_at, seen_at FROM nodes WHERE seen_at >= `+dbNow+` - $1 ORDER BY id`, lease.Microseconds())
	if err != nil {
		return fmt.Errorf("list nodes: %w", err)
	}
	nodes, err := scanNodes(rows)
	if err != nil || len(nodes) == 0 {
		return err
	}
	var names []string
	for _, n := range nodes {
		names = append(names, fmt.Sprintf("%s on %s, last heard of at %s", n.ID, n.Name, n.Seen.Format(time.RFC3339)))
	}
	return fmt.Errorf("%w: stop it first (%s)", ErrInUse, strings.Join(names, "; "))
}

func scanNodes(rows *sql.Rows) ([]Node, error) {
	defer rows.Close()
	var all []Node
	for rows.Next() {
		var n Node
		var started, seen int64
		if err := rows.Scan(&n.ID, &n.Name, &started, &seen); err != nil {
			return nil, fmt.Errorf("list nodes: %w", err)
		}
		n.Started, n.Seen = Time(started), Time(seen)
		all = append(all, n)
	}
	return all, rows.Err()
}

// Alive is ErrFenced when this node's lease is over.
func (s *Store) Alive(ctx context.Context) error {
	if s.node == "" {
		return nil
	}
	var alive bool
	err := s.read.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM nodes WHERE id = $1 AND seen_at >= `+dbNow+` - $2)`, s.node, s.lease.Microseconds()).Scan(&alive)
	if err == nil && !alive {
		err = ErrFenced
	}
	return err
}

// alive holds this node's row until the commit, so that nobody can take over
// meanwhile. It is ErrFenced when the lease is over.
func (s *Store) alive(ctx context.Context, tx *sql.Tx) error {
	if s.node == "" {
		return nil
	}
	var n int
	err := tx.QueryRowContext(ctx, `SELECT 1 FROM nodes WHERE id = $1 AND seen_at >= `+dbNow+` - $2 FOR KEY SHARE`, s.node, s.lease.Microseconds()).Scan(&n)
	if errors.Is(err, sql.ErrNoRows) {
		return ErrFenced
	}
	if err != nil {
		return fmt.Errorf("look at own lease: %w", err)
	}
	return nil
}

// pin keeps the recipients d that cond finds as they are until the commit, and
// tells their ids: on PostgreSQL other nodes write too, and two statements with
// one condition would find different rows. It is not for SQLite. how is what
// becomes of rows that another transaction holds: "" waits for it.
func (s *Store) pin(ctx context.Context, tx *sql.Tx, how, cond string, args []any) ([]int64, error) {
	rows, err := tx.QueryContext(ctx, `SELECT d.id FROM deliveries d WHERE `+cond+` ORDER BY d.id FOR UPDATE `+how, args...)
	if err != nil {
		return nil, fmt.Errorf("pin recipients: %w", err)
	}
	defer rows.Close()
	ids := []int64{}
	for rows.Next() {
		var id int64
		if err := rows.Scan(&id); err != nil {
			return nil, fmt.Errorf("pin recipients: %w", err)
		}
		ids = append(ids, id)
	}
	return ids, rows.Err()
}

// skipLocked leaves out what another node is just writing to: it is marking it.
const skipLocked = "SKIP LOCKED"

// pinned is a condition for the recipients d that cond finds now and that no
// other node is just marking: the same ones until the commit, for statements
// that must agree. On SQLite it is cond: nobody else writes.
func (s *Store) pinned(ctx context.Context, tx *sql.Tx, cond func(args *[]any) string) (func(args *[]any) string, error) {
	if !s.dialect.postgres {
		return cond, nil
	}
	if err := orderIDs(ctx, s.dialect, tx); err != nil { // before the rows: so does who writes an outcome
		return nil, err
	}
	var args []any
	chosen := cond(&args)
	ids, err := s.pin(ctx, tx, skipLocked, chosen, args)
	return func(args *[]any) string { return `d.id = ANY(` + holders(args, []any{ids}) + `)` }, err
}
