"""The target of a request, as Alpaca's SDKs spell it: path segments and query, decoded once.

A path that names another resource to the broker than it does here could carry an order past the
gateway. So a path is refused that two servers may read differently: dot segments, empty ones, a
second layer of percent-encoding, control characters, backslashes.
"""

import re
from collections.abc import Mapping
from urllib.parse import parse_qsl, unquote

from msgspec import Struct, structs

from realtime.api.alpaca.errors import AlpacaError, no_route

MAX_PARAMETERS = 100
_UNSAFE = re.compile(r"[\x00-\x1f\x7f-\x9f\\%#?;]")
_RAW_UNSAFE = re.compile(r"[^!-~]|[\\#]")


class Target(Struct, frozen=True, kw_only=True):
    """A request's path and query."""

    raw: str
    """As the client sent it, for the broker."""
    segments: tuple[str, ...]
    """Decoded; one trailing slash is ignored. A segment may contain a slash: `BTC%2FUSD`."""
    query: Mapping[str, str]
    """Decoded, `+` as a space."""
    is_plain: bool
    """Whether every parameter occurs once, so that `query` is the whole of it."""

    @property
    def has_parameters(self) -> bool:
        """Whether there is any parameter, also one that cannot be decoded."""
        return bool(self.query) or not self.is_plain

    @property
    def path(self) -> str:
        """The decoded path."""
        return "/" + "/".join(self.segments)

    def in_brokers_spelling(self, symbol: str = "") -> "Target":
        """Return the target of a known route as the broker certainly understands it: without a
        slash at its end, and with a coin's `symbol` in one segment."""
        path, mark, query = self.raw.partition("?")
        path = path.rstrip("/")
        if "/" in symbol:
            # A position has no slash; an asset's is encoded.
            name = symbol.replace("/", "" if self.segments[1] == "positions" else "%2F")
            path = "/".join(("", *self.segments[:2], name))
        return structs.replace(self, raw=path + mark + query)


def parse_target(raw: str) -> Target:
    """Parse the target of a request line. Raises `AlpacaError` 404 for an unsafe one."""
    if not raw.startswith("/"):  # absolute form (RFC 9112 section 3.2.2)
        raw = "/" + raw.partition("://")[2].partition("/")[2]
    path, _, query = raw.partition("?")
    if not path.startswith("/") or _RAW_UNSAFE.search(raw):
        raise AlpacaError(no_route())
    segments = path[1:].split("/")
    if len(segments) > 1 and segments[-1] == "":
        del segments[-1]
    decoded = tuple(_decode(segment) for segment in segments)
    try:
        pairs = parse_qsl(
            query, keep_blank_values=True, errors="strict", max_num_fields=MAX_PARAMETERS
        )
    except ValueError:  # not UTF-8, or too many: the broker's to judge
        return Target(raw=raw, segments=decoded, query={}, is_plain=False)
    values = dict(pairs)
    return Target(raw=raw, segments=decoded, query=values, is_plain=len(values) == len(pairs))


def _decode(segment: str) -> str:
    try:
        text = unquote(segment, errors="strict")
    except UnicodeDecodeError:
        raise AlpacaError(no_route()) from None
    parts = [part.strip() for part in text.split("/")]
    if _UNSAFE.search(text) or text != text.strip() or {"", ".", ".."} & set(parts):
        raise AlpacaError(no_route())
    return text
