-- Relays that work on this database, and which of them has a recipient in hand.
-- On SQLite there is one, and it needs no row.

-- +goose Up
CREATE TABLE nodes (
    id         TEXT PRIMARY KEY,
    name       TEXT NOT NULL,                      -- its host
    started_at INTEGER NOT NULL,
    seen_at    INTEGER NOT NULL                    -- by the clock of the database
);
ALTER TABLE deliveries ADD COLUMN node TEXT NOT NULL DEFAULT ''; -- while in_data

-- +goose Down
ALTER TABLE deliveries DROP COLUMN node;
DROP TABLE nodes;
