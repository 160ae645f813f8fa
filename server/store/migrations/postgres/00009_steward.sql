-- The daily review of accounts: by whom it runs, when it was, what it told.

-- +goose Up
-- Who does what only one may do at a time, and until when; by the database's clock.
CREATE TABLE leases (
    name   TEXT COLLATE "C" PRIMARY KEY,
    holder TEXT COLLATE "C" NOT NULL,
    until  BIGINT NOT NULL                         -- not included
);

ALTER TABLE accounts ADD COLUMN reviewed_day TEXT COLLATE "C" NOT NULL DEFAULT ''; -- YYYY-MM-DD of its zone; '': never

-- Of some kinds each order is told of once.
ALTER TABLE reports_sent ADD COLUMN order_id TEXT COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE reports_sent DROP CONSTRAINT reports_sent_pkey;
ALTER TABLE reports_sent ADD PRIMARY KEY (account_id, period_start, kind, step, order_id);

-- Whose plan ended before there were reviews is not told so now.
INSERT INTO reports_sent (account_id, period_start, kind, step, at)
    SELECT account_id, since, 'ended', 0, min(ends_at) FROM subscriptions
    WHERE ends_at <= CAST(extract(epoch FROM now()) AS BIGINT) * 1000000 GROUP BY account_id, since
    ON CONFLICT DO NOTHING;

-- +goose Down
DELETE FROM reports_sent WHERE order_id <> '' AND EXISTS (SELECT 1 FROM reports_sent o WHERE o.account_id = reports_sent.account_id
    AND o.period_start = reports_sent.period_start AND o.kind = reports_sent.kind AND o.step = reports_sent.step AND o.order_id < reports_sent.order_id);
ALTER TABLE reports_sent DROP CONSTRAINT reports_sent_pkey;
ALTER TABLE reports_sent DROP COLUMN order_id;
ALTER TABLE reports_sent ADD PRIMARY KEY (account_id, period_start, kind, step);
ALTER TABLE accounts DROP COLUMN reviewed_day;
DROP TABLE leases;
