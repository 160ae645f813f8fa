-- +goose Up
-- Times are microseconds UTC; 0 is "none" or, for not_before, "at once".

CREATE TABLE jobs (
    seq         INTEGER PRIMARY KEY,          -- order of acceptance
    id          TEXT    NOT NULL UNIQUE,      -- ULID
    account     TEXT    NOT NULL,
    lane        INTEGER NOT NULL,             -- mail.Lane
    sender      TEXT    NOT NULL,             -- reverse-path
    size        INTEGER NOT NULL,
    sum         BLOB    NOT NULL,             -- SHA-256 of the body
    accepted_at INTEGER NOT NULL,
    flags       INTEGER NOT NULL,             -- 1 SMTPUTF8, 2 8BITMIME, 4 the client used TLS
    ret         TEXT    NOT NULL,             -- RET
    client_id   TEXT    NOT NULL,             -- ENVID of the mail program
    family      TEXT    NOT NULL,
    hello       TEXT    NOT NULL,
    auth        TEXT    NOT NULL,
    body        INTEGER NOT NULL,             -- 1 in bodies, 2 a file, 3 removed because the job is done
    stored      INTEGER NOT NULL,             -- bytes that count against max_size until the job is done
    damaged     INTEGER NOT NULL DEFAULT 0,   -- 1: the body is missing
    recipients  INTEGER NOT NULL,             -- = queued + deferred + accepted + failed + uncertain + cancelled
    queued      INTEGER NOT NULL,             -- in live batches of round 0, not uncertain
    deferred    INTEGER NOT NULL DEFAULT 0,   -- in live batches of later rounds, not uncertain
    accepted    INTEGER NOT NULL DEFAULT 0,
    failed      INTEGER NOT NULL DEFAULT 0,
    uncertain   INTEGER NOT NULL DEFAULT 0,
    cancelled   INTEGER NOT NULL DEFAULT 0,
    batches     INTEGER NOT NULL,             -- highest number used
    live        INTEGER NOT NULL,             -- batches not done
    last_code     INTEGER NOT NULL DEFAULT 0, -- of the last reply that was not a success
    last_enhanced INTEGER NOT NULL DEFAULT 0,
    last_reply    TEXT    NOT NULL DEFAULT '',
    last_command  TEXT    NOT NULL DEFAULT '',
    done_at     INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX jobs_live ON jobs (seq) WHERE done_at = 0;
CREATE INDEX jobs_done ON jobs (done_at) WHERE done_at > 0;

CREATE TABLE bodies (
    job  INTEGER PRIMARY KEY,                 -- jobs.seq
    data BLOB NOT NULL
);

CREATE TABLE batches (
    id         INTEGER PRIMARY KEY AUTOINCREMENT, -- not used again: attempts outlive their batch
    job        INTEGER NOT NULL,              -- jobs.seq
    number     INTEGER NOT NULL,
    account    TEXT    NOT NULL,
    lane       INTEGER NOT NULL,
    state      INTEGER NOT NULL,              -- 1 ready, 2 sending, 3 unknown, 4 uncertain, 5 done
    held       INTEGER NOT NULL DEFAULT 0,    -- 1 cancelling, 2 damaged
    bound      INTEGER NOT NULL DEFAULT 0,    -- 1: its dot may have left, to store
    store      TEXT    NOT NULL DEFAULT '',
    not_before INTEGER NOT NULL DEFAULT 0,
    attempts   INTEGER NOT NULL DEFAULT 0,
    attempt    INTEGER NOT NULL DEFAULT 0,    -- the latest, attempts.id
    first_try  INTEGER NOT NULL DEFAULT 0,    -- first attempt for these recipients, in whatever batch
    round      INTEGER NOT NULL DEFAULT 0,
    parent     INTEGER NOT NULL DEFAULT 0,    -- number of the batch whose deferred recipients these are
    count      INTEGER NOT NULL,              -- of recipients
    recipients BLOB    NOT NULL,              -- see recipients.go
    result     INTEGER NOT NULL DEFAULT 0,    -- mail.Status of every recipient without a row in outcomes
    code       INTEGER NOT NULL DEFAULT 0,    -- why it is uncertain
    enhanced   INTEGER NOT NULL DEFAULT 0,
    reply      TEXT    NOT NULL DEFAULT '',
    command    TEXT    NOT NULL DEFAULT '',
    queue_id   TEXT    NOT NULL DEFAULT '',   -- the relay's
    done_at    INTEGER NOT NULL DEFAULT 0,
    UNIQUE (job, number)
);
CREATE INDEX batches_ready ON batches (account, lane, not_before, job, number) WHERE state = 1 AND held = 0;
CREATE INDEX batches_busy ON batches (job) WHERE state IN (2, 3, 4);
CREATE INDEX batches_closing ON batches (job) WHERE held = 1 AND state IN (1, 3);

-- Only recipients whose result is not their batch's.
CREATE TABLE outcomes (
    id       INTEGER PRIMARY KEY,
    batch    INTEGER NOT NULL,                -- batches.id
    place    INTEGER NOT NULL,                -- in the batch's recipients, from 0
    address  TEXT    NOT NULL,
    status   INTEGER NOT NULL,                -- mail.Status
    code     INTEGER NOT NULL,
    enhanced INTEGER NOT NULL,
    reply    TEXT    NOT NULL,
    command  TEXT    NOT NULL,
    at       INTEGER NOT NULL,
    UNIQUE (batch, place)
);

CREATE TABLE attempts (
    id         INTEGER PRIMARY KEY AUTOINCREMENT, -- not used again: sessions hold it
    batch      INTEGER NOT NULL,              -- batches.id
    account    TEXT    NOT NULL,
    lane       INTEGER NOT NULL,
    recipients INTEGER NOT NULL,
    started_at INTEGER NOT NULL,
    left_at    INTEGER NOT NULL DEFAULT 0,    -- when DATA was sent
    ended_at   INTEGER NOT NULL DEFAULT 0,
    result     INTEGER NOT NULL DEFAULT 1     -- 1 open, 2 returned, 3 lost, 4 done
);
CREATE INDEX attempts_started ON attempts (started_at);
CREATE INDEX attempts_open ON attempts (id) WHERE result = 1;

-- +goose Down
DROP TABLE attempts;
DROP TABLE outcomes;
DROP TABLE batches;
DROP TABLE bodies;
DROP TABLE jobs;
