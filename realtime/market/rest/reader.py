"""Reads of the market-data API for any number of clients: cache, single flight, request budget.

A response passes byte for byte. Only a complete response with status 200 is cached; an error never
is. The key of an entry is the whole request, with feed, adjustment, `asof`, currency and page
token, and whose key read it: a value of one feed or plan is never returned for another.
"""

import asyncio
import hashlib
from collections.abc import Callable, Mapping
from operator import itemgetter
from typing import Literal
from urllib.parse import urlencode

import msgspec
from msgspec import Struct

from realtime.broker.data_client import DataClient, DataResponse
from realtime.errors import LinkError, NotSent
from realtime.market.rest.cache import Cache, Entry
from realtime.market.rest.freshness import OPEN_RANGE_S, Kind, get_lifetime_s
from realtime.market.rest.request_budget import RequestBudget
from realtime.market.rest.single_flight import SingleFlight
from realtime.secret import Credentials

MAX_IN_FLIGHT = 16
"""Requests to the broker at one time; the others wait."""

MAX_WAITING = 1000
"""Requests that wait, for budget or for their turn; a further one is refused at once."""

Source = Literal["stream", "rest", "cache"]

_raw = msgspec.json.Decoder(msgspec.Raw)


class DataQuery(Struct, frozen=True):
    """A request to the market-data API: a path of the broker and its parameters."""

    path: str
    """Escaped, from the root."""
    params: tuple[tuple[str, str], ...]
    kind: Kind

    def get_lifetime_s(self, now: float) -> float:
        """Return how long a response is fresh. A parameter that is repeated may mean either value,
        so such a response is not kept as one of the past."""
        params = dict(self.params)
        lifetime_s = get_lifetime_s(self.kind, params, now)
        return lifetime_s if len(params) == len(self.params) else min(lifetime_s, OPEN_RANGE_S)


class CacheRules(Struct, frozen=True):
    """What a client accepts from the cache, as in the header `Cache-Control`."""

    no_cache: bool = False
    max_age_s: float | None = None
    """The oldest value that is accepted instead of a request; None: any that is fresh."""
    max_stale_s: float | None = None
    """How long after its lifetime a value is accepted if there is no newer one; None: never."""


ANY_FRESH = CacheRules()


class DataAnswer(Struct, frozen=True, kw_only=True):
    """A response for a client, with any status. `as_of` is epoch seconds."""

    status: int
    body: bytes
    content_type: str
    as_of: float
    source: Source
    is_stale: bool = False
    request_id: str | None = None
    retry_after_s: float | None = None

    @property
    def is_refusal(self) -> bool:
        """Whether a later request may succeed: too many requests, or a failure of the broker."""
        return self.status == 429 or self.status >= 500


class ReadStatistics(Struct):
    """Counts since the start."""

    stream_hits: int = 0
    """Latest values that a stream had."""
    cache_hits: int = 0
    stale_hits: int = 0
    requests: int = 0
    """Sent to the broker."""
    errors: int = 0
    """Responses with status 400 and above, and requests without a response."""
    rate_limited: int = 0
    """Responses with status 429."""
    refused: int = 0
    """Requests that were not sent, because the budget was used up or too many waited."""


class RestReader:
    """Reads with one key. `clock` gives epoch seconds."""

    def __init__(
        self,
        client: DataClient,
        cache: Cache,
        budget: RequestBudget,
        *,
        scope: str,
        tasks: asyncio.TaskGroup,
        clock: Callable[[], float],
    ) -> None:
        self.cache = cache
        self.budget = budget
        self.clock = clock
        self.statistics = ReadStatistics()
        self.flights: SingleFlight[DataAnswer] = SingleFlight(tasks)
        self._client = client
        self._scope = scope
        self._slots = asyncio.Semaphore(MAX_IN_FLIGHT)
        self._waiting = 0
        self._invalidations = 0

    async def get(self, query: DataQuery, rules: CacheRules = ANY_FRESH) -> DataAnswer:
        """Return the response to a query, of the cache or of the broker.

        Raises `NotSent` if the budget is used up, `LinkError` if the broker does not respond.
        """
        key = self.key_of(query)
        (entry,) = await self.read_entries([key], rules)
        now = self.clock()
        if entry is not None and is_usable(entry, rules, now):
            self.statistics.cache_hits += 1
            return _from_entry(entry)
        try:
            answer = await self.flights.run(
                key, lambda: self.fetch_and_keep(query, lambda answer: {key: answer})
            )
        except LinkError:
            if entry is not None and may_be_stale(entry, rules, now):
                return self._stale(entry)
            raise
        if answer.is_refusal and entry is not None and may_be_stale(entry, rules, now):
            return self._stale(entry)
        return answer

    async def read_entries(self, keys: list[str], rules: CacheRules) -> list[Entry | None]:
        """Return the entries of keys, unless the client does not accept any."""
        if rules.no_cache and rules.max_stale_s is None:
            return [None] * len(keys)
        return await self.cache.read(keys)

    async def fetch(self, query: DataQuery, *, uses_floor: bool = False) -> DataAnswer:
        """Return the broker's own response now. Raises as `get`."""
        if self._waiting >= MAX_WAITING:
            self.statistics.refused += 1
            raise NotSent("too many requests for market data are waiting", retry_after_s=1.0)
        self._waiting += 1
        try:
            async with self._slots, self.budget.slot(uses_floor=uses_floor):
                sent_at = self.clock()
                self.statistics.requests += 1
                response = await self._send(query)
        except NotSent as error:
            self.statistics.refused += error.retry_after_s is not None
            raise
        finally:
            self._waiting -= 1
        self._count(response)
        return DataAnswer(
            status=response.status,
            body=response.body,
            content_type=response.content_type,
            as_of=sent_at,
            source="rest",
            request_id=response.request_id,
            retry_after_s=response.retry_after_s,
        )

    def key_of(self, query: DataQuery) -> str:
        """Return the cache's key of a query. The order of parameters does not matter, except that
        of the same name: the broker uses one of them."""
        params = sorted(query.params, key=itemgetter(0))
        return self.scoped(f"{query.path}?{urlencode(params, safe='/,:')}")

    def scoped(self, key: str) -> str:
        """Return a key with whose credentials read its entry."""
        return self._scope + key

    async def invalidate(self, prefix: str) -> int:
        """Remove cached responses whose path begins with a text; return how many."""
        self._invalidations += 1
        return await self.cache.invalidate(self._scope + prefix)

    async def fetch_and_keep(
        self, query: DataQuery, split: Callable[[DataAnswer], Mapping[str, DataAnswer]]
    ) -> DataAnswer:
        """Return the broker's own response now; keep its parts by key if it is complete. A response
        to a request from before an invalidation is not kept."""
        invalidations = self._invalidations
        answer = await self.fetch(query)
        if is_complete(answer) and invalidations == self._invalidations:
            lifetime_s = query.get_lifetime_s(answer.as_of)
            await self.cache.write(
                {
                    key: Entry(part.body, part.content_type, part.as_of, part.as_of + lifetime_s)
                    for key, part in split(answer).items()
                }
            )
        return answer

    async def _send(self, query: DataQuery) -> DataResponse:
        try:
            return await self._client.get(query.path, query.params)
        except LinkError:
            self.statistics.errors += 1
            raise

    def _count(self, response: DataResponse) -> None:
        self.statistics.errors += response.status >= 400
        self.budget.update(
            limit=response.limit, remaining=response.remaining, resets_in_s=response.resets_in_s
        )
        if response.status == 429:
            self.statistics.rate_limited += 1
            self.budget.handle_rate_limited(response.retry_after_s)

    def _stale(self, entry: Entry) -> DataAnswer:
        self.statistics.stale_hits += 1
        return msgspec.structs.replace(_from_entry(entry), is_stale=True)


def make_scope(credentials: Credentials, url: str) -> str:
    """Return the beginning of all keys of one key at one address. It does not reveal the key."""
    text = f"{credentials.key_id.reveal()} {url}"
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def is_usable(entry: Entry, rules: CacheRules, now: float) -> bool:
    """Whether an entry is fresh and the client accepts it. One of the future, from a daemon whose
    clock is ahead, is not."""
    if rules.no_cache or now >= entry.expires_at or entry.as_of > now + 1.0:
        return False
    return rules.max_age_s is None or now - entry.as_of <= rules.max_age_s


def may_be_stale(entry: Entry, rules: CacheRules, now: float) -> bool:
    """Whether a client accepts an entry because there is no newer one."""
    return rules.max_stale_s is not None and now - entry.expires_at <= rules.max_stale_s


def is_complete(answer: DataAnswer) -> bool:
    """Whether a response may be cached: a success whose body is whole."""
    if answer.status != 200 or not answer.body:
        return False
    if not answer.content_type.startswith("application/json"):
        return answer.content_type.startswith("image/")  # a logo; its length was checked
    try:
        _raw.decode(answer.body)
    except msgspec.DecodeError:
        return False
    return True


def _from_entry(entry: Entry) -> DataAnswer:
    return DataAnswer(
        status=200,
        body=entry.body,
        content_type=entry.content_type,
        as_of=entry.as_of,
        source="cache",
    )
