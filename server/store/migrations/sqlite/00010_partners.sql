-- Times are microseconds since 1970 UTC. Who sells the service to customers of
-- its own, and who runs it. Names are never changed.

-- +goose Up
CREATE TABLE partners (
    name         TEXT PRIMARY KEY,
    email        TEXT NOT NULL,
    plans        TEXT NOT NULL DEFAULT '',         -- that it may order, separated by a space; '': all
    max_accounts BIGINT NOT NULL DEFAULT 0,        -- 0: no limit
    disabled_at  BIGINT,                           -- its tokens are refused since; its accounts go on
    created_at   BIGINT NOT NULL
);

CREATE TABLE partner_tokens (
    id         TEXT PRIMARY KEY,
    partner    TEXT NOT NULL REFERENCES partners(name),
    token_hash TEXT NOT NULL UNIQUE,             -- SHA-256 of the token, hex
    scopes     TEXT NOT NULL,                      -- words separated by a space
    created_at BIGINT NOT NULL,
    seen_at    BIGINT NOT NULL,                    -- to the hour
    expires_at BIGINT,                             -- not included; NULL: never
    revoked_at BIGINT
);
CREATE INDEX partner_tokens_partner ON partner_tokens (partner, created_at);

-- Whose customer the account is, and what the partner calls its order: the same
-- again is the same account.
ALTER TABLE accounts ADD COLUMN partner TEXT NOT NULL DEFAULT '';
ALTER TABLE accounts ADD COLUMN partner_reference TEXT NOT NULL DEFAULT '';
CREATE INDEX accounts_partner ON accounts (partner, id) WHERE partner <> '';
CREATE UNIQUE INDEX accounts_partner_reference ON accounts (partner, partner_reference) WHERE partner <> '';

-- Who may log in to the pages of the service.
CREATE TABLE operators (
    name          TEXT PRIMARY KEY,
    role          TEXT NOT NULL,                   -- admin, support, read
    password_hash TEXT NOT NULL,
    disabled_at   BIGINT,
    created_at    BIGINT NOT NULL
);

CREATE TABLE operator_sessions (
    id         TEXT PRIMARY KEY,
    operator   TEXT NOT NULL REFERENCES operators(name),
    token_hash TEXT NOT NULL UNIQUE,            -- SHA-256 of the token, hex
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,                    -- not included
    revoked_at BIGINT
);
CREATE INDEX operator_sessions_operator ON operator_sessions (operator) WHERE revoked_at IS NULL;

-- +goose Down
DROP TABLE operator_sessions;
DROP TABLE operators;
DROP INDEX accounts_partner_reference;
DROP INDEX accounts_partner;
ALTER TABLE accounts DROP COLUMN partner_reference;
ALTER TABLE accounts DROP COLUMN partner;
DROP TABLE partner_tokens;
DROP TABLE partners;
