-- +goose Up
-- The name of a large body's file is its draft's own, so that several relays
-- may bring the same body: <sha256>.<draft>. '': the hash alone, as before, or
-- the body is in the row.
ALTER TABLE bodies ADD COLUMN file TEXT COLLATE "C" NOT NULL DEFAULT '';

-- The same of uploads, and who writes one now: a run of a relay; '': nobody.
ALTER TABLE uploads ADD COLUMN file TEXT COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE uploads ADD COLUMN holder TEXT COLLATE "C" NOT NULL DEFAULT '';

-- No body goes while a message of another relay, committed or not, needs it.
-- SQLite has one writer, and needs no such key.
ALTER TABLE messages ADD CONSTRAINT messages_body FOREIGN KEY (account_id, sha256) REFERENCES bodies (account_id, sha256);

-- +goose Down
ALTER TABLE messages DROP CONSTRAINT messages_body;
-- The program of before looks for a body under its hash alone.
ALTER TABLE uploads DROP COLUMN holder;
ALTER TABLE uploads DROP COLUMN file;
ALTER TABLE bodies DROP COLUMN file;
