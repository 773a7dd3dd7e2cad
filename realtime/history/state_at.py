"""An account as it was visible at a moment: the newest snapshot before it and the events since.

Exact to the event: orders, executions, quantities. Exact to the minute: money and market values,
from the minute that had ended (`valued_at_us`).
"""

import json
import sqlite3
import zlib
from decimal import Decimal
from typing import Any

import msgspec
from msgspec import Struct, structs

from realtime.core.decimals import number, plain
from realtime.core.link import Link
from realtime.core.model import Account, Order, OrderId, Position, Symbol
from realtime.core.state import MONEY, AccountState
from realtime.history.day_file import minute_of
from realtime.history.directory import DayPath
from realtime.history.exact import MINUTE_US, MONEY_SCALE, QTY_SCALE, unpack_id
from realtime.history.exact import plain as plain_scaled
from realtime.history.reading import HistoryReader, NoHistory
from realtime.history.rollups import shares_per_unit
from realtime.history.schema import read_meta

VALUED_MEMBERS = (
    "equity",
    "last_equity",
    "cash",
    "long_market_value",
    "short_market_value",
    "buying_power",
)
"""Members of an account that are recorded by the minute."""


class StateAt(Struct, frozen=True, kw_only=True):
    """What was visible of an account at a moment."""

    label: str
    tier: str | None
    paper: bool
    state: AccountState
    link: Link
    version: int
    at_us: int
    """When this state became visible; not after the moment asked for."""
    valued_at_us: int | None
    """The end of the minute that money and market values are of; None: of the state itself."""
    gap: str | None
    """Why the record may be incomplete at that moment; None: it is not."""
    is_sealed: bool
    """Whether the day is over, so that the result cannot change any more."""


class _Fields(Struct):
    """A state while events are merged into it."""

    account: Any
    positions: dict[str, Any]
    orders: dict[str, Any]
    parents: dict[str, str]
    link: Any


def state_at(reader: HistoryReader, label: str, at_us: int) -> StateAt:
    """The state of an account as of a moment. Raises `NoHistory`."""
    for file in reader.days_back(at_us):
        try:
            with reader.open(file.path) as connection:
                found = _in_file(connection, file, label, at_us)
        except sqlite3.DatabaseError:
            continue  # a damaged day: what was before it, marked by the gap that is there
        if found is not None:
            return structs.replace(found, gap=gap_at(reader, label, at_us))
    raise NoHistory(
        f"nothing is recorded of {label} at that time", earliest_us=earliest(reader, label)
    )


def earliest(reader: HistoryReader, label: str) -> int | None:
    """When the first snapshot of an account was recorded, in µs."""
    for file in reader.directory.day_files():
        for (first,) in reader.read_day(
            file,
            "SELECT min(at_us) FROM snapshot JOIN account ON account.n = acc WHERE label = ?",
            (label,),
        ):
            if first is not None:
                return int(first)
    return None


def gap_at(reader: HistoryReader, label: str, at_us: int) -> str | None:
    """Why the record of an account may be incomplete at a moment; None: it is not."""
    try:
        with reader.open(reader.directory.ledger) as connection:
            row = connection.execute(
                "SELECT reason FROM gap LEFT JOIN account ON account.n = gap.acc"
                " WHERE (acc IS NULL OR label = ?) AND from_us <= ?"
                " AND (to_us IS NULL OR to_us > ?) LIMIT 1",
                (label, at_us, at_us),
            ).fetchone()
    except sqlite3.Error:
        return "ledger unreadable"
    return None if row is None else str(row[0])


def _in_file(
    connection: sqlite3.Connection, file: DayPath, label: str, at_us: int
) -> StateAt | None:
    account = connection.execute(
        "SELECT n, tier, paper FROM account WHERE label = ?", (label,)
    ).fetchone()
    if account is None:
        return None
    acc, tier, paper = account
    snapshot = connection.execute(
        "SELECT upto, at_us, version, body FROM snapshot WHERE acc = ? AND at_us <= ?"
        " ORDER BY upto DESC LIMIT 1",
        (acc, at_us),
    ).fetchone()
    if snapshot is None:
        return None
    upto, changed_us, version, body = snapshot
    fields = msgspec.json.decode(zlib.decompress(body), type=_Fields)
    for row in connection.execute(
        "SELECT kind, ord, parent, symbol.name, body, at_us, version FROM event"
        " LEFT JOIN symbol ON symbol.n = sym WHERE acc = ? AND event.n > ? AND at_us <= ?"
        " ORDER BY event.n",
        (acc, upto, at_us),
    ):
        changed_us, version = row[5], row[6]
        _merge(fields, *row[:5])
    valued_us = _value(connection, acc, fields, at_us)
    return StateAt(
        label=label,
        tier=tier,
        paper=bool(paper),
        state=_state(fields),
        link=msgspec.convert(fields.link, Link),
        version=version,
        at_us=changed_us,
        valued_at_us=valued_us,
        gap=None,
        is_sealed=read_meta(connection, "sealed") is not None,
    )


def _merge(
    fields: _Fields,
    kind: str,
    order_id: bytes | str | None,
    parent: bytes | str | None,
    symbol: str | None,
    body: str | None,
) -> None:
    value: Any = None if body is None else json.loads(body)
    match kind:
        case "order":
            key = unpack_id(order_id) or ""
            fields.orders[key] = {**fields.orders.get(key, {}), **value}
            if (parent_id := unpack_id(parent)) is not None:
                fields.parents[key] = parent_id
        case "order_removed":
            key = unpack_id(order_id) or ""
            fields.orders.pop(key, None)
            fields.parents.pop(key, None)
        case "position":
            fields.positions[symbol or ""] = value
        case "position_removed":
            fields.positions.pop(symbol or "", None)
        case "account":
            fields.account = value
        case "link":
            fields.link = value
        case _:
            pass  # executions are in the ledger; the orders have their sums


def _value(connection: sqlite3.Connection, acc: int, fields: _Fields, at_us: int) -> int | None:
    """Put the money and prices of the last minute that had ended into the state."""
    row = connection.execute(
        "SELECT minute, equity, last_equity, cash, long, short, power FROM equity"
        " WHERE acc = ? AND minute <= ? ORDER BY minute DESC LIMIT 1",
        (acc, minute_of(at_us)),
    ).fetchone()
    if row is None or fields.account is None:
        return None
    minute = int(row[0])
    for name, amount in zip(VALUED_MEMBERS, row[1:], strict=True):
        if amount is not None:
            fields.account[name] = plain_scaled(amount, MONEY_SCALE)
    if "portfolio_value" in fields.account:
        fields.account["portfolio_value"] = fields.account["equity"]
    prices = dict(
        connection.execute(
            "SELECT symbol.name, px FROM price JOIN symbol ON symbol.n = sym WHERE minute = ?",
            (minute,),
        ).fetchall()
    )
    for symbol, position in fields.positions.items():
        price = plain_scaled(prices.get(symbol), QTY_SCALE)
        if price is not None:
            _reprice(position, price)
    return minute * MINUTE_US


def _reprice(position: dict[str, Any], price: str) -> None:
    """A position at another price: quantity × price."""
    shares = shares_per_unit(position.get("asset_class"))
    value = number(position["qty"]) * number(price) * shares
    position["current_price"], position["market_value"] = price, plain(value)
    if position.get("cost_basis") is not None:
        cost = number(position["cost_basis"])
        position["unrealized_pl"] = plain(value - cost)
        if cost:
            position["unrealized_plpc"] = plain(
                ((value - cost) / abs(cost)).quantize(Decimal("1e-16")).normalize()
            )


def _state(fields: _Fields) -> AccountState:
    state = AccountState(
        account=None if fields.account is None else msgspec.convert(fields.account, Account),
        positions={
            Symbol(symbol): msgspec.convert(position, Position)
            for symbol, position in fields.positions.items()
        },
        orders={
            OrderId(order_id): msgspec.convert(order, Order)
            for order_id, order in fields.orders.items()
        },
        parents={OrderId(leg): OrderId(parent) for leg, parent in fields.parents.items()},
    )
    return structs.replace(state, provisional=MONEY)
