"""The latest trade, quote or snapshot of any number of symbols, in as few requests as possible.

The broker has one request for many symbols. Its response is split into the values of single symbols
(their bytes stay as they are), and these are cached: a batch is answered from what single requests
read before, and the other way round. A symbol that is being read already is waited for.
"""

import asyncio
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Literal

import msgspec
from msgspec import Struct, structs

from realtime.errors import LinkError
from realtime.market.rest.cache import Entry
from realtime.market.rest.reader import (
    CacheRules,
    DataAnswer,
    DataQuery,
    RestReader,
    Source,
    is_usable,
    may_be_stale,
)
from realtime.market.rest.single_flight import wait_for
from realtime.market.symbols import ROOTS, AssetClass, latest_part

Field = Literal["quote", "trade", "snapshot"]

MAX_SYMBOLS: Mapping[AssetClass, int] = {"stocks": 250, "options": 100, "crypto": 100}
"""In one request: 250 of the longest symbols are 6 KB, and servers accept lines of 8 KB. The broker
itself limits snapshots of options to 100."""

MAX_REPAIRS = 5
"""Requests of a batch that are repeated without a symbol that the broker calls invalid."""

_INVALID_SYMBOL = re.compile(r"invalid symbol: (\S{1,24})$")

_members = msgspec.json.Decoder(dict[str, msgspec.Raw])


class LatestQuery(Struct, frozen=True):
    """What is read of each symbol. `feed` and `currency` None: the broker's default."""

    asset_class: AssetClass
    field: Field
    feed: str | None = None
    currency: str | None = None


class LatestValue(Struct, frozen=True, kw_only=True):
    """The value of one symbol in the broker's own JSON. `as_of` is epoch seconds."""

    raw: bytes
    as_of: float
    source: Source
    is_stale: bool = False


class UnknownSymbol(Struct, frozen=True):
    """The broker has no value for a symbol, or calls it invalid."""


Failure = UnknownSymbol | DataAnswer | LinkError
"""Why there is no value: also the broker's refusal, or that it did not respond."""


class LatestReader:
    """Reads latest values with one key: from the streams, from the cache, by REST."""

    def __init__(
        self,
        reader: RestReader,
        get_streamed: Callable[[LatestQuery, str], LatestValue | None] = lambda query, symbol: None,
    ) -> None:
        self._reader = reader
        self._get_streamed = get_streamed

    async def read(
        self, query: LatestQuery, symbols: Iterable[str], rules: CacheRules
    ) -> dict[str, LatestValue | Failure]:
        """Return the value of each symbol, or why there is none. Symbols are normalized."""
        names = list(dict.fromkeys(symbols))
        streamed = {} if rules.no_cache else self._find_streamed(query, names)
        read = await self._read(query, [name for name in names if name not in streamed], rules)
        return {name: streamed.get(name) or read[name] for name in names}

    def _find_streamed(self, query: LatestQuery, symbols: Sequence[str]) -> dict[str, LatestValue]:
        values = {
            symbol: value
            for symbol in symbols
            if (value := self._get_streamed(query, symbol)) is not None
        }
        self._reader.statistics.stream_hits += len(values)
        return values

    async def _read(
        self, query: LatestQuery, names: Sequence[str], rules: CacheRules
    ) -> dict[str, LatestValue | Failure]:
        keys = [self._key(query, symbol) for symbol in names]
        entries = dict(zip(names, await self._reader.read_entries(keys, rules), strict=True))
        now = self._reader.clock()
        results: dict[str, LatestValue | Failure] = {
            symbol: _from_entry(entry)
            for symbol, entry in entries.items()
            if entry is not None and is_usable(entry, rules, now)
        }
        self._reader.statistics.cache_hits += len(results)
        results |= await self._fetch_all(query, [name for name in names if name not in results])
        for symbol, result in results.items():
            entry = entries[symbol]
            if entry is not None and _is_refusal(result) and may_be_stale(entry, rules, now):
                self._reader.statistics.stale_hits += 1
                results[symbol] = structs.replace(_from_entry(entry), is_stale=True)
        return results

    async def _fetch_all(
        self, query: LatestQuery, symbols: list[str]
    ) -> dict[str, LatestValue | Failure]:
        """Fetch symbols; again without those that the broker calls invalid."""
        results: dict[str, LatestValue | Failure] = {}
        for _ in range(MAX_REPAIRS):
            fetched = await self._fetch(query, symbols)
            invalid = {symbol: _invalid_symbol(result) for symbol, result in fetched.items()}
            unknown = {symbol for symbol in symbols if symbol in invalid.values()}
            symbols = [s for s in symbols if invalid[s] in unknown and s not in unknown]
            results |= fetched | dict.fromkeys(unknown, UnknownSymbol())
            if not symbols:
                break
        return results

    async def _fetch(
        self, query: LatestQuery, symbols: Sequence[str]
    ) -> dict[str, LatestValue | Failure]:
        """Wait for the flights of symbols; start those that are not under way."""
        flights = {}
        new = []
        for symbol in symbols:
            flight = self._reader.flights.find(self._key(query, symbol))
            if flight is None:
                new.append(symbol)
            else:
                flights[symbol] = flight
        size = MAX_SYMBOLS[query.asset_class]
        for at in range(0, len(new), size):
            part = new[at : at + size]
            flights |= dict.fromkeys(part, self._start(query, part))
        running = list(dict.fromkeys(flights.values()))
        outcomes = await asyncio.gather(*map(wait_for, running), return_exceptions=True)
        results: dict[str, LatestValue | Failure] = {}
        for flight, outcome in zip(running, outcomes, strict=True):
            mine = [symbol for symbol in symbols if flights[symbol] is flight]
            results |= _results(query, mine, outcome)
        return results

    def _start(self, query: LatestQuery, symbols: Sequence[str]) -> asyncio.Future[DataAnswer]:
        keys = {symbol: self._key(query, symbol) for symbol in symbols}

        def split(answer: DataAnswer) -> dict[str, DataAnswer]:
            values = split_values(query, answer.body)
            return {
                key: structs.replace(answer, body=values[symbol])
                for symbol, key in keys.items()
                if symbol in values
            }

        data_query = _to_data_query(query, symbols)
        return self._reader.flights.start(
            list(keys.values()), lambda: self._reader.fetch_and_keep(data_query, split)
        )

    def _key(self, query: LatestQuery, symbol: str) -> str:
        feed, currency = query.feed or "", query.currency or ""
        path = f"/{query.asset_class}/{symbol}/{query.field}"
        return self._reader.scoped(f"{path}?currency={currency}&feed={feed}")


def make_single_body(field: Field, symbol: str, raw: bytes) -> bytes:
    """Return the body of one symbol as the broker's single-symbol routes have it."""
    head = b'{"symbol":' + msgspec.json.encode(symbol)
    if field == "snapshot":
        return head + (b"}" if raw == b"{}" else b"," + raw[1:])
    return head + b',"' + field.encode() + b'":' + raw + b"}"


def split_values(query: LatestQuery, body: bytes) -> dict[str, bytes]:
    """Return symbol → value of a response for many symbols; empty if it has another form."""
    is_wrapped = query.field != "snapshot" or query.asset_class != "stocks"
    try:
        members = _members.decode(body)
        if is_wrapped:
            members = _members.decode(members.get(f"{query.field}s", b"{}"))
    except msgspec.DecodeError:
        return {}
    values = {symbol: bytes(raw) for symbol, raw in members.items()}
    return {symbol: raw for symbol, raw in values.items() if raw.startswith(b"{")}


def _to_data_query(query: LatestQuery, symbols: Sequence[str]) -> DataQuery:
    root = ROOTS[query.asset_class]
    if query.field == "snapshot":
        path = f"{root}/snapshots"
    else:
        path = f"{root}/{latest_part(query.asset_class, f'{query.field}s')}"
    params = [("symbols", ",".join(symbols))]
    params += [("feed", query.feed)] if query.feed else []
    params += [("currency", query.currency)] if query.currency else []
    return DataQuery(path, tuple(params), "latest")


def _results(
    query: LatestQuery, symbols: Sequence[str], outcome: DataAnswer | BaseException
) -> dict[str, LatestValue | Failure]:
    """Return what one flight gave for its symbols."""
    if isinstance(outcome, LinkError) or (
        isinstance(outcome, DataAnswer) and outcome.status != 200
    ):
        return dict.fromkeys(symbols, outcome)
    if isinstance(outcome, BaseException):
        raise outcome
    values = split_values(query, outcome.body)
    return {
        symbol: LatestValue(raw=values[symbol], as_of=outcome.as_of, source="rest")
        if symbol in values
        else UnknownSymbol()
        for symbol in symbols
    }


def _invalid_symbol(result: LatestValue | Failure) -> str | None:
    """Return the symbol for which the broker refused a whole request."""
    if not isinstance(result, DataAnswer) or result.status != 400:
        return None
    match = _INVALID_SYMBOL.search(error_message(result.body))
    return match[1] if match else None


def error_message(body: bytes) -> str:
    """Return the sentence in the broker's error, or an empty one."""
    try:
        return str(msgspec.json.decode(body, type=_Error).message)
    except msgspec.DecodeError:
        return ""


class _Error(Struct):
    message: str = ""


def _is_refusal(result: LatestValue | Failure) -> bool:
    return isinstance(result, LinkError) or (isinstance(result, DataAnswer) and result.is_refusal)


def _from_entry(entry: Entry) -> LatestValue:
    return LatestValue(raw=entry.body, as_of=entry.as_of, source="cache")
