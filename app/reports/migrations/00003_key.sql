-- +goose Up
-- A newer notice of the same key takes the place of the older; '' is none.
ALTER TABLE notices ADD COLUMN key TEXT NOT NULL DEFAULT '';
UPDATE notices SET key = 'status' WHERE kind IN ('held', 'released', 'blocked', 'unblocked');
