"""An account as it was visible at a moment: the newest snapshot before it and the events since.

Exact to the event: orders, executions, quantities. Exact to the minute: money and market values,
from the minute that had ended (`valued_at_us`).
"""

import sqlite3
import zlib
from decimal import Decimal
from typing import Any, TypeVar

import msgspec
from msgspec import Raw, Struct, structs

from realtime.core.decimals import number, plain
from realtime.core.extended import extend
from realtime.core.link import Link
from realtime.core.model import Account, Order, OrderId, Position, Symbol
from realtime.core.state import MONEY, AccountState
from realtime.history.day_file import minute_of
from realtime.history.exact import MINUTE_US, MONEY_SCALE, QTY_SCALE, unpack_id
from realtime.history.exact import plain as plain_scaled
from realtime.history.queries import gaps
from realtime.history.reading import (
    DayUnreadable,
    HistoryReader,
    NoHistory,
    Rows,
    days_back,
    read_day,
)
from realtime.history.realized import shares_per_unit

T = TypeVar("T", bound=Struct)

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
    """When this state became visible; not after the requested moment."""
    valued_at_us: int | None
    """The end of the minute that money and market values are of; None: of the state itself."""
    gap: str | None
    """Why the record may be incomplete at that moment; None: it is not."""
    is_sealed: bool
    """Whether the day is over, so that the result cannot change any more."""


class _Fields(Struct):
    """A state while events are merged into it; its objects are still JSON."""

    account: Raw
    positions: dict[str, Raw]
    orders: dict[str, dict[str, Raw]]
    parents: dict[str, str]
    link: Raw


class _Snapshot(Struct, frozen=True, order=True):
    """The newest snapshot of one of a label's accounts before a moment."""

    at_us: int
    upto: int
    acc: int
    version: int
    tier: str | None
    paper: bool


_decode_fields = msgspec.json.Decoder(_Fields).decode
_decode_members = msgspec.json.Decoder(dict[str, Raw]).decode


def state_at(reader: HistoryReader, label: str, at_us: int) -> StateAt:
    """The state of an account as of a moment. Raises `NoHistory`."""
    for file in days_back(reader, at_us):
        try:
            with reader.open_day(file) as rows:
                state = _in_file(rows, label, at_us)
        except DayUnreadable:
            continue  # what was before it, marked by the gap that is there
        if state is not None:
            return structs.replace(state, gap=gap_at(reader, label, at_us))
    raise NoHistory(
        f"nothing is recorded of {label} at that time", earliest_us=earliest(reader, label)
    )


def earliest(reader: HistoryReader, label: str) -> int | None:
    """When the first snapshot of an account was recorded, in µs."""
    for file in reader.day_files():
        for (first,) in read_day(
            reader,
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
        missing = gaps(reader, [label], at_us, at_us + 1, limit=1)
    except sqlite3.Error:
        return "ledger unreadable"
    return missing[0].reason if missing else None


def _in_file(rows: Rows, label: str, at_us: int) -> StateAt | None:
    """The state by one day file; None: it has no snapshot that is old enough."""
    snapshot = _newest_snapshot(rows, label, at_us)
    if snapshot is None:
        return None
    acc, upto = snapshot.acc, snapshot.upto
    ((body,),) = rows("SELECT body FROM snapshot WHERE acc = ? AND upto = ?", (acc, upto))
    fields = _decode_fields(zlib.decompress(body))
    changed_us, version = snapshot.at_us, snapshot.version
    for kind, order_id, parent, symbol, body, changed_us, version in rows(  # noqa: B007
        "SELECT kind, ord, parent, symbol.name, body, at_us, version FROM event"
        " LEFT JOIN symbol ON symbol.n = sym WHERE acc = ? AND event.n > ? AND at_us <= ?"
        " ORDER BY event.n",
        (acc, upto, at_us),
    ):
        if kind == "removed":
            raise NoHistory(f"{label} was not in the configuration at that time")
        _merge(fields, kind, unpack_id(order_id) or "", unpack_id(parent), symbol or "", body)
    state, valued_us = _value(rows, acc, _state(fields), at_us)
    return StateAt(
        label=label,
        tier=snapshot.tier,
        paper=snapshot.paper,
        state=state,
        link=msgspec.json.decode(fields.link, type=Link),
        version=version,
        at_us=changed_us,
        valued_at_us=valued_us,
        gap=None,
        is_sealed=bool(rows("SELECT value FROM meta WHERE key = 'sealed'")),
    )


def _newest_snapshot(rows: Rows, label: str, at_us: int) -> _Snapshot | None:
    snapshots = [
        _Snapshot(changed_us, upto, acc, version, tier, bool(paper))
        for acc, tier, paper in rows("SELECT n, tier, paper FROM account WHERE label = ?", (label,))
        for upto, changed_us, version in rows(
            "SELECT upto, at_us, version FROM snapshot WHERE acc = ? AND at_us <= ?"
            " ORDER BY upto DESC LIMIT 1",
            (acc, at_us),
        )
    ]
    return max(snapshots, default=None)


def _merge(
    fields: _Fields, kind: str, order_id: str, parent: str | None, symbol: str, body: str | None
) -> None:
    """Put one event into a state. `body` is the JSON of what changed."""
    match kind, body:
        case "order", str():
            fields.orders.setdefault(order_id, {}).update(_decode_members(body))
            if parent is not None:
                fields.parents[order_id] = parent
        case "order_removed", _:
            fields.orders.pop(order_id, None)
            fields.parents.pop(order_id, None)
        case "position", str():
            fields.positions[symbol] = Raw(body)
        case "position_removed", _:
            fields.positions.pop(symbol, None)
        case "account", str():
            fields.account = Raw(body)
        case "link", str():
            fields.link = Raw(body)
        case _:
            pass  # executions are in the ledger; the orders have their sums


def _state(fields: _Fields) -> AccountState:
    state = AccountState(
        account=None if bytes(fields.account) == b"null" else _decode(Account, fields.account),
        positions={
            Symbol(symbol): _decode(Position, position)
            for symbol, position in fields.positions.items()
        },
        orders={
            OrderId(order_id): _decode(Order, msgspec.json.encode(members))
            for order_id, members in fields.orders.items()
        },
        parents={OrderId(leg): OrderId(parent) for leg, parent in fields.parents.items()},
    )
    return structs.replace(state, provisional=MONEY)


def _decode(kind: type[T], raw: bytes | Raw) -> T:
    """An object with the fields that only the broker knows."""
    return extend(msgspec.json.decode(raw, type=kind), raw)


def _value(
    rows: Rows, acc: int, state: AccountState, at_us: int
) -> tuple[AccountState, int | None]:
    """The state with the money and prices of the last minute that had ended, and its end."""
    found = rows(
        "SELECT minute, equity, last_equity, cash, long, short, power FROM equity"
        " WHERE acc = ? AND minute <= ? ORDER BY minute DESC LIMIT 1",
        (acc, minute_of(at_us)),
    )
    if not found or state.account is None:
        return state, None
    minute, *amounts = found[0]
    money: dict[str, Any] = {
        name: plain_scaled(amount, MONEY_SCALE)
        for name, amount in zip(VALUED_MEMBERS, amounts, strict=True)
        if amount is not None
    }
    if state.account.portfolio_value is not None and "equity" in money:
        money["portfolio_value"] = money["equity"]
    prices = dict(
        rows(
            "SELECT symbol.name, px FROM price JOIN symbol ON symbol.n = sym WHERE minute = ?",
            (minute,),
        )
    )
    positions = {
        symbol: _reprice(position, plain_scaled(prices.get(symbol), QTY_SCALE))
        for symbol, position in state.positions.items()
    }
    account = structs.replace(state.account, **money)
    valued = structs.replace(state, account=account, positions=positions)
    return valued, int(minute) * MINUTE_US


def _reprice(position: Position, price: str | None) -> Position:
    """A position at another price: quantity × price."""
    if price is None:
        return position
    value = number(position.qty) * number(price) * shares_per_unit(position.asset_class)
    changes: dict[str, Any] = {"current_price": price, "market_value": plain(value)}
    if position.cost_basis is not None:
        cost = number(position.cost_basis)
        changes["unrealized_pl"] = plain(value - cost)
        if cost:
            changes["unrealized_plpc"] = plain(
                ((value - cost) / abs(cost)).quantize(Decimal("1e-16")).normalize()
            )
    return structs.replace(position, **changes)
