"""Was anything lost? The broker's own books beside the daemon's answers, account by account.

Trading goes on while documents are read, so the two can only agree at quiet. What does not agree
when time is up is counted as lost, whatever the reason.
"""

import asyncio
from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import TypeVar

import aiohttp
import msgspec
from msgspec import Struct

PATIENCE_S = 6.0
"""How long an account may take to agree: money is read at most every two seconds after a fill."""

PAUSE_S = 0.3
AT_ONCE = 8
ORDERS = 500
"""Orders compared of an account: the newest, as many as one answer may hold."""

T = TypeVar("T")
Facts = Mapping[str, tuple[object, ...]]


class Order(Struct):
    """What of an order must agree."""

    id: str
    status: str
    filled_qty: str
    filled_avg_price: str | None
    submitted_at: str


class Position(Struct):
    """What of a position must agree; prices move by themselves."""

    symbol: str
    qty: str


class Account(Struct):
    """What of an account must agree."""

    cash: str


class Books(Struct):
    """The broker's own truth."""

    account: Account
    positions: list[Position]
    orders: list[Order]


async def compare(
    http: aiohttp.ClientSession, broker: str, daemon: str, labels: Sequence[str]
) -> list[str]:
    """Compare accounts until they agree or `PATIENCE_S` is over; gives what does not, in words.

    `broker` and `daemon` are addresses. Raises `aiohttp.ClientError` where one does not answer.
    """
    places = asyncio.Semaphore(AT_ONCE)

    async def one(label: str) -> list[str]:
        async with places:
            theirs = await _ask(http, f"{broker}/_sim/books/{label}", Books)
            ours = Books(
                await _ask(http, f"{daemon}/realtime/account/{label}", Account),
                await _ask(http, f"{daemon}/realtime/positions/{label}", list[Position]),
                await _ask(http, f"{daemon}/realtime/orders/{label}?limit={ORDERS}", list[Order]),
            )
        return differences(label, theirs, ours)

    loop = asyncio.get_running_loop()
    ends_at = loop.time() + PATIENCE_S
    open_questions = list(labels)
    while True:
        found = await asyncio.gather(*(one(label) for label in open_questions))
        open_questions = [
            label for label, different in zip(open_questions, found, strict=True) if different
        ]
        if not open_questions or loop.time() >= ends_at:
            return [sentence for different in found for sentence in different]
        await asyncio.sleep(PAUSE_S)


def differences(label: str, theirs: Books, ours: Books) -> list[str]:
    """Say what does not agree, one sentence a thing."""
    newest = sorted(theirs.orders, key=lambda order: order.submitted_at)[-ORDERS:]
    pairs: list[tuple[str, Facts, Facts]] = [
        ("order", _orders(newest), _orders(ours.orders)),
        ("position", _positions(theirs.positions), _positions(ours.positions)),
        ("cash", _cash(theirs.account), _cash(ours.account)),
    ]
    found = []
    for noun, books, answers in pairs:
        # Orders that the daemon has and the newest of the books have not are merely older.
        keys = books.keys() if noun == "order" else books.keys() | answers.keys()
        for key in sorted(keys):
            if books.get(key) != answers.get(key):
                said = f"broker {_said(books.get(key))}, daemon {_said(answers.get(key))}"
                found.append(f"{label} {noun} {key}: {said}")
    return found


async def _ask(http: aiohttp.ClientSession, url: str, shape: type[T]) -> T:
    async with http.get(url) as answer:
        answer.raise_for_status()
        return msgspec.json.decode(await answer.read(), type=shape)


def _orders(orders: Sequence[Order]) -> Facts:
    return {
        order.id: (order.status, _number(order.filled_qty), _number(order.filled_avg_price))
        for order in orders
    }


def _positions(positions: Sequence[Position]) -> Facts:
    return {position.symbol: (_number(position.qty),) for position in positions}


def _cash(account: Account) -> Facts:
    return {"in account": (_number(account.cash),)}


def _number(text: str | None) -> Decimal | str | None:
    try:
        return None if text is None else Decimal(text)
    except InvalidOperation:
        return text


def _said(facts: tuple[object, ...] | None) -> str:
    return "none" if facts is None else " ".join(str(fact) for fact in facts)
