-- The daily review of accounts: by whom it runs, when it was, what it told.

-- +goose Up
-- Who does what only one may do at a time, and until when; by the database's clock.
CREATE TABLE leases (
    name   TEXT PRIMARY KEY,
    holder TEXT NOT NULL,
    until  BIGINT NOT NULL                         -- not included
);

ALTER TABLE accounts ADD COLUMN reviewed_day TEXT NOT NULL DEFAULT ''; -- YYYY-MM-DD of its zone; '': never

-- Of some kinds each order is told of once. SQLite changes no primary key.
CREATE TABLE reports_sent_9 (
    account_id   TEXT NOT NULL REFERENCES accounts(id),
    period_start BIGINT NOT NULL,
    kind         TEXT NOT NULL,
    step         BIGINT NOT NULL,                  -- 10, 20, ...; 0 where there are none
    at           BIGINT NOT NULL,
    order_id     TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (account_id, period_start, kind, step, order_id)
);
INSERT INTO reports_sent_9 (account_id, period_start, kind, step, at) SELECT account_id, period_start, kind, step, at FROM reports_sent;
DROP TABLE reports_sent;
ALTER TABLE reports_sent_9 RENAME TO reports_sent;

-- Whose plan ended before there were reviews is not told so now.
INSERT INTO reports_sent (account_id, period_start, kind, step, at)
    SELECT account_id, since, 'ended', 0, min(ends_at) FROM subscriptions WHERE ends_at <= unixepoch() * 1000000 GROUP BY account_id, since
    ON CONFLICT DO NOTHING;

-- +goose Down
CREATE TABLE reports_sent_5 (
    account_id   TEXT NOT NULL REFERENCES accounts(id),
    period_start BIGINT NOT NULL,
    kind         TEXT NOT NULL,
    step         BIGINT NOT NULL,
    at           BIGINT NOT NULL,
    PRIMARY KEY (account_id, period_start, kind, step)
);
INSERT INTO reports_sent_5 (account_id, period_start, kind, step, at)
    SELECT account_id, period_start, kind, step, min(at) FROM reports_sent GROUP BY account_id, period_start, kind, step;
DROP TABLE reports_sent;
ALTER TABLE reports_sent_5 RENAME TO reports_sent;
ALTER TABLE accounts DROP COLUMN reviewed_day;
DROP TABLE leases;
