"""Clock, calendar and assets: the same for every account of a broker, so read once for all.

The clock is the broker's, moved on by ours: its `is_open` changes only at its own `next_open` and
`next_close`, so until the earlier of these only the timestamp differs. Nothing here knows holidays.
"""

from collections import OrderedDict
from collections.abc import Callable
from datetime import UTC, datetime
from hashlib import blake2b

import msgspec
from msgspec import Raw, Struct, structs

from realtime.core.timestamps import NEVER, nanoseconds
from realtime.core.trading_day import NEW_YORK

CLOCK_TTL_S = 300.0
"""After it the broker's clock is read again, so ours cannot run away from it."""

ASSETS_TTL_S = 3600.0
"""Alpaca changes assets before the opening, and flags such as `shortable` during the day."""

CALENDAR_RETRY_S = 3600.0
"""After a calendar could not be read."""

MAX_CACHE_BYTES = 64 * 2**20
"""Responses about assets, over all brokers; the list of all assets has 16 MB."""

ENTRY_BYTES = 1024
"""Of one response beside its body and its target: the empty list to a filter is an entry, too."""


class _Clock(Struct):
    timestamp: str
    is_open: bool
    next_open: str
    next_close: str


class _Day(Struct):
    date: str


class _CachedClock(Struct, frozen=True):
    document: _Clock
    offset_ns: int
    """The broker's time minus ours."""
    changes_at: int
    """When `is_open` changes, by the broker's time in ns."""
    expires_at: float


class CachedAssets(Struct, frozen=True, kw_only=True):
    """A response about assets."""

    body: bytes
    etag: str
    read_at: float
    """Epoch seconds."""
    expires_at: float
    compressed: bytes | None = None
    """With gzip; None for a short one, and until it has been made."""

    @property
    def size(self) -> int:
        """Bytes that are kept."""
        return len(self.body) + len(self.compressed or b"")


_decode_clock = msgspec.json.Decoder(_Clock).decode
_decode_days = msgspec.json.Decoder(list[Raw]).decode
_decode_day = msgspec.json.Decoder(_Day).decode
_encode = msgspec.json.Encoder().encode


class MarketCache:
    """What brokers have answered about the market, by their address. `clock`: epoch seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._clocks: dict[str, _CachedClock] = {}
        self._assets: OrderedDict[tuple[str, str], CachedAssets] = OrderedDict()
        self._asset_bytes = 0
        self._calendars: dict[str, tuple[str, list[str], list[Raw]]] = {}
        """address → New York's day when it was read, dates, days"""
        self._calendars_read_at: dict[str, float] = {}

    def get_clock(self, address: str) -> bytes | None:
        """Return the broker's clock as of now; None if it must be read."""
        cached, now = self._clocks.get(address), self._clock()
        if cached is None or now >= cached.expires_at:
            return None
        at = round(now * 1_000_000) * 1000 + cached.offset_ns
        if at >= cached.changes_at:
            return None
        document = structs.replace(cached.document, timestamp=format_new_york(at))
        return _encode(document)

    def add_clock(self, address: str, body: bytes, sent_at: float) -> None:
        """Keep a clock that was read; the broker's time is that of the middle of the request."""
        try:
            document = _decode_clock(body)
        except (msgspec.DecodeError, UnicodeError):
            return
        times = [document.timestamp, document.next_open, document.next_close]
        at, *changes = (nanoseconds(time) for time in times)
        if NEVER in (at, *changes):
            return
        now = self._clock()
        middle = round((sent_at + now) / 2 * 1_000_000) * 1000
        changes_at = min((change for change in changes if change > at), default=at)
        self._clocks[address] = _CachedClock(document, at - middle, changes_at, now + CLOCK_TTL_S)

    def get_calendar(self, address: str, start: str, end: str) -> bytes | None:
        """Return the days between two dates, inclusive; None if they must be read."""
        cached = self._calendars.get(address)
        if cached is None or cached[0] != self._today():
            return None
        days = [day for date, day in zip(*cached[1:], strict=True) if start <= date <= end]
        return _encode(days)

    def starts_reading(self, address: str) -> bool:
        """Whether a whole calendar is to be read now: at most once an hour, if there is none."""
        now = self._clock()
        cached, read_at = self._calendars.get(address), self._calendars_read_at.get(address)
        if cached is not None and cached[0] == self._today():
            return False
        if read_at is not None and now < read_at + CALENDAR_RETRY_S:
            return False
        self._calendars_read_at[address] = now
        return True

    def add_calendar(self, address: str, body: bytes) -> None:
        """Keep a whole calendar until the next day."""
        try:
            days = _decode_days(body)
            dates = [_decode_day(day).date for day in days]
        except (msgspec.DecodeError, UnicodeError):
            return
        self._calendars[address] = (self._today(), dates, days)

    def get_asset(self, address: str, target: str) -> CachedAssets | None:
        """Return a response about assets; None if it must be read."""
        cached = self._assets.get((address, target))
        if cached is None or self._clock() >= cached.expires_at:
            return None
        self._assets.move_to_end((address, target))
        return cached

    def add_asset(self, address: str, target: str, body: bytes) -> CachedAssets:
        """Keep a response about assets; the one that was not used for longest is dropped first."""
        now = self._clock()
        etag = f'"{blake2b(body, digest_size=16).hexdigest()}"'
        cached = CachedAssets(body=body, etag=etag, read_at=now, expires_at=now + ASSETS_TTL_S)
        self._put(address, target, cached)
        return cached

    def add_compressed(self, address: str, target: str, of: CachedAssets, content: bytes) -> None:
        """Keep a response with gzip as well, if it is still the one that is kept."""
        if self._assets.get((address, target)) is of:
            self._put(address, target, structs.replace(of, compressed=content))

    def _put(self, address: str, target: str, cached: CachedAssets) -> None:
        old = self._assets.pop((address, target), None)
        if old is not None:
            self._asset_bytes -= _weigh(target, old)
        self._asset_bytes += _weigh(target, cached)
        self._assets[address, target] = cached
        while self._asset_bytes > MAX_CACHE_BYTES:
            (_, oldest), dropped = self._assets.popitem(last=False)
            self._asset_bytes -= _weigh(oldest, dropped)

    def _today(self) -> str:
        return datetime.fromtimestamp(self._clock(), NEW_YORK).date().isoformat()


def _weigh(target: str, cached: CachedAssets) -> int:
    return cached.size + len(target) + ENTRY_BYTES


def format_new_york(at: int) -> str:
    """RFC 3339 with New York's offset, as in the broker's clock; `at` in epoch nanoseconds."""
    seconds, fraction = divmod(at, 1_000_000_000)
    text = datetime.fromtimestamp(seconds, UTC).astimezone(NEW_YORK).isoformat()
    digits = f".{fraction:09d}".rstrip("0") if fraction else ""
    return text[:19] + digits + text[19:]
