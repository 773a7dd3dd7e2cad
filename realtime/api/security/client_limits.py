"""Limits of one client: requests of a token or an address, connections of an address, time for a
request head."""

import asyncio
import ipaddress
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable
from typing import Protocol

MAX_TOKENS = 8192
"""Tokens whose rate is remembered; the one that was idle longest is forgotten first."""

HEAD_TIMEOUT_S = 10.0
"""A request that has begun must send its whole head within this time: a slow phone needs one
second; longer means that the client only holds the connection (slowloris)."""

WRITE_TIMEOUT_S = 30.0
"""A client must read some of its response within this time."""

TIMEOUTS_S = {"head": HEAD_TIMEOUT_S, "write": WRITE_TIMEOUT_S}

SWEEP_INTERVAL_S = 2.0

ROUNDING_S = 1e-6
"""Epoch seconds are exact to a quarter of a microsecond."""

PendingTransfer = tuple[str, int, int]
"""`head` or `write`, and two numbers that change whenever the client makes progress."""


def address_group(address: str) -> str | None:
    """Return the key under which an address is limited: an IPv4 address itself, the /64 network of
    an IPv6 address, because one client has all of it (RFC 6177). None: this machine, which is not
    limited: a proxy on it connects for all of its clients."""
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return None  # not an IP address: a Unix socket
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.ipv4_mapped is None:
            return None if ip.is_loopback else str(ipaddress.ip_network((ip, 64), strict=False))
        ip = ip.ipv4_mapped
    return None if ip.is_loopback else str(ip)


class TokenRateLimiter:
    """Requests per second of each token, with a burst of one second. None: unlimited.

    Addresses are limited in the same way: their keys (`address_group`) are never token ids.
    """

    def __init__(self, per_s: int | None, clock: Callable[[], float]) -> None:
        self._per_s = per_s
        self._clock = clock
        self._full_at: OrderedDict[str, float] = OrderedDict()
        """Token → when its burst is complete again: the "virtual scheduling" of a leaky bucket
        (ITU-T I.371), one number a token."""
        self.refused = 0

    def try_acquire(self, token_id: str) -> bool:
        """Count a request if it is within the rate; whether it is."""
        if self._per_s is None:
            return True
        now = self._clock()
        full_at = max(now, self._full_at.get(token_id, 0.0)) + 1 / self._per_s
        if full_at > now + 1.0 + ROUNDING_S:
            self.refused += 1
            return False
        self._full_at[token_id] = full_at
        self._full_at.move_to_end(token_id)
        if len(self._full_at) > MAX_TOKENS:
            self._full_at.popitem(last=False)
        return True


class ConnectionCounter:
    """Open connections by address. Those of this machine are not counted: a proxy on it connects
    for all of its clients."""

    def __init__(self, max_per_address: int | None, *, counts_loopback: bool = False) -> None:
        self._max_per_address = max_per_address
        self._counts_loopback = counts_loopback
        self._open: Counter[str] = Counter()
        self.refused = 0

    def add(self, address: str) -> bool:
        """Count a connection if its address has room; whether it has."""
        group = self._group(address)
        if self._max_per_address is None or group is None:
            return True
        if self._open[group] >= self._max_per_address:
            self.refused += 1
            return False
        self._open[group] += 1
        return True

    def remove(self, address: str) -> None:
        """Remove a connection that `add` has accepted."""
        group = self._group(address)
        if group is None:
            return
        if self._open[group] > 1:
            self._open[group] -= 1
        else:
            del self._open[group]

    def _group(self, address: str) -> str | None:
        return address if self._counts_loopback else address_group(address)


class LimitedConnection(Protocol):
    """A connection as `ConnectionLimiter.sweep` sees it."""

    @property
    def pending(self) -> PendingTransfer | None:
        """What the client must do next: send the rest of a head, or read its response. None: it
        owes nothing."""

    def abort(self) -> None:
        """Close it without waiting for the client."""


class ConnectionLimiter:
    """All connections of one server."""

    def __init__(self, addresses: ConnectionCounter) -> None:
        self.addresses = addresses
        self.connections: Callable[[], Iterable[LimitedConnection]] = list
        self.aborted = 0
        """Connections that were closed for being slow."""

    async def sweep(self) -> None:
        """Abort connections whose clients make no progress, until cancelled."""
        loop = asyncio.get_running_loop()
        waiting: dict[LimitedConnection, tuple[PendingTransfer, float]] = {}
        while True:
            await asyncio.sleep(SWEEP_INTERVAL_S)
            now = loop.time()
            still_waiting: dict[LimitedConnection, tuple[PendingTransfer, float]] = {}
            for connection in list(self.connections()):
                pending = connection.pending
                if pending is None:
                    continue
                before = waiting.get(connection)
                since = before[1] if before is not None and before[0] == pending else now
                if now - since < TIMEOUTS_S[pending[0]]:
                    still_waiting[connection] = (pending, since)
                else:
                    self.aborted += 1
                    connection.abort()
            waiting = still_waiting
