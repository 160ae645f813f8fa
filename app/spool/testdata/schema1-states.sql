-- A spool of schema 1 with a batch in every state; see TestMigrateEveryState.
BEGIN;
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
CREATE TABLE bodies (
    job  INTEGER PRIMARY KEY,                 -- jobs.seq
    data BLOB NOT NULL
);
CREATE TABLE goose_db_version (
		id INTEGER PRIMARY KEY AUTOINCREMENT,
		version_id INTEGER NOT NULL,
		is_applied INTEGER NOT NULL,
		tstamp TIMESTAMP DEFAULT (datetime('now'))
	);
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
CREATE INDEX attempts_open ON attempts (id) WHERE result = 1;
CREATE INDEX attempts_started ON attempts (started_at);
CREATE INDEX batches_busy ON batches (job) WHERE state IN (2, 3, 4);
CREATE INDEX batches_closing ON batches (job) WHERE held = 1 AND state IN (1, 3);
CREATE INDEX batches_ready ON batches (account, lane, not_before, job, number) WHERE state = 1 AND held = 0;
CREATE INDEX jobs_done ON jobs (done_at) WHERE done_at > 0;
CREATE INDEX jobs_live ON jobs (seq) WHERE done_at = 0;
INSERT INTO attempts (id, batch, account, lane, recipients, started_at, left_at, ended_at, result) VALUES (1, 2, 'office', 2, 2, 1795597200000000, 0, 0, 1);
INSERT INTO attempts (id, batch, account, lane, recipients, started_at, left_at, ended_at, result) VALUES (2, 3, 'office', 2, 2, 1795597200000000, 0, 1795597200000000, 2);
INSERT INTO attempts (id, batch, account, lane, recipients, started_at, left_at, ended_at, result) VALUES (3, 4, 'office', 2, 2, 1795597200000000, 1795597200000000, 1795597200000000, 3);
INSERT INTO attempts (id, batch, account, lane, recipients, started_at, left_at, ended_at, result) VALUES (4, 5, 'office', 2, 2, 1795597200000000, 1795597200000000, 1795597200000000, 3);
INSERT INTO attempts (id, batch, account, lane, recipients, started_at, left_at, ended_at, result) VALUES (5, 6, 'office', 2, 2, 1795597200000000, 1795597200000000, 1795597200000000, 3);
INSERT INTO attempts (id, batch, account, lane, recipients, started_at, left_at, ended_at, result) VALUES (6, 7, 'office', 2, 2, 1795597200000000, 1795597200000000, 1795597200000000, 3);
INSERT INTO attempts (id, batch, account, lane, recipients, started_at, left_at, ended_at, result) VALUES (7, 8, 'office', 2, 2, 1795597200000000, 1795597200000000, 1795597200000000, 3);
INSERT INTO attempts (id, batch, account, lane, recipients, started_at, left_at, ended_at, result) VALUES (8, 9, 'office', 2, 2, 1795597200000000, 0, 1795597200000000, 4);
INSERT INTO attempts (id, batch, account, lane, recipients, started_at, left_at, ended_at, result) VALUES (9, 10, 'office', 2, 2, 1795597200000000, 1795597200000000, 1795597200000000, 3);
INSERT INTO attempts (id, batch, account, lane, recipients, started_at, left_at, ended_at, result) VALUES (10, 12, 'office', 2, 2, 1795597200000000, 0, 1795597200000000, 2);
INSERT INTO attempts (id, batch, account, lane, recipients, started_at, left_at, ended_at, result) VALUES (11, 13, 'office', 2, 2, 1795597200000000, 0, 0, 1);
INSERT INTO attempts (id, batch, account, lane, recipients, started_at, left_at, ended_at, result) VALUES (12, 14, 'office', 2, 2, 1795597200000000, 1795597200000000, 1795597200000000, 3);
INSERT INTO attempts (id, batch, account, lane, recipients, started_at, left_at, ended_at, result) VALUES (13, 16, 'office', 2, 2, 1795597200000000, 0, 0, 1);
INSERT INTO attempts (id, batch, account, lane, recipients, started_at, left_at, ended_at, result) VALUES (14, 17, 'office', 2, 2, 1795597200000000, 1795597200000000, 1795597200000000, 3);
INSERT INTO attempts (id, batch, account, lane, recipients, started_at, left_at, ended_at, result) VALUES (15, 18, 'office', 2, 2, 1795597200000000, 1795597200000000, 1795597200000000, 3);
INSERT INTO attempts (id, batch, account, lane, recipients, started_at, left_at, ended_at, result) VALUES (16, 19, 'office', 2, 50, 1795597200000000, 1795597200000000, 1795597200000000, 4);
INSERT INTO batches (id, job, number, account, lane, state, held, bound, store, not_before, attempts, attempt, first_try, round, parent, count, recipients, result, code, enhanced, reply, command, queue_id, done_at) VALUES (1, 1, 1, 'office', 2, 1, 0, 0, '', 0, 0, 0, 0, 0, 0, 2, x'010013706572736f6e30406578616d706c652e636f6d0013706572736f6e31406578616d706c652e636f6d', 0, 0, 0, '', '', '', 0);
INSERT INTO batches (id, job, number, account, lane, state, held, bound, store, not_before, attempts, attempt, first_try, round, parent, count, recipients, result, code, enhanced, reply, command, queue_id, done_at) VALUES (2, 2, 1, 'office', 2, 2, 0, 0, 'main', 0, 1, 1, 1795597200000000, 0, 0, 2, x'010013706572736f6e30406578616d706c652e636f6d0013706572736f6e31406578616d706c652e636f6d', 0, 0, 0, '', '', '', 0);
INSERT INTO batches (id, job, number, account, lane, state, held, bound, store, not_before, attempts, attempt, first_try, round, parent, count, recipients, result, code, enhanced, reply, command, queue_id, done_at) VALUES (3, 3, 1, 'office', 2, 1, 0, 0, 'main', 0, 1, 2, 1795597200000000, 0, 0, 2, x'010013706572736f6e30406578616d706c652e636f6d0013706572736f6e31406578616d706c652e636f6d', 0, 0, 0, '', '', '', 0);
INSERT INTO batches (id, job, number, account, lane, state, held, bound, store, not_before, attempts, attempt, first_try, round, parent, count, recipients, result, code, enhanced, reply, command, queue_id, done_at) VALUES (4, 4, 1, 'office', 2, 3, 0, 1, 'main', 0, 1, 3, 1795597200000000, 0, 0, 2, x'010013706572736f6e30406578616d706c652e636f6d0013706572736f6e31406578616d706c652e636f6d', 0, 0, 0, '', '', '', 0);
INSERT INTO batches (id, job, number, account, lane, state, held, bound, store, not_before, attempts, attempt, first_try, round, parent, count, recipients, result, code, enhanced, reply, command, queue_id, done_at) VALUES (5, 5, 1, 'office', 2, 1, 0, 1, 'main', 0, 1, 4, 1795597200000000, 0, 0, 2, x'010013706572736f6e30406578616d706c652e636f6d0013706572736f6e31406578616d706c652e636f6d', 0, 0, 0, '', '', '', 0);
INSERT INTO batches (id, job, number, account, lane, state, held, bound, store, not_before, attempts, attempt, first_try, round, parent, count, recipients, result, code, enhanced, reply, command, queue_id, done_at) VALUES (6, 6, 1, 'office', 2, 4, 0, 1, 'main', 0, 1, 5, 1795597200000000, 0, 0, 2, x'010013706572736f6e30406578616d706c652e636f6d0013706572736f6e31406578616d706c652e636f6d', 0, 0, 0, '', '', '', 0);
INSERT INTO batches (id, job, number, account, lane, state, held, bound, store, not_before, attempts, attempt, first_try, round, parent, count, recipients, result, code, enhanced, reply, command, queue_id, done_at) VALUES (7, 7, 1, 'office', 2, 4, 0, 1, 'main', 0, 1, 6, 1795597200000000, 0, 0, 2, x'010013706572736f6e30406578616d706c652e636f6d0013706572736f6e31406578616d706c652e636f6d', 0, 554, 5005004, 'SSMTP-CONFLICT other content', 'DATA', '', 0);
INSERT INTO batches (id, job, number, account, lane, state, held, bound, store, not_before, attempts, attempt, first_try, round, parent, count, recipients, result, code, enhanced, reply, command, queue_id, done_at) VALUES (8, 8, 1, 'office', 2, 1, 0, 0, 'main', 0, 1, 7, 1795597200000000, 0, 0, 2, x'010013706572736f6e30406578616d706c652e636f6d0013706572736f6e31406578616d706c652e636f6d', 0, 0, 0, '', '', '', 0);
INSERT INTO batches (id, job, number, account, lane, state, held, bound, store, not_before, attempts, attempt, first_try, round, parent, count, recipients, result, code, enhanced, reply, command, queue_id, done_at) VALUES (9, 9, 1, 'office', 2, 5, 0, 0, 'main', 0, 1, 8, 1795597200000000, 0, 0, 2, x'010013706572736f6e30406578616d706c652e636f6d0013706572736f6e31406578616d706c652e636f6d', 2, 0, 0, '', '', '', 1795597200000000);
INSERT INTO batches (id, job, number, account, lane, state, held, bound, store, not_before, attempts, attempt, first_try, round, parent, count, recipients, result, code, enhanced, reply, command, queue_id, done_at) VALUES (10, 10, 1, 'office', 2, 5, 0, 1, 'main', 0, 1, 9, 1795597200000000, 0, 0, 2, x'010013706572736f6e30406578616d706c652e636f6d0013706572736f6e31406578616d706c652e636f6d', 5, 0, 0, '', '', '', 1795597200000000);
INSERT INTO batches (id, job, number, account, lane, state, held, bound, store, not_before, attempts, attempt, first_try, round, parent, count, recipients, result, code, enhanced, reply, command, queue_id, done_at) VALUES (11, 11, 1, 'office', 2, 5, 0, 0, '', 0, 0, 0, 0, 0, 0, 2, x'010013706572736f6e30406578616d706c652e636f6d0013706572736f6e31406578616d706c652e636f6d', 6, 0, 0, '', '', '', 1795597200000000);
INSERT INTO batches (id, job, number, account, lane, state, held, bound, store, not_before, attempts, attempt, first_try, round, parent, count, recipients, result, code, enhanced, reply, command, queue_id, done_at) VALUES (12, 12, 1, 'office', 2, 1, 1, 0, 'main', 0, 1, 10, 1795597200000000, 0, 0, 2, x'010013706572736f6e30406578616d706c652e636f6d0013706572736f6e31406578616d706c652e636f6d', 0, 0, 0, '', '', '', 0);
INSERT INTO batches (id, job, number, account, lane, state, held, bound, store, not_before, attempts, attempt, first_try, round, parent, count, recipients, result, code, enhanced, reply, command, queue_id, done_at) VALUES (13, 13, 1, 'office', 2, 2, 1, 0, 'main', 0, 1, 11, 1795597200000000, 0, 0, 2, x'010013706572736f6e30406578616d706c652e636f6d0013706572736f6e31406578616d706c652e636f6d', 0, 0, 0, '', '', '', 0);
INSERT INTO batches (id, job, number, account, lane, state, held, bound, store, not_before, attempts, attempt, first_try, round, parent, count, recipients, result, code, enhanced, reply, command, queue_id, done_at) VALUES (14, 14, 1, 'office', 2, 3, 1, 1, 'main', 0, 1, 12, 1795597200000000, 0, 0, 2, x'010013706572736f6e30406578616d706c652e636f6d0013706572736f6e31406578616d706c652e636f6d', 0, 0, 0, '', '', '', 0);
INSERT INTO batches (id, job, number, account, lane, state, held, bound, store, not_before, attempts, attempt, first_try, round, parent, count, recipients, result, code, enhanced, reply, command, queue_id, done_at) VALUES (15, 15, 1, 'office', 2, 1, 2, 0, '', 0, 0, 0, 0, 0, 0, 2, x'010013706572736f6e30406578616d706c652e636f6d0013706572736f6e31406578616d706c652e636f6d', 0, 0, 0, '', '', '', 0);
INSERT INTO batches (id, job, number, account, lane, state, held, bound, store, not_before, attempts, attempt, first_try, round, parent, count, recipients, result, code, enhanced, reply, command, queue_id, done_at) VALUES (16, 16, 1, 'office', 2, 2, 2, 0, 'main', 0, 1, 13, 1795597200000000, 0, 0, 2, x'010013706572736f6e30406578616d706c652e636f6d0013706572736f6e31406578616d706c652e636f6d', 0, 0, 0, '', '', '', 0);
INSERT INTO batches (id, job, number, account, lane, state, held, bound, store, not_before, attempts, attempt, first_try, round, parent, count, recipients, result, code, enhanced, reply, command, queue_id, done_at) VALUES (17, 17, 1, 'office', 2, 3, 2, 1, 'main', 0, 1, 14, 1795597200000000, 0, 0, 2, x'010013706572736f6e30406578616d706c652e636f6d0013706572736f6e31406578616d706c652e636f6d', 0, 0, 0, '', '', '', 0);
INSERT INTO batches (id, job, number, account, lane, state, held, bound, store, not_before, attempts, attempt, first_try, round, parent, count, recipients, result, code, enhanced, reply, command, queue_id, done_at) VALUES (18, 18, 1, 'office', 2, 4, 2, 1, 'main', 0, 1, 15, 1795597200000000, 0, 0, 2, x'010013706572736f6e30406578616d706c652e636f6d0013706572736f6e31406578616d706c652e636f6d', 0, 0, 0, '', '', '', 0);
INSERT INTO batches (id, job, number, account, lane, state, held, bound, store, not_before, attempts, attempt, first_try, round, parent, count, recipients, result, code, enhanced, reply, command, queue_id, done_at) VALUES (19, 19, 1, 'office', 2, 5, 0, 0, 'main', 0, 1, 16, 1795597200000000, 0, 0, 50, x'010013706572736f6e30406578616d706c652e636f6d0013706572736f6e31406578616d706c652e636f6d0013706572736f6e32406578616d706c652e636f6d0013706572736f6e33406578616d706c652e636f6d0013706572736f6e34406578616d706c652e636f6d0013706572736f6e35406578616d706c652e636f6d0013706572736f6e36406578616d706c652e636f6d0013706572736f6e37406578616d706c652e636f6d0013706572736f6e38406578616d706c652e636f6d0013706572736f6e39406578616d706c652e636f6d0014706572736f6e3130406578616d706c652e636f6d0014706572736f6e3131406578616d706c652e636f6d0014706572736f6e3132406578616d706c652e636f6d0014706572736f6e3133406578616d706c652e636f6d0014706572736f6e3134406578616d706c652e636f6d0014706572736f6e3135406578616d706c652e636f6d0014706572736f6e3136406578616d706c652e636f6d0014706572736f6e3137406578616d706c652e636f6d0014706572736f6e3138406578616d706c652e636f6d0014706572736f6e3139406578616d706c652e636f6d0014706572736f6e3230406578616d706c652e636f6d0014706572736f6e3231406578616d706c652e636f6d0014706572736f6e3232406578616d706c652e636f6d0014706572736f6e3233406578616d706c652e636f6d0014706572736f6e3234406578616d706c652e636f6d0014706572736f6e3235406578616d706c652e636f6d0014706572736f6e3236406578616d706c652e636f6d0014706572736f6e3237406578616d706c652e636f6d0014706572736f6e3238406578616d706c652e636f6d0014706572736f6e3239406578616d706c652e636f6d0014706572736f6e3330406578616d706c652e636f6d0014706572736f6e3331406578616d706c652e636f6d0014706572736f6e3332406578616d706c652e636f6d0014706572736f6e3333406578616d706c652e636f6d0014706572736f6e3334406578616d706c652e636f6d0014706572736f6e3335406578616d706c652e636f6d0014706572736f6e3336406578616d706c652e636f6d0014706572736f6e3337406578616d706c652e636f6d0014706572736f6e3338406578616d706c652e636f6d0014706572736f6e3339406578616d706c652e636f6d0014706572736f6e3430406578616d706c652e636f6d0014706572736f6e3431406578616d706c652e636f6d0014706572736f6e3432406578616d706c652e636f6d0014706572736f6e3433406578616d706c652e636f6d0014706572736f6e3434406578616d706c652e636f6d0014706572736f6e3435406578616d706c652e636f6d0014706572736f6e3436406578616d706c652e636f6d0014706572736f6e3437406578616d706c652e636f6d0014706572736f6e3438406578616d706c652e636f6d0014706572736f6e3439406578616d706c652e636f6d', 2, 0, 0, '', '', 'q1', 1795597200000000);
INSERT INTO batches (id, job, number, account, lane, state, held, bound, store, not_before, attempts, attempt, first_try, round, parent, count, recipients, result, code, enhanced, reply, command, queue_id, done_at) VALUES (20, 19, 2, 'office', 2, 1, 0, 0, '', 0, 0, 0, 0, 0, 0, 50, x'010014706572736f6e3530406578616d706c652e636f6d0014706572736f6e3531406578616d706c652e636f6d0014706572736f6e3532406578616d706c652e636f6d0014706572736f6e3533406578616d706c652e636f6d0014706572736f6e3534406578616d706c652e636f6d0014706572736f6e3535406578616d706c652e636f6d0014706572736f6e3536406578616d706c652e636f6d0014706572736f6e3537406578616d706c652e636f6d0014706572736f6e3538406578616d706c652e636f6d0014706572736f6e3539406578616d706c652e636f6d0014706572736f6e3630406578616d706c652e636f6d0014706572736f6e3631406578616d706c652e636f6d0014706572736f6e3632406578616d706c652e636f6d0014706572736f6e3633406578616d706c652e636f6d0014706572736f6e3634406578616d706c652e636f6d0014706572736f6e3635406578616d706c652e636f6d0014706572736f6e3636406578616d706c652e636f6d0014706572736f6e3637406578616d706c652e636f6d0014706572736f6e3638406578616d706c652e636f6d0014706572736f6e3639406578616d706c652e636f6d0014706572736f6e3730406578616d706c652e636f6d0014706572736f6e3731406578616d706c652e636f6d0014706572736f6e3732406578616d706c652e636f6d0014706572736f6e3733406578616d706c652e636f6d0014706572736f6e3734406578616d706c652e636f6d0014706572736f6e3735406578616d706c652e636f6d0014706572736f6e3736406578616d706c652e636f6d0014706572736f6e3737406578616d706c652e636f6d0014706572736f6e3738406578616d706c652e636f6d0014706572736f6e3739406578616d706c652e636f6d0014706572736f6e3830406578616d706c652e636f6d0014706572736f6e3831406578616d706c652e636f6d0014706572736f6e3832406578616d706c652e636f6d0014706572736f6e3833406578616d706c652e636f6d0014706572736f6e3834406578616d706c652e636f6d0014706572736f6e3835406578616d706c652e636f6d0014706572736f6e3836406578616d706c652e636f6d0014706572736f6e3837406578616d706c652e636f6d0014706572736f6e3838406578616d706c652e636f6d0014706572736f6e3839406578616d706c652e636f6d0014706572736f6e3930406578616d706c652e636f6d0014706572736f6e3931406578616d706c652e636f6d0014706572736f6e3932406578616d706c652e636f6d0014706572736f6e3933406578616d706c652e636f6d0014706572736f6e3934406578616d706c652e636f6d0014706572736f6e3935406578616d706c652e636f6d0014706572736f6e3936406578616d706c652e636f6d0014706572736f6e3937406578616d706c652e636f6d0014706572736f6e3938406578616d706c652e636f6d0014706572736f6e3939406578616d706c652e636f6d', 0, 0, 0, '', '', '', 0);
INSERT INTO batches (id, job, number, account, lane, state, held, bound, store, not_before, attempts, attempt, first_try, round, parent, count, recipients, result, code, enhanced, reply, command, queue_id, done_at) VALUES (21, 19, 3, 'office', 2, 1, 0, 0, '', 0, 0, 0, 0, 0, 0, 20, x'010015706572736f6e313030406578616d706c652e636f6d0015706572736f6e313031406578616d706c652e636f6d0015706572736f6e313032406578616d706c652e636f6d0015706572736f6e313033406578616d706c652e636f6d0015706572736f6e313034406578616d706c652e636f6d0015706572736f6e313035406578616d706c652e636f6d0015706572736f6e313036406578616d706c652e636f6d0015706572736f6e313037406578616d706c652e636f6d0015706572736f6e313038406578616d706c652e636f6d0015706572736f6e313039406578616d706c652e636f6d0015706572736f6e313130406578616d706c652e636f6d0015706572736f6e313131406578616d706c652e636f6d0015706572736f6e313132406578616d706c652e636f6d0015706572736f6e313133406578616d706c652e636f6d0015706572736f6e313134406578616d706c652e636f6d0015706572736f6e313135406578616d706c652e636f6d0015706572736f6e313136406578616d706c652e636f6d0015706572736f6e313137406578616d706c652e636f6d0015706572736f6e313138406578616d706c652e636f6d0015706572736f6e313139406578616d706c652e636f6d', 0, 0, 0, '', '', '', 0);
INSERT INTO batches (id, job, number, account, lane, state, held, bound, store, not_before, attempts, attempt, first_try, round, parent, count, recipients, result, code, enhanced, reply, command, queue_id, done_at) VALUES (22, 19, 4, 'office', 2, 1, 0, 0, '', 1795600800000000, 0, 0, 1795597200000000, 1, 1, 1, x'010013706572736f6e37406578616d706c652e636f6d', 0, 0, 0, '', '', '', 0);
INSERT INTO bodies (job, data) VALUES (1, x'5375626a6563743a2072656164790d0a0d0a48656c6c6f2e0d0a');
INSERT INTO bodies (job, data) VALUES (2, x'5375626a6563743a2073656e64696e670d0a0d0a48656c6c6f2e0d0a');
INSERT INTO bodies (job, data) VALUES (3, x'5375626a6563743a2072657475726e65640d0a0d0a48656c6c6f2e0d0a');
INSERT INTO bodies (job, data) VALUES (4, x'5375626a6563743a20756e6b6e6f776e0d0a0d0a48656c6c6f2e0d0a');
INSERT INTO bodies (job, data) VALUES (5, x'5375626a6563743a207265706c617965640d0a0d0a48656c6c6f2e0d0a');
INSERT INTO bodies (job, data) VALUES (6, x'5375626a6563743a20756e6365727461696e0d0a0d0a48656c6c6f2e0d0a');
INSERT INTO bodies (job, data) VALUES (7, x'5375626a6563743a20636f6e666c6963740d0a0d0a48656c6c6f2e0d0a');
INSERT INTO bodies (job, data) VALUES (8, x'5375626a6563743a20616761696e0d0a0d0a48656c6c6f2e0d0a');
INSERT INTO bodies (job, data) VALUES (12, x'5375626a6563743a2063616e63656c6c696e672072656164790d0a0d0a48656c6c6f2e0d0a');
INSERT INTO bodies (job, data) VALUES (13, x'5375626a6563743a2063616e63656c6c696e672073656e64696e670d0a0d0a48656c6c6f2e0d0a');
INSERT INTO bodies (job, data) VALUES (14, x'5375626a6563743a2063616e63656c6c696e6720756e6b6e6f776e0d0a0d0a48656c6c6f2e0d0a');
INSERT INTO bodies (job, data) VALUES (15, x'5375626a6563743a2064616d616765642072656164790d0a0d0a48656c6c6f2e0d0a');
INSERT INTO bodies (job, data) VALUES (16, x'5375626a6563743a2064616d616765642073656e64696e670d0a0d0a48656c6c6f2e0d0a');
INSERT INTO bodies (job, data) VALUES (17, x'5375626a6563743a2064616d6167656420756e6b6e6f776e0d0a0d0a48656c6c6f2e0d0a');
INSERT INTO bodies (job, data) VALUES (18, x'5375626a6563743a2064616d6167656420756e6365727461696e0d0a0d0a48656c6c6f2e0d0a');
INSERT INTO bodies (job, data) VALUES (19, x'5375626a6563743a2064656665727265640d0a0d0a48656c6c6f2e0d0a');
INSERT INTO goose_db_version (id, version_id, is_applied, tstamp) VALUES (1, 0, 1, '2026-11-25 15:34:29');
INSERT INTO goose_db_version (id, version_id, is_applied, tstamp) VALUES (2, 1, 1, '2026-11-25 15:34:29');
INSERT INTO jobs (seq, id, account, lane, sender, size, sum, accepted_at, flags, ret, client_id, family, hello, auth, body, stored, damaged, recipients, queued, deferred, accepted, failed, uncertain, cancelled, batches, live, last_code, last_enhanced, last_reply, last_command, done_at) VALUES (1, '01K00000000000000000000001', 'office', 2, 'news@example.com', 26, x'a2e657dd4458c434f5ab116093cad3d518777274900d312786b7d994da6af31f', 1795597200000000, 0, '', '', 'Thunderbird', '[127.0.0.1]', 'PLAIN', 1, 69, 0, 2, 2, 0, 0, 0, 0, 0, 1, 1, 0, 0, '', '', 0);
INSERT INTO jobs (seq, id, account, lane, sender, size, sum, accepted_at, flags, ret, client_id, family, hello, auth, body, stored, damaged, recipients, queued, deferred, accepted, failed, uncertain, cancelled, batches, live, last_code, last_enhanced, last_reply, last_command, done_at) VALUES (2, '01K00000000000000000000002', 'office', 2, 'news@example.com', 28, x'42e705cb5e67ca101e0f9feae67dc8c09a8cb56d0c83add4e8ed8c4222694c54', 1795597200000000, 0, '', '', 'Thunderbird', '[127.0.0.1]', 'PLAIN', 1, 71, 0, 2, 2, 0, 0, 0, 0, 0, 1, 1, 0, 0, '', '', 0);
INSERT INTO jobs (seq, id, account, lane, sender, size, sum, accepted_at, flags, ret, client_id, family, hello, auth, body, stored, damaged, recipients, queued, deferred, accepted, failed, uncertain, cancelled, batches, live, last_code, last_enhanced, last_reply, last_command, done_at) VALUES (3, '01K00000000000000000000003', 'office', 2, 'news@example.com', 29, x'95eab2ecaddef77ccc30766f9bacc0cbd7d39d93217b0386dc977eb93a1dd2be', 1795597200000000, 0, '', '', 'Thunderbird', '[127.0.0.1]', 'PLAIN', 1, 72, 0, 2, 2, 0, 0, 0, 0, 0, 1, 1, 0, 0, '', '', 0);
INSERT INTO jobs (seq, id, account, lane, sender, size, sum, accepted_at, flags, ret, client_id, family, hello, auth, body, stored, damaged, recipients, queued, deferred, accepted, failed, uncertain, cancelled, batches, live, last_code, last_enhanced, last_reply, last_command, done_at) VALUES (4, '01K00000000000000000000004', 'office', 2, 'news@example.com', 28, x'd5f8ed0a6e25c97ba91e8178213e585ecf5c986b07d576650efc190d3e5caf36', 1795597200000000, 0, '', '', 'Thunderbird', '[127.0.0.1]', 'PLAIN', 1, 71, 0, 2, 2, 0, 0, 0, 0, 0, 1, 1, 0, 0, '', '', 0);
INSERT INTO jobs (seq, id, account, lane, sender, size, sum, accepted_at, flags, ret, client_id, family, hello, auth, body, stored, damaged, recipients, queued, deferred, accepted, failed, uncertain, cancelled, batches, live, last_code, last_enhanced, last_reply, last_command, done_at) VALUES (5, '01K00000000000000000000005', 'office', 2, 'news@example.com', 29, x'71eef3ec8561b5551175c3efc571682c88d5740974b2f71771b9c96c882df45b', 1795597200000000, 0, '', '', 'Thunderbird', '[127.0.0.1]', 'PLAIN', 1, 72, 0, 2, 2, 0, 0, 0, 0, 0, 1, 1, 0, 0, '', '', 0);
INSERT INTO jobs (seq, id, account, lane, sender, size, sum, accepted_at, flags, ret, client_id, family, hello, auth, body, stored, damaged, recipients, queued, deferred, accepted, failed, uncertain, cancelled, batches, live, last_code, last_enhanced, last_reply, last_command, done_at) VALUES (6, '01K00000000000000000000006', 'office', 2, 'news@example.com', 30, x'40329e9c13c444510dddbe5aea31e740ef973850506aebd4c6977771e2372d50', 1795597200000000, 0, '', '', 'Thunderbird', '[127.0.0.1]', 'PLAIN', 1, 73, 0, 2, 0, 0, 0, 0, 2, 0, 1, 1, 0, 0, '', '', 0);
INSERT INTO jobs (seq, id, account, lane, sender, size, sum, accepted_at, flags, ret, client_id, family, hello, auth, body, stored, damaged, recipients, queued, deferred, accepted, failed, uncertain, cancelled, batches, live, last_code, last_enhanced, last_reply, last_command, done_at) VALUES (7, '01K00000000000000000000007', 'office', 2, 'news@example.com', 29, x'a21c5ddf352990f60712f9276fa722f8571144bed309f2e3b79da18836666f31', 1795597200000000, 0, '', '', 'Thunderbird', '[127.0.0.1]', 'PLAIN', 1, 72, 0, 2, 0, 0, 0, 0, 2, 0, 1, 1, 554, 5005004, 'SSMTP-CONFLICT other content', 'DATA', 0);
INSERT INTO jobs (seq, id, account, lane, sender, size, sum, accepted_at, flags, ret, client_id, family, hello, auth, body, stored, damaged, recipients, queued, deferred, accepted, failed, uncertain, cancelled, batches, live, last_code, last_enhanced, last_reply, last_command, done_at) VALUES (8, '01K00000000000000000000008', 'office', 2, 'news@example.com', 26, x'87e8f773fefdcb67f7720ab5da80fd09d23f77efab8c1f7ec21ee087c9d980fa', 1795597200000000, 0, '', '', 'Thunderbird', '[127.0.0.1]', 'PLAIN', 1, 69, 0, 2, 2, 0, 0, 0, 0, 0, 1, 1, 0, 0, '', '', 0);
INSERT INTO jobs (seq, id, account, lane, sender, size, sum, accepted_at, flags, ret, client_id, family, hello, auth, body, stored, damaged, recipients, queued, deferred, accepted, failed, uncertain, cancelled, batches, live, last_code, last_enhanced, last_reply, last_command, done_at) VALUES (9, '01K00000000000000000000009', 'office', 2, 'news@example.com', 29, x'ba5641989a21c89bc53595fbedcfd2d358a8ca8b93d436fafa391777dd34bbbb', 1795597200000000, 0, '', '', 'Thunderbird', '[127.0.0.1]', 'PLAIN', 3, 72, 0, 2, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, '', '', 1795597200000000);
INSERT INTO jobs (seq, id, account, lane, sender, size, sum, accepted_at, flags, ret, client_id, family, hello, auth, body, stored, damaged, recipients, queued, deferred, accepted, failed, uncertain, cancelled, batches, live, last_code, last_enhanced, last_reply, last_command, done_at) VALUES (10, '01K00000000000000000000010', 'office', 2, 'news@example.com', 29, x'eb973396a023eea677ee02f5a9b8d3e6b3cb5d526e0e4334ec78a6954f81fedf', 1795597200000000, 0, '', '', 'Thunderbird', '[127.0.0.1]', 'PLAIN', 3, 72, 0, 2, 0, 0, 0, 0, 2, 0, 1, 0, 0, 0, '', '', 1795597200000000);
INSERT INTO jobs (seq, id, account, lane, sender, size, sum, accepted_at, flags, ret, client_id, family, hello, auth, body, stored, damaged, recipients, queued, deferred, accepted, failed, uncertain, cancelled, batches, live, last_code, last_enhanced, last_reply, last_command, done_at) VALUES (11, '01K00000000000000000000011', 'office', 2, 'news@example.com', 30, x'0d705259d0dd1e5e685d726d5f8dd1d7251f2024046bad9dd6556607d8f99e1a', 1795597200000000, 0, '', '', 'Thunderbird', '[127.0.0.1]', 'PLAIN', 3, 73, 0, 2, 0, 0, 0, 0, 0, 2, 1, 0, 0, 0, '', '', 1795597200000000);
INSERT INTO jobs (seq, id, account, lane, sender, size, sum, accepted_at, flags, ret, client_id, family, hello, auth, body, stored, damaged, recipients, queued, deferred, accepted, failed, uncertain, cancelled, batches, live, last_code, last_enhanced, last_reply, last_command, done_at) VALUES (12, '01K00000000000000000000012', 'office', 2, 'news@example.com', 37, x'c5d8b3551d2e8b7beb1bdba901876d8ce2dc6806ca6dd179047dae3e35139992', 1795597200000000, 0, '', '', 'Thunderbird', '[127.0.0.1]', 'PLAIN', 1, 80, 0, 2, 2, 0, 0, 0, 0, 0, 1, 1, 0, 0, '', '', 0);
INSERT INTO jobs (seq, id, account, lane, sender, size, sum, accepted_at, flags, ret, client_id, family, hello, auth, body, stored, damaged, recipients, queued, deferred, accepted, failed, uncertain, cancelled, batches, live, last_code, last_enhanced, last_reply, last_command, done_at) VALUES (13, '01K00000000000000000000013', 'office', 2, 'news@example.com', 39, x'68a6d4873818e3c33584742c868f957b404de64ce55f48b6abdd9e5f6dd335e3', 1795597200000000, 0, '', '', 'Thunderbird', '[127.0.0.1]', 'PLAIN', 1, 82, 0, 2, 2, 0, 0, 0, 0, 0, 1, 1, 0, 0, '', '', 0);
INSERT INTO jobs (seq, id, account, lane, sender, size, sum, accepted_at, flags, ret, client_id, family, hello, auth, body, stored, damaged, recipients, queued, deferred, accepted, failed, uncertain, cancelled, batches, live, last_code, last_enhanced, last_reply, last_command, done_at) VALUES (14, '01K00000000000000000000014', 'office', 2, 'news@example.com', 39, x'72a79caccfbc229258b6fc3ed334bcba0274dc7963ec348660bc7e04f4e97671', 1795597200000000, 0, '', '', 'Thunderbird', '[127.0.0.1]', 'PLAIN', 1, 82, 0, 2, 2, 0, 0, 0, 0, 0, 1, 1, 0, 0, '', '', 0);
INSERT INTO jobs (seq, id, account, lane, sender, size, sum, accepted_at, flags, ret, client_id, family, hello, auth, body, stored, damaged, recipients, queued, deferred, accepted, failed, uncertain, cancelled, batches, live, last_code, last_enhanced, last_reply, last_command, done_at) VALUES (15, '01K00000000000000000000015', 'office', 2, 'news@example.com', 34, x'5b6f4d924b1f8d8afa62f7fa5b6313b28ed7cb04757a012856e2a0c4a11eb28e', 1795597200000000, 0, '', '', 'Thunderbird', '[127.0.0.1]', 'PLAIN', 1, 77, 1, 2, 2, 0, 0, 0, 0, 0, 1, 1, 0, 0, '', '', 0);
INSERT INTO jobs (seq, id, account, lane, sender, size, sum, accepted_at, flags, ret, client_id, family, hello, auth, body, stored, damaged, recipients, queued, deferred, accepted, failed, uncertain, cancelled, batches, live, last_code, last_enhanced, last_reply, last_command, done_at) VALUES (16, '01K00000000000000000000016', 'office', 2, 'news@example.com', 36, x'ed22706a02231e01a80812b3558b995bde7d32e74811716de1f12fe7276861c2', 1795597200000000, 0, '', '', 'Thunderbird', '[127.0.0.1]', 'PLAIN', 1, 79, 1, 2, 2, 0, 0, 0, 0, 0, 1, 1, 0, 0, '', '', 0);
INSERT INTO jobs (seq, id, account, lane, sender, size, sum, accepted_at, flags, ret, client_id, family, hello, auth, body, stored, damaged, recipients, queued, deferred, accepted, failed, uncertain, cancelled, batches, live, last_code, last_enhanced, last_reply, last_command, done_at) VALUES (17, '01K00000000000000000000017', 'office', 2, 'news@example.com', 36, x'4611d3d1ef5a4e6b18e0bb64652d83a2172deaccb6af36455d18490a6eb04c8e', 1795597200000000, 0, '', '', 'Thunderbird', '[127.0.0.1]', 'PLAIN', 1, 79, 1, 2, 2, 0, 0, 0, 0, 0, 1, 1, 0, 0, '', '', 0);
INSERT INTO jobs (seq, id, account, lane, sender, size, sum, accepted_at, flags, ret, client_id, family, hello, auth, body, stored, damaged, recipients, queued, deferred, accepted, failed, uncertain, cancelled, batches, live, last_code, last_enhanced, last_reply, last_command, done_at) VALUES (18, '01K00000000000000000000018', 'office', 2, 'news@example.com', 38, x'0ca123f74ab9ef35374d9b0a7efdc0fa8565a17d7a385507b30be64557ad20a9', 1795597200000000, 0, '', '', 'Thunderbird', '[127.0.0.1]', 'PLAIN', 1, 81, 1, 2, 0, 0, 0, 0, 2, 0, 1, 1, 0, 0, '', '', 0);
INSERT INTO jobs (seq, id, account, lane, sender, size, sum, accepted_at, flags, ret, client_id, family, hello, auth, body, stored, damaged, recipients, queued, deferred, accepted, failed, uncertain, cancelled, batches, live, last_code, last_enhanced, last_reply, last_command, done_at) VALUES (19, '01K00000000000000000000019', 'office', 2, 'news@example.com', 29, x'7d5f9fee46e46e157b4187f4b6a72a0aa13998c75caab85d1eb78a340ed0bc89', 1795597200000000, 0, '', '', '', '', '', 1, 2682, 0, 120, 70, 1, 48, 1, 0, 0, 4, 3, 451, 4007001, 'greylisted', 'RCPT', 0);
INSERT INTO outcomes (id, batch, place, address, status, code, enhanced, reply, command, at) VALUES (1, 19, 3, 'person3@example.com', 4, 550, 5001001, 'no such user', 'RCPT', 1795597200000000);
INSERT INTO outcomes (id, batch, place, address, status, code, enhanced, reply, command, at) VALUES (2, 19, 7, 'person7@example.com', 3, 451, 4007001, 'greylisted', 'RCPT', 1795597200000000);
DELETE FROM sqlite_sequence WHERE name = 'goose_db_version';
INSERT INTO sqlite_sequence (name, seq) VALUES ('goose_db_version', 2);
DELETE FROM sqlite_sequence WHERE name = 'batches';
INSERT INTO sqlite_sequence (name, seq) VALUES ('batches', 22);
DELETE FROM sqlite_sequence WHERE name = 'attempts';
INSERT INTO sqlite_sequence (name, seq) VALUES ('attempts', 16);
COMMIT;
