package store

import (
	"context"
	"errors"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// ErrRace says that another node wrote what a transaction had read as missing
// or smaller. Tx runs such a transaction again on PostgreSQL; where it comes
// out of Tx, trying later is right.
var ErrRace = errors.New("another node was faster")

// maxTries is how often Tx runs one transaction.
const maxTries = 8

// mayRepeat says that a transaction failed as a whole, wrote nothing, and may
// go well when it is run again. A lost connection is none of these: nobody
// knows whether its COMMIT was done.
func mayRepeat(err error) bool {
	if errors.Is(err, ErrRace) {
		return true
	}
	e, ok := errors.AsType[*pgconn.PgError](err)
	if !ok {
		return false
	}
	switch e.Code {
	case "40001", "40P01": // serialization_failure, deadlock_detected
		return true
	case "23505": // unique_violation: what another node has just accepted or entered, or this one under a lost connection
		return e.ConstraintName == "messages_pkey" || e.ConstraintName == "envelope_keys_pkey" || e.ConstraintName == "orders_reference_key" || e.ConstraintName == "payments_method_reference_key"
	case "23503": // foreign_key_violation: a body went that was there a moment ago
		return e.ConstraintName == "messages_body"
	}
	return false
}

// Lost says that an error leaves open whether a transaction was committed, or
// is about to be. Whoever runs it again with the same ids learns it.
func (s *Store) Lost(err error) bool {
	if err == nil || !s.dialect.postgres || errors.Is(err, ErrRace) {
		return false
	}
	e, said := errors.AsType[*pgconn.PgError](err)
	return !said || strings.HasPrefix(e.Code, "08") || strings.HasPrefix(e.Code, "57P") // connection_exception, operator_intervention
}

// repeat runs a transaction until it succeeds, fails for good, or was tried
// often enough.
func repeat(ctx context.Context, run func() error) error {
	for try := 1; ; try++ {
		err := run()
		if err == nil || try == maxTries || !mayRepeat(err) {
			return err
		}
		select {
		case <-time.After(time.Duration(try) * time.Duration(rand.Int64N(int64(10*time.Millisecond)))):
		case <-ctx.Done():
			return errors.Join(err, ctx.Err())
		}
	}
}
