"""Reads what has happened since the last trading day that is over: at each request."""

from collections.abc import Mapping, Sequence

from msgspec import Struct
from msgspec.json import Decoder

from realtime.analytics.account_history import AccountHistory, Recent
from realtime.analytics.activity_types import FLOWS
from realtime.analytics.daily import DAY_US
from realtime.analytics.executions import FILL_COLUMNS, make_fills
from realtime.analytics.ledger_inputs import MAX_LOOKUPS, is_one_of, last_day_over, read_past
from realtime.core.cash_flows import VOID_STATUSES
from realtime.core.trading_days import close_at, to_date, to_number
from realtime.history.exact import US, day_number
from realtime.history.reading import HistoryReader

HOUR_US = 3_600 * US


def read_recent(
    reader: HistoryReader, found: Mapping[str, AccountHistory], sealed: int, now_us: int
) -> None:
    """Read what has happened since the last trading day that is over."""
    histories = {history.number: history for history in found.values()}
    for history in found.values():
        history.now = Recent()
    if not histories:
        return
    few = f" AND {is_one_of(histories, 'account.n')}" if len(histories) <= MAX_LOOKUPS else ""
    since_us = close_at(to_date(sealed)) * US
    day_ago_us = now_us - DAY_US
    # CROSS JOIN: account by account, each by its key.
    for number, day, equity in reader.read_ledger(
        "SELECT acc, day, equity FROM account CROSS JOIN close ON acc = account.n"
        f" AND day > ? WHERE 1{few} ORDER BY acc, day",
        (sealed,),
    ):
        if number in histories and histories[number].now.open_close is None:
            histories[number].now.open_close = (day, equity)
    _read_recent_fills(reader, histories, few, since_us, now_us)
    for number, final_us in reader.read_ledger(
        "SELECT acc, final_us FROM account CROSS JOIN final ON acc = account.n"
        f" AND final_us > ? WHERE status = 'rejected'{few}",
        (day_ago_us,),
    ):
        if number in histories and final_us <= now_us:
            histories[number].now.rejected += 1
    _read_recent_gaps(reader, histories, since_us, now_us)
    _read_errors(reader, histories, few, now_us)


def _read_recent_fills(
    reader: HistoryReader,
    histories: Mapping[int, AccountHistory],
    few: str,
    since_us: int,
    now_us: int,
) -> None:
    fills = reader.read_ledger(
        f"SELECT {FILL_COLUMNS} FROM account CROSS JOIN fill ON acc = account.n"
        " AND at_us > ? AND at_us <= ? JOIN symbol ON symbol.n = sym"
        f" WHERE removed_us IS NULL AND qty IS NOT NULL AND px IS NOT NULL{few}",
        (since_us, now_us),
    )
    others = []
    for number, at_us, day, symbol, qty, price, type_, status, amount in reader.read_ledger(
        "SELECT acc, at_us, day, name, qty, px, type, status, amount FROM activity"
        " LEFT JOIN symbol ON symbol.n = sym WHERE at_us > ? AND at_us <= ?",
        (since_us, now_us),
    ):
        if number not in histories:
            continue
        history = histories[number]
        if type_ in FLOWS and status not in VOID_STATUSES and history.now.open_close is not None:
            history.now.flows += (amount or 0) if day == history.now.open_close[0] else 0
        if symbol is not None:
            others.append((number, at_us, symbol, qty, price, type_, status))
    traded = {number: history.now.traded for number, history in histories.items()}
    known = (row for row in fills if row[0] in histories)
    for number, fill in make_fills(histories, traded, known, others):
        histories[number].now.fills.append(fill)


def _read_recent_gaps(
    reader: HistoryReader, histories: Mapping[int, AccountHistory], since_us: int, now_us: int
) -> None:
    day_ago_us = now_us - DAY_US
    for number, begin, end, reason in reader.read_ledger(
        "SELECT acc, from_us, coalesce(to_us, ?), reason FROM gap"
        " WHERE (to_us > ? OR to_us IS NULL) AND from_us <= ? ORDER BY from_us",
        (now_us, min(since_us, day_ago_us), now_us),
    ):
        for key in histories if number is None else (number,):
            history = histories.get(key)
            if history is None:
                continue
            if end > since_us:
                history.now.gaps.append((begin, end, reason))
            if reason == "link down" and end > day_ago_us:
                history.now.disconnects += 1


class _ErrorHours(Struct):
    """A part of `report_card.ReportDay`."""

    error_hours: dict[int, int] = {}


_decode_errors = Decoder(_ErrorHours).decode


def _read_errors(
    reader: HistoryReader, histories: Mapping[int, AccountHistory], few: str, now_us: int
) -> None:
    """Responses 4xx and 5xx of the last 24 hours, by whole hours."""
    today, this_hour = day_number(now_us), now_us // HOUR_US
    for number, day, body in reader.read_ledger(
        "SELECT acc, day, body FROM account CROSS JOIN report ON acc = account.n"
        f" AND day BETWEEN ? AND ? WHERE 1{few}",
        (today - 1, today),
    ):
        if number not in histories or '"error_hours"' not in body:
            continue
        for hour, count in _decode_errors(body).error_hours.items():
            if this_hour - 24 < day * 24 + hour <= this_hour:
                histories[number].now.http_errors += count


def read_accounts(
    reader: HistoryReader, labels: Sequence[str], first: int, now_us: int
) -> dict[str, AccountHistory]:
    """Label → what is known from this trading day until now."""
    sealed = to_number(last_day_over(now_us))
    histories = read_past(reader, labels, first, sealed)
    read_recent(reader, histories, sealed, now_us)
    return histories
