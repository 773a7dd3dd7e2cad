"""Messages between the daemon and its history process: MessagePack with the length in front."""

from typing import Literal

import msgspec
from msgspec import Struct

from realtime.analytics.book_report import BooksRequest
from realtime.analytics.compare.documents import CompareRequest
from realtime.history.queries import Step

LENGTH_BYTES = 4
MAX_MESSAGE_BYTES = 64 * 1024 * 1024
"""A longer message is a mistake of ours."""

PARTIAL = "X-Realtime-History"
"""Header of responses about a time of which something is missing: `partial`, with the reason."""

Kind = Literal[
    "dashboard",
    "account",
    "positions",
    "orders",
    "accounts",
    "summary",
    "curve",
    "equity",
    "trades",
    "events",
    "performance",
    "symbols",
    "compare",
    "compare_series",
    "compare_returns",
    "books",
    "report",
]


class HistoryCall(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One query. Times are µs since 1970."""

    kind: Kind
    labels: list[str]
    """Accounts that it is about, which the client may see; in the order of the configuration."""
    at_us: int = 0
    from_us: int = 0
    to_us: int = 0
    step: Step | None = None
    symbol: str | None = None
    limit: int = 0
    by_tier: bool = False
    compare: CompareRequest | None = None
    books: BooksRequest | None = None
    format: Literal["json", "csv"] = "json"
    query: dict[str, object] = {}
    """Parameters of the route, of the kinds that have an `as_of` and of `curve`."""
    points: list[tuple[int, int]] = []
    """The part of a curve that is in the daemon's memory: epoch seconds, millionths."""
    name: str = ""
    """Of a CSV file."""
    from_files: bool = False
    """Not from the database: it cannot be written, so the files know more."""


class HistoryReply(Struct, frozen=True, kw_only=True):
    """The response: a body with headers, or the code of a problem."""

    body: bytes = b""
    headers: dict[str, str] = {}
    problem: str | None = None
    detail: str = ""


class Envelope(Struct, frozen=True, kw_only=True):
    """A call with its number."""

    number: int
    call: HistoryCall
    expires_at: float
    """By `time.monotonic`, which both processes share: a later reply has no use."""


class Returned(Struct, frozen=True, kw_only=True):
    """A reply with the number of its call."""

    number: int
    reply: HistoryReply


_encode = msgspec.msgpack.Encoder().encode


def frame(message: Struct) -> bytes:
    """A message as it is sent."""
    body = _encode(message)
    return len(body).to_bytes(LENGTH_BYTES, "big") + body
