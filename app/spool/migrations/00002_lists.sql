-- +goose Up
-- Both are read alone, without their table, when a list is scrolled or a chart
-- drawn.
CREATE INDEX jobs_list ON jobs (seq, account, done_at, failed);
CREATE INDEX batches_done ON batches (done_at, account, result, count) WHERE done_at > 0;

-- +goose Down
DROP INDEX batches_done;
DROP INDEX jobs_list;
