-- A spool of schema 1; see TestMigrateSchema1.
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
CREATE INDEX batches_done ON batches (done_at, account, result, count) WHERE done_at > 0;
CREATE INDEX batches_ready ON batches (account, lane, not_before, job, number) WHERE state = 1 AND held = 0;
CREATE INDEX jobs_done ON jobs (done_at) WHERE done_at > 0;
CREATE INDEX jobs_list ON jobs (seq, account, done_at, failed);
CREATE INDEX jobs_live ON jobs (seq) WHERE done_at = 0;
INSERT INTO attempts (id, batch, account, lane, recipients, started_at, left_at, ended_at, result) VALUES (1, 1, 'office', 2, 50, 1795597201000000, 1795597202000000, 1795597203000000, 4);
INSERT INTO attempts (id, batch, account, lane, recipients, started_at, left_at, ended_at, result) VALUES (2, 2, 'office', 2, 50, 1795597204000000, 0, 0, 1);
INSERT INTO batches (id, job, number, account, lane, state, held, bound, store, not_before, attempts, attempt, first_try, round, parent, count, recipients, result, code, enhanced, reply, command, queue_id, done_at) VALUES (1, 1, 1, 'office', 2, 5, 0, 0, 'main', 0, 1, 1, 1795597201000000, 0, 0, 50, x'010013706572736f6e30406578616d706c652e636f6d0013706572736f6e31406578616d706c652e636f6d0013706572736f6e32406578616d706c652e636f6d0013706572736f6e33406578616d706c652e636f6d0013706572736f6e34406578616d706c652e636f6d0013706572736f6e35406578616d706c652e636f6d0013706572736f6e36406578616d706c652e636f6d0013706572736f6e37406578616d706c652e636f6d0013706572736f6e38406578616d706c652e636f6d0013706572736f6e39406578616d706c652e636f6d0014706572736f6e3130406578616d706c652e636f6d0014706572736f6e3131406578616d706c652e636f6d0014706572736f6e3132406578616d706c652e636f6d0014706572736f6e3133406578616d706c652e636f6d0014706572736f6e3134406578616d706c652e636f6d0014706572736f6e3135406578616d706c652e636f6d0014706572736f6e3136406578616d706c652e636f6d0014706572736f6e3137406578616d706c652e636f6d0014706572736f6e3138406578616d706c652e636f6d0014706572736f6e3139406578616d706c652e636f6d0014706572736f6e3230406578616d706c652e636f6d0014706572736f6e3231406578616d706c652e636f6d0014706572736f6e3232406578616d706c652e636f6d0014706572736f6e3233406578616d706c652e636f6d0014706572736f6e3234406578616d706c652e636f6d0014706572736f6e3235406578616d706c652e636f6d0014706572736f6e3236406578616d706c652e636f6d0014706572736f6e3237406578616d706c652e636f6d0014706572736f6e3238406578616d706c652e636f6d0014706572736f6e3239406578616d706c652e636f6d0014706572736f6e3330406578616d706c652e636f6d0014706572736f6e3331406578616d706c652e636f6d0014706572736f6e3332406578616d706c652e636f6d0014706572736f6e3333406578616d706c652e636f6d0014706572736f6e3334406578616d706c652e636f6d0014706572736f6e3335406578616d706c652e636f6d0014706572736f6e3336406578616d706c652e636f6d0014706572736f6e3337406578616d706c652e636f6d0014706572736f6e3338406578616d706c652e636f6d0014706572736f6e3339406578616d706c652e636f6d0014706572736f6e3430406578616d706c652e636f6d0014706572736f6e3431406578616d706c652e636f6d0014706572736f6e3432406578616d706c652e636f6d0014706572736f6e3433406578616d706c652e636f6d0014706572736f6e3434406578616d706c652e636f6d0014706572736f6e3435406578616d706c652e636f6d0014706572736f6e3436406578616d706c652e636f6d0014706572736f6e3437406578616d706c652e636f6d0014706572736f6e3438406578616d706c652e636f6d0014706572736f6e3439406578616d706c652e636f6d', 2, 0, 0, '', '', 'q1', 1795597203000000);
INSERT INTO batches (id, job, number, account, lane, state, held, bound, store, not_before, attempts, attempt, first_try, round, parent, count, recipients, result, code, enhanced, reply, command, queue_id, done_at) VALUES (2, 1, 2, 'office', 2, 2, 0, 0, 'main', 0, 1, 2, 1795597204000000, 0, 0, 50, x'010014706572736f6e3530406578616d706c652e636f6d0014706572736f6e3531406578616d706c652e636f6d0014706572736f6e3532406578616d706c652e636f6d0014706572736f6e3533406578616d706c652e636f6d0014706572736f6e3534406578616d706c652e636f6d0014706572736f6e3535406578616d706c652e636f6d0014706572736f6e3536406578616d706c652e636f6d0014706572736f6e3537406578616d706c652e636f6d0014706572736f6e3538406578616d706c652e636f6d0014706572736f6e3539406578616d706c652e636f6d0014706572736f6e3630406578616d706c652e636f6d0014706572736f6e3631406578616d706c652e636f6d0014706572736f6e3632406578616d706c652e636f6d0014706572736f6e3633406578616d706c652e636f6d0014706572736f6e3634406578616d706c652e636f6d0014706572736f6e3635406578616d706c652e636f6d0014706572736f6e3636406578616d706c652e636f6d0014706572736f6e3637406578616d706c652e636f6d0014706572736f6e3638406578616d706c652e636f6d0014706572736f6e3639406578616d706c652e636f6d0014706572736f6e3730406578616d706c652e636f6d0014706572736f6e3731406578616d706c652e636f6d0014706572736f6e3732406578616d706c652e636f6d0014706572736f6e3733406578616d706c652e636f6d0014706572736f6e3734406578616d706c652e636f6d0014706572736f6e3735406578616d706c652e636f6d0014706572736f6e3736406578616d706c652e636f6d0014706572736f6e3737406578616d706c652e636f6d0014706572736f6e3738406578616d706c652e636f6d0014706572736f6e3739406578616d706c652e636f6d0014706572736f6e3830406578616d706c652e636f6d0014706572736f6e3831406578616d706c652e636f6d0014706572736f6e3832406578616d706c652e636f6d0014706572736f6e3833406578616d706c652e636f6d0014706572736f6e3834406578616d706c652e636f6d0014706572736f6e3835406578616d706c652e636f6d0014706572736f6e3836406578616d706c652e636f6d0014706572736f6e3837406578616d706c652e636f6d0014706572736f6e3838406578616d706c652e636f6d0014706572736f6e3839406578616d706c652e636f6d0014706572736f6e3930406578616d706c652e636f6d0014706572736f6e3931406578616d706c652e636f6d0014706572736f6e3932406578616d706c652e636f6d0014706572736f6e3933406578616d706c652e636f6d0014706572736f6e3934406578616d706c652e636f6d0014706572736f6e3935406578616d706c652e636f6d0014706572736f6e3936406578616d706c652e636f6d0014706572736f6e3937406578616d706c652e636f6d0014706572736f6e3938406578616d706c652e636f6d0014706572736f6e3939406578616d706c652e636f6d', 0, 0, 0, '', '', '', 0);
INSERT INTO batches (id, job, number, account, lane, state, held, bound, store, not_before, attempts, attempt, first_try, round, parent, count, recipients, result, code, enhanced, reply, command, queue_id, done_at) VALUES (3, 1, 3, 'office', 2, 1, 0, 0, '', 1795597800000000, 0, 0, 1795597201000000, 1, 1, 1, x'010013706572736f6e37406578616d706c652e636f6d', 0, 0, 0, '', '', '', 0);
INSERT INTO batches (id, job, number, account, lane, state, held, bound, store, not_before, attempts, attempt, first_try, round, parent, count, recipients, result, code, enhanced, reply, command, queue_id, done_at) VALUES (4, 2, 1, 'office', 2, 1, 0, 0, '', 0, 0, 0, 0, 0, 0, 1, x'01030d61406578616d706c652e636f6d02074641494c5552450544454c4159147266633832323b62406578616d706c652e636f6d', 0, 0, 0, '', '', '', 0);
INSERT INTO batches (id, job, number, account, lane, state, held, bound, store, not_before, attempts, attempt, first_try, round, parent, count, recipients, result, code, enhanced, reply, command, queue_id, done_at) VALUES (5, 3, 1, 'office', 2, 5, 0, 0, '', 0, 0, 0, 0, 0, 0, 1, x'010013706572736f6e30406578616d706c652e636f6d', 6, 0, 0, '', '', '', 1795597205000000);
INSERT INTO bodies (job, data) VALUES (1, x'5375626a6563743a206e6577730d0a0d0a48656c6c6f2e0d0a');
INSERT INTO bodies (job, data) VALUES (2, x'5375626a6563743a206f6e650d0a0d0a48692e0d0a');
INSERT INTO goose_db_version (id, version_id, is_applied, tstamp) VALUES (1, 0, 1, '2026-11-25 02:59:35');
INSERT INTO goose_db_version (id, version_id, is_applied, tstamp) VALUES (2, 1, 1, '2026-11-25 02:59:35');
INSERT INTO goose_db_version (id, version_id, is_applied, tstamp) VALUES (3, 2, 1, '2026-11-25 05:59:35');
INSERT INTO jobs (seq, id, account, lane, sender, size, sum, accepted_at, flags, ret, client_id, family, hello, auth, body, stored, damaged, recipients, queued, deferred, accepted, failed, uncertain, cancelled, batches, live, last_code, last_enhanced, last_reply, last_command, done_at) VALUES (1, '01K00000000000000000000001', 'office', 2, 'news@example.com', 25, x'16c5d345a84bb7fa6bf4be0d8f501a0a8e191e17da2c829ee56c35aed020a7fb', 1795597200000000, 0, 'HDRS', 'their.id', 'ipv4', 'pc.example', 'PLAIN', 1, 2217, 0, 100, 50, 1, 48, 1, 0, 0, 3, 2, 451, 4007001, 'greylisted', 'RCPT', 0);
INSERT INTO jobs (seq, id, account, lane, sender, size, sum, accepted_at, flags, ret, client_id, family, hello, auth, body, stored, damaged, recipients, queued, deferred, accepted, failed, uncertain, cancelled, batches, live, last_code, last_enhanced, last_reply, last_command, done_at) VALUES (2, '01K00000000000000000000002', 'office', 2, 'news@example.com', 21, x'04b03b779e6d680bf488e0df3232d3ed1f6a6e2b5515be0976b08b41acfa8cd5', 1795597200000000, 0, '', '', '', '', '', 1, 73, 0, 1, 1, 0, 0, 0, 0, 0, 1, 1, 0, 0, '', '', 0);
INSERT INTO jobs (seq, id, account, lane, sender, size, sum, accepted_at, flags, ret, client_id, family, hello, auth, body, stored, damaged, recipients, queued, deferred, accepted, failed, uncertain, cancelled, batches, live, last_code, last_enhanced, last_reply, last_command, done_at) VALUES (3, '01K00000000000000000000003', 'office', 2, 'news@example.com', 1, x'2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881', 1795597200000000, 0, '', '', '', '', '', 3, 23, 0, 1, 0, 0, 0, 0, 0, 1, 1, 0, 0, 0, '', '', 1795597205000000);
INSERT INTO outcomes (id, batch, place, address, status, code, enhanced, reply, command, at) VALUES (1, 1, 3, 'person3@example.com', 4, 550, 5001001, 'no such user', 'RCPT', 1795597203000000);
INSERT INTO outcomes (id, batch, place, address, status, code, enhanced, reply, command, at) VALUES (2, 1, 7, 'person7@example.com', 3, 451, 4007001, 'greylisted', 'RCPT', 1795597203000000);
DELETE FROM sqlite_sequence WHERE name = 'goose_db_version';
INSERT INTO sqlite_sequence (name, seq) VALUES ('goose_db_version', 3);
DELETE FROM sqlite_sequence WHERE name = 'batches';
INSERT INTO sqlite_sequence (name, seq) VALUES ('batches', 5);
DELETE FROM sqlite_sequence WHERE name = 'attempts';
INSERT INTO sqlite_sequence (name, seq) VALUES ('attempts', 2);
COMMIT;
