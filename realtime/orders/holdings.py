"""What an account holds, as far as a closing may rely on it.

The quantity comes from the broker's list, never from a count. But the list may lag a fill by
seconds, and what is sold already must not be sold again: it counts only if nothing speaks against
it.
"""

from collections.abc import Callable

from realtime.core.decimals import number
from realtime.core.model import Position
from realtime.core.state import LAG_S
from realtime.errors import RealtimeError
from realtime.orders.errors import Declined
from realtime.orders.order_client import OrderClient, unasked


class Holdings:
    """Of all accounts. `clock` gives epoch seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._closed_at: dict[tuple[str, str], float] = {}
        """account and symbol → when a position was last closed through here"""

    def closes(self, order_client: OrderClient, position: Position) -> None:
        """Note that a position is being closed now."""
        self._closed_at[order_client.label, position.symbol] = self._clock()

    async def position(self, order_client: OrderClient, symbol: str) -> Position:
        """A position as it is now, by its symbol or asset id. Raises `Declined`."""
        try:
            held = await order_client.trade.fetch_positions()
        except RealtimeError as error:
            raise unasked(error) from error
        wanted = symbol.replace("/", "").upper()
        for position in held:
            if position.symbol == wanted or position.asset_id == symbol:
                return self._settled(order_client, position)
        raise Declined(
            "broker_knows_not",
            f"position does not exist: {symbol[:32]}",
            alpaca={"code": 40410000, "message": "position does not exist"},
            reached_broker=True,
        )

    def _settled(self, order_client: OrderClient, position: Position) -> Position:
        told = order_client.held(position.symbol) if order_client.held is not None else None
        closed_at = self._closed_at.get((order_client.label, position.symbol), -LAG_S)
        if told is None and self._clock() - closed_at >= LAG_S:
            return position
        if told is not None and number(told.qty) == number(position.qty):
            return position
        raise Declined(
            "position_unsettled",
            f"the broker's list says {position.qty} {position.symbol}, "
            + (f"its stream {told.qty}" if told else "and it was closed a moment ago"),
            remedy="the list may lag by ten seconds: ask again",
            retry_after_s=LAG_S,
        )
