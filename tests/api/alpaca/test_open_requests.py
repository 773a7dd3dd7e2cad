"""An open change and its repeats: what is sent, and under which id."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from realtime.api.alpaca import open_requests
from realtime.api.alpaca.background import Background
from realtime.api.alpaca.open_requests import Answer, OpenRequest, OpenRequests
from realtime.core.model import Order, OrderId
from realtime.orders.errors import Declined, Unresolved
from realtime.orders.results import Placed

LIMITED = Declined("rate_limited", "429", reached_broker=True)
UNSENT = Declined("budget_spent", "no budget")
REFUSED = Declined("broker_refuses", "422", reached_broker=True)


class Sender:
    """Sends changes: each attempt ends as set, or waits until it is set."""

    def __init__(self) -> None:
        self.now = 0.0
        self.sent: list[str] = []
        self.looked_up: list[str] = []
        self.ends: list[Exception | None] = []
        self.is_connected = True
        self.background = Background()
        names = iter(f"id-{n}" for n in range(1000))
        self.open = OpenRequests(self.background, lambda user: next(names), lambda: self.now)

    async def post(self, body: bytes = b"x") -> Answer:
        """A request with this body."""
        return await self.open.run(
            body,
            "alpha",
            self._send,
            self._look_up,
            user_id="",
            client_order_id=None,
            is_connected=lambda: self.is_connected,
        )

    async def _send(self, request: OpenRequest) -> Placed:
        self.sent.append(request.client_order_id)
        return await self._end(request)

    async def _look_up(self, request: OpenRequest) -> Placed:
        self.looked_up.append(request.client_order_id)
        return await self._end(request)

    async def _end(self, request: OpenRequest) -> Placed:
        await asyncio.sleep(0)
        end = self.ends.pop(0) if self.ends else None
        if end is not None:
            raise end
        order = Order(id=OrderId(request.client_order_id))
        return Placed(
            account_id="alpha",
            client_order_id=request.client_order_id,
            order=order,
            how="confirmed",
        )


def unresolved() -> Unresolved:
    return Unresolved("lost", account_id="alpha", client_order_id=None)


@pytest.fixture
async def sender() -> AsyncIterator[Sender]:
    sender = Sender()
    task = asyncio.create_task(sender.background.serve())
    await asyncio.sleep(0)
    yield sender
    task.cancel()
    await asyncio.wait([task])


async def fails(sender: Sender, kind: type[Exception]) -> None:
    with pytest.raises(kind):
        await sender.post()


async def test_answered_change_is_over(sender: Sender) -> None:
    first, second = await sender.post(), await sender.post()
    assert first.placed.order.id != second.placed.order.id
    assert (first.is_repeat, second.is_repeat, len(sender.open)) == (False, False, 0)


async def test_equal_changes_in_flight_are_one(sender: Sender) -> None:
    first, second = await asyncio.gather(sender.post(), sender.post())
    assert (len(sender.sent), first.is_repeat, second.is_repeat) == (1, False, True)


async def test_undelivered_answer_is_given_once(sender: Sender) -> None:
    sender.is_connected = False
    await sender.post()
    sender.is_connected = True
    assert (await sender.post()).is_repeat
    assert not (await sender.post()).is_repeat
    assert len(sender.sent) == 2


async def test_undelivered_answer_is_forgotten_after_a_minute(sender: Sender) -> None:
    sender.is_connected = False
    await sender.post()
    sender.now += open_requests.UNDELIVERED_S
    assert not (await sender.post()).is_repeat


async def test_limited_change_keeps_its_id(sender: Sender) -> None:
    """Also where a repeat did not leave: the first may have been accepted."""
    sender.ends = [LIMITED, UNSENT, LIMITED]
    for _ in range(3):
        await fails(sender, Declined)
        sender.now += 3
    await sender.post()
    assert len(set(sender.sent)) == 1
    assert len(sender.sent) == 4


async def test_limited_change_is_forgotten(sender: Sender) -> None:
    sender.ends = [LIMITED]
    await fails(sender, Declined)
    sender.now += open_requests.LIMITED_S
    await sender.post()
    assert len(set(sender.sent)) == 2


@pytest.mark.parametrize("end", [UNSENT, REFUSED])
async def test_refused_change_is_over(sender: Sender, end: Exception) -> None:
    sender.ends = [end]
    await fails(sender, Declined)
    assert not (await sender.post()).is_repeat
    assert len(set(sender.sent)) == 2


async def test_unknown_change_is_looked_up_and_not_sent(sender: Sender) -> None:
    sender.ends = [unresolved(), unresolved(), unresolved()]
    for _ in range(3):
        await fails(sender, Unresolved)
    answer = await sender.post()
    assert answer.is_repeat
    assert (len(sender.sent), len(sender.looked_up)) == (1, 3)
    assert not (await sender.post()).is_repeat


async def test_failure_of_ours_leaves_the_change_unknown(sender: Sender) -> None:
    sender.ends = [RuntimeError("a bug")]
    await fails(sender, Unresolved)
    await sender.post()
    assert (len(sender.sent), len(sender.looked_up)) == (1, 1)


async def test_open_changes_are_bounded(sender: Sender, monkeypatch: Any) -> None:
    """A further one is refused before it is sent; expired ones make room."""
    monkeypatch.setattr(open_requests, "MAX_OPEN", 2)
    sender.ends = [unresolved(), unresolved()]
    for body in (b"a", b"b"):
        with pytest.raises(Unresolved):
            await sender.post(body)
    await fails(sender, Declined)
    assert len(sender.sent) == 2
    sender.now += open_requests.UNKNOWN_S
    await sender.post()
    assert len(sender.open) == 0
