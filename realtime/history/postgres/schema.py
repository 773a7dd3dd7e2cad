"""Tables of the database: those of the history files, with the day file in front of each key.

Rows are copied as they are, so the same SQL answers from files and from the database. Ids are text
here, and exact numbers are the same integers: quantities and prices of 10⁻⁹, money of 10⁻⁴, times
in µs since 1970. The views at the end have decimals and timestamps, for people and dashboards.
"""

from collections.abc import Mapping

from msgspec import Struct

SCHEMA = 1

TABLES = """
CREATE TABLE IF NOT EXISTS setting(key text PRIMARY KEY, value text NOT NULL);
CREATE TABLE IF NOT EXISTS file(     -- one row for each day file
    id serial PRIMARY KEY,
    key bigint NOT NULL UNIQUE,      -- of the file, random
    day integer NOT NULL, name text NOT NULL,
    events bigint NOT NULL DEFAULT 0,        -- event.n up to which it was copied
    snapshots bigint NOT NULL DEFAULT -1,    -- snapshot.upto
    minute integer NOT NULL DEFAULT 0,       -- of equity and price
    committed_us bigint,                     -- up to which everything was copied
    sealed integer                           -- 1: the day is over and complete
);
CREATE TABLE IF NOT EXISTS day_account(
    file integer NOT NULL, n integer NOT NULL, label text NOT NULL, number text, tier text,
    paper integer, PRIMARY KEY(file, n)
);
CREATE TABLE IF NOT EXISTS day_symbol(
    file integer NOT NULL, n integer NOT NULL, name text NOT NULL, PRIMARY KEY(file, n)
);
CREATE TABLE IF NOT EXISTS event(
    day integer NOT NULL, file integer NOT NULL, n bigint NOT NULL, acc integer NOT NULL,
    at_us bigint NOT NULL, broker_us bigint, kind text NOT NULL, ord text, exe text, parent text,
    sym integer, side text, qty bigint, px bigint, status text, source text NOT NULL,
    version bigint NOT NULL, body text, PRIMARY KEY(day, file, n)
) PARTITION BY RANGE(day);
CREATE INDEX IF NOT EXISTS event_by_account ON event(file, acc, at_us);
CREATE TABLE IF NOT EXISTS snapshot(
    day integer NOT NULL, file integer NOT NULL, acc integer NOT NULL, upto bigint NOT NULL,
    at_us bigint NOT NULL, version bigint NOT NULL, body bytea NOT NULL,
    PRIMARY KEY(day, file, acc, upto)
) PARTITION BY RANGE(day);
CREATE TABLE IF NOT EXISTS equity(
    day integer NOT NULL, file integer NOT NULL, acc integer NOT NULL, minute integer NOT NULL,
    equity bigint, last_equity bigint, cash bigint, long bigint, short bigint, power bigint,
    open_orders integer, positions integer, stale integer NOT NULL, source text NOT NULL,
    PRIMARY KEY(day, file, acc, minute)
) PARTITION BY RANGE(day);
CREATE TABLE IF NOT EXISTS price(
    day integer NOT NULL, file integer NOT NULL, sym integer NOT NULL, minute integer NOT NULL,
    px bigint NOT NULL, PRIMARY KEY(day, file, sym, minute)
) PARTITION BY RANGE(day);

CREATE TABLE IF NOT EXISTS account(
    n serial PRIMARY KEY, label text NOT NULL UNIQUE, number text, tier text, paper integer
);
CREATE TABLE IF NOT EXISTS symbol(n serial PRIMARY KEY, name text NOT NULL UNIQUE);
CREATE TABLE IF NOT EXISTS fill(
    acc integer NOT NULL, exe text NOT NULL COLLATE "C", ord text, at_us bigint, sym integer,
    side text, qty bigint, px bigint, realized bigint, source text NOT NULL, removed_us bigint,
    PRIMARY KEY(acc, exe)
);
CREATE INDEX IF NOT EXISTS fill_by_time ON fill(acc, at_us);
CREATE TABLE IF NOT EXISTS final(
    acc integer NOT NULL, ord text NOT NULL, client_order_id text, sym integer, side text,
    type text, tif text, qty bigint, filled bigint, avg_px bigint, status text,
    submitted_us bigint, final_us bigint, PRIMARY KEY(acc, ord)
);
CREATE INDEX IF NOT EXISTS final_by_time ON final(acc, final_us);
CREATE TABLE IF NOT EXISTS gap(
    history bigint NOT NULL, n bigint NOT NULL, acc integer, from_us bigint NOT NULL, to_us bigint,
    reason text NOT NULL, rows bigint, PRIMARY KEY(history, n)
);
CREATE TABLE IF NOT EXISTS equity15(
    acc integer NOT NULL, slot integer NOT NULL, open bigint, high bigint, low bigint,
    close bigint, exposure bigint, stale_s integer, source text NOT NULL, PRIMARY KEY(acc, slot)
);
CREATE TABLE IF NOT EXISTS day(
    acc integer NOT NULL, day integer NOT NULL, open bigint, high bigint, low bigint,
    close bigint, peak bigint, drawdown bigint, realized bigint, trades integer, wins integer,
    losses integer, gross_win bigint, gross_loss bigint, turnover bigint, exposure_avg bigint,
    orders integer, rejected integer, stale_s integer, minutes integer, gaps integer,
    PRIMARY KEY(acc, day)
);
CREATE TABLE IF NOT EXISTS close(
    acc integer NOT NULL, day integer NOT NULL, at_us bigint NOT NULL, equity bigint NOT NULL,
    gross bigint, net bigint, minutes integer, source text NOT NULL, PRIMARY KEY(acc, day)
);
CREATE TABLE IF NOT EXISTS day_price(
    sym integer NOT NULL, day integer NOT NULL, px bigint NOT NULL, PRIMARY KEY(sym, day)
);
CREATE TABLE IF NOT EXISTS activity(
    acc integer NOT NULL, id text NOT NULL, type text NOT NULL, at_us bigint NOT NULL,
    day integer NOT NULL, is_timed integer NOT NULL, amount bigint, sym integer, qty bigint,
    px bigint, status text, PRIMARY KEY(acc, id)
);
CREATE TABLE IF NOT EXISTS origin(
    acc integer NOT NULL, ord text NOT NULL, client_order_id text, parent text, replaces text,
    PRIMARY KEY(acc, ord)
);
CREATE TABLE IF NOT EXISTS identity(
    acc integer NOT NULL, from_us bigint NOT NULL, account_id text NOT NULL, number text,
    PRIMARY KEY(acc, from_us)
);
CREATE TABLE IF NOT EXISTS report(
    acc integer NOT NULL, day integer NOT NULL, body text NOT NULL, PRIMARY KEY(acc, day)
);

CREATE OR REPLACE VIEW fills AS
    SELECT label AS account_id, to_timestamp(at_us / 1e6) AS at, name AS symbol, side,
        qty / 1e9::numeric AS qty, px / 1e9::numeric AS price, realized / 1e4::numeric AS realized,
        exe AS execution_id, ord AS order_id, source, removed_us IS NOT NULL AS busted
    FROM fill JOIN account ON account.n = acc LEFT JOIN symbol ON symbol.n = sym;
CREATE OR REPLACE VIEW minutes AS
    SELECT label AS account_id, to_timestamp(minute * 60.0) AS at, equity / 1e4::numeric AS equity,
        cash / 1e4::numeric AS cash, power / 1e4::numeric AS buying_power, open_orders, positions,
        stale = 1 AS stale, day
    FROM equity JOIN day_account ON day_account.file = equity.file AND day_account.n = acc;
CREATE OR REPLACE VIEW days AS
    SELECT label AS account_id, tier, date '1970-01-01' + day AS day,
        open / 1e4::numeric AS open, high / 1e4::numeric AS high, low / 1e4::numeric AS low,
        close / 1e4::numeric AS close, drawdown / 1e4::numeric AS drawdown,
        realized / 1e4::numeric AS realized, turnover / 1e4::numeric AS turnover,
        trades, wins, losses, orders, rejected, stale_s
    FROM day JOIN account ON account.n = acc;
CREATE OR REPLACE VIEW events AS
    SELECT label AS account_id, to_timestamp(at_us / 1e6) AS at, kind, name AS symbol, side,
        qty / 1e9::numeric AS qty, px / 1e9::numeric AS price, status, ord AS order_id,
        exe AS execution_id, event.source, body, day
    FROM event JOIN day_account ON day_account.file = event.file AND day_account.n = acc
        LEFT JOIN day_symbol ON day_symbol.file = event.file AND day_symbol.n = sym;
"""

PARTITIONED = ("event", "snapshot", "equity", "price")


class LedgerTable(Struct, frozen=True):
    """A table of the ledger that is copied; `outbox.KEYS` has its keys."""

    columns: tuple[str, ...]
    on_conflict: str = ""
    """What replaces a row that is there already; empty: every column does."""


LEDGER_TABLES: Mapping[str, LedgerTable] = {
    "fill": LedgerTable(
        ("acc", "exe", "ord", "at_us", "sym", "side", "qty", "px", "realized", "source",
         "removed_us"),
        # A directory that was lost: what its successor reads from the broker knows less.
        "removed_us = coalesce(excluded.removed_us, fill.removed_us),"
        " realized = coalesce(fill.realized, excluded.realized)",
    ),
    "final": LedgerTable(
        ("acc", "ord", "client_order_id", "sym", "side", "type", "tif", "qty", "filled", "avg_px",
         "status", "submitted_us", "final_us"),
    ),
    "gap": LedgerTable(("n", "acc", "from_us", "to_us", "reason", "rows")),
    "equity15": LedgerTable(
        ("acc", "slot", "open", "high", "low", "close", "exposure", "stale_s", "source"),
    ),
    "day": LedgerTable(
        ("acc", "day", "open", "high", "low", "close", "peak", "drawdown", "realized", "trades",
         "wins", "losses", "gross_win", "gross_loss", "turnover", "exposure_avg", "orders",
         "rejected", "stale_s", "minutes", "gaps"),
    ),
    "close": LedgerTable(
        ("acc", "day", "at_us", "equity", "gross", "net", "minutes", "source"),
    ),
    "day_price": LedgerTable(("sym", "day", "px")),
    "activity": LedgerTable(
        ("acc", "id", "type", "at_us", "day", "is_timed", "amount", "sym", "qty", "px", "status"),
    ),
    "origin": LedgerTable(("acc", "ord", "client_order_id", "parent", "replaces")),
    "identity": LedgerTable(("acc", "from_us", "account_id", "number")),
    "report": LedgerTable(("acc", "day", "body")),
}  # fmt: skip

IDS = frozenset({"ord", "exe", "parent", "replaces"})
"""Columns of ids: 16 bytes in files, text here."""
