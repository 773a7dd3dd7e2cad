"""Fetches what history missed while the daemon did not run: fills, final orders, equity.

They come from the broker's activities, orders and portfolio history, once for each account after it
is synced, one account after another and in the lane of reads: nothing waits for it.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

from realtime.broker.rest_client import RestClient
from realtime.core.model import FillActivity
from realtime.core.state import Execution
from realtime.core.timestamps import format_micros
from realtime.errors import RealtimeError
from realtime.history.directory import HistoryDirectory
from realtime.history.exact import MONEY_SCALE, QUARTER_US, US
from realtime.history.queue import HistoryQueue, RecoveredHistory
from realtime.history.reading import HistoryReader
from realtime.store.store import Store
from realtime.telemetry.log import get_logger

log = get_logger()

OVERLAP_US = 600 * US
"""Read again of what is known: activities may appear some minutes late. Duplicates are ignored."""

FIRST_TIME_DAYS = 30
"""How far back an account is read of which nothing was ever recorded."""

MAX_PAGES = 50
FILLS_PAGE, ORDERS_PAGE = 100, 500
POLL_S = 1.0
"""How often it is looked whether a further account is synced."""

GIVE_UP_S = 3600.0
"""An account that is not synced by then is recovered at the next start."""

PORTFOLIO = {"period": "1M", "timeframe": "15Min", "intraday_reporting": "continuous"}


async def recover_all(
    clients: Callable[[], dict[str, RestClient]],
    *,
    store: Store,
    queue: HistoryQueue,
    path: Path,
    clock: Callable[[], float],
) -> None:
    """Recover each account once it is synced; returns when all are done or the time is over."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + GIVE_UP_S
    done: set[str] = set()
    while loop.time() < deadline:
        open_labels = clients().keys() - done
        if not open_labels:
            return
        for label in sorted(open_labels):
            record = store.get(label)
            if record is None or not record.link.is_synced:
                continue
            done.add(label)
            since_us = await asyncio.to_thread(_newest_us, path, label)
            try:
                recovered = await recover(label, clients()[label], since_us, clock())
            except RealtimeError as error:
                log.warning("history.recovery_failed", account=label, reason=error.message)
                continue
            queue.add_recovered(recovered)
            log.info(
                "history.recovered",
                account=label,
                fills=len(recovered.executions),
                orders=len(recovered.orders),
            )
        await asyncio.sleep(POLL_S)


async def recover(
    label: str, rest: RestClient, since_us: int | None, now: float
) -> RecoveredHistory:
    """What the broker knows of an account since a time (µs); None: of the last month."""
    if since_us is None:
        since_us = round((now - FIRST_TIME_DAYS * 86_400) * 1e6)
    after = format_micros(since_us - OVERLAP_US)
    fills = await _pages(
        lambda last: rest.fetch_fills(after=after, page_size=FILLS_PAGE, page_token=last),
        FILLS_PAGE,
    )
    orders = await _pages(
        lambda last: rest.fetch_orders(
            status="closed",
            after=after if last is None else None,  # the broker takes one of the two
            after_order_id=last,
            direction="asc",
            nested=False,
        ),
        ORDERS_PAGE,
    )
    return RecoveredHistory(
        label=label,
        executions=tuple(e for e in map(_execution, fills) if e is not None),
        orders=tuple(orders),
        quarters=await _quarters(rest),
    )


async def _pages(fetch: Callable[[str | None], Awaitable[Sequence[Any]]], size: int) -> list[Any]:
    """All pages of a list, up to a bound; the next page begins after the last id."""
    found: list[Any] = []
    last: str | None = None
    for _ in range(MAX_PAGES):
        page = await fetch(last)
        found += page
        if len(page) < size or page[-1].id == last:
            break
        last = page[-1].id
    return found


def _execution(fill: FillActivity) -> Execution | None:
    if not (fill.order_id and fill.symbol and fill.qty and fill.price and fill.side):
        return None
    return Execution(
        execution_id=fill.execution_id,
        order_id=fill.order_id,
        symbol=fill.symbol,
        side="buy" if fill.side == "buy" else "sell",
        qty=fill.qty,
        price=fill.price,
        at=fill.transaction_time,
    )


async def _quarters(rest: RestClient) -> tuple[tuple[int, int], ...]:
    """Quarter of an hour → equity of 10⁻⁴, from the broker's portfolio history."""
    response = await rest.http.request("GET", "/v2/account/portfolio/history", PORTFOLIO, "read")
    document = json.loads(response.body, parse_float=Decimal, parse_int=Decimal)
    pairs = zip(document.get("timestamp") or (), document.get("equity") or (), strict=False)
    return tuple(
        (int(at) * US // QUARTER_US, int(equity * MONEY_SCALE)) for at, equity in pairs if equity
    )


def _newest_us(path: Path, label: str) -> int | None:
    """The broker's time of the newest fill of an account in the ledger, in µs."""
    for (newest_us,) in HistoryReader(HistoryDirectory(path)).read_ledger(
        "SELECT max(at_us) FROM fill JOIN account ON account.n = fill.acc WHERE label = ?",
        (label,),
    ):
        if newest_us is not None:
            return int(newest_us)
    return None
