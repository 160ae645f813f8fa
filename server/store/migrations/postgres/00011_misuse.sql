-- +goose Up
ALTER TABLE accounts ADD COLUMN misuse_reason TEXT NOT NULL DEFAULT ''; -- the operator's words for the mark

-- +goose Down
ALTER TABLE accounts DROP COLUMN misuse_reason;
