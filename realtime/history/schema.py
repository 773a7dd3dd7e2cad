"""Tables of the history files.

A day file (`2026-11-30.sqlite`) holds everything that happened on one UTC day and is never written
again afterwards. The ledger (`ledger.sqlite`) holds what is kept for long: fills, final orders and
roll-ups. Old files are not migrated: readers support the schemas in `READABLE`.

Numbers are exact: quantities and prices are integers of 10⁻⁹, money of 10⁻⁴. Times are µs since
1970 (UTC). Order ids and execution ids are 16 bytes where they are UUIDs, otherwise text.
"""

import sqlite3
from typing import Literal

SCHEMA = 2
READABLE = frozenset({1, 2})
"""1: a label was one account forever."""


def read_meta(
    connection: sqlite3.Connection, key: Literal["schema", "day", "committed_us", "sealed", "id"]
) -> int | None:
    """A value of the table `meta`; None if it is not set."""
    row = connection.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
    return None if row is None else int(row[0])


DAY = """
CREATE TABLE meta(key TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE account(            -- a label may become that of another account of the broker's
    n INTEGER PRIMARY KEY, label TEXT NOT NULL, number TEXT, tier TEXT, paper INTEGER,
    UNIQUE(label, number)
);
CREATE TABLE symbol(n INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE event(
    n INTEGER PRIMARY KEY,
    acc INTEGER NOT NULL,
    at_us INTEGER NOT NULL,      -- when it became visible here; never falls within an account
    broker_us INTEGER,           -- the broker's time of it
    kind TEXT NOT NULL,          -- order, order_removed, execution, execution_removed, position,
                                 -- position_removed, account, link, removed
    ord, exe, parent,            -- ids
    sym INTEGER, side TEXT, qty INTEGER, px INTEGER, status TEXT,
    source TEXT NOT NULL,        -- stream, rest
    version INTEGER NOT NULL,    -- of the account's record
    body TEXT                    -- JSON: the members that changed; all of them at the first event
);
CREATE INDEX event_by_account ON event(acc, at_us);
CREATE TABLE snapshot(
    acc INTEGER NOT NULL,
    upto INTEGER NOT NULL,       -- event.n that it includes
    at_us INTEGER NOT NULL,
    version INTEGER NOT NULL,
    body BLOB NOT NULL,          -- zlib-compressed JSON
    PRIMARY KEY(acc, upto)
) WITHOUT ROWID;
CREATE TABLE equity(
    acc INTEGER NOT NULL,
    minute INTEGER NOT NULL,     -- minutes since 1970, at their end
    equity INTEGER, last_equity INTEGER, cash INTEGER, long INTEGER, short INTEGER,
    power INTEGER, open_orders INTEGER, positions INTEGER,
    stale INTEGER NOT NULL,
    source TEXT NOT NULL,        -- own, broker (its portfolio history)
    PRIMARY KEY(acc, minute)
) WITHOUT ROWID;
CREATE TABLE price(
    sym INTEGER NOT NULL, minute INTEGER NOT NULL, px INTEGER NOT NULL, PRIMARY KEY(sym, minute)
) WITHOUT ROWID;
"""

LEDGER = """
CREATE TABLE IF NOT EXISTS meta(key TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS account(     -- `identity` has the accounts that a label was
    n INTEGER PRIMARY KEY, label TEXT NOT NULL UNIQUE, number TEXT, tier TEXT, paper INTEGER
);
CREATE TABLE IF NOT EXISTS symbol(n INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE IF NOT EXISTS fill(
    acc INTEGER NOT NULL, exe NOT NULL, ord, at_us INTEGER, sym INTEGER, side TEXT, qty INTEGER,
    px INTEGER,
    realized INTEGER,            -- at average cost; null: not known
    source TEXT NOT NULL,        -- stream, rest
    removed_us INTEGER,          -- when it was busted
    PRIMARY KEY(acc, exe)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS fill_by_time ON fill(acc, at_us);
CREATE TABLE IF NOT EXISTS final(
    acc INTEGER NOT NULL, ord NOT NULL, client_order_id TEXT, sym INTEGER, side TEXT, type TEXT,
    tif TEXT, qty INTEGER, filled INTEGER, avg_px INTEGER, status TEXT, submitted_us INTEGER,
    final_us INTEGER,
    PRIMARY KEY(acc, ord)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS final_by_time ON final(acc, final_us);
CREATE TABLE IF NOT EXISTS gap(
    n INTEGER PRIMARY KEY,
    acc INTEGER,                 -- null: every account
    from_us INTEGER NOT NULL, to_us INTEGER, reason TEXT NOT NULL, rows INTEGER
);
CREATE TABLE IF NOT EXISTS equity15(
    acc INTEGER NOT NULL, slot INTEGER NOT NULL,  -- quarters of an hour since 1970
    open INTEGER, high INTEGER, low INTEGER, close INTEGER, exposure INTEGER, stale_s INTEGER,
    source TEXT NOT NULL,        -- own, broker (its portfolio history)
    PRIMARY KEY(acc, slot)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS day(
    acc INTEGER NOT NULL, day INTEGER NOT NULL,   -- UTC days since 1970
    open INTEGER, high INTEGER, low INTEGER, close INTEGER, peak INTEGER, drawdown INTEGER,
    realized INTEGER, trades INTEGER, wins INTEGER, losses INTEGER, gross_win INTEGER,
    gross_loss INTEGER, turnover INTEGER, exposure_avg INTEGER, orders INTEGER, rejected INTEGER,
    stale_s INTEGER, minutes INTEGER,
    gaps INTEGER,                -- times in which its connection was down
    PRIMARY KEY(acc, day)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS close(       -- equity by trading day; kept forever
    acc INTEGER NOT NULL, day INTEGER NOT NULL,   -- dates in New York, days since 1970
    at_us INTEGER NOT NULL,      -- of the newest minute until 16:00 New York
    equity INTEGER NOT NULL,
    gross INTEGER, net INTEGER,  -- average of |long| + |short| and of long + short, by the minute
    minutes INTEGER,
    source TEXT NOT NULL,        -- own, broker (its portfolio history)
    PRIMARY KEY(acc, day)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS day_price(
    sym INTEGER NOT NULL, day INTEGER NOT NULL, px INTEGER NOT NULL, PRIMARY KEY(sym, day)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS activity(    -- what is no execution: deposits, dividends, fees, expiries
    acc INTEGER NOT NULL, id TEXT NOT NULL, type TEXT NOT NULL, at_us INTEGER NOT NULL,
    day INTEGER NOT NULL,        -- the trading day that it counts in
    is_timed INTEGER NOT NULL,   -- 0: only its date is known
    amount INTEGER, sym INTEGER, qty INTEGER, px INTEGER, status TEXT,
    PRIMARY KEY(acc, id)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS origin(      -- what an order comes from
    acc INTEGER NOT NULL, ord NOT NULL, client_order_id TEXT, parent, replaces,
    PRIMARY KEY(acc, ord)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS identity(    -- the broker's account behind a label, since when
    acc INTEGER NOT NULL, from_us INTEGER NOT NULL, account_id TEXT NOT NULL, number TEXT,
    PRIMARY KEY(acc, from_us)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS changed(     -- what readers that keep the ledger in memory read again
    acc INTEGER NOT NULL,        -- 0: every account
    day INTEGER NOT NULL,        -- days since 1970 of what has changed; 0: everything
    n INTEGER NOT NULL,          -- grows with every change
    PRIMARY KEY(acc, day)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS changed_by_n ON changed(n);
CREATE INDEX IF NOT EXISTS gap_by_end ON gap(to_us);
CREATE TABLE IF NOT EXISTS report(      -- quality of the connection by UTC day
    acc INTEGER NOT NULL, day INTEGER NOT NULL,
    body TEXT NOT NULL,          -- JSON: `runtime.report`
    PRIMARY KEY(acc, day)
) WITHOUT ROWID;
"""
