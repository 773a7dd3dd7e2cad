"""Market data from your own program, without the daemon: the same cache, budget and streams.

    async with realtime.MarketData.from_config("accounts.toml") as market:
        bars = await market.get_bars("AAPL", timeframe="1Day", limit=100)
        async for message in market.stream(["AAPL", "BTC/USD"], streams=["trades"]):
            if message["type"] == "trade":  # others: "link", "error" …
                print(message["symbol"], message["price"])

`Accounts` has the same methods. The key is that of `[market] account`, or ALPACA_PERSONAL_KEY_ID
and its secret, or that of the first enabled paper account. Numbers are exact decimals.
"""

import asyncio
import os
import random
import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from datetime import date, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self, TypeVar

import aiohttp
import msgspec
from msgspec import Struct

from realtime.config import Settings, load
from realtime.config.keys import SecretsFile, find_key
from realtime.config.market_section import MarketSection, read_market
from realtime.config.problems import InvalidConfig
from realtime.config.settings import MarketSettings
from realtime.errors import BrokerError, LinkError, ProtocolViolation, RealtimeError
from realtime.market.rest.bars import read_bars, refusal
from realtime.market.rest.latest_values import (
    Failure,
    Field,
    LatestQuery,
    LatestValue,
    UnknownSymbol,
)
from realtime.market.rest.reader import ANY_FRESH
from realtime.market.stream.message_queue import MessageQueue
from realtime.market.symbols import FORMS, class_of, normalize_symbol
from realtime.market.values import Bar, Quote, Snapshot, Trade
from realtime.runtime.environment import Environment, make_connector
from realtime.runtime.market import Market, open_market
from realtime.runtime.open_accounts import ContextTask

T = TypeVar("T", bound=Struct)

MAX_BARS = 1_000_000
"""A hundred pages: half of the free plan's requests of a minute."""

Moment = datetime | date | str


class MarketReads:
    """Reads and streams with one key; a subclass opens the connection."""

    async def _get_market(self) -> Market:
        raise NotImplementedError

    async def get_bars(
        self,
        symbol: str,
        timeframe: str = "1Day",
        limit: int = 100,
        start: Moment | None = None,
        end: Moment | None = None,
        adjustment: str = "raw",
        feed: str | None = None,
    ) -> list[Bar]:
        """Read up to `limit` bars in the order of time: from `start` on, or the newest ones without
        it. Raises `BrokerError` for a refusal, such as that of a feed without the entitlement."""
        if not 1 <= limit <= MAX_BARS:
            raise ValueError(f"limit: expected 1 to {MAX_BARS}, got {limit}")
        name, asset_class = _parse(symbol)
        params = {"timeframe": timeframe}
        params |= {} if start is None else {"start": _format(start)}
        params |= {} if end is None else {"end": _format(end)}
        if asset_class == "stocks":
            params |= {"adjustment": adjustment} | ({} if feed is None else {"feed": feed})
        market = await self._get_market()
        return await read_bars(market.rest.reader, asset_class, name, limit, params)

    async def get_quote(self, symbol: str, *, feed: str | None = None) -> Quote:
        """Read the latest quote. Raises as `get_bars`."""
        return _value(await self.get_quotes([symbol], feed=feed))

    async def get_quotes(
        self, symbols: Iterable[str], *, feed: str | None = None
    ) -> dict[str, Quote | RealtimeError]:
        """Read the latest quotes, of any classes; the error of a symbol is its result."""
        return await self._read_latest("quote", Quote, symbols, feed)

    async def get_trade(self, symbol: str, *, feed: str | None = None) -> Trade:
        """Read the latest trade. Raises as `get_bars`."""
        return _value(await self.get_trades([symbol], feed=feed))

    async def get_trades(
        self, symbols: Iterable[str], *, feed: str | None = None
    ) -> dict[str, Trade | RealtimeError]:
        """Read the latest trades; as `get_quotes`."""
        return await self._read_latest("trade", Trade, symbols, feed)

    async def get_snapshot(self, symbol: str, *, feed: str | None = None) -> Snapshot:
        """Read the snapshot of a symbol. Raises as `get_bars`."""
        return _value(await self.get_snapshots([symbol], feed=feed))

    async def get_snapshots(
        self, symbols: Iterable[str], *, feed: str | None = None
    ) -> dict[str, Snapshot | RealtimeError]:
        """Read snapshots; as `get_quotes`."""
        return await self._read_latest("snapshot", Snapshot, symbols, feed)

    async def stream(
        self,
        symbols: Iterable[str],
        streams: Sequence[str] = ("trades", "quotes"),
    ) -> AsyncIterator[dict[str, Any]]:
        """Yield messages as they arrive: flat objects as on `/market/stream`, see docs/market.md.

        It reconnects by itself. A program that does not keep up gets the newest quote of each
        symbol; raises `LinkError` when too much else waits, and for a refused subscription.
        """
        market = await self._get_market()
        names = [_parse(symbol)[0] for symbol in symbols]
        await market.streams.wait_probed()
        queue = MessageQueue(
            market.streams.get_hub_of, max_subscriptions=market.streams.settings.max_subscriptions
        )
        try:
            await queue.subscribe(names, streams)
            while True:
                yield await queue.receive()
        finally:
            queue.close()

    async def _read_latest(
        self, field: Field, kind: type[T], symbols: Iterable[str], feed: str | None
    ) -> dict[str, T | RealtimeError]:
        market = await self._get_market()
        texts = {text: _parse(text) for text in symbols}
        values: dict[str, LatestValue | Failure] = {}
        for asset_class in {found[1] for found in texts.values()}:
            names = [name for name, of in texts.values() if of == asset_class]
            wanted = feed or await market.rest.get_default_feed(asset_class)
            query = LatestQuery(asset_class, field, None if asset_class == "crypto" else wanted)
            values |= await market.rest.latest.read(query, names, ANY_FRESH)
        return {text: _decode(values[name], kind, name) for text, (name, _) in texts.items()}


class MarketData(MarketReads):
    """Market data alone. Use as `async with`, or with `open` and `close`."""

    def __init__(self, settings: MarketSettings, environment: Environment | None = None) -> None:
        self._connection = MarketConnection(lambda: settings, environment or make_environment())

    @classmethod
    def from_config(
        cls, path: str | Path | None = None, *, environ: Mapping[str, str] = os.environ
    ) -> Self:
        """Read `accounts.toml` and the keys as the daemon does. Raises `ConfigError`."""
        settings = load(None if path is None else Path(path), environ=environ)
        return cls(find_market_settings(settings, environ))

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] = os.environ) -> Self:
        """Use ALPACA_PERSONAL_KEY_ID and its secret, without a file. Raises `ConfigError`."""
        return cls(_read_settings((), Path("accounts.toml"), environ))

    @classmethod
    async def open(
        cls, path: str | Path | None = None, *, environ: Mapping[str, str] = os.environ
    ) -> Self:
        """Read the configuration as `from_config`, and open it until `close`."""
        return await cls.from_config(path, environ=environ).__aenter__()

    async def close(self) -> None:
        """Close all connections. May be called again."""
        await self._connection.close()

    async def __aenter__(self) -> Self:
        await self._connection.get()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def _get_market(self) -> Market:
        return await self._connection.get()


class MarketConnection:
    """Market data that is opened with its first use."""

    def __init__(
        self, get_settings: Callable[[], MarketSettings], environment: Environment
    ) -> None:
        self._get_settings = get_settings
        self._environment = environment
        self._lock = asyncio.Lock()
        self._open: tuple[ContextTask[Market], Market] | None = None

    async def get(self) -> Market:
        """Return the open market data. Raises `ConfigError` if there is no key for it."""
        async with self._lock:
            if self._open is None:
                context = open_market(self._get_settings(), self._environment)
                self._open = await ContextTask.open(context)
            return self._open[1]

    async def close(self) -> None:
        """Close it if it is open."""
        async with self._lock:
            opened, self._open = self._open, None
            if opened is not None:
                await opened[0].close()


def find_market_settings(
    settings: Settings, environ: Mapping[str, str] = os.environ
) -> MarketSettings:
    """Return the section `[market]`, or its defaults with the key that it would have. Raises
    `ConfigError` without a key."""
    return settings.market or _read_settings(settings.accounts, settings.path, environ)


def make_environment(
    clock: Callable[[], float] = time.time,
    rng: random.Random | None = None,
    connector: Callable[[], aiohttp.BaseConnector] = make_connector,
) -> Environment:
    """Return the environment of a program that uses the library."""
    return Environment(
        clock=clock, rng=rng or random.Random(os.urandom(32)), make_connector=connector
    )


def _read_settings(accounts: Any, path: Path, environ: Mapping[str, str]) -> MarketSettings:
    secrets = SecretsFile(path=path.with_name("secrets.toml"), found=False)
    found, problems = read_market(
        MarketSection(),
        accounts,
        environ,
        beside=path,
        find_key=lambda label: find_key(label, secrets, environ),
    )
    if found is None:
        raise InvalidConfig(problems)
    return found


def _parse(symbol: str) -> tuple[str, Literal["stocks", "options", "crypto"]]:
    """Return a symbol as the broker spells it, and its class. Raises `ValueError`."""
    asset_class = class_of(symbol)
    name = normalize_symbol(asset_class, symbol)
    if name is None:
        raise ValueError(f"{symbol[:40]!r} is no symbol: expected {FORMS[asset_class]}")
    return name, asset_class


def _format(moment: Moment) -> str:
    if isinstance(moment, str):
        return moment
    if isinstance(moment, datetime) and moment.tzinfo is None:
        raise ValueError("a time needs its zone: datetime(…, tzinfo=UTC)")
    return moment.isoformat()


def _decode(value: LatestValue | Failure, kind: type[T], symbol: str) -> T | RealtimeError:
    match value:
        case LatestValue():
            try:
                return msgspec.json.decode(value.raw, type=kind)
            except msgspec.DecodeError as error:
                return ProtocolViolation(f"{symbol} cannot be read: {error}")
        case UnknownSymbol():
            name = kind.__name__.lower()
            return BrokerError(
                f"the broker has no {name} of {symbol}", status=404, code=None, body=b""
            )
        case LinkError():
            return value
        case _:
            return refusal(value)


def _value(results: Mapping[str, T | RealtimeError]) -> T:
    (result,) = results.values()
    if isinstance(result, RealtimeError):
        raise result
    return result
