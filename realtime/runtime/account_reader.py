"""Reads of one account for a program that has no daemon: retried, within a time limit.

The daemon reads on its own schedule; a program waits for each result. So a read is repeated after
errors that may pass (connection lost, 429, 502, 503, 504), and ends within its limit with a result
or the last error. Orders are never repeated here.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Literal, TypeVar

from realtime.broker.rest_client import RestClient
from realtime.core.model import Account, Order, Position, position_symbol
from realtime.errors import LinkError, NotSent, RateLimited, RealtimeError

T = TypeVar("T")

READ_TIMEOUT_S = 30.0
"""Limit of one read with its retries, unless the caller passes another."""

FIRST_RETRY_S = 0.25
MAX_RETRY_S = 4.0
"""Waits between attempts: 0.25, 0.5, 1, 2, 4 s, each times 0.5 to 1. Shorter than the daemon's:
a caller waits."""

RETRIED_STATUSES = frozenset({429, 502, 503, 504})
MAX_ORDERS = 500
"""Orders of one response, by the broker's rule."""

STATUSES = ("open", "closed", "all")
SIDES = ("buy", "sell")


class AccountReader:
    """Reads one account from the broker."""

    def __init__(self, label: str, rest: RestClient, rng: random.Random) -> None:
        self.label = label
        self._rest = rest
        self._rng = rng

    async def get_account(self, timeout: float = READ_TIMEOUT_S) -> Account:
        """Read the account. Raises `RealtimeError` within `timeout` seconds."""
        return await self._read(self._rest.fetch_account, timeout)

    async def get_positions(
        self, symbol: str | None = None, timeout: float = READ_TIMEOUT_S
    ) -> tuple[Position, ...]:
        """Read all positions, or that of a symbol: `BTC/USD` and `BTCUSD` are the same."""
        positions = await self._read(self._rest.fetch_positions, timeout)
        if symbol is None:
            return positions
        wanted = position_symbol(symbol.upper())
        return tuple(p for p in positions if position_symbol(p.symbol) == wanted)

    async def get_orders(
        self,
        *,
        status: Literal["open", "closed", "all"] = "all",
        limit: int = 100,
        symbols: Sequence[str] = (),
        side: Literal["buy", "sell"] | None = None,
        after: datetime | str | None = None,
        until: datetime | str | None = None,
        nested: bool = True,
        timeout: float = READ_TIMEOUT_S,
    ) -> tuple[Order, ...]:
        """Read orders, the newest submitted first, up to 500. `after` and `until` are exclusive.

        `nested`: legs are in the `legs` of their order; otherwise each is in the list itself.
        """
        _check_choice("status", status, STATUSES)
        _check_choice("side", side, (*SIDES, None))
        if isinstance(limit, bool) or not 1 <= limit <= MAX_ORDERS:
            raise ValueError(f"limit: expected 1–{MAX_ORDERS}, got {limit!r}")
        if isinstance(symbols, str):
            raise ValueError(f"symbols: expected a list of symbols, got {symbols!r}")
        return await self._read(
            lambda: self._rest.fetch_orders(
                status=status,
                limit=limit,
                symbols=symbols,
                side=side,
                after=_format_time("after", after),
                until=_format_time("until", until),
                nested=nested,
            ),
            timeout,
        )

    async def _read(self, fetch: Callable[[], Awaitable[T]], timeout_s: float) -> T:
        """Fetch until it succeeds, fails for good, or the time is up."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout_s
        last_error: LinkError | None = None
        failures = 0
        try:
            async with asyncio.timeout(timeout_s):
                while True:
                    try:
                        return await fetch()
                    except LinkError as error:
                        if error.status is not None and error.status not in RETRIED_STATUSES:
                            raise
                        last_error = error
                    wait_s = self._wait_s(failures, last_error)
                    if loop.time() + wait_s >= deadline:
                        raise last_error
                    await asyncio.sleep(wait_s)
                    failures += 1
        except TimeoutError:
            fact = f"no response within {timeout_s:g} s"
            late = f"{fact}; before: {last_error.message}" if last_error is not None else fact
            raise self._named(LinkError(late)) from last_error
        except RealtimeError as error:
            raise self._named(error) from error.__cause__

    def _wait_s(self, failures: int, error: LinkError) -> float:
        wait_s: float = min(MAX_RETRY_S, FIRST_RETRY_S * 2 ** min(failures, 10))
        retry_after_s = error.retry_after_s if isinstance(error, NotSent | RateLimited) else None
        return max(retry_after_s or 0.0, wait_s * (0.5 + self._rng.random() / 2))

    def _named(self, error: RealtimeError) -> RealtimeError:
        error.account_id = self.label
        return error


def _check_choice(name: str, value: object, choices: tuple[object, ...]) -> None:
    if value not in choices:
        expected = ", ".join(str(choice) for choice in choices if choice is not None)
        raise ValueError(f"{name}: expected {expected}, got {value!r}")


def _format_time(name: str, value: datetime | str | None) -> str | None:
    if not isinstance(value, datetime):
        return value
    if value.tzinfo is None:
        raise ValueError(f"{name}: the time has no time zone; pass an aware datetime")
    return value.isoformat()
