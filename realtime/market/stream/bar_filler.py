"""Minute bars that were missed during a disconnect: read by REST, sent, marked.

They are sent to every client that subscribed to them, with `"source": "rest"` as an additional
field: a bar is complete in itself, and additional fields are safe with every SDK (MARKET 6).
"""

import asyncio
from collections.abc import Mapping, Sequence

from realtime.broker.market_codec import format_ns, make_element
from realtime.core.timestamps import nanoseconds
from realtime.errors import RealtimeError
from realtime.market.stream.channels import ALL
from realtime.market.stream.hub import StreamHub
from realtime.market.stream.missed import MINUTE_NS, SECOND, Missed
from realtime.market.stream.stream_rest import StreamRest
from realtime.telemetry.log import get_logger

log = get_logger()

FILL_DELAY_S = 5.0
"""After a reconnect, until bars are read: REST has a minute's bar a second after its end."""

MAX_SYMBOLS = 200
"""Symbols in one request."""

MAX_PAGES = 10
"""Pages of 10 000 bars for one request: 500 minutes of 200 symbols."""

BAR_FIELDS = ("o", "h", "l", "c", "v", "n", "vw")


class BarFiller:
    """Fills the bars of one hub."""

    def __init__(self, hub: StreamHub, rest: StreamRest) -> None:
        self._hub = hub
        self._rest = rest
        self._lost_at: float | None = None
        self._bars_at_loss: dict[str, int] = {}

    def note_loss(self) -> None:
        """Note where the bars end: the connection is lost."""
        hub = self._hub
        if any(channel == "bars" for channel, _ in hub.union.wanted):
            self._lost_at = hub.clock()
            for symbol in self._bar_symbols():
                last = hub.last_values.get("b", symbol)
                if last is not None:
                    self._bars_at_loss[symbol] = last.element.time_ns()

    async def run(self) -> None:
        """Read and send the minute bars between the loss and the reconnect."""
        hub, lost_at = self._hub, self._lost_at
        if lost_at is None:
            return
        start_ns = int(lost_at * SECOND) // MINUTE_NS * MINUTE_NS
        end_ns = int(hub.clock() * SECOND) // MINUTE_NS * MINUTE_NS - MINUTE_NS
        self._lost_at = None
        before, self._bars_at_loss = self._bars_at_loss, {}
        await asyncio.sleep(FILL_DELAY_S)
        symbols = self._bar_symbols()
        if end_ns < start_ns or not symbols or hub.stream.kind == "options":
            return
        for first in range(0, len(symbols), MAX_SYMBOLS):
            part = symbols[first : first + MAX_SYMBOLS]
            try:
                await self._fill(part, start_ns, end_ns, before)
            except RealtimeError as error:
                log.warning("market.fill_failed", path=hub.stream.path, reason=error.message)
                hub.missed.add(
                    Missed(channel="bars", symbol=symbol, from_ns=start_ns, to_ns=end_ns)
                    for symbol in part
                )

    async def _fill(
        self, symbols: Sequence[str], start_ns: int, end_ns: int, before: Mapping[str, int]
    ) -> None:
        params = {
            "symbols": ",".join(symbols),
            "timeframe": "1Min",
            "start": format_ns(start_ns),
            "end": format_ns(end_ns),
            "limit": "10000",
        }
        for _ in range(MAX_PAGES):
            body = await self._rest.read("bars", params)
            bars = body.get("bars")
            for symbol, rows in bars.items() if isinstance(bars, dict) else ():
                self._send_bars(symbol, rows, before.get(symbol, 0))
            token = body.get("next_page_token")
            if not isinstance(token, str):
                return
            params["page_token"] = token

    def _send_bars(self, symbol: str, rows: Sequence[Mapping[str, object]], last_ns: int) -> None:
        hub = self._hub
        last = hub.last_values.get("b", symbol)
        arrived_ns = 0 if last is None else last.element.time_ns()
        rows = [row for row in rows if last_ns < nanoseconds(str(row.get("t"))) != arrived_ns]
        if not rows:
            return
        times = [nanoseconds(str(row["t"])) for row in rows]
        hub.publish(
            [
                make_element(
                    {
                        "T": "b",
                        "S": symbol,
                        **{name: row[name] for name in BAR_FIELDS if name in row},
                        "t": row["t"],
                        "source": "rest",
                    }
                )
                for row in rows
            ]
        )
        if last is not None and arrived_ns > times[-1]:
            hub.last_values.update([last.element], last.received_at)
        hub.missed.add(
            [
                Missed(
                    channel="bars",
                    symbol=symbol,
                    from_ns=times[0],
                    to_ns=times[-1],
                    count=len(rows),
                    is_repaired=True,
                )
            ]
        )
        log.info("market.bars_filled", path=hub.stream.path, symbol=symbol, bars=len(rows))

    def _bar_symbols(self) -> list[str]:
        names = {name for channel, name in self._hub.union.wanted if channel == "bars"}
        if ALL in names:
            names |= set(self._hub.last_values.symbols())
        return sorted(names - {ALL})
