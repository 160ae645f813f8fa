package store

import (
	"context"
	"database/sql"
	"fmt"
	"sync"
)

// prepared is a statement of the reading pool, compiled when it is first used:
// for one small row compiling costs more than running. The zero value is ready;
// it ends with the pool.
type prepared struct {
	mu sync.Mutex // guards st
	st *sql.Stmt
}

func (p *prepared) on(ctx context.Context, db *sql.DB, query string) (*sql.Stmt, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.st == nil {
		st, err := db.PrepareContext(ctx, query)
		if err != nil {
			return nil, fmt.Errorf("prepare statement: %w", err)
		}
		p.st = st
	}
	return p.st, nil
}
