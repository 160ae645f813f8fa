-- +goose Up
-- Messages that come in over HTTPS before a submission names them. The
-- content is in the folder uploads/, under the same names.
CREATE TABLE uploads (
    account_id TEXT COLLATE "C" NOT NULL REFERENCES accounts(id),
    sha256     TEXT COLLATE "C" NOT NULL,                      -- as the client says; complete means that it is true
    size       BIGINT NOT NULL,
    complete   BIGINT NOT NULL DEFAULT 0,
    created_at BIGINT NOT NULL,
    touched_at BIGINT NOT NULL,                    -- last byte or last use; a day later it is removed
    PRIMARY KEY (account_id, sha256)
);
CREATE INDEX uploads_touched ON uploads (touched_at);

-- What a token may do: words separated by a space. Those from before could do everything.
ALTER TABLE devices ADD COLUMN scopes TEXT NOT NULL DEFAULT 'read send admin';

-- +goose Down
ALTER TABLE devices DROP COLUMN scopes;
DROP TABLE uploads;
