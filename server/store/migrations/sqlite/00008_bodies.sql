-- +goose Up
-- The name of a large body's file is its draft's own, so that several relays
-- may bring the same body: <sha256>.<draft>. '': the hash alone, as before, or
-- the body is in the row.
ALTER TABLE bodies ADD COLUMN file TEXT NOT NULL DEFAULT '';

-- The same of uploads, and who writes one now: a run of a relay; '': nobody.
ALTER TABLE uploads ADD COLUMN file TEXT NOT NULL DEFAULT '';
ALTER TABLE uploads ADD COLUMN holder TEXT NOT NULL DEFAULT '';

-- +goose Down
-- The program of before looks for a body under its hash alone.
ALTER TABLE uploads DROP COLUMN holder;
ALTER TABLE uploads DROP COLUMN file;
ALTER TABLE bodies DROP COLUMN file;
