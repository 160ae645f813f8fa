-- Times are microseconds since 1970 UTC, ids are ULIDs as text, sizes are
-- bytes. Only what SQLite and PostgreSQL share is used; every migration has a
-- twin of the same number and name in ../postgres, which says how to make it.

-- +goose Up
CREATE TABLE accounts (
    id              TEXT PRIMARY KEY,
    name            TEXT NOT NULL UNIQUE,          -- SMTP login
    email           TEXT NOT NULL,                 -- reference address for reports
    plan            TEXT NOT NULL,                 -- name in the catalogue
    zone            TEXT NOT NULL DEFAULT 'UTC',   -- IANA name; calendar months are counted in it
    status          TEXT NOT NULL DEFAULT 'active',-- active, held, blocked, ended
    overage         TEXT NOT NULL DEFAULT 'surcharge', -- surcharge, stop, block
    password_hash   TEXT NOT NULL,
    activated_at    BIGINT NOT NULL,
    created_at      BIGINT NOT NULL
);

CREATE TABLE devices (
    id          TEXT PRIMARY KEY,
    account_id  TEXT NOT NULL REFERENCES accounts(id),
    name        TEXT NOT NULL,
    token_hash  TEXT NOT NULL UNIQUE,              -- SHA-256 of the token, hex
    created_at  BIGINT NOT NULL,
    seen_at     BIGINT NOT NULL,
    revoked_at  BIGINT
);

-- One row per account and period: what the plan counts.
CREATE TABLE usage_periods (
    account_id   TEXT NOT NULL REFERENCES accounts(id),
    period_start BIGINT NOT NULL,
    period_end   BIGINT NOT NULL,
    emails       BIGINT NOT NULL DEFAULT 0,
    bytes        BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (account_id, period_start)
);

-- The same by day of the account's zone ("2026-11-25"), for plots.
CREATE TABLE usage_days (
    account_id TEXT NOT NULL REFERENCES accounts(id),
    day        TEXT NOT NULL,
    emails     BIGINT NOT NULL DEFAULT 0,
    bytes      BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (account_id, day)
);

-- Bodies up to a limit stand here, larger ones in the folder bodies/ under
-- the same name. Stored once per account and SHA-256.
CREATE TABLE bodies (
    account_id TEXT NOT NULL REFERENCES accounts(id),
    sha256     TEXT NOT NULL,
    size       BIGINT NOT NULL,
    inline     BLOB,                               -- NULL: in a file
    created_at BIGINT NOT NULL,
    PRIMARY KEY (account_id, sha256)
);

CREATE TABLE messages (
    id          TEXT PRIMARY KEY,                  -- ULID; the "queued as" id
    account_id  TEXT NOT NULL REFERENCES accounts(id),
    envid       TEXT NOT NULL DEFAULT '',          -- as received, or ''
    client_id   TEXT NOT NULL DEFAULT '',          -- the ENVID that DSNs may show
    mail_from   TEXT NOT NULL,                     -- '' is the null sender
    sha256      TEXT NOT NULL,
    size        BIGINT NOT NULL,                   -- of the stored body; the plan counted it with its Bcc
    utf8        BIGINT NOT NULL DEFAULT 0,
    eight_bit   BIGINT NOT NULL DEFAULT 0,
    ret         TEXT NOT NULL DEFAULT '',
    received    TEXT NOT NULL,                     -- our Received field, put in front when delivering
    held        BIGINT NOT NULL DEFAULT 0,
    created_at  BIGINT NOT NULL
);

-- What makes acceptance idempotent. state: accepted or closed.
CREATE TABLE envelope_keys (
    account_id  TEXT NOT NULL REFERENCES accounts(id),
    envid_key   TEXT NOT NULL,                     -- sb1.<job>.<number>
    state       TEXT NOT NULL,
    fingerprint TEXT NOT NULL DEFAULT '',
    message_id  TEXT NOT NULL DEFAULT '',
    decisions   TEXT NOT NULL DEFAULT '',          -- JSON: [{address, code, reply}], every offered recipient
    created_at  BIGINT NOT NULL,
    PRIMARY KEY (account_id, envid_key)
);

-- The truth about every accepted recipient. status: queued, in_data, delivered, failed.
CREATE TABLE deliveries (
    id          INTEGER PRIMARY KEY,               -- BIGSERIAL on PostgreSQL
    message_id  TEXT NOT NULL REFERENCES messages(id),
    account_id  TEXT NOT NULL,
    recipient   TEXT NOT NULL,
    notify      TEXT NOT NULL DEFAULT '',          -- comma-separated, RFC 3461 §4.1
    orcpt       TEXT NOT NULL DEFAULT '',
    lane        TEXT NOT NULL,                     -- provider, or 'smarthost', or 'maildir'
    status      TEXT NOT NULL,
    attempts    BIGINT NOT NULL DEFAULT 0,
    next_at     BIGINT NOT NULL,
    code        BIGINT NOT NULL DEFAULT 0,         -- last reply of the far server
    enhanced    TEXT NOT NULL DEFAULT '',
    reply       TEXT NOT NULL DEFAULT '',
    remote      TEXT NOT NULL DEFAULT '',          -- host that answered
    maybe_dup   BIGINT NOT NULL DEFAULT 0,         -- a crash came between its DATA and the answer
    created_at  BIGINT NOT NULL,
    done_at     BIGINT
);
CREATE INDEX deliveries_due ON deliveries (lane, next_at) WHERE status = 'queued';
CREATE INDEX deliveries_open ON deliveries (status) WHERE status IN ('queued', 'in_data');
CREATE INDEX deliveries_message ON deliveries (message_id);

-- Append-only; the API's cursor is id.
CREATE TABLE events (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,  -- never used twice: cursors point at it; BIGSERIAL on PostgreSQL
    account_id TEXT NOT NULL,
    message_id TEXT NOT NULL,
    envid      TEXT NOT NULL DEFAULT '',
    recipient  TEXT NOT NULL,
    status     TEXT NOT NULL,                      -- delivered, deferred, failed
    code       BIGINT NOT NULL DEFAULT 0,
    enhanced   TEXT NOT NULL DEFAULT '',
    reply      TEXT NOT NULL DEFAULT '',
    at         BIGINT NOT NULL
);
CREATE INDEX events_account ON events (account_id, id);
CREATE INDEX events_failed ON events (account_id, id) WHERE status = 'failed';

CREATE TABLE notices (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,  -- never used twice: cursors point at it; BIGSERIAL on PostgreSQL
    account_id TEXT NOT NULL,
    kind       TEXT NOT NULL,                      -- quota, blocked, held, ...
    severity   TEXT NOT NULL,                      -- info, warning, action
    subject    TEXT NOT NULL,
    body       TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    acked_at   BIGINT
);
CREATE INDEX notices_account ON notices (account_id, id);

CREATE TABLE settings (
    key   TEXT PRIMARY KEY,
    value TEXT NOT NULL
);

-- +goose Down
DROP TABLE settings;
DROP TABLE notices;
DROP TABLE events;
DROP TABLE deliveries;
DROP TABLE envelope_keys;
DROP TABLE messages;
DROP TABLE bodies;
DROP TABLE usage_days;
DROP TABLE usage_periods;
DROP TABLE devices;
DROP TABLE accounts;
