"""The state of reads, as clients see it. Commands decode it: no HTTP client is imported here."""

from typing import Literal

from msgspec import Struct

from realtime.market.rest.request_budget import BudgetStatus


class CacheStatus(Struct, frozen=True, kw_only=True):
    """Where responses are kept. `entries` and `bytes` are None for Redis, which others share."""

    kind: Literal["memory", "redis"]
    available: bool
    entries: int | None = None
    bytes: int | None = None
    evictions: int | None = None


class RestStatus(Struct, frozen=True, kw_only=True):
    """Reads of market data since the start, and what is left of the budget."""

    feed: str | None
    """Of stocks, where a request names none; None until the first such request."""
    option_feed: str | None
    requests: int
    stream_hits: int
    """Latest values that a stream had."""
    cache_hits: int
    stale_hits: int
    joined: int
    """Requests that waited for an equal one instead of being sent."""
    errors: int
    rate_limited: int
    refused: int
    budget: BudgetStatus
    cache: CacheStatus
