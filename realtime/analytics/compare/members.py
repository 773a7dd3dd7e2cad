"""Members of rows: a label, or one of the broker's accounts that it was."""

from collections.abc import Collection, Hashable, Mapping
from functools import cached_property
from itertools import pairwise

from realtime.analytics.account_history import AccountHistory, Traded
from realtime.analytics.closes import Closes
from realtime.analytics.compare.row_data import AccountProfile, CountsNow, Window
from realtime.analytics.daily import Flow
from realtime.analytics.round_trips import Fill, Trading, round_trips
from realtime.core.trading_days import close_at, to_date, to_number, trading_day_at
from realtime.history.exact import US, quantity

COIN_FEE_DIVISOR = 200
"""The broker keeps at most 0.25 % of each purchase; sales are in the sum, too."""


class Member:
    """One label, or one of the broker's accounts that it was from `begin` until before `end`
    (trading days; None: without a bound)."""

    def __init__(
        self,
        key: str,
        profile: AccountProfile,
        history: AccountHistory,
        begin: int | None = None,
        end: int | None = None,
        resets: Collection[int] = (),
    ) -> None:
        self.key, self.profile, self.history = key, profile, history
        self.begin, self.end, self.resets = begin, end, resets
        self.is_current = end is None
        self._is_whole = begin is None and end is None

    def closes(self, window: Window) -> Closes:
        """Closes of the window, the one before it included."""
        first = window.base if self.begin is None else max(window.base, self.begin)
        last = window.last if self.end is None else min(window.last, self.end - 1)
        return self.history.closes.between(first, last)

    def is_of(self, day: int) -> bool:
        """Whether the label was this account on a trading day."""
        return (self.begin is None or day >= self.begin) and (self.end is None or day < self.end)

    @cached_property
    def flows(self) -> list[Flow]:
        """Deposits and withdrawals of days that are over."""
        flows = self.history.flows
        return flows if self._is_whole else [flow for flow in flows if self.is_of(flow.day)]

    @cached_property
    def fills(self) -> list[Fill]:
        """All executions until now."""
        fills = self.history.fills
        return fills if self._is_whole else [fill for fill in fills if self.is_of(fill.day)]

    @cached_property
    def opening(self) -> dict[str, int]:
        """Symbol → what was held before the first known execution."""
        if not self.is_current:
            return {}
        return opening_positions(self.profile.positions, self._sums)

    @cached_property
    def coins_with_fee(self) -> frozenset[str]:
        """Symbols of which the broker keeps its fee in coins."""
        if not self.is_current:
            return frozenset()
        return coins_with_fee(self.profile.positions, self._sums)

    @cached_property
    def _sums(self) -> Mapping[str, Traded]:
        return self.history.sums if self._is_whole else sum_fills(self.fills)

    @cached_property
    def past_fills(self) -> list[Fill]:
        """Executions of days that are over."""
        fills = self.history.past_fills
        return fills if self._is_whole else [fill for fill in fills if self.is_of(fill.day)]

    @cached_property
    def trading(self) -> Trading:
        """Round trips and realized profit of days that are over."""
        if not self._is_whole:
            return round_trips(self.past_fills, self.opening, self.coins_with_fee)
        known, key = self.history.trading, (self.opening, self.coins_with_fee)
        if known is None or known[0] != key:
            trading = round_trips(self.past_fills, self.opening, self.coins_with_fee)
            self.history.trading = known = (key, trading)
        return known[1]

    @property
    def now(self) -> CountsNow:
        """Figures of this moment; a former account has no errors any more."""
        if not self.is_current:
            return CountsNow(0, 0, 0)
        recent = self.history.now
        return CountsNow(
            recent.rejected,
            recent.rejected + recent.disconnects + recent.http_errors,
            self._open_trips(),
        )

    def _open_trips(self) -> int:
        known = self.profile.positions
        if known is None:
            return sum(1 for sums in self._sums.values() if sums.net)
        return sum(1 for qty in known.values() if quantity(qty))

    def identity(self, window: Window) -> Hashable:
        """What its part of a row depends on, besides the window."""
        profile = self.profile
        until_us = close_at(to_date(window.last)) * US
        return (
            self.key,
            self.history.serial,
            self.begin,
            self.end,
            profile.label,
            profile.name,
            profile.tier,
            profile.paper,
            profile.initial_balance,
            profile.later_flows,
            tuple(sorted(self.opening.items())),
            tuple(sorted(self.coins_with_fee)),
            tuple(gap[0] for gap in self.history.now.gaps if gap[0] < until_us),
        )


def make_members(
    profile: AccountProfile, history: AccountHistory, *, by_identity: bool
) -> list[Member]:
    """One member, or one for each of the broker's accounts behind a label, the newest first."""
    starts = [to_number(trading_day_at(at / US)) for at, _, _ in history.identities[1:]]
    if not by_identity or not starts:
        return [Member(profile.label, profile, history, resets=starts)]
    edges: list[int | None] = [None, *starts, None]
    members = []
    for number, (begin, end) in enumerate(pairwise(edges)):
        account = history.identities[number][2] or history.identities[number][1]
        key = profile.label if end is None else f"{profile.label}@{account}"
        members.append(Member(key, profile, history, begin, end))
    return members[::-1]


def opening_positions(
    positions: Mapping[str, str] | None, sums: Mapping[str, Traded]
) -> dict[str, int]:
    """What was held before the first known execution: the positions now minus all of them."""
    return {
        symbol: qty
        for symbol, qty in _unexplained(positions, sums).items()
        if not _is_fee(qty, symbol, sums)
    }


def coins_with_fee(
    positions: Mapping[str, str] | None, sums: Mapping[str, Traded]
) -> frozenset[str]:
    """Symbols of which the position is smaller than the executions by fees kept in coins."""
    return frozenset(
        symbol
        for symbol, qty in _unexplained(positions, sums).items()
        if _is_fee(qty, symbol, sums)
    )


def sum_fills(fills: Collection[Fill]) -> dict[str, Traded]:
    """Symbol → the sums of executions."""
    found: dict[str, Traded] = {}
    for fill in fills:
        sums = found.setdefault(fill.symbol, Traded())
        sums.net += fill.qty
        sums.total += abs(fill.qty)
    return found


def _unexplained(positions: Mapping[str, str] | None, sums: Mapping[str, Traded]) -> dict[str, int]:
    if positions is None:
        return {}
    held = {symbol: quantity(qty) or 0 for symbol, qty in positions.items()}
    for symbol, traded in sums.items():
        if traded.net:
            held[symbol] = held.get(symbol, 0) - traded.net
    return {symbol: qty for symbol, qty in held.items() if qty}


def _is_fee(qty: int, symbol: str, sums: Mapping[str, Traded]) -> bool:
    traded = sums.get(symbol)
    return traded is not None and is_coin_fee(qty, traded.total)


def is_coin_fee(difference: int, traded: int) -> bool:
    """Whether a position is smaller than its executions by what fees in coins can explain."""
    return difference < 0 and difference % 10**9 != 0 and -difference * COIN_FEE_DIVISOR <= traded
