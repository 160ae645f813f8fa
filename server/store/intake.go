package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// Statements of acceptance, by their place in Intake.
const (
	stKey = iota
	stAddKey
	stTerms
	stUsed
	stAddBody
	stAddMessage
	stAddUsage
	stAddDay
	stSetPace
	stAddOne // recipients, so many at once
	stAddTen
	stAddFifty
	statements
)

var intakeSQL = [statements]string{
	stKey:        selectKey,
	stAddKey:     insertKey,
	stTerms:      selectTerms,
	stUsed:       selectUsed,
	stAddBody:    insertBody,
	stAddMessage: insertMessage,
	stAddUsage:   upsertPeriod,
	stAddDay:     upsertDay,
	stSetPace:    upsertPace,
	stAddOne:     insertDeliveries(1),
	stAddTen:     insertDeliveries(10),
	stAddFifty:   insertDeliveries(50),
}

// Intake holds the statements of acceptance, compiled once: for rows as small
// as these, compiling costs more than running. It holds no rules.
type Intake struct {
	shared bool // other nodes write, too
	stmts  [statements]*sql.Stmt
}

// Intake compiles the statements. The caller closes it. It must not be called
// inside a transaction, because it asks for the writer.
func (s *Store) Intake(ctx context.Context) (*Intake, error) {
	in := &Intake{shared: s.Shared()}
	for i, query := range intakeSQL {
		st, err := s.write.PrepareContext(ctx, query)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("prepare statement: %w", err), in.Close())
		}
		in.stmts[i] = st
	}
	return in, nil
}

// Close frees the statements.
func (in *Intake) Close() error {
	var all error
	for _, st := range in.stmts {
		if st != nil {
			all = errors.Join(all, st.Close())
		}
	}
	return all
}

// In binds the statements to a transaction of the writer (Store.Tx). The
// result is for one goroutine and dies with the transaction.
func (in *Intake) In(tx *sql.Tx) *IntakeTx { return &IntakeTx{in: in, tx: tx} }

// IntakeTx reads and writes within one transaction.
type IntakeTx struct {
	in    *Intake
	tx    *sql.Tx
	bound [statements]*sql.Stmt
}

func (t *IntakeTx) stmt(ctx context.Context, i int) *sql.Stmt {
	if t.bound[i] == nil {
		t.bound[i] = t.tx.StmtContext(ctx, t.in.stmts[i])
	}
	return t.bound[i]
}

// exec runs a statement and wraps its error with what it does.
func (t *IntakeTx) exec(ctx context.Context, what string, i int, args ...any) (sql.Result, error) {
	res, err := t.stmt(ctx, i).ExecContext(ctx, args...)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	return res, nil
}
