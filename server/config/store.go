package config

import (
	"errors"
	"fmt"
	"time"
)

// A lease below minLease would end nodes whenever the database is slow for a
// moment; one above maxLease would leave a dead node's mail waiting.
const (
	defaultLease = 30 * time.Second
	minLease     = 5 * time.Second
	maxLease     = time.Hour
)

func (s Store) check() error {
	if l := time.Duration(s.Lease); l < minLease || l > maxLease {
		return fmt.Errorf("store.lease: must be between 5s and 1h, not %s", l)
	}
	if s.Bodies != "" && s.DSN == "" {
		return errors.New("store.bodies: is for relays that share a PostgreSQL database: write its address into store.dsn, or remove bodies")
	}
	return nil
}
