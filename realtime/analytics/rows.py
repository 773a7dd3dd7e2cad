"""The rows of a comparison: accounts, labels, tiers, fleet, books; and why one is not ranked."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Literal

from msgspec import Struct

from realtime.analytics.books import OTHER, Book, BookOfOrder, OrderKey, Origin, make_books
from realtime.analytics.daily import DailySeries, Flow, make_series
from realtime.analytics.figures import RowInputs
from realtime.analytics.ledger_inputs import (
    AccountHistory,
    Close,
    result_sums,
    unclassified,
)
from realtime.analytics.round_trips import Fill, RoundTrip, Trading, round_trips, shares_of
from realtime.core.trading_days import (
    next_trading_day,
    to_date,
    to_number,
    trading_day_at,
)
from realtime.history.exact import US, money, quantity

By = Literal["account", "label", "tier", "strategy", "fleet"]

PRICE_TO_MONEY = 10**14


class AccountProfile(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the daemon knows of an account now, and the ledger does not."""

    label: str
    name: str | None = None
    tier: str | None = None
    paper: bool = True
    initial_balance: str | None = None
    later_flows: str | None = None
    """Deposits minus withdrawals since the initial balance; None: not known."""
    positions: dict[str, str] | None = None
    """Symbol → quantity; None: not known."""


class Flag(Struct, frozen=True, kw_only=True):
    """Something that a reader must know of a row."""

    flag: Literal[
        "gap", "missing_days", "reset", "unclassified", "own_start", "ended", "no_trade",
        "unknown_entry", "broker_equity", "no_price",
    ]  # fmt: skip
    detail: str


class RowData(Struct, kw_only=True):
    """One row before its figures are computed."""

    key: str
    kind: Literal["account", "group", "book", "control"]
    labels: list[str]
    inputs: RowInputs
    tier: str | None = None
    paper: bool | None = None
    name: str | None = None
    reason: str | None = None
    """Why it is not ranked."""
    flags: list[Flag] = []
    own_from: int | None = None
    """The first day, where it is not that of the window."""
    open_day: tuple[int, int, int] | None = None
    """The trading day that is not over: number, equity so far, profit of the day so far."""


class Window(Struct, frozen=True):
    """Trading days of a comparison, and the one before the first."""

    days: Sequence[int]
    base: int

    @property
    def first(self) -> int:
        return self.days[0]

    @property
    def last(self) -> int:
        return self.days[-1]


class Member(Struct, kw_only=True):
    """One label, or one of the broker's accounts that it was, in the window."""

    key: str
    profile: AccountProfile
    history: AccountHistory
    closes: dict[int, Close]
    flows: list[Flow]
    fills: list[Fill]
    resets: list[int]
    trading: Trading
    is_current: bool = True

    def first_close(self) -> int | None:
        return min(self.closes, default=None)


def make_members(
    profile: AccountProfile, history: AccountHistory, *, by_identity: bool
) -> list[Member]:
    """One member, or one for each of the broker's accounts behind a label, the newest first."""
    starts = [to_number(trading_day_at(at / US)) for at, _, _ in history.identities[1:]]
    if not by_identity or not starts:
        return [_member(profile.label, profile, history, None, None, resets=starts)]
    edges: list[int | None] = [None, *starts, None]
    members = []
    for number, (begin, end) in enumerate(pairwise(edges)):
        is_current = number == len(starts)
        account = history.identities[number][2] or history.identities[number][1]
        key = profile.label if is_current else f"{profile.label}@{account}"
        members.append(_member(key, profile, history, begin, end, resets=[]))
        members[-1].is_current = is_current
    return members[::-1]


def _member(
    key: str,
    profile: AccountProfile,
    history: AccountHistory,
    begin: int | None,
    end: int | None,
    *,
    resets: list[int],
) -> Member:
    def is_of(day: int) -> bool:
        return (begin is None or day >= begin) and (end is None or day < end)

    closes, flows, fills = history.closes, history.flows, history.fills
    if begin is not None or end is not None:
        closes = {day: close for day, close in closes.items() if is_of(day)}
        flows = [flow for flow in flows if is_of(flow.day)]
        fills = [fill for fill in fills if is_of(fill.day)]
    return Member(
        key=key,
        profile=profile,
        history=history,
        closes=closes,
        flows=flows,
        fills=fills,
        resets=resets,
        trading=round_trips(fills, opening_positions(profile, fills) if end is None else None),
    )


def opening_positions(profile: AccountProfile, fills: Iterable[Fill]) -> dict[str, int]:
    """What was held before the first known execution: the positions now minus all of them."""
    if profile.positions is None:
        return {}
    held = {symbol: quantity(qty) or 0 for symbol, qty in profile.positions.items()}
    traded: dict[str, int] = {}
    for fill in fills:
        held[fill.symbol] = held.get(fill.symbol, 0) - fill.qty
        traded[fill.symbol] = traded.get(fill.symbol, 0) + abs(fill.qty)
    return {
        symbol: qty
        for symbol, qty in held.items()
        if qty and not is_coin_fee(qty, traded.get(symbol, 0))
    }


def is_coin_fee(difference: int, traded: int) -> bool:
    """Whether a position is smaller than its executions by what fees in coins can explain: the
    broker keeps at most 0.25 % of each purchase."""
    return difference < 0 and difference % 10**9 != 0 and -difference * 200 <= traded


def account_row(member: Member, window: Window) -> RowData:
    """The row of one account or label."""
    row = _group_row(member.key, "account", [member], window)
    profile = member.profile
    row.tier, row.paper, row.name = profile.tier, profile.paper, profile.name
    return row


def group_rows(
    members: Sequence[Member], window: Window, key_of: Callable[[Member], str]
) -> list[RowData]:
    """Rows of groups: the money of their members added up, never the mean of percentages."""
    groups: dict[str, list[Member]] = {}
    for member in members:
        groups.setdefault(key_of(member), []).append(member)
    return [_group_row(key, "group", found, window) for key, found in groups.items()]


def _group_row(
    key: str, kind: Literal["account", "group"], members: Sequence[Member], window: Window
) -> RowData:
    flags: list[Flag] = []
    starts = [member.first_close() for member in members]
    known = [start for start in starts if start is not None]
    if not known:
        return RowData(
            key=key,
            kind=kind,
            labels=[member.profile.label for member in members],
            inputs=RowInputs(series=make_series(window.days, None, {}), base_day=window.base),
            reason="nothing recorded in the window",
        )
    ends = [max(member.closes) for member in members if member.closes]
    # A row that begins later is computed from its own start, and not ranked.
    base = max(window.base, *(start for start in known))
    last = min(window.last, min(ends))
    reason: str | None = None
    if len(known) < len(members):
        absent = [m.key for m, start in zip(members, starts, strict=True) if start is None]
        reason = f"nothing recorded of {', '.join(absent[:3])}"
    if base > window.base:
        start = to_number(next_trading_day(to_date(base)))
        reason = reason or f"starts {to_date(start).isoformat()}"
        flags.append(Flag(flag="own_start", detail=f"starts {to_date(start).isoformat()}"))
    if last < window.last:
        detail = f"ends {to_date(last).isoformat()}"
        reason = reason or detail
        flags.append(Flag(flag="ended", detail=detail))
    days = [day for day in window.days if base < day <= last]
    closes, exposure = _sum_closes(members, [base, *days])
    resets = sorted({day for member in members for day in member.resets if base < day <= last})
    flows = [flow for member in members for flow in member.flows if base < flow.day <= last]
    if len(members) > 1:
        # The equity before a flow is of one member: in a sum it would be wrong.
        flows = [Flow(day=flow.day, amount=flow.amount, share=flow.share) for flow in flows]
    series = make_series(days, closes.get(base), closes, flows, resets=resets)
    row = RowData(
        key=key,
        kind=kind,
        labels=[member.profile.label for member in members],
        inputs=_inputs(members, series, base, exposure),
        reason=reason,
        flags=flags,
        own_from=days[0] if base > window.base and days else None,
        open_day=_open_day(members, window, series),
    )
    _add_flags(row, members, base, last)
    return row


def _sum_closes(
    members: Sequence[Member], days: Sequence[int]
) -> tuple[dict[int, int], list[tuple[int, int, int]]]:
    """Day → equity of all members, only where all are known; and their exposure."""
    closes: dict[int, int] = {}
    exposure: list[tuple[int, int, int]] = []
    if len(members) == 1:
        own = members[0].closes
        closes = {day: own[day].equity for day in days if day in own}
        exposure = [
            (close.gross, close.net or 0, close.equity)
            for day in days[1:]
            if (close := own.get(day)) is not None and close.gross is not None
        ]
        return closes, exposure
    for number, day in enumerate(days):
        found = [member.closes.get(day) for member in members]
        if any(close is None for close in found):
            continue
        known = [close for close in found if close is not None]
        closes[day] = equity = sum(close.equity for close in known)
        if number and all(close.gross is not None for close in known):
            gross = sum(close.gross or 0 for close in known)
            exposure.append((gross, sum(close.net or 0 for close in known), equity))
    return closes, exposure


def _inputs(
    members: Sequence[Member],
    series: DailySeries,
    base: int,
    exposure: list[tuple[int, int, int]],
) -> RowInputs:
    first, last = (series.days[0], series.days[-1]) if series.days else (base + 1, base)
    fills: list[Fill] = []
    trips: list[RoundTrip] = []
    realized: int | None = 0
    sums = {"fees": 0, "dividends": 0, "interest": 0}
    for member in members:
        fills += [fill for fill in member.fills if first <= fill.day <= last]
        trips += [trip for trip in member.trading.trips if first <= trip.day <= last]
        for day, gain in member.trading.realized.items():
            if first <= day <= last:
                realized = None if realized is None or gain is None else realized + gain
        for name, amount in result_sums(member.history, first, last).items():
            sums[name] += amount
    balances = [money(member.profile.initial_balance) for member in members]
    later = [money(member.profile.later_flows) for member in members]
    current = [member for member in members if member.is_current]
    return RowInputs(
        series=series,
        base_day=base,
        fills=fills,
        trips=trips,
        realized=realized,
        open_trips=sum(member.trading.open_trips for member in members),
        gross=exposure,
        initial_balance=_sum_known(balances),
        later_flows=_sum_known(later),
        orders=sum(first <= day <= last for member in members for day, _ in member.history.orders),
        rejected=sum(member.history.rejected for member in current),
        errors=sum(member.history.rejected + member.history.disconnects for member in current),
        is_paper=all(member.profile.paper for member in members),
        fees=sums["fees"],
        dividends=sums["dividends"],
        interest=sums["interest"],
    )


def _sum_known(amounts: Sequence[int | None]) -> int | None:
    known = [amount for amount in amounts if amount is not None]
    return sum(known) if len(known) == len(amounts) else None


def _open_day(
    members: Sequence[Member], window: Window, series: DailySeries
) -> tuple[int, int, int] | None:
    """Today so far, where the window ends with the last trading day that is over."""
    found = [member.history.open_close for member in members]
    if any(value is None for value in found) or not series.equity or series.equity[-1] is None:
        return None
    values = [value for value in found if value is not None]
    day, equity = values[0][0], sum(value[1] for value in values)
    if to_number(next_trading_day(to_date(window.last))) != day:
        return None
    flows = sum(
        activity.amount or 0
        for member in members
        for activity in member.history.activities
        if activity.day == day and activity.type in _FLOW_TYPES
    )
    return day, equity, equity - series.equity[-1] - flows


def _add_flags(row: RowData, members: Sequence[Member], base: int, last: int) -> None:
    series = row.inputs.series
    if series.missing:
        detail = f"{len(series.missing)} of {len(series.days)} days not recorded: " + ", ".join(
            to_date(day).isoformat() for day in series.missing[:3]
        )
        row.flags.append(Flag(flag="missing_days", detail=detail))
        row.reason = row.reason or f"{len(series.missing)} days not recorded"
    if series.resets:
        detail = f"another account since {to_date(series.resets[-1]).isoformat()}"
        row.flags.append(Flag(flag="reset", detail=detail))
        row.reason = row.reason or detail
    unknown = sorted({t for m in members for t in unclassified(m.history, base + 1, last)})
    if unknown:
        detail = f"activities of unknown effect: {', '.join(unknown[:5])}"
        row.flags.append(Flag(flag="unclassified", detail=detail))
        row.reason = row.reason or detail
    gaps = [gap for member in members for gap in member.history.gaps]
    if gaps:
        seconds = sum(end - begin for begin, end, _ in gaps) // US
        row.flags.append(Flag(flag="gap", detail=f"{len(gaps)} gaps, {seconds} s together"))
    from_broker = {
        day
        for member in members
        for day, close in member.closes.items()
        if close.source == "broker" and base <= day <= last
    }
    if from_broker:
        detail = f"{len(from_broker)} days from the broker's portfolio history"
        row.flags.append(Flag(flag="broker_equity", detail=detail))
    gains = (
        gain
        for member in members
        for day, gain in member.trading.realized.items()
        if base < day <= last
    )
    if any(gain is None for gain in gains):
        row.flags.append(Flag(flag="unknown_entry", detail="an entry price is not known"))
    has_traded = row.inputs.fills or any(gross for gross, _, _ in row.inputs.gross)
    if not has_traded and series.days:
        row.flags.append(Flag(flag="no_trade", detail="no trade in the window"))
        row.reason = row.reason or "no trade in the window"


_FLOW_TYPES = frozenset({"CSD", "CSW", "JNLC", "ACATC", "TRANS", "JNL"})


def book_rows(
    members: Sequence[Member],
    window: Window,
    books: Mapping[str, str],
    origins: Callable[[str], dict[OrderKey, Origin]],
    prices: Mapping[str, Mapping[int, int]],
) -> list[RowData]:
    """Rows of books over all accounts: what each made, on the equity that its accounts began with.

    Books have no equity of their own: their profit is marked at each day's last prices.
    """
    parts: dict[str, list[tuple[Member, Book, dict[str, int]]]] = {}
    for member in members:
        opening = opening_positions(member.profile, member.fills)
        orders = BookOfOrder(books, origins(member.profile.label))
        made = make_books(member.fills, orders, books, opening)
        for name, book in made.books.items():
            held = opening if name == OTHER else {}
            if book.fills or held:
                parts.setdefault(name, []).append((member, book, held))
    order = [*books, OTHER]
    return [
        _book_row(name, parts[name], window, prices)
        for name in sorted(parts, key=lambda name: order.index(name))
    ]


def _book_row(
    name: str,
    parts: Sequence[tuple[Member, Book, dict[str, int]]],
    window: Window,
    prices: Mapping[str, Mapping[int, int]],
) -> RowData:
    base_equity: int | None = 0
    profit: dict[int, int | None] = dict.fromkeys(window.days, 0)
    for member, book, opening in parts:
        close = member.closes.get(window.base)
        base_equity = None if base_equity is None or close is None else base_equity + close.equity
        for day, amount in book_profit(book.fills, opening, prices, window).items():
            known = profit[day]
            profit[day] = None if known is None or amount is None else known + amount
    closes: dict[int, int] = {}
    total = base_equity or 0
    for day in window.days:
        amount = profit[day]
        if amount is None:
            break
        total += amount
        closes[day] = total
    series = make_series(window.days, base_equity, closes)
    fills = [f for _, b, _ in parts for f in b.fills if window.first <= f.day <= window.last]
    realized: int | None = 0
    for _, book, _ in parts:
        for day, gain in book.realized.items():
            if window.first <= day <= window.last:
                realized = None if realized is None or gain is None else realized + gain
    balances = [money(member.profile.initial_balance) for member, _, _ in parts]
    row = RowData(
        key=name,
        kind="book",
        labels=[member.profile.label for member, _, _ in parts],
        inputs=RowInputs(
            series=series,
            base_day=window.base,
            fills=fills,
            trips=[
                trip
                for _, book, _ in parts
                for trip in book.trips
                if window.first <= trip.day <= window.last
            ],
            realized=realized,
            open_trips=sum(1 for _, b, _ in parts for h in b.holdings.values() if h.qty),
            initial_balance=_sum_known(balances),
            is_paper=all(member.profile.paper for member, _, _ in parts),
            orders=len({fill.order_id for fill in fills}),
        ),
        paper=None,
    )
    if base_equity is None:
        row.reason = "no equity of its accounts at the start of the window"
    elif series.missing:
        row.reason = f"no price of a position on {to_date(series.missing[0]).isoformat()}"
        row.flags.append(Flag(flag="no_price", detail=row.reason))
    elif not fills:
        row.reason = "no trade in the window"
        row.flags.append(Flag(flag="no_trade", detail=row.reason))
    return row


def book_profit(
    fills: Sequence[Fill],
    opening: Mapping[str, int],
    prices: Mapping[str, Mapping[int, int]],
    window: Window,
) -> dict[int, int | None]:
    """Profit of each day: change of value at the day's last prices, minus what was paid."""
    held = dict(opening)
    by_day: dict[int, list[Fill]] = {}
    for fill in fills:
        if fill.day <= window.base:
            held[fill.symbol] = held.get(fill.symbol, 0) + fill.qty
        else:
            by_day.setdefault(fill.day, []).append(fill)
    value = _value(held, prices, window.base)
    profit: dict[int, int | None] = {}
    for day in window.days:
        paid = 0
        for fill in by_day.get(day, ()):
            held[fill.symbol] = held.get(fill.symbol, 0) + fill.qty
            paid += fill.qty * fill.price * fill.shares
        now = _value(held, prices, day)
        profit[day] = None if now is None or value is None else (now - value - paid) // 10**14
        value = now
    return profit


def _value(
    held: Mapping[str, int], prices: Mapping[str, Mapping[int, int]], day: int
) -> int | None:
    """The value of positions on a day, of 10⁻¹⁸; None where a price is missing."""
    total = 0
    for symbol, qty in held.items():
        if not qty:
            continue
        price = prices.get(symbol, {}).get(day)
        if price is None:
            return None
        total += qty * price * shares_of(symbol)
    return total
