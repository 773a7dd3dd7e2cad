"""Where the prices for marks come from: the shared streams, and REST for what a plan leaves out.

The daemon is one more client of its own streams: the symbols that accounts hold are subscribed like
any other client's, on the same connections. A basic plan has 30 symbols for everything: then only
the largest positions are streamed, and the last trades of the others are read by REST, in turn.
"""

import asyncio
from collections.abc import Iterable, Mapping

import msgspec
from msgspec import Struct

from realtime.core.model import Symbol
from realtime.core.timestamps import nanoseconds
from realtime.errors import RealtimeError
from realtime.market.marks.engine import MarkEngine
from realtime.market.marks.ticks import exact
from realtime.market.rest.reader import DataQuery
from realtime.market.stream.channels import Pairs, Rejected
from realtime.market.stream.client import Batch, StreamClient
from realtime.market.stream.hub import HubState
from realtime.market.stream.market_streams import MarketStreams
from realtime.market.symbols import ROOTS, AssetClass, latest_part, normalize_symbol
from realtime.telemetry.log import get_logger

log = get_logger()

UPDATE_S = 2.0
"""Between two looks at what accounts hold."""

POLL_S = 15.0
"""How often the last trades of symbols without a stream are read: as long as a stock's price counts
as fresh."""

SYMBOLS_PER_READ = 100

BASIC_SYMBOLS = 10
"""Streamed symbols on a basic plan, if the configuration reserves no number."""

DOWN: frozenset[HubState] = frozenset({"waiting", "occupied", "refused"})
"""States of a stream in which it delivers nothing, and will not at once."""

CLASSES: Mapping[str | None, AssetClass] = {"crypto": "crypto", "us_option": "options"}
"""The broker's name of an asset class → that of the market-data API; the others are stocks."""

CHANNELS: Mapping[AssetClass, tuple[str, ...]] = {
    "stocks": ("trades", "statuses"),
    "crypto": ("trades",),
    "options": ("trades",),
}
"""Corrections and cancellations come with trades."""


class FeedStatus(Struct, frozen=True, kw_only=True):
    """Where prices come from: numbers of symbols."""

    streamed: int = 0
    polled: int = 0
    unknown: int = 0
    """With a spelling that the market-data API does not have."""
    refused: str | None = None
    """Why the broker refused subscriptions; None if it did not."""


class _LatestTrade(Struct):
    p: float
    t: str


class _LatestTrades(Struct):
    trades: dict[str, _LatestTrade | None] = {}


_decode_latest = msgspec.json.Decoder(_LatestTrades).decode


class _NoPort:
    """The connection of a client inside this process: nothing is written to it."""

    def write(self, frames: bytes) -> None:
        """Control messages are for other clients."""

    def unsent_bytes(self) -> int:
        """Nothing ever waits."""
        return 0

    def wake(self) -> None:
        """Nothing ever waits."""

    def refuse(self, code: int) -> None:
        """Marks go on with what reads show; the status of the stream reports the refusal."""

    def close(self) -> None:
        """The daemon stops."""


class _EngineClient(StreamClient):
    """Passes elements to the engine as they are: nothing is encoded."""

    def __init__(self, engine: MarkEngine) -> None:
        super().__init__(_NoPort(), "msgpack", is_internal=True)
        self._engine = engine

    def deliver(self, batch: Batch) -> None:
        self._engine.handle_elements(batch.elements)


class PriceFeed:
    """Keeps the engine supplied with the prices of everything that is held."""

    def __init__(self, engine: MarkEngine, streams: MarketStreams) -> None:
        self.status = FeedStatus()
        self._engine = engine
        self._streams = streams
        self._clients: dict[AssetClass, _EngineClient] = {}
        self._polled: dict[AssetClass, list[str]] = {}
        self._refused: str | None = None

    async def run(self) -> None:
        """Follow what is held, until cancelled."""
        await self._streams.wait_probed()
        loop = asyncio.get_running_loop()
        poll_at = loop.time()
        while True:
            self._engine.feed = self._streams.entitlement.feed or "iex"
            await self.update()
            if loop.time() >= poll_at:
                poll_at = loop.time() + POLL_S
                await self._poll()
            await asyncio.sleep(UPDATE_S)

    def close(self) -> None:
        """Leave the streams."""
        for kind, client in self._clients.items():
            hub = self._streams.get_hub_of(kind)
            if client in hub.relay.clients:
                hub.leave(client)

    async def update(self) -> None:
        """Subscribe what is held now, and unsubscribe what is not."""
        wanted, unknown = self._select()
        limit = self._limit()
        streamed = polled = 0
        self._refused = None
        for kind in ("stocks", "crypto", "options"):
            names = wanted.get(kind, {})
            chosen = names if limit is None else self._largest(names, limit)
            if limit is not None:
                limit -= len(chosen)
            await self._subscribe(kind, chosen)
            if self._is_down(kind):
                chosen = {}
            self._polled[kind] = [name for name in names if name not in chosen]
            streamed += len(chosen)
            polled += len(self._polled[kind])
        self.status = FeedStatus(
            streamed=streamed, polled=polled, unknown=unknown, refused=self._refused
        )

    def _select(self) -> tuple[dict[AssetClass, dict[str, Symbol]], int]:
        """Class → symbol as the market-data API spells it → as positions spell it."""
        wanted: dict[AssetClass, dict[str, Symbol]] = {}
        unknown = 0
        for symbol, asset_class in self._engine.classes.items():
            kind = CLASSES.get(asset_class, "stocks")
            name = normalize_symbol(kind, symbol)
            if name is None:
                unknown += 1
            else:
                wanted.setdefault(kind, {})[name] = symbol
        return wanted, unknown

    def _limit(self) -> int | None:
        if self._streams.entitlement.plan != "basic":
            return None
        return self._streams.settings.reserve or BASIC_SYMBOLS

    def _largest(self, names: Mapping[str, Symbol], count: int) -> dict[str, Symbol]:
        ranked = sorted(names, key=lambda n: (-self._engine.exposure(names[n]), n))
        return {name: names[name] for name in ranked[:count]}

    def _is_down(self, kind: AssetClass) -> bool:
        """Whether the stream delivers nothing, so that all its prices are read by REST."""
        client = self._clients.get(kind)
        return client is not None and self._streams.get_hub_of(kind).status.state in DOWN

    async def _subscribe(self, kind: AssetClass, names: Iterable[str]) -> None:
        wanted: Pairs = frozenset((channel, name) for name in names for channel in CHANNELS[kind])
        if kind not in self._clients and not wanted:
            return  # no connection without need
        hub, client = self._streams.get_hub_of(kind), self._clients.get(kind)
        if client is None or client not in hub.relay.clients:  # the first time, or another feed
            client = self._clients[kind] = _EngineClient(self._engine)
            hub.join(client)
        if gone := client.pairs - wanted:
            hub.unsubscribe(client, gone)
        if new := wanted - client.pairs:
            try:
                await hub.subscribe(client, new)
            except Rejected as error:
                self._refused = f"{kind}: {error.text} ({error.code})"

    async def _poll(self) -> None:
        """Read the last trades of what is not streamed; a failure is repeated with the next."""
        for kind, names in self._polled.items():
            for start in range(0, len(names), SYMBOLS_PER_READ):
                try:
                    await self._read(kind, names[start : start + SYMBOLS_PER_READ])
                except (RealtimeError, msgspec.MsgspecError) as error:
                    log.debug("marks.prices_not_read", kind=kind, reason=str(error))
                    return

    async def _read(self, kind: AssetClass, names: list[str]) -> None:
        params = [("symbols", ",".join(names))]
        if kind == "stocks":
            params.append(("feed", self._engine.feed))
        path = f"{ROOTS[kind]}/{latest_part(kind, 'trades')}"
        answer = await self._streams.reader.get(DataQuery(path, tuple(params), "latest"))
        if answer.status != 200:
            log.debug("marks.prices_not_read", kind=kind, reason=f"status {answer.status}")
            return
        for name, trade in _decode_latest(answer.body).trades.items():
            if trade is not None:
                symbol = Symbol(name.replace("/", ""))
                self._engine.set_latest_trade(symbol, exact(trade.p), nanoseconds(trade.t))
