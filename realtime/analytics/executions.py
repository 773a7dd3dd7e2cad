"""Executions of the ledger in order of time, with what changes a position without an order."""

from collections.abc import Iterable, Iterator, Mapping
from operator import itemgetter
from typing import Any

from realtime.analytics.account_history import AccountHistory, Traded
from realtime.analytics.activity_types import (
    CASH_FOR_SHARES,
    EXPIRY,
    OPTION_TRADES,
    SPLITS,
)
from realtime.analytics.books import OrderKey
from realtime.analytics.round_trips import Fill
from realtime.core.cash_flows import VOID_STATUSES
from realtime.core.trading_days import to_number
from realtime.core.trading_days import trading_day_at as day_at
from realtime.history.exact import US

EXECUTED = EXPIRY | OPTION_TRADES | SPLITS
"""Activities that change a position without an order."""

FILL_COLUMNS = "acc, at_us, name, side, qty, px, ord, realized"


def make_fills(
    histories: Mapping[int, AccountHistory],
    traded: Mapping[int, dict[str, Traded]],
    fills: Iterable[Any],
    others: Iterable[Any],
) -> Iterator[tuple[int, Fill]]:
    """Account and execution, in order of time; what expires, is delivered or split is one, too.

    The sums by account and symbol are continued: what an expiry closes depends on what is held.
    """
    rows: list[tuple[int, int, str, int, int, OrderKey | None, int | None, str]] = [
        (at_us, number, symbol, qty if side == "buy" else -qty, price, order, realized, "FILL")
        for number, at_us, symbol, side, qty, price, order, realized in fills
    ]
    for number, at_us, symbol, qty, price, type_, status in others:
        if status not in VOID_STATUSES:
            types = histories[number].symbol_activities.setdefault(symbol, [])
            if type_ not in types:
                types.append(type_)
            if type_ in EXECUTED or (type_ in CASH_FOR_SHARES and price is not None):
                rows.append((at_us, number, symbol, qty or 0, price or 0, None, None, type_))
    rows.sort(key=itemgetter(0))
    for at_us, number, symbol, qty, price, order, realized, type_ in rows:
        sums = traded[number].get(symbol)
        if sums is None:
            known = histories[number].traded.get(symbol, Traded())
            sums = traded[number][symbol] = Traded(known.net, known.total)
        if type_ in EXPIRY:
            # Its sign is written in both ways; it can only close what is held.
            closed = min(abs(qty), abs(sums.net)) if qty else abs(sums.net)
            qty, price = (-closed if sums.net > 0 else closed), 0
        if not qty:
            continue
        sums.net += qty
        sums.total += abs(qty)
        yield (
            number,
            Fill(
                at_us=at_us,
                day=to_number(day_at(at_us / US)),
                symbol=symbol,
                qty=qty,
                price=price,
                order_id=order,
                realized=realized,
                is_split=type_ in SPLITS,
            ),
        )
