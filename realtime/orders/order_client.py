"""One account's orders at the broker: sent once, and asked for when the answer is lost.

The broker's answers have three kinds: yes (the order), no (it does not exist and will not), and
silence: a time-out, a cut connection, a 5xx. After silence the order may exist, so it is asked for
by its `client_order_id`; "not found" soon after is no proof, so if it stays unknown that is said.
"""

import asyncio
from collections.abc import Awaitable, Callable

import msgspec

from realtime.broker.order_api import OrderApi, OrderResponse
from realtime.broker.rate_limiter import DEFAULT_PAUSE_S
from realtime.core.model import Order, Position
from realtime.errors import (
    BrokerError,
    LinkError,
    NotSent,
    ProtocolViolation,
    RateLimited,
    RealtimeError,
    Refused,
)
from realtime.orders.errors import Declined, Unresolved
from realtime.telemetry.log import get_logger

log = get_logger()

ASK_AFTER_S = (0.0, 0.5, 1.0, 2.0, 4.0)
"""Waits before each question for a lost order."""

RESOLVE_S = 12.0
"""Limit of all these questions together: a caller waits."""

PURSUE_AFTER_S = (10.0, 20.0, 40.0, 80.0, 160.0, 300.0, 600.0)
"""Waits before each further question, when the caller has been told that nobody knows."""

MAX_CANCELS = 3
"""Canceling twice does no harm: a lost cancel is sent again while the order still works."""

Seen = Callable[[str], Order | None]
"""client order id → what the stream or a reading told of it meanwhile"""

Learn = Callable[[Order], None]

Doubt = Callable[[str, str | None], None]
"""Told the client order id of which nobody knows; with the order's id once it is found"""

Held = Callable[[str], Position | None]
"""symbol → the position as the stream and all readings together tell it"""


class OrderClient:
    """One account. `learn` is given every order that the broker tells of."""

    def __init__(
        self,
        label: str,
        trade: OrderApi,
        *,
        learn: Learn = lambda order: None,
        seen: Seen = lambda client_order_id: None,
        held: Held | None = None,
        doubt: Doubt = lambda client_order_id, order_id: None,
    ) -> None:
        self.label = label
        self.trade = trade
        self.learn = learn
        self.seen = seen
        self.held = held
        self.doubt = doubt
        self.in_flight = 0
        """Orders and cancels under way."""

    async def send(
        self, client_order_id: str, call: Callable[[], Awaitable[OrderResponse]], *, is_ours: bool
    ) -> tuple[OrderResponse, bool]:
        """Make the call once; gives the order, and whether it had to be asked for.

        `is_ours`: an order of this id can only be ours, should the broker have one already.
        Raises `Declined` for a no, `Unresolved` if nobody knows.
        """
        try:
            answered = await call()
        except (NotSent, RateLimited, Refused, BrokerError) as error:
            if not (is_ours and _is_taken(error)):
                raise declined(error, self.label) from error
            return await self.resolve(client_order_id, str(error)), True
        except (LinkError, ProtocolViolation) as error:
            log.warning(
                "order.response_lost",
                account=self.label,
                client_order_id=client_order_id,
                reason=error.message,
            )
            return await self.resolve(client_order_id, error.message), True
        if answered.order.client_order_id != client_order_id:
            # Another's, by a proxy's mistake: what became of ours is not said.
            reason = f"the answer is about order {answered.order.client_order_id}"
            return await self.resolve(client_order_id, reason), True
        self.learn(answered.order)
        return answered, False

    async def resolve(self, client_order_id: str, reason: str) -> OrderResponse:
        """Ask until the order is known. Raises `Unresolved`."""
        try:
            async with asyncio.timeout(RESOLVE_S):
                for wait_s in ASK_AFTER_S:
                    await asyncio.sleep(wait_s)
                    if found := await self.look(client_order_id):
                        return found
        except TimeoutError:
            pass
        raise Unresolved(
            f"{reason}; the broker does not know the order, or not yet",
            account_id=self.label,
            client_order_id=client_order_id,
        )

    async def pursue(self, client_order_id: str) -> OrderResponse | None:
        """Go on asking, slowly; None if it stays unknown."""
        for wait_s in PURSUE_AFTER_S:
            await asyncio.sleep(wait_s)
            if found := await self.look(client_order_id):
                return found
        return None

    async def look(self, client_order_id: str) -> OrderResponse | None:
        """Ask once; None if it is not known, or cannot be asked for now."""
        try:
            found = await self.trade.find_by_client_order_id(client_order_id)
        except RealtimeError as error:
            log.debug("order.lookup_failed", account=self.label, reason=error.message)
            found = None
        if found is not None and found.order.client_order_id == client_order_id:
            self.learn(found.order)
            return found
        told = self.seen(client_order_id)
        return None if told is None else OrderResponse(told, None)

    async def cancel(self, order_id: str) -> None:
        """Cancel an order. Raises `Declined`, or `Unresolved` if nobody knows."""
        self.in_flight += 1
        try:
            await self._cancel(order_id)
        finally:
            self.in_flight -= 1

    async def _cancel(self, order_id: str) -> None:
        reason = ""
        for wait_s in ASK_AFTER_S[:MAX_CANCELS]:
            await asyncio.sleep(wait_s)
            try:
                return await self.trade.cancel(order_id)
            except (NotSent, RateLimited, Refused, BrokerError) as error:
                if reason and await self._is_canceled(order_id):
                    return None
                raise declined(error, self.label) from error
            except LinkError as error:
                reason = error.message
                if await self._is_canceled(order_id):
                    return None
        raise Unresolved(
            f"{reason}; the order may still work", account_id=self.label, client_order_id=None
        )

    async def _is_canceled(self, order_id: str) -> bool:
        try:
            found = await self.trade.find_by_id(order_id)
        except RealtimeError:
            return False
        if found is None:
            return False
        self.learn(found.order)
        asked = found.order.cancel_requested_at is not None
        return asked or found.order.status in ("canceled", "pending_cancel")


def declined(error: RealtimeError, label: str) -> Declined:
    """The broker's no, or our own before it left, as a decided refusal."""
    match error:
        case NotSent(retry_after_s=float(wait_s)):
            return Declined("budget_spent", f"{label}: {error.message}", retry_after_s=wait_s)
        case NotSent():
            return Declined("broker_unreachable", error.message, retry_after_s=2.0)
        case RateLimited():
            return Declined(
                "rate_limited",
                error.message,
                retry_after_s=DEFAULT_PAUSE_S
                if error.retry_after_s is None
                else error.retry_after_s,
                reached_broker=True,
            )
        case Refused():
            return Declined(
                "account_refused", error.message, remedy=error.remedy or None, reached_broker=True
            )
        case BrokerError():
            return _of_broker(error)
        case _:
            raise AssertionError(f"not a decided no: {error!r}") from error


def unasked(error: RealtimeError) -> Declined:
    """A question that could not be asked, as a refusal: nothing was sent that could do anything."""
    if isinstance(error, (NotSent, RateLimited, Refused, BrokerError)):
        return declined(error, "")
    return Declined("broker_unreachable", error.message, retry_after_s=2.0)


OF_STATUS = {403: "broker_forbids", 404: "broker_knows_not"}


def _of_broker(error: BrokerError) -> Declined:
    try:
        said = msgspec.json.decode(error.body, type=dict[str, object])
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        said = {"code": error.code, "message": error.message}
    return Declined(
        OF_STATUS.get(error.status, "broker_refuses"),
        str(said.get("message") or error.message),
        alpaca=said,
        reached_broker=True,
    )


def _is_taken(error: RealtimeError) -> bool:
    """Whether the broker says that it has an order of this id."""
    return (
        isinstance(error, BrokerError)
        and error.status == 422
        and b"client_order_id" in error.body
        and b"unique" in error.body
    )
