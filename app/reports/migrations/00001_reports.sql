-- +goose Up
-- Times are microseconds UTC; 0 is "none".

CREATE TABLE facts (                  -- the latest answer of each kind
    account TEXT    NOT NULL,
    kind    TEXT    NOT NULL,
    answer  BLOB    NOT NULL,         -- JSON of relayclient's type
    as_of   INTEGER NOT NULL,
    PRIMARY KEY (account, kind)
) WITHOUT ROWID;

CREATE TABLE cursors (                -- where to read on in the relay's lists
    account TEXT NOT NULL,
    list    TEXT NOT NULL,
    cursor  TEXT NOT NULL,
    PRIMARY KEY (account, list)
) WITHOUT ROWID;

CREATE TABLE events (
    seq      INTEGER PRIMARY KEY,     -- order of the relay within an account
    account  TEXT    NOT NULL,
    job      TEXT    NOT NULL,        -- ULID, or '' where the ENVID is not ours
    batch    INTEGER NOT NULL,
    message  TEXT    NOT NULL,        -- the relay's id
    address  TEXT    NOT NULL,        -- domain in lower case
    status   TEXT    NOT NULL,
    code     INTEGER NOT NULL,
    enhanced TEXT    NOT NULL,
    reply    TEXT    NOT NULL,
    at       INTEGER NOT NULL
);
CREATE UNIQUE INDEX events_once ON events (account, message, address, status, at);
CREATE INDEX events_job ON events (job, address);
CREATE INDEX events_at ON events (at);
CREATE INDEX events_failed ON events (at, seq) WHERE status = 'failed';

CREATE TABLE notices (
    account  TEXT    NOT NULL,
    id       INTEGER NOT NULL,
    at       INTEGER NOT NULL,
    kind     TEXT    NOT NULL,
    severity TEXT    NOT NULL,
    subject  TEXT    NOT NULL,
    body     TEXT    NOT NULL,
    acked_at INTEGER NOT NULL,
    PRIMARY KEY (account, id)
) WITHOUT ROWID;
