-- Times are microseconds since 1970 UTC. Only what SQLite and PostgreSQL share
-- is used.

-- +goose Up
-- What an account was let through ahead of its rate (package pace). An account
-- that never had a rate has no row.
CREATE TABLE account_paces (
    account_id TEXT PRIMARY KEY REFERENCES accounts(id),
    per_minute BIGINT,                             -- recipients, of this account alone; 0: no rate; NULL: the plan's or the relay's
    owed       BIGINT NOT NULL DEFAULT 0,          -- 1/60,000,000 of a recipient, at owed_at
    owed_at    BIGINT NOT NULL DEFAULT 0
);

-- Which of an account's devices asked for their share of its rate, and when.
CREATE TABLE device_paces (
    device_id  TEXT PRIMARY KEY REFERENCES devices(id),
    account_id TEXT NOT NULL REFERENCES accounts(id),
    waiting    BIGINT NOT NULL,                    -- recipients that waited there; negative: it did not say
    asked_at   BIGINT NOT NULL
);
CREATE INDEX device_paces_account ON device_paces (account_id, asked_at);

-- +goose Down
DROP TABLE device_paces;
DROP TABLE account_paces;
