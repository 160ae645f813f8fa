package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
)

// View runs fn on a connection that sees one moment, whatever is committed
// meanwhile. It only reads, and nobody waits for it.
func (s *Store) View(ctx context.Context, fn func(c *sql.Conn) error) (err error) {
	c, err := s.read.Conn(ctx)
	if err != nil {
		return fmt.Errorf("begin to read: %w", err)
	}
	defer c.Close()           //nolint:errcheck // gives it back, or has thrown it away below
	begin := `BEGIN DEFERRED` // BeginTx would ask SQLite for the writer's lock
	if s.dialect.postgres {
		begin = `BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY`
	}
	if _, err := c.ExecContext(ctx, begin); err != nil {
		return fmt.Errorf("begin to read: %w", err)
	}
	err = fn(c)
	if _, end := c.ExecContext(context.WithoutCancel(ctx), `ROLLBACK`); end != nil {
		// Nobody may get the connection as it is; what was read is good.
		_ = c.Raw(func(any) error { return driver.ErrBadConn })
	}
	return err
}
