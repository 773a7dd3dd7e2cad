"""Reads from the ledger what comparisons are computed from, one account at a time.

Trading days that are over are read apart from what has happened since: the former change rarely and
are kept in memory (`ledger_cache`), the latter is read at each request.
"""

from collections.abc import Collection, Iterable, Mapping
from datetime import date

from realtime.analytics.account_history import AccountActivity, AccountHistory, Recent
from realtime.analytics.activity_types import FLOWS
from realtime.analytics.books import OrderKey, Origin
from realtime.analytics.closes import Closes
from realtime.analytics.daily import Flow
from realtime.analytics.executions import FILL_COLUMNS, make_fills
from realtime.core.cash_flows import VOID_STATUSES
from realtime.core.trading_days import close_at, previous_trading_day, to_date, to_number
from realtime.core.trading_days import trading_day_at as day_at
from realtime.history.exact import QUARTER_US, US
from realtime.history.ledger import CLOSE_TOLERANCE_US
from realtime.history.reading import HistoryReader

MAX_LOOKUPS = 100
"""Accounts of one query, each found by its key."""


def last_day_over(now_us: int) -> date:
    """The last trading day whose close is not after now."""
    day = day_at(now_us / US)
    return day if now_us >= close_at(day) * US else previous_trading_day(day)


def read_past(
    reader: HistoryReader, labels: Collection[str], first: int, sealed: int
) -> dict[str, AccountHistory]:
    """Label → what is known of trading days that are over: from `first`, its close before it
    included, to `sealed`."""
    wanted = set(labels)
    numbers = [
        (number, label)
        for number, label in reader.read_ledger("SELECT n, label FROM account")
        if label in wanted
    ]
    base = to_number(previous_trading_day(to_date(first)))
    histories: dict[int, AccountHistory] = {}
    for start in range(0, len(numbers), MAX_LOOKUPS):
        part = {n: _empty(label, n) for n, label in numbers[start : start + MAX_LOOKUPS]}
        _read_closes(reader, part, base, sealed)
        _read_identities(reader, part)
        _read_activities(reader, part, base, sealed)
        _read_fills(reader, part, sealed)
        _read_orders(reader, part, base, sealed)
        histories |= part
    _read_gaps(reader, histories, base, sealed)
    return {history.label: history for history in histories.values()}


def _empty(label: str, number: int) -> AccountHistory:
    return AccountHistory(
        label=label,
        number=number,
        closes=Closes(),
        identities=[],
        activities=[],
        flows=[],
        past_fills=[],
        traded={},
        orders={},
        gaps=[],
        symbol_activities={},
        now=Recent(),
    )


def is_one_of(histories: Mapping[int, AccountHistory], column: str = "acc") -> str:
    """An SQL condition on the account: at most `MAX_LOOKUPS`, by their keys."""
    return f"{column} IN ({','.join(str(number) for number in histories)})"


def _read_closes(
    reader: HistoryReader, histories: Mapping[int, AccountHistory], base: int, sealed: int
) -> None:
    due = {day: close_at(to_date(day)) * US - CLOSE_TOLERANCE_US for day in range(base, sealed + 1)}
    for number, day, at_us, equity, gross, net, source in reader.read_ledger(
        "SELECT acc, day, at_us, equity, gross, net, source FROM close"
        f" WHERE {is_one_of(histories)} AND day BETWEEN ? AND ? ORDER BY acc, day",
        (base, sealed),
    ):
        if at_us >= due[day]:
            histories[number].closes.add(day, equity, gross, net, from_broker=source == "broker")


def _read_identities(reader: HistoryReader, histories: Mapping[int, AccountHistory]) -> None:
    for number, from_us, account_id, account_number in reader.read_ledger(
        "SELECT acc, from_us, account_id, number FROM identity"
        f" WHERE {is_one_of(histories)} ORDER BY acc, from_us"
    ):
        histories[number].identities.append((from_us, account_id, account_number))


def _read_activities(
    reader: HistoryReader, histories: Mapping[int, AccountHistory], base: int, sealed: int
) -> None:
    for number, type_, at_us, day, is_timed, amount, status, symbol in reader.read_ledger(
        "SELECT acc, type, at_us, day, is_timed, amount, status, name FROM activity"
        " LEFT JOIN symbol ON symbol.n = sym"
        f" WHERE {is_one_of(histories)} AND day > ? AND day <= ? ORDER BY acc, at_us",
        (base, sealed),
    ):
        history = histories[number]
        if status in VOID_STATUSES:
            continue
        history.activities.append(AccountActivity(type_, day, at_us, amount, symbol))
        if type_ in FLOWS and amount:
            history.flows.append(_flow(reader, number, at_us, day, amount, is_timed=is_timed))


def _flow(
    reader: HistoryReader, number: int, at_us: int, day: int, amount: int, *, is_timed: int
) -> Flow:
    if not is_timed:
        return Flow(day=day, amount=amount)
    end_us = close_at(to_date(day)) * US
    begin_us = close_at(previous_trading_day(to_date(day))) * US
    share = min(max((end_us - at_us) / (end_us - begin_us), 0.0), 1.0)
    # The quarter of an hour before it, if it was recorded here and on the same trading day.
    slot = at_us // QUARTER_US - 1
    marks = reader.read_ledger(
        "SELECT close FROM equity15 WHERE acc = ? AND slot = ? AND source = 'own'", (number, slot)
    )
    is_same_day = slot * QUARTER_US >= begin_us
    mark = marks[0][0] if marks and is_same_day else None
    return Flow(day=day, amount=amount, share=share, mark=mark)


def _read_fills(
    reader: HistoryReader, histories: Mapping[int, AccountHistory], sealed: int
) -> None:
    until_us = close_at(to_date(sealed)) * US
    fills = reader.read_ledger(
        f"SELECT {FILL_COLUMNS} FROM fill JOIN symbol ON symbol.n = sym"
        f" WHERE {is_one_of(histories)} AND removed_us IS NULL AND at_us <= ?"
        " AND qty IS NOT NULL AND px IS NOT NULL ORDER BY at_us",
        (until_us,),
    )
    others = reader.read_ledger(
        "SELECT acc, at_us, name, qty, px, type, status FROM activity"
        f" JOIN symbol ON symbol.n = sym WHERE {is_one_of(histories)} AND at_us <= ?",
        (until_us,),
    )
    sums = {number: history.traded for number, history in histories.items()}
    for number, fill in make_fills(histories, sums, fills, others):
        histories[number].past_fills.append(fill)


def _read_orders(
    reader: HistoryReader, histories: Mapping[int, AccountHistory], base: int, sealed: int
) -> None:
    begin_us, until_us = close_at(to_date(base)) * US, close_at(to_date(sealed)) * US
    for number, final_us in reader.read_ledger(
        "SELECT acc, final_us FROM final"
        f" WHERE {is_one_of(histories)} AND final_us > ? AND final_us <= ?",
        (begin_us, until_us),
    ):
        orders, day = histories[number].orders, to_number(day_at(final_us / US))
        orders[day] = orders.get(day, 0) + 1


def _read_gaps(
    reader: HistoryReader, histories: Mapping[int, AccountHistory], base: int, sealed: int
) -> None:
    from_us, until_us = close_at(to_date(base)) * US, close_at(to_date(sealed)) * US
    few = f" AND (acc IS NULL OR {is_one_of(histories)})" if len(histories) <= MAX_LOOKUPS else ""
    for number, begin, end, reason in reader.read_ledger(
        "SELECT acc, from_us, to_us, reason FROM gap"
        f" WHERE to_us > ? AND to_us <= ?{few} ORDER BY from_us",
        (from_us, until_us),
    ):
        for key in histories if number is None else (number,):
            if key in histories:
                histories[key].gaps.append((begin, end, reason))


def read_labels(reader: HistoryReader) -> list[str]:
    """Every label that was ever recorded."""
    return [label for (label,) in reader.read_ledger("SELECT label FROM account ORDER BY n")]


def read_prices(
    reader: HistoryReader, symbols: Iterable[str], first: int, last: int
) -> dict[str, dict[int, int]]:
    """Symbol → trading day → last price of 10⁻⁹."""
    wanted = set(symbols)
    prices: dict[str, dict[int, int]] = {}
    for name, day, price in reader.read_ledger(
        "SELECT name, day, px FROM day_price JOIN symbol ON symbol.n = sym"
        " WHERE day BETWEEN ? AND ?",
        (first, last),
    ):
        if name in wanted:
            prices.setdefault(name, {})[day] = price
    return prices


def read_origins(reader: HistoryReader, label: str) -> dict[OrderKey, Origin]:
    """Order id → what it comes from, of one account."""
    origins: dict[OrderKey, Origin] = {}
    for order, client_order_id in reader.read_ledger(
        "SELECT ord, client_order_id FROM final JOIN account ON account.n = acc WHERE label = ?",
        (label,),
    ):
        origins[order] = Origin(client_order_id)
    for order, client_order_id, parent, replaces in reader.read_ledger(
        "SELECT ord, client_order_id, parent, replaces FROM origin"
        " JOIN account ON account.n = acc WHERE label = ?",
        (label,),
    ):
        origins[order] = Origin(client_order_id, parent, replaces)
    return origins
