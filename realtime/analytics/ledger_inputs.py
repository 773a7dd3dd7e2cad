"""Reads from the ledger what comparisons are computed from, one account at a time."""

from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct

from realtime.analytics.activity_types import (
    CLASSIFIED,
    DIVIDENDS,
    EXPIRY,
    FEES,
    FLOWS,
    INTEREST,
    OPTION_TRADES,
    SECURITIES_FLOWS,
    VOID_STATUSES,
)
from realtime.analytics.books import OrderKey, Origin
from realtime.analytics.daily import DAY_US, Flow
from realtime.analytics.round_trips import Fill
from realtime.core.trading_days import close_at, previous_trading_day, to_date, to_number
from realtime.core.trading_days import trading_day_at as day_at
from realtime.history.exact import QUARTER_US, US
from realtime.history.ledger import CLOSE_TOLERANCE_US
from realtime.history.reading import HistoryReader

DAY_24H_US = DAY_US
MAX_LOOKUPS = 100


class Close(Struct, frozen=True, gc=False):
    """Equity at the end of a trading day, and average exposure in it. Money of 10⁻⁴."""

    equity: int
    gross: int | None
    net: int | None
    source: str


class AccountActivity(Struct, frozen=True, gc=False):
    """An activity that is no execution."""

    type: str
    day: int
    at_us: int
    amount: int | None


class AccountHistory(Struct, kw_only=True):
    """What the ledger has of one label."""

    label: str
    closes: dict[int, Close]
    open_close: tuple[int, int] | None = None
    """The trading day that is not over: its number and the equity so far."""
    identities: list[tuple[int, str, str | None]]
    """Since when (µs), the broker's account id and number."""
    activities: list[AccountActivity]
    flows: list[Flow]
    fills: list[Fill]
    """All that there are until now, oldest first, expiries included: with the positions of now
    they say what was held before."""
    orders: list[tuple[int, str]]
    """Final orders of the window: trading day and status."""
    gaps: list[tuple[int, int, str]]
    rejected: int
    disconnects: int
    symbol_activities: dict[str, list[str]]
    """Symbol → types of its activities that are no execution, of all time."""

    def first_close(self) -> int | None:
        """The first trading day with a known close."""
        return min(self.closes, default=None)


def read_accounts(
    reader: HistoryReader, labels: Sequence[str], first: int, last: int, now_us: int
) -> dict[str, AccountHistory]:
    """Label → what is known of these trading days, the close before the first included."""
    numbers = {
        number: label
        for number, label in reader.read_ledger("SELECT n, label FROM account")
        if label in set(labels)
    }
    histories = {
        number: AccountHistory(
            label=label,
            closes={},
            identities=[],
            activities=[],
            flows=[],
            fills=[],
            orders=[],
            gaps=[],
            rejected=0,
            disconnects=0,
            symbol_activities={},
        )
        for number, label in numbers.items()
    }
    base = to_number(previous_trading_day(to_date(first)))
    _read_closes(reader, histories, base, last, now_us)
    _read_identities(reader, histories)
    _read_activities(reader, histories, base, last)
    _read_fills(reader, histories, now_us)
    _read_orders(reader, histories, first, last, now_us)
    _read_gaps(reader, histories, base, last, now_us)
    return {history.label: history for history in histories.values()}


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


def _of(histories: Mapping[int, AccountHistory]) -> str:
    """A condition on `acc`: few accounts are looked up, many are read with one scan."""
    if len(histories) > MAX_LOOKUPS:
        return ""
    return f" AND acc IN ({','.join(str(number) for number in histories)})"


def _read_closes(
    reader: HistoryReader,
    histories: Mapping[int, AccountHistory],
    base: int,
    last: int,
    now_us: int,
) -> None:
    today = to_number(day_at(now_us / US))
    due = {day: close_at(to_date(day)) * US - CLOSE_TOLERANCE_US for day in range(base, today + 1)}
    for number, day, at_us, equity, gross, net, source in reader.read_ledger(
        "SELECT acc, day, at_us, equity, gross, net, source FROM close WHERE day BETWEEN ? AND ?"
        + _of(histories),
        (base, max(last, today)),
    ):
        history = histories.get(number)
        if history is None:
            continue
        if day == today and now_us < close_at(to_date(day)) * US:
            history.open_close = (day, equity)
        elif day <= last and at_us >= due.get(day, 0):
            history.closes[day] = Close(equity, gross, net, source)


def _read_identities(reader: HistoryReader, histories: Mapping[int, AccountHistory]) -> None:
    for number, from_us, account_id, account_number in reader.read_ledger(
        "SELECT acc, from_us, account_id, number FROM identity ORDER BY acc, from_us"
    ):
        if number in histories:
            histories[number].identities.append((from_us, account_id, account_number))


def _read_activities(
    reader: HistoryReader, histories: Mapping[int, AccountHistory], base: int, last: int
) -> None:
    for number, type_, at_us, day, is_timed, amount, status in reader.read_ledger(
        "SELECT acc, type, at_us, day, is_timed, amount, status FROM activity"
        f" WHERE day > ? AND day <= ?{_of(histories)} ORDER BY acc, at_us",
        (base, last),
    ):
        history = histories.get(number)
        if history is None or status in VOID_STATUSES:
            continue
        history.activities.append(AccountActivity(type_, day, at_us, amount))
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
    reader: HistoryReader, histories: Mapping[int, AccountHistory], until_us: int
) -> None:
    rows: list[tuple[int, int, str, int, int, OrderKey | None, int | None, str]] = [
        (at_us, number, symbol, qty if side == "buy" else -qty, price, order, realized, "FILL")
        for number, at_us, symbol, side, qty, price, order, realized in reader.read_ledger(
            "SELECT acc, at_us, name, side, qty, px, ord, realized FROM fill"
            " JOIN symbol ON symbol.n = sym"
            " WHERE removed_us IS NULL AND at_us <= ? AND qty IS NOT NULL AND px IS NOT NULL"
            + _of(histories),
            (until_us,),
        )
        if number in histories
    ]
    for number, at_us, symbol, qty, price, type_, status in reader.read_ledger(
        "SELECT acc, at_us, name, qty, px, type, status FROM activity"
        f" JOIN symbol ON symbol.n = sym WHERE at_us <= ?{_of(histories)}",
        (until_us,),
    ):
        if number in histories and status not in VOID_STATUSES:
            histories[number].symbol_activities.setdefault(symbol, []).append(type_)
            if type_ in (EXPIRY | OPTION_TRADES):
                rows.append((at_us, number, symbol, qty or 0, price or 0, None, None, type_))
    rows.sort(key=lambda row: row[0])
    held: dict[tuple[int, str], int] = {}
    for at_us, number, symbol, qty, price, order, realized, type_ in rows:
        key = (number, symbol)
        if type_ in EXPIRY:
            # Its sign is written in both ways; it can only close what is held.
            have = held.get(key, 0)
            closed = min(abs(qty), abs(have)) if qty else abs(have)
            qty, price = (-closed if have > 0 else closed), 0
            if not qty:
                continue
        held[key] = held.get(key, 0) + qty
        histories[number].fills.append(
            Fill(
                at_us=at_us,
                day=to_number(day_at(at_us / US)),
                symbol=symbol,
                qty=qty,
                price=price,
                order_id=order,
                realized=realized,
            )
        )


def _read_orders(
    reader: HistoryReader,
    histories: Mapping[int, AccountHistory],
    first: int,
    last: int,
    now_us: int,
) -> None:
    begin_us = close_at(previous_trading_day(to_date(first))) * US
    until_us = close_at(to_date(last)) * US
    for number, final_us, status in reader.read_ledger(
        "SELECT acc, final_us, status FROM final WHERE final_us > ? AND final_us <= ?"
        + _of(histories),
        (min(begin_us, now_us - DAY_24H_US), max(until_us, now_us)),
    ):
        history = histories.get(number)
        if history is None:
            continue
        if begin_us < final_us <= until_us:
            history.orders.append((to_number(day_at(final_us / US)), status))
        if status == "rejected" and final_us > now_us - DAY_24H_US:
            history.rejected += 1


def _read_gaps(
    reader: HistoryReader,
    histories: Mapping[int, AccountHistory],
    base: int,
    last: int,
    now_us: int,
) -> None:
    from_us, until_us = close_at(to_date(base)) * US, close_at(to_date(last)) * US
    for number, begin, end, reason in reader.read_ledger(
        "SELECT acc, from_us, coalesce(to_us, ?), reason FROM gap WHERE coalesce(to_us, ?) > ?"
        " ORDER BY from_us",
        (now_us, now_us, min(from_us, now_us - DAY_24H_US)),
    ):
        for key in histories if number is None else (number,):
            history = histories.get(key)
            if history is None:
                continue
            if begin < until_us and end > from_us:
                history.gaps.append((begin, end, reason))
            if reason == "link down" and end > now_us - DAY_24H_US:
                history.disconnects += 1


def money_of(history: AccountHistory, types: frozenset[str], first: int, last: int) -> int:
    """The sum of activities of some types on these trading days."""
    return sum(
        activity.amount or 0
        for activity in history.activities
        if activity.type in types and first <= activity.day <= last
    )


def result_sums(history: AccountHistory, first: int, last: int) -> dict[str, int]:
    """Fees, dividends and interest of these trading days, signed as the broker books them."""
    return {
        "fees": money_of(history, FEES, first, last),
        "dividends": money_of(history, DIVIDENDS, first, last),
        "interest": money_of(history, INTEREST, first, last),
    }


def unclassified(history: AccountHistory, first: int, last: int) -> list[str]:
    """Types of activities that cannot be counted: unknown ones, and moved securities."""
    return sorted(
        {
            activity.type
            for activity in history.activities
            if first <= activity.day <= last
            and (
                activity.type not in CLASSIFIED
                or (activity.type in FLOWS and activity.amount is None)
            )
        }
        | {
            activity.type
            for activity in history.activities
            if activity.type in SECURITIES_FLOWS and first <= activity.day <= last
        }
    )
