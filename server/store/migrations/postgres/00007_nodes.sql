-- Relays that work on this database, and which of them has a recipient in hand.

-- +goose Up
CREATE TABLE nodes (
    id         TEXT COLLATE "C" PRIMARY KEY,
    name       TEXT NOT NULL,                      -- its host
    started_at BIGINT NOT NULL,
    seen_at    BIGINT NOT NULL                     -- by the clock of the database
);
ALTER TABLE deliveries ADD COLUMN node TEXT COLLATE "C" NOT NULL DEFAULT ''; -- while in_data

-- +goose Down
ALTER TABLE deliveries DROP COLUMN node;
DROP TABLE nodes;
