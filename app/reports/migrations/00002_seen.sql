-- +goose Up
ALTER TABLE notices ADD COLUMN untold INTEGER NOT NULL DEFAULT 0; -- 1: seen here, and the relay does not know it yet

-- The latest event of each of a job's recipients is found in the index alone.
CREATE INDEX events_latest ON events (job, account, address, seq, status);
DROP INDEX events_job;
