-- What is bought, paid, given and billed. Amounts are minor units of the
-- currency; plans' numbers are bytes or e-mails, as unit says.

-- +goose Up
ALTER TABLE accounts ADD COLUMN customer TEXT NOT NULL DEFAULT ''; -- the operator's reference; one may have several accounts
ALTER TABLE accounts ADD COLUMN misuse BIGINT NOT NULL DEFAULT 0;  -- marked by the operator: no refund
CREATE INDEX accounts_customer ON accounts (customer) WHERE customer <> '';

-- An account's right to a plan. Which one is in force is told by the times
-- alone, so that a renewal begins when the one before it ends.
CREATE TABLE subscriptions (
    id         TEXT PRIMARY KEY,
    account_id TEXT NOT NULL REFERENCES accounts(id),
    order_id   TEXT NOT NULL DEFAULT '',
    contract   TEXT NOT NULL,                      -- id of its first subscription; upgrades go on with it
    since      BIGINT NOT NULL,                    -- start of the contract
    plan       TEXT NOT NULL,                      -- name in the catalogue
    starts_at  BIGINT NOT NULL,
    ends_at    BIGINT,                             -- not included; NULL: no end
    state      TEXT NOT NULL                       -- active, replaced, ended, refunded
);
CREATE INDEX subscriptions_account ON subscriptions (account_id, starts_at);

-- An order's reference is the caller's: the same again is the same order.
CREATE TABLE orders (
    id           TEXT PRIMARY KEY,
    account_id   TEXT NOT NULL REFERENCES accounts(id),
    reference    TEXT NOT NULL UNIQUE,
    kind         TEXT NOT NULL,                    -- new, renewal, upgrade, chained, surcharge
    plan         TEXT NOT NULL,
    price        BIGINT NOT NULL,
    currency     TEXT NOT NULL,
    state        TEXT NOT NULL,                    -- waiting, paid, active, cancelled, refunded
    created_at   BIGINT NOT NULL,
    paid_at      BIGINT,
    activated_at BIGINT,
    closed_at    BIGINT,                           -- cancelled or refunded
    period_start BIGINT                            -- of a surcharge
);
CREATE INDEX orders_account ON orders (account_id, id);
CREATE INDEX orders_open ON orders (state) WHERE state IN ('waiting', 'paid');

CREATE TABLE payments (
    id          TEXT PRIMARY KEY,
    order_id    TEXT NOT NULL REFERENCES orders(id),
    method      TEXT NOT NULL,                     -- transfer, card, paypal, ...
    reference   TEXT NOT NULL,
    amount      BIGINT NOT NULL,
    currency    TEXT NOT NULL,
    received_at BIGINT NOT NULL,
    UNIQUE (method, reference)                     -- the same money is not entered twice
);
CREATE INDEX payments_order ON payments (order_id);

CREATE TABLE credits (
    id         TEXT PRIMARY KEY,
    account_id TEXT NOT NULL REFERENCES accounts(id),
    contract   TEXT NOT NULL,                      -- of subscriptions; a credit ends with it
    source     TEXT NOT NULL,                      -- surcharge, chained
    order_id   TEXT NOT NULL DEFAULT '',
    unit       TEXT NOT NULL,                      -- bytes, emails
    granted    BIGINT NOT NULL,
    remaining  BIGINT NOT NULL CHECK (remaining >= 0 AND remaining <= granted),
    valid_from BIGINT NOT NULL,
    expires_at BIGINT                              -- not included; NULL: no end
);
CREATE INDEX credits_account ON credits (account_id);
CREATE INDEX credits_left ON credits (contract) WHERE remaining > 0;

-- What closing a period came to; one for each.
CREATE TABLE bills (
    account_id   TEXT NOT NULL REFERENCES accounts(id),
    period_start BIGINT NOT NULL,
    period_end   BIGINT NOT NULL,
    plan         TEXT NOT NULL,
    unit         TEXT NOT NULL,
    used         BIGINT NOT NULL,
    allowance    BIGINT NOT NULL,
    consumed     BIGINT NOT NULL,                  -- paid by credits
    surcharged   BIGINT NOT NULL,                  -- paid by the tier
    uncovered    BIGINT NOT NULL,
    tier         BIGINT NOT NULL,                  -- total of the tier; 0: none
    price        BIGINT NOT NULL,
    currency     TEXT NOT NULL,
    order_id     TEXT NOT NULL DEFAULT '',         -- payment request
    granted      BIGINT NOT NULL,
    credit_id    TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (account_id, period_start)
);

ALTER TABLE usage_periods ADD COLUMN closed_at BIGINT;             -- NULL: still open, or over and not closed
CREATE INDEX usage_periods_open ON usage_periods (account_id, period_start) WHERE closed_at IS NULL;

-- Accounts of before had a plan and no end, but for the monthly ones.
INSERT INTO subscriptions (id, account_id, contract, since, plan, starts_at, ends_at, state)
    SELECT id, id, id, activated_at, plan, activated_at,
        CASE WHEN plan LIKE '%-month' THEN activated_at + 2592000000000 END, 'active' FROM accounts WHERE plan <> '';

-- A period begins with its contract, not before it: the month in which a yearly
-- plan began goes on as its first. Where the plan was changed, a monthly plan's
-- 30 days may lie over the same instant; only months begin on a full minute.
UPDATE usage_periods SET period_start = (SELECT a.activated_at FROM accounts a WHERE a.id = usage_periods.account_id)
    WHERE EXISTS (SELECT 1 FROM accounts a WHERE a.id = usage_periods.account_id AND a.plan NOT LIKE '%-month'
        AND a.activated_at > usage_periods.period_start AND a.activated_at < usage_periods.period_end
        AND usage_periods.period_start = (SELECT i.period_start FROM usage_periods i WHERE i.account_id = a.id
            AND i.period_start < a.activated_at AND i.period_end > a.activated_at ORDER BY i.period_start % 60000000, i.period_start DESC LIMIT 1)
        AND NOT EXISTS (SELECT 1 FROM usage_periods i WHERE i.account_id = a.id AND i.period_start = a.activated_at));

-- Whatever else lies over that instant was used under the plan of before.
UPDATE usage_periods SET period_end = (SELECT a.activated_at FROM accounts a WHERE a.id = usage_periods.account_id)
    WHERE EXISTS (SELECT 1 FROM accounts a WHERE a.id = usage_periods.account_id
        AND a.activated_at > usage_periods.period_start AND a.activated_at < usage_periods.period_end);

-- What was over before there were bills is not billed afterwards.
UPDATE usage_periods SET closed_at = period_end WHERE period_end <= unixepoch() * 1000000;
ALTER TABLE accounts DROP COLUMN plan;
ALTER TABLE accounts DROP COLUMN activated_at;

-- +goose Down
ALTER TABLE accounts ADD COLUMN plan TEXT NOT NULL DEFAULT '';
ALTER TABLE accounts ADD COLUMN activated_at BIGINT NOT NULL DEFAULT 0;
UPDATE accounts SET
    plan = coalesce((SELECT s.plan FROM subscriptions s WHERE s.account_id = accounts.id ORDER BY s.starts_at DESC LIMIT 1), ''),
    activated_at = coalesce((SELECT s.starts_at FROM subscriptions s WHERE s.account_id = accounts.id ORDER BY s.starts_at DESC LIMIT 1), 0);
DROP INDEX usage_periods_open;
ALTER TABLE usage_periods DROP COLUMN closed_at;
DROP TABLE bills;
DROP TABLE credits;
DROP TABLE payments;
DROP TABLE orders;
DROP TABLE subscriptions;
DROP INDEX accounts_customer;
ALTER TABLE accounts DROP COLUMN misuse;
ALTER TABLE accounts DROP COLUMN customer;
