"""Whether anything was lost: the broker's own books against the daemon's responses.

Trading continues while documents are read, so the two can only agree when it is quiet. What does
not agree when time is up counts as lost, whatever the reason.
"""

import asyncio
from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import TypeVar

import aiohttp
import msgspec
from msgspec import Struct

from realtime.core.model import Account, Order, Position

TIMEOUT_S = 6.0
"""How long an account may take to agree: money is read at most every two seconds after a fill."""

RETRY_S = 0.3
MAX_CONCURRENT = 8
MAX_ORDERS = 500
"""Orders compared of an account: the newest, as many as one response may hold."""

T = TypeVar("T")
Facts = Mapping[str, tuple[object, ...]]


class Books(Struct):
    """One account, as the broker's books or as the daemon's responses have it."""

    account: Account
    positions: list[Position]
    orders: list[Order]


async def compare(
    http: aiohttp.ClientSession, broker_url: str, daemon_url: str, labels: Sequence[str]
) -> list[str]:
    """Compare accounts until they agree or `TIMEOUT_S` is over; return the differences as text.

    Raises `aiohttp.ClientError` if broker or daemon does not respond.
    """
    semaphore = asyncio.Semaphore(MAX_CONCURRENT)

    async def compare_account(label: str) -> list[str]:
        orders_url = f"{daemon_url}/realtime/orders/{label}?limit={MAX_ORDERS}"
        async with semaphore:
            broker = await _get(http, f"{broker_url}/_sim/books/{label}", Books)
            daemon = Books(
                await _get(http, f"{daemon_url}/realtime/account/{label}", Account),
                await _get(http, f"{daemon_url}/realtime/positions/{label}", list[Position]),
                await _get(http, orders_url, list[Order]),
            )
        return find_differences(label, broker, daemon)

    loop = asyncio.get_running_loop()
    deadline = loop.time() + TIMEOUT_S
    different = list(labels)
    while True:
        results = await asyncio.gather(*(compare_account(label) for label in different))
        different = [label for label, found in zip(different, results, strict=True) if found]
        if not different or loop.time() >= deadline:
            return [text for found in results for text in found]
        await asyncio.sleep(RETRY_S)


def find_differences(label: str, broker: Books, daemon: Books) -> list[str]:
    """Return what does not agree, one sentence each."""
    newest = sorted(broker.orders, key=lambda order: order.submitted_at or "")[-MAX_ORDERS:]
    pairs: list[tuple[str, Facts, Facts]] = [
        ("order", _order_facts(newest), _order_facts(daemon.orders)),
        ("position", _position_facts(broker.positions), _position_facts(daemon.positions)),
        ("cash", _cash_facts(broker.account), _cash_facts(daemon.account)),
    ]
    differences = []
    for noun, theirs, ours in pairs:
        # Orders that the daemon has and the newest of the books have not are only older.
        keys = theirs.keys() if noun == "order" else theirs.keys() | ours.keys()
        for key in sorted(keys):
            if theirs.get(key) != ours.get(key):
                values = f"broker {_text(theirs.get(key))}, daemon {_text(ours.get(key))}"
                differences.append(f"{label} {noun} {key}: {values}")
    return differences


async def _get(http: aiohttp.ClientSession, url: str, document: type[T]) -> T:
    async with http.get(url) as response:
        response.raise_for_status()
        return msgspec.json.decode(await response.read(), type=document)


def _order_facts(orders: Sequence[Order]) -> Facts:
    return {
        order.id: (order.status, _number(order.filled_qty), _number(order.filled_avg_price))
        for order in orders
    }


def _position_facts(positions: Sequence[Position]) -> Facts:
    """Quantities only: prices move without events."""
    return {position.symbol: (_number(position.qty),) for position in positions}


def _cash_facts(account: Account) -> Facts:
    return {"in account": (_number(account.cash),)}


def _number(text: str | None) -> Decimal | str | None:
    try:
        return None if text is None else Decimal(text)
    except InvalidOperation:
        return text


def _text(facts: tuple[object, ...] | None) -> str:
    return "none" if facts is None else " ".join(str(fact) for fact in facts)
