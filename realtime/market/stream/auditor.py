"""Compares one stream with REST while it is connected, and repairs by REST what it can.

A symbol that is silent while REST moves is subscribed again; if nothing arrives at all, the
connection is deaf and replaced. Trades of the last half minute are compared by their ids, in turns.
What was missed during a disconnect is filled by `bar_filler.py`.
"""

import asyncio
from collections.abc import Collection, Iterable, Mapping, Sequence

from realtime.broker.market_codec import Element, format_ns, make_element
from realtime.core.timestamps import nanoseconds
from realtime.errors import Deaf, RealtimeError
from realtime.market.rest.reader import RestReader
from realtime.market.stream.bar_filler import BarFiller
from realtime.market.stream.channels import ALL
from realtime.market.stream.hub import StreamHub
from realtime.market.stream.missed import MINUTE_NS, SECOND, Missed, is_behind
from realtime.market.stream.stream_rest import StreamRest
from realtime.market.symbols import latest_part
from realtime.telemetry.log import get_logger

log = get_logger()

CHECK_INTERVAL_S = 8.0
"""Between two checks. A silent symbol is found by the second one at the latest: within 22 s."""

SILENT_S = 6.0
"""A symbol without an element for this long is compared with REST."""

MAX_SYMBOLS = 200
"""Symbols compared in one check; others follow in the next."""

AUDITED_SYMBOLS = 30
"""Symbols whose trades are compared in one check: those of a free plan at once."""

AUDIT_FROM_S, AUDIT_UNTIL_S = 35.0, 5.0
"""The window of such a comparison, before now. Windows overlap: checks are every 8 s."""

REFRESH_INTERVAL_S = 60.0
"""A symbol is subscribed again at most this often; REST may have what no stream sends."""

DEAF_S = 15.0
"""No element at all for this long, while REST moves: the connection is deaf."""

COMPARED_FEEDS = frozenset({"iex", "sip", "us", "us-1", "eu-1", "opra", "indicative"})
"""Feeds whose REST values are as recent as the stream's."""
AUDITED_FEEDS = frozenset({"iex", "sip", "us", "us-1", "eu-1"})
"""Feeds whose trades have ids."""


class StreamAuditor:
    """Checks one hub. Times are those of the hub's clock."""

    def __init__(self, hub: StreamHub, reader: RestReader) -> None:
        self._hub = hub
        self._rest = StreamRest(hub.stream, reader)
        self._filler = BarFiller(hub, self._rest)
        self._refreshed_at: dict[str, float] = {}
        self._turn = 0
        """Checks since the start: by it the symbols of the next one are chosen."""
        self._observed: dict[tuple[str, str], int] = {}
        """Channel and symbol → the time of REST's newest value at its last check."""
        self._reported: dict[object, None] = {}
        """Ids of trades that were reported, the newest."""

    async def run(self) -> None:
        """Check while the connection lasts. Raises `Deaf`; notes where the bars end."""
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._filler.run(), name="market:fill")
                if self._hub.stream.feed in COMPARED_FEEDS:
                    await self._check_forever()
        finally:
            self._filler.note_loss()

    async def _check_forever(self) -> None:
        while True:
            await asyncio.sleep(CHECK_INTERVAL_S)
            self._turn += 1
            try:
                await self._compare_latest()
                if self._hub.stream.feed in AUDITED_FEEDS:
                    await self._compare_trades()
            except Deaf:
                raise
            except RealtimeError as error:
                log.debug("market.check_failed", path=self._hub.stream.path, reason=str(error))

    # -- silent symbols --------------------------------------------------------------------------

    async def _compare_latest(self) -> None:
        """Compare the newest element of silent symbols with REST's."""
        hub, now = self._hub, self._hub.clock()
        behind: list[Missed] = []
        for channel, kind in (("trades", "t"), ("quotes", "q"), ("bars", "b")):
            silent = self._find_silent(channel, kind, now)
            if not silent:
                continue
            latest = await self._read_latest(channel, list(silent))
            now_ns = int(hub.clock() * SECOND)
            for symbol, stream_ns in silent.items():
                # Elements may have arrived while REST was read.
                last = hub.last_values.get(kind, symbol)
                stream_ns = max(stream_ns, 0 if last is None else last.element.time_ns())
                rest_ns = latest.get(symbol, 0)
                age_ns = MINUTE_NS if kind == "b" else 0  # a bar is labeled by its start
                seen_ns = self._observed.get((channel, symbol), 0)
                # REST may show the bar of the running minute.
                if kind != "b" or rest_ns + age_ns <= now_ns:
                    self._observed[channel, symbol] = rest_ns
                if is_behind(stream_ns, rest_ns, now_ns - age_ns, observed_ns=seen_ns):
                    behind.append(
                        Missed(channel=channel, symbol=symbol, from_ns=stream_ns, to_ns=rest_ns)
                    )
        if behind:
            self._handle_behind(behind)

    def _find_silent(self, channel: str, kind: str, now: float) -> dict[str, int]:
        """Return silent symbols → the time of their newest element, or of their subscription."""
        hub = self._hub
        silent: dict[str, int] = {}
        for acked_channel, name in sorted(hub.plan.acked):
            if acked_channel != channel:
                continue
            acked_at = hub.acked_at.get((channel, name), (now, 0))[0]
            for symbol in hub.last_values.symbols() if name == ALL else [name]:
                last = hub.last_values.get(kind, symbol)
                seen_at = max(acked_at, 0.0 if last is None else last.received_at)
                if now - seen_at > SILENT_S:
                    last_ns = 0 if last is None else last.element.time_ns()
                    silent[symbol] = max(last_ns, int(acked_at * SECOND))
        if len(silent) > MAX_SYMBOLS:
            names = sorted(silent)
            start = self._turn * MAX_SYMBOLS % len(names)
            silent = {name: silent[name] for name in (names + names)[start : start + MAX_SYMBOLS]}
        return silent

    async def _read_latest(self, channel: str, symbols: Sequence[str]) -> dict[str, int]:
        """Return symbol → the time of REST's newest trade, quote or bar."""
        kind = self._hub.stream.kind
        if kind == "options" and channel == "bars":
            return {}
        part = latest_part(kind, channel)
        body = await self._rest.read(part, {"symbols": ",".join(symbols)})
        values = body.get(channel)
        if not isinstance(values, dict):
            return {}
        return {
            symbol: nanoseconds(value.get("t")) if isinstance(value, dict) else 0
            for symbol, value in values.items()
        }

    def _handle_behind(self, behind: list[Missed]) -> None:
        hub, now = self._hub, self._hub.clock()
        hub.missed.add(behind)
        last_at = hub.last_element_at or hub.status.since
        if now - max(last_at, hub.status.since) > DEAF_S:
            raise Deaf(f"REST shows {behind[0].symbol} moving; the stream delivers nothing")
        for symbol in {missed.symbol for missed in behind}:
            self._subscribe_again(symbol)

    def _subscribe_again(self, symbol: str) -> None:
        hub, now = self._hub, self._hub.clock()
        if now - self._refreshed_at.get(symbol, -REFRESH_INTERVAL_S) < REFRESH_INTERVAL_S:
            return
        self._refreshed_at[symbol] = now
        pairs = {pair for pair in hub.plan.acked if pair[1] == symbol}
        hub.plan.refresh(pairs or {pair for pair in hub.plan.acked if pair[1] == ALL})
        hub.changed.set()
        log.warning("market.symbol_silent", path=hub.stream.path, symbol=symbol)

    # -- lost trades -----------------------------------------------------------------------------

    async def _compare_trades(self) -> None:
        """Compare the trades of some symbols with REST's, by id."""
        hub, now = self._hub, self._hub.clock()
        names = sorted(name for channel, name in hub.plan.acked if channel == "trades")
        names = [name for name in names if name != ALL] or sorted(hub.last_values.symbols())
        if not names:
            return
        start = self._turn * AUDITED_SYMBOLS % len(names)
        symbols = (names + names)[start : start + min(AUDITED_SYMBOLS, len(names))]
        since, until = now - AUDIT_FROM_S, now - AUDIT_UNTIL_S
        since = max([since, *(self._acked_at(symbol) for symbol in symbols)])
        if until - since < 1.0:
            return
        params = {
            "symbols": ",".join(symbols),
            "start": format_ns(int(since * SECOND)),
            "end": format_ns(int(until * SECOND)),
            "limit": "10000",
        }
        body = await self._rest.read("trades", params)
        known = self._known_ids(set(symbols))
        trades = body.get("trades")
        for symbol, rows in trades.items() if isinstance(trades, dict) else ():
            lost = [row for row in rows if (symbol, row.get("i")) not in known]
            self._report_lost(symbol, [row for row in lost if not self._was_reported(symbol, row)])

    def _acked_at(self, symbol: str) -> float:
        acked = self._hub.acked_at
        at = acked.get(("trades", symbol)) or acked.get(("trades", ALL)) or (self._hub.clock(), 0)
        return at[0] + 1.0

    def _known_ids(self, symbols: Collection[str]) -> set[tuple[str, object]]:
        ring = self._hub.ring
        elements: Iterable[Element] = ring.get_after(ring.first_seq, ring.seq) or ()
        known: set[tuple[str, object]] = set()
        for element in elements:
            if element.symbol in symbols and element.kind in "tcx":
                fields = element.fields()
                known |= {(element.symbol, fields.get(name)) for name in ("i", "oi", "ci")}
        return known

    def _was_reported(self, symbol: str, row: Mapping[str, object]) -> bool:
        key = (symbol, row.get("i"))
        if key in self._reported:
            return True
        self._reported[key] = None
        if len(self._reported) > 10_000:
            del self._reported[next(iter(self._reported))]
        return False

    def _report_lost(self, symbol: str, rows: Sequence[Mapping[str, object]]) -> None:
        if not rows:
            return
        hub = self._hub
        times = [nanoseconds(str(row.get("t"))) for row in rows]
        elements = [make_element({"T": "t", "S": symbol, **row, "source": "rest"}) for row in rows]
        hub.send_to_resumable(elements)
        hub.missed.add(
            [
                Missed(
                    channel="trades",
                    symbol=symbol,
                    from_ns=min(times),
                    to_ns=max(times),
                    count=len(rows),
                    is_repaired=True,
                )
            ]
        )
        log.warning("market.trades_missed", path=hub.stream.path, symbol=symbol, trades=len(rows))
        last = hub.last_values.get("t", symbol)
        if last is None or last.element.time_ns() < min(times):
            self._subscribe_again(symbol)
