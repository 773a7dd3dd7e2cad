"""One account's orders at the broker: sent once, and looked up when the response is lost.

The broker's responses are of three kinds: accepted (the order), rejected (it does not exist and
will not), and none: a timeout, a cut connection, a 5xx. After none the order may exist, so it is
looked up by its `client_order_id`. "Not found" soon after is no proof, so an order that is not
found stays unknown, and is reported so.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Literal

import msgspec

from realtime.broker.order_api import OrderApi, OrderResponse
from realtime.broker.rate_limiter import DEFAULT_PAUSE_S
from realtime.core.model import Order, Position
from realtime.errors import (
    BrokerError,
    EngineHalted,
    EngineUnreachable,
    IntentExists,
    LinkError,
    NotOwner,
    NotSent,
    ProtocolViolation,
    RateLimited,
    RealtimeError,
    Refused,
)
from realtime.orders.errors import Declined, Unresolved, malformed
from realtime.telemetry.log import get_logger

log = get_logger()

LOOKUP_DELAYS_S = (0.0, 0.5, 1.0, 2.0, 4.0)
"""Waits before each lookup of an order whose response is lost."""

RESOLVE_TIMEOUT_S = 12.0
"""Limit of all these lookups together: a caller waits."""

SEARCH_DELAYS_S = (10.0, 20.0, 40.0, 80.0, 160.0, 300.0, 600.0)
"""Waits before each further lookup, after the caller received `Unresolved`."""

MAX_CANCEL_ATTEMPTS = 3
"""Canceling twice does no harm: a lost cancel is sent again while the order still works."""

FindInState = Callable[[str], Order | None]
"""client order id → the order as the stream or a read reported it meanwhile"""

OnOrder = Callable[[Order], None]

OnDoubt = Callable[[str, str | None], None]
"""Called with the client order id of an order whose status is unknown, and with its order id once
it is found."""

GetPosition = Callable[[str], Position | None]
"""symbol → the position by the stream and all reads together; None while that is not known"""


class OrderClient:
    """One account. `on_order` is called with every order that the broker returns."""

    def __init__(
        self,
        label: str,
        api: OrderApi,
        *,
        on_order: OnOrder = lambda order: None,
        find_in_state: FindInState = lambda client_order_id: None,
        get_position: GetPosition | None = None,
        on_doubt: OnDoubt = lambda client_order_id, order_id: None,
    ) -> None:
        self.label = label
        self.api = api
        self.on_order = on_order
        self.find_in_state = find_in_state
        self.get_position = get_position
        self.on_doubt = on_doubt
        self.in_flight = 0
        """Orders and cancels in flight."""

    async def send(
        self,
        client_order_id: str,
        call: Callable[[], Awaitable[OrderResponse]],
        *,
        has_left: Callable[[], bool],
        is_ours: bool,
    ) -> tuple[OrderResponse, bool]:
        """Make the call once; return the order, and whether it had to be looked up.

        `has_left` is called after a failure: what never left is definitely refused. `is_ours`: if
        the broker has an order of this id already, it can only be ours. Raises `Declined` for a
        definite refusal, `Unresolved` if the status is unknown.
        """
        try:
            response = await call()
        except IntentExists as error:
            if not error.is_same:
                raise malformed("client_order_id must be unique") from error
            return await self.resolve(client_order_id, error.message), True
        except (NotSent, RateLimited, Refused, BrokerError) as error:
            if not (is_ours and _is_taken(error)):
                raise to_declined(error, self.label) from error
            return await self.resolve(client_order_id, str(error)), True
        except (LinkError, ProtocolViolation) as error:
            if not has_left():
                raise to_read_refusal(error) from error
            log.warning(
                "order.response_lost",
                account=self.label,
                client_order_id=client_order_id,
                reason=error.message,
            )
            return await self.resolve(client_order_id, error.message), True
        if response.order.client_order_id != client_order_id:
            # Another order's, by a proxy's mistake: it does not say what became of ours.
            reason = f"the response is about order {response.order.client_order_id}"
            return await self.resolve(client_order_id, reason), True
        self.on_order(response.order)
        return response, False

    async def resolve(self, client_order_id: str, reason: str) -> OrderResponse:
        """Look an order up until it is found. Raises `Unresolved`."""
        try:
            async with asyncio.timeout(RESOLVE_TIMEOUT_S):
                for delay_s in LOOKUP_DELAYS_S:
                    await asyncio.sleep(delay_s)
                    if response := await self.find(client_order_id):
                        return response
        except TimeoutError:
            pass
        raise Unresolved(
            f"{reason}; the broker does not know the order, or not yet",
            account_id=self.label,
            client_order_id=client_order_id,
        )

    async def search(self, client_order_id: str) -> OrderResponse | None:
        """Look an order up at growing intervals, for 20 minutes; None if it is not found."""
        for delay_s in SEARCH_DELAYS_S:
            await asyncio.sleep(delay_s)
            if response := await self.find(client_order_id):
                return response
        return None

    async def find(self, client_order_id: str) -> OrderResponse | None:
        """Look an order up once; None if it is not known, or cannot be looked up now."""
        try:
            response = await self.look_up(client_order_id)
        except RealtimeError as error:
            log.debug("order.lookup_failed", account=self.label, reason=error.message)
            response = None
        if response is not None:
            return response
        order = self.find_in_state(client_order_id)
        return None if order is None else OrderResponse(order, None)

    async def look_up(
        self, client_order_id: str, lane: Literal["urgent", "lookup"] = "urgent"
    ) -> OrderResponse | None:
        """Return the broker's order of this id; None if it knows none. Raises `RealtimeError`."""
        response = await self.api.find_by_client_order_id(client_order_id, lane)
        if response is None or response.order.client_order_id != client_order_id:
            return None
        self.on_order(response.order)
        return response

    async def cancel(self, order_id: str) -> None:
        """Cancel an order. Raises `Declined`, or `Unresolved` if the status is unknown."""
        self.in_flight += 1
        try:
            await self._cancel(order_id)
        finally:
            self.in_flight -= 1

    async def _cancel(self, order_id: str) -> None:
        reason = ""
        for delay_s in LOOKUP_DELAYS_S[:MAX_CANCEL_ATTEMPTS]:
            await asyncio.sleep(delay_s)
            try:
                return await self.api.cancel(order_id)
            except (NotSent, RateLimited, Refused, BrokerError) as error:
                if reason and await self._is_canceled(order_id):
                    return None
                raise to_declined(error, self.label) from error
            except LinkError as error:
                reason = error.message
                if await self._is_canceled(order_id):
                    return None
        raise Unresolved(
            f"{reason}; the order may still work", account_id=self.label, client_order_id=None
        )

    async def _is_canceled(self, order_id: str) -> bool:
        try:
            response = await self.api.find_by_id(order_id)
        except RealtimeError:
            return False
        if response is None:
            return False
        self.on_order(response.order)
        is_requested = response.order.cancel_requested_at is not None
        return is_requested or response.order.status in ("canceled", "pending_cancel")


def to_declined(error: RealtimeError, label: str) -> Declined:
    """Return a rejection by the broker, or our own before it left, as a definite refusal."""
    match error:
        case NotOwner():
            return Declined("not_owner", error.message, retry_after_s=error.retry_after_s)
        case EngineUnreachable():
            return Declined("engine_unreachable", error.message, retry_after_s=error.retry_after_s)
        case EngineHalted():
            return Declined("orders_halted", error.message, guard="halted")
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
            return _from_broker(error)
        case _:
            raise AssertionError(f"not a definite refusal: {error!r}") from error


def to_read_refusal(error: RealtimeError) -> Declined:
    """Return the failure of a read as a refusal: nothing was sent that could take effect."""
    if isinstance(error, (NotSent, RateLimited, Refused, BrokerError)):
        return to_declined(error, "")
    return Declined("broker_unreachable", error.message, retry_after_s=2.0)


CODE_OF_STATUS = {403: "broker_forbids", 404: "broker_knows_not"}


def _from_broker(error: BrokerError) -> Declined:
    try:
        document = msgspec.json.decode(error.body, type=dict[str, object])
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        document = {"code": error.code, "message": error.message}
    return Declined(
        CODE_OF_STATUS.get(error.status, "broker_refuses"),
        str(document.get("message") or error.message),
        alpaca=document,
        reached_broker=True,
        broker_status=error.status,
    )


def _is_taken(error: RealtimeError) -> bool:
    """Whether the broker reports that it has an order of this id."""
    return (
        isinstance(error, BrokerError)
        and error.status == 422
        and b"client_order_id" in error.body
        and b"unique" in error.body
    )
