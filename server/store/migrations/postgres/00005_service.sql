-- +goose Up
-- The service's own account: its mail (reports and notices) belongs to it. Its
-- name cannot be chosen by anybody, no password has an empty hash, and the
-- plan is in no catalogue.
INSERT INTO accounts (id, name, email, plan, zone, status, overage, password_hash, activated_at, created_at)
VALUES ('service', '@service', '', '', 'UTC', 'active', 'stop', '', 0, 0);

-- What was told to a customer, and is told once. kind and step are the rules'.
CREATE TABLE reports_sent (
    account_id   TEXT COLLATE "C" NOT NULL REFERENCES accounts(id),
    period_start BIGINT NOT NULL,
    kind         TEXT COLLATE "C" NOT NULL,
    step         BIGINT NOT NULL,                  -- 10, 20, ...; 0 where there are none
    at           BIGINT NOT NULL,
    PRIMARY KEY (account_id, period_start, kind, step)
);

-- A newer notice of the same key takes the place of the older; '' is none.
ALTER TABLE notices ADD COLUMN key TEXT NOT NULL DEFAULT '';
UPDATE notices SET key = 'status' WHERE kind IN ('held', 'released', 'blocked', 'unblocked');

-- Errors of a month, for its report.
CREATE INDEX events_failed_at ON events (account_id, at) WHERE status = 'failed';

-- +goose Down
DROP INDEX events_failed_at;
ALTER TABLE notices DROP COLUMN key;
DROP TABLE reports_sent;
DELETE FROM deliveries WHERE account_id = 'service';
DELETE FROM messages WHERE account_id = 'service';
DELETE FROM bodies WHERE account_id = 'service';
DELETE FROM accounts WHERE id = 'service';
