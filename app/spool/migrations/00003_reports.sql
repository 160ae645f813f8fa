-- +goose Up
-- What the sender is told of failures. Failures from before this schema are
-- not told afterwards: nobody knows any more which of them were to be.
ALTER TABLE outcomes ADD COLUMN owed INTEGER NOT NULL DEFAULT 0;     -- 1: a failure of which the sender is to be told
ALTER TABLE jobs ADD COLUMN reported  INTEGER NOT NULL DEFAULT 0;    -- outcomes.id up to which he was told
ALTER TABLE jobs ADD COLUMN owing     INTEGER NOT NULL DEFAULT 0;    -- outcomes above it with owed = 1
ALTER TABLE jobs ADD COLUMN report    TEXT    NOT NULL DEFAULT '';   -- id of the job that is the latest report
ALTER TABLE jobs ADD COLUMN told_at   INTEGER NOT NULL DEFAULT 0;    -- when that was stored
ALTER TABLE jobs ADD COLUMN report_of TEXT    NOT NULL DEFAULT '';   -- of a report: id of the job that it tells of
ALTER TABLE jobs ADD COLUMN report_to TEXT    NOT NULL DEFAULT '';   -- of a report: whom it goes to
CREATE INDEX jobs_owing ON jobs (seq) WHERE owing > 0;

-- +goose Down
DROP INDEX jobs_owing;
ALTER TABLE jobs DROP COLUMN report_to;
ALTER TABLE jobs DROP COLUMN report_of;
ALTER TABLE jobs DROP COLUMN told_at;
ALTER TABLE jobs DROP COLUMN report;
ALTER TABLE jobs DROP COLUMN owing;
ALTER TABLE jobs DROP COLUMN reported;
ALTER TABLE outcomes DROP COLUMN owed;
