"""How much a close may sell: reads the position, and reserves the quantity before it is sent.

The quantity comes from the broker's list of the moment, less what earlier closes will still sell
(`close_tracker.py`). Any order that is marked as closing (`position_intent`), or has a leg that is,
goes this way.
"""

import asyncio
from collections.abc import Callable, Sequence
from decimal import Decimal

from msgspec import Struct

from realtime.core.decimals import number, plain
from realtime.core.model import Order, Position, position_symbol
from realtime.core.state import LAG_S
from realtime.errors import RealtimeError
from realtime.orders.close_tracker import LOST_AFTER_S, CloseTracker, Reduction
from realtime.orders.derived_orders import build_closing_order
from realtime.orders.errors import Declined, malformed
from realtime.orders.idempotency import OrderRecord
from realtime.orders.order_client import OrderClient, to_read_refusal
from realtime.orders.order_parts import OrderPart, split_order
from realtime.orders.order_request import OrderRequest
from realtime.orders.symbols import is_order_id, is_symbol

MAX_LOOKUPS = 5
"""Closes of one position whose end is looked up at the broker, by a request each, before the
next."""


MAX_OPEN_ORDERS = 500
"""Length of the broker's list of open orders."""


class OpenPosition(Struct, frozen=True):
    """A position as the broker's list shows it."""

    position: Position
    read_at: float
    """When the list was requested, epoch seconds."""


class Reservation(Struct, frozen=True):
    """A part of an order that closes a position, before it is counted."""

    held: OpenPosition
    part: OrderPart
    left: Decimal
    """How much is left to close, this part included."""


class CloseReservations:
    """Decides how much a close may sell, and counts it. `clock` gives epoch seconds."""

    def __init__(
        self,
        tracker: CloseTracker,
        clock: Callable[[], float],
        record_found: Callable[[OrderRecord, Order], None],
    ) -> None:
        self._tracker = tracker
        self._clock = clock
        self._record_found = record_found

    async def read_position(self, order_client: OrderClient, symbol: str) -> OpenPosition:
        """Read a position, by its symbol or asset id, and what became of its earlier closes.

        Raises `Declined` if there is none, or it cannot be read.
        """
        (held,) = await self.read_positions(order_client, (symbol,))
        return held

    async def read_positions(
        self, order_client: OrderClient, symbols: Sequence[str]
    ) -> list[OpenPosition]:
        """Read several positions of one list; see `read_position`."""
        for symbol in symbols:
            if not is_symbol(symbol) and not is_order_id(symbol.lower()):
                raise _no_position(symbol, reached_broker=False)
        for symbol in symbols:
            await self._update_closes(order_client, position_symbol(symbol.upper()))
        read_at = self._clock()
        try:
            positions = await order_client.api.fetch_positions()
        except RealtimeError as error:
            raise to_read_refusal(error) from error
        held = [self._find(order_client, positions, symbol) for symbol in symbols]
        for position, symbol in zip(held, symbols, strict=True):
            if position.symbol != position_symbol(symbol.upper()):
                await self._update_closes(order_client, position.symbol)
        return [OpenPosition(position, read_at) for position in held]

    def _find(
        self, order_client: OrderClient, positions: Sequence[Position], symbol: str
    ) -> Position:
        name = position_symbol(symbol.upper())
        for position in positions:
            if number(position.qty) and (
                position.symbol == name or position.asset_id == symbol.lower()
            ):
                return position
        self._tracker.check_absent(order_client.label, name)
        raise _no_position(symbol, reached_broker=True)

    def build_close(
        self,
        order_client: OrderClient,
        record: OrderRecord,
        held: OpenPosition,
        *,
        qty: Decimal | None,
        percentage: Decimal | None,
        allows_less: bool,
    ) -> tuple[OrderRequest, Reservation]:
        """Return the order that closes a position, or part of it, and what it reserves.

        Raises `Declined`. Nothing may be awaited between this and `reserve`.
        """
        position = held.position
        wants_all = qty is None and percentage is None and not allows_less
        left = self._get_left(order_client, record, held, wants_all=wants_all)
        size = abs(number(position.qty))
        if qty is not None and left < qty <= size:
            raise self._too_much(position, qty, left)
        if qty is None and percentage is None and left < size:
            qty = left
        request = build_closing_order(position, qty=qty, percentage=percentage)
        assert request.qty is not None, "a closing order has a quantity"
        if request.qty > left:
            raise self._too_much(position, request.qty, left)
        (part,) = split_order(request)
        return request, Reservation(held, part, left)

    def check_close(
        self, order_client: OrderClient, record: OrderRecord, held: OpenPosition, part: OrderPart
    ) -> Reservation:
        """Return what a part that is marked as closing reserves, if it may leave.

        Raises `Declined`. Nothing may be awaited between this and `reserve`.
        """
        position = held.position
        side = "sell" if number(position.qty) > 0 else "buy"
        if part.side != side:
            raise malformed(
                f"a close of {position.qty} {position.symbol} is a {side}", field="side"
            )
        if part.qty is None:
            raise malformed("an order that closes a position needs a quantity", field="qty")
        size = abs(number(position.qty))
        if part.qty > size:
            raise malformed(f"at most {plain(size)} can be closed", field="qty")
        left = self._get_left(order_client, record, held, wants_all=False)
        if part.qty > left:
            raise self._too_much(position, part.qty, left)
        return Reservation(held, part, left)

    def reserve(self, record: OrderRecord, reservation: Reservation) -> None:
        """Count a close before it is sent."""
        self._tracker.reserve(record, reservation.part, left=reservation.left)

    def check(self, record: OrderRecord, symbol: str) -> None:
        """Raise `Declined` if a close no longer fits: the last moment before it leaves."""
        self._tracker.check(record, symbol)

    def _get_left(
        self,
        order_client: OrderClient,
        record: OrderRecord,
        held: OpenPosition,
        *,
        wants_all: bool,
    ) -> Decimal:
        by_stream = order_client.get_position and order_client.get_position(held.position.symbol)
        return self._tracker.get_left(
            record,
            held.position,
            read_at=held.read_at,
            stream_qty=by_stream.qty if by_stream else None,
            wants_all=wants_all,
        )

    @staticmethod
    def _too_much(position: Position, qty: Decimal, left: Decimal) -> Declined:
        return Declined(
            "position_unsettled",
            f"{plain(qty)} of {position.qty} {position.symbol} cannot be closed: "
            f"earlier closes leave {plain(left)}",
            remedy="wait until they are filled, or cancel them",
            retry_after_s=10.0,
        )

    async def _update_closes(self, order_client: OrderClient, symbol: str) -> None:
        """Learn what became of earlier closes: from the state, else from the broker."""
        is_current = order_client.get_position is not None and (
            order_client.get_position(symbol) is not None
        )
        to_look_up = []
        for reduction in self._tracker.get_unsettled(order_client.label, symbol):
            record = reduction.record
            order = order_client.find_in_state(record.client_order_id)
            if order is not None and (is_current or order.is_closed):
                if record.state == "unknown" and record.task is None:
                    self._record_found(record, order)
                reduction.update(order, self._clock())
            elif record.task is None:
                to_look_up.append(reduction)
        if len(to_look_up) > MAX_LOOKUPS:
            to_look_up = await self._remove_ended(order_client, to_look_up)
        await asyncio.gather(
            *(self._look_up(order_client, r, symbol) for r in to_look_up[:MAX_LOOKUPS])
        )

    async def _remove_ended(
        self, order_client: OrderClient, reductions: list[Reduction]
    ) -> list[Reduction]:
        """End closes that are not among the broker's open orders, and return the others.

        After a restart there may be many, of which the journal shows the start and not the end.
        A list lags too, so it says nothing of recent orders.
        """
        read_at = self._clock()
        try:
            orders = await order_client.api.fetch_open_orders()
        except RealtimeError:
            return reductions
        if len(orders) >= MAX_OPEN_ORDERS:
            return reductions  # there may be more
        open_ids = {order.client_order_id for order in orders}
        remaining = []
        for reduction in reductions:
            record = reduction.record
            is_old = max(record.sent_at, record.answered_at) + 2 * LAG_S <= read_at
            if record.state == "placed" and is_old and record.client_order_id not in open_ids:
                reduction.end()
            else:
                remaining.append(reduction)
        return remaining

    async def _look_up(self, order_client: OrderClient, reduction: Reduction, symbol: str) -> None:
        record = reduction.record
        try:
            response = await order_client.look_up(record.client_order_id)
        except RealtimeError:
            return  # it goes on counting in full
        if response is not None:
            self._record_found(record, response.order)
            reduction.update(response.order, self._clock())
        elif record.sent_at + LOST_AFTER_S < self._clock():
            self._tracker.remove(record, symbol)


def _no_position(symbol: str, *, reached_broker: bool) -> Declined:
    return Declined(
        "broker_knows_not",
        f"position does not exist: {symbol[:32]}",
        alpaca={"code": 40410000, "message": "position does not exist"},
        reached_broker=reached_broker,
    )
