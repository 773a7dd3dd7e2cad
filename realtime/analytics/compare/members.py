"""Members of rows: a label, or one of the broker's accounts that it was."""

from collections.abc import Iterable
from itertools import pairwise

from msgspec import Struct

from realtime.analytics.compare.row_data import AccountProfile
from realtime.analytics.daily import Flow
from realtime.analytics.ledger_inputs import AccountHistory, Close
from realtime.analytics.round_trips import Fill, Trading, round_trips
from realtime.core.trading_days import to_number, trading_day_at
from realtime.history.exact import US, quantity


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
