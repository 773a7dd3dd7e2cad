"""Changes that have no delivered answer yet: a repeat of one joins it, and is not sent again.

Alpaca's SDKs send a POST without a `client_order_id`, and some repeat it by themselves. So a body
without an id gets one here, and as long as the answer to it is open, an equal body of the same
caller is the same order:

    new          being sent
    limited      the broker answered 429: a repeat is sent under the same id, so one order results
    unknown      the response was lost: a repeat looks the order up, and sends nothing
    undelivered  the order exists, and its client had left: a repeat gets the answer, once

After an answer was delivered an equal body is another order.
"""

import asyncio
from collections.abc import Callable, Coroutine
from hashlib import blake2b
from typing import Any, Literal

from msgspec import Struct

from realtime.api.alpaca.background import Background, Failure, wait_for_answer
from realtime.orders.errors import Declined, Unresolved
from realtime.orders.results import Placed

LIMITED_S = 15.0
"""The SDKs repeat after at most three waits of 3 s."""

UNKNOWN_S = 20 * 60.0
"""As long as the executor looks an order up."""

UNDELIVERED_S = 60.0

MAX_OPEN = 10_000
"""A further one is refused: forgetting one would make its repeat another order."""

RATE_LIMITED = "rate_limited"
State = Literal["new", "limited", "unknown", "undelivered"]


class OpenRequest(Struct, eq=False, kw_only=True):
    """One change whose answer is open."""

    label: str
    client_order_id: str
    key: str
    """Its idempotency key: the same for every attempt."""
    task: "asyncio.Task[Placed | Failure] | None" = None
    state: State = "new"
    until: float = float("inf")
    """When it is forgotten, by the clock."""


class Answer(Struct, frozen=True):
    """The result of a change; `is_repeat`: of an earlier request with the same body."""

    placed: Placed
    is_repeat: bool


Send = Callable[[OpenRequest], Coroutine[Any, Any, Placed]]
"""Sends the change under the id and the key of the open request."""


class OpenRequests:
    """All open changes. `make_id` makes an id for an order of a user; `clock` gives seconds."""

    def __init__(
        self, background: Background, make_id: Callable[[str], str], clock: Callable[[], float]
    ) -> None:
        self._background = background
        self._make_id = make_id
        self._clock = clock
        self._open: dict[bytes, OpenRequest] = {}

    def __len__(self) -> int:
        return len(self._open)

    async def run(
        self,
        fingerprint: bytes,
        label: str,
        send: Send,
        look_up: Send,
        *,
        user_id: str,
        client_order_id: str | None,
        is_connected: Callable[[], bool],
    ) -> Answer:
        """Send a change, or join the open one of this fingerprint. Raises `Declined`, `Unresolved`.

        `client_order_id`: the client's own; None: it gets one here, of the book of `user_id`.
        """
        request = self._get(fingerprint)
        is_repeat = request is not None
        if request is None:
            request = self._add(fingerprint, label, client_order_id or self._make_id(user_id))
        is_running = request.task is not None and not request.task.done()
        if request.task is None or (not is_running and request.state in ("limited", "unknown")):
            attempt = look_up if request.state == "unknown" else send
            request.task = self._background.start(
                self._attempt(request, attempt), name=f"alpaca:{label}:{request.client_order_id}"
            )
        try:
            placed = await wait_for_answer(request.task, label, request.client_order_id)
        except Declined:
            if request.state != "limited" and is_connected():
                self._close(fingerprint, request)
            raise
        if is_connected():
            self._close(fingerprint, request)
        return Answer(placed, is_repeat)

    async def _attempt(self, request: OpenRequest, send: Send) -> Placed:
        """Send, or look up, and note what the result means for a repeat."""
        now, was_limited = self._clock, request.state == "limited"
        # Until something else is known: also if this ends by a bug.
        request.state, request.until = "unknown", now() + UNKNOWN_S
        try:
            placed = await send(request)
        except Declined as error:
            # An attempt that did not leave says nothing about the one before.
            is_limited = error.code == RATE_LIMITED or (was_limited and not error.reached_broker)
            request.state = "limited" if is_limited else "undelivered"
            request.until = now() + (LIMITED_S if is_limited else 0.0)
            raise
        except Unresolved:
            request.until = now() + UNKNOWN_S
            raise
        request.state, request.until = "undelivered", now() + UNDELIVERED_S
        return placed

    def _get(self, fingerprint: bytes) -> OpenRequest | None:
        request = self._open.get(fingerprint)
        if request is not None and request.until <= self._clock():
            del self._open[fingerprint]
            return None
        return request

    def _add(self, fingerprint: bytes, label: str, client_order_id: str) -> OpenRequest:
        if len(self._open) >= MAX_OPEN:
            now = self._clock()
            self._open = {f: open_ for f, open_ in self._open.items() if open_.until > now}
        if len(self._open) >= MAX_OPEN:
            raise Declined("broker_unreachable", "too many changes without an answer")
        request = OpenRequest(
            label=label, client_order_id=client_order_id, key=f"alpaca-{self._make_id('')}"
        )
        self._open[fingerprint] = request
        return request

    def _close(self, fingerprint: bytes, request: OpenRequest) -> None:
        if self._open.get(fingerprint) is request:
            del self._open[fingerprint]


def make_request_fingerprint(*parts: str | bytes) -> bytes:
    """Return a hash that only an equal request has."""
    digest = blake2b(digest_size=20)
    for part in parts:
        content = part.encode() if isinstance(part, str) else part
        digest.update(len(content).to_bytes(8, "big") + content)
    return digest.digest()
