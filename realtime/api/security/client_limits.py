"""How much one reader may take: requests of a token, connections of an address, time for a head."""

import asyncio
import ipaddress
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable
from typing import Protocol

MAX_METERED = 8192
"""Tokens whose pace is remembered; the one that was quiet longest is forgotten first."""

HEAD_WITHIN_S = 10.0
"""A request that has begun must have its whole head here by then: a slow reader's phone needs one
second, and who takes longer means to hold the connection (slowloris)."""

READ_WITHIN_S = 30.0
"""A reader must take something of what is written for it within so long."""

WITHIN_S = {"head": HEAD_WITHIN_S, "reading": READ_WITHIN_S}

SWEEP_S = 2.0
"""How often connections are looked at."""


ROUNDING_S = 1e-6
"""Epoch seconds are exact to a quarter of a microsecond."""


class TokenRateLimiter:
    """Lets each token ask so often a second, with a second's worth at once. None: any number."""

    def __init__(self, per_s: int | None, clock: Callable[[], float]) -> None:
        self._per_s = per_s
        self._clock = clock
        self._full_at: OrderedDict[str, float] = OrderedDict()
        """Holder → when it may ask a whole second's worth again (the "virtual scheduling" of a
        leaky bucket: one number a holder)."""
        self.refused = 0

    def allows(self, holder: str) -> bool:
        """Whether this request may pass; if so it counts."""
        if self._per_s is None:
            return True
        now = self._clock()
        full_at = max(now, self._full_at.get(holder, 0.0)) + 1 / self._per_s
        if full_at > now + 1.0 + ROUNDING_S:
            self.refused += 1
            return False
        self._full_at[holder] = full_at
        if len(self._full_at) > MAX_METERED:
            self._full_at.popitem(last=False)
        return True


class ConnectionCounter:
    """Open connections by the address they come from; this machine's own are not counted, since
    a proxy here speaks for everybody."""

    def __init__(self, most: int | None, *, counts_loopback: bool = False) -> None:
        self._most = most
        self._counts_loopback = counts_loopback
        self._open: Counter[str] = Counter()
        self.refused = 0

    def enter(self, address: str) -> bool:
        """Count a connection; whether there is room for it. If not, it is not counted."""
        if self._most is None or self._is_ours(address):
            return True
        if self._open[address] >= self._most:
            self.refused += 1
            return False
        self._open[address] += 1
        return True

    def leave(self, address: str) -> None:
        """A connection that had entered is gone."""
        if self._open[address] > 1:
            self._open[address] -= 1
        else:
            del self._open[address]

    def _is_ours(self, address: str) -> bool:
        if self._counts_loopback:
            return False
        try:
            return ipaddress.ip_address(address.partition("%")[0]).is_loopback
        except ValueError:
            return True  # no internet address: a socket of this machine


class LimitedConnection(Protocol):
    """A connection as the sweep sees it."""

    @property
    def waits_for(self) -> tuple[str, int, int] | None:
        """What the other end owes us: the rest of a `head`, or to take what is written (`reading`);
        with the numbers that change when it goes on. None: nothing."""

    def cut(self) -> None:
        """End it, without a word that nobody would read."""


class ConnectionLimiter:
    """Everybody who is connected to one server."""

    def __init__(self, addresses: ConnectionCounter) -> None:
        self.addresses = addresses
        self.everybody: Callable[[], Iterable[LimitedConnection]] = list
        self.cut = 0
        """Connections that were ended for being slow."""

    async def sweep(self) -> None:
        """Cut those who do not go on, until cancelled."""
        loop = asyncio.get_running_loop()
        owing: dict[LimitedConnection, tuple[tuple[str, int, int], float]] = {}
        while True:
            await asyncio.sleep(SWEEP_S)
            now, still = loop.time(), dict[LimitedConnection, tuple[tuple[str, int, int], float]]()
            for connection in list(self.everybody()):
                owed = connection.waits_for
                if owed is None:
                    continue
                known = owing.get(connection)
                since = known[1] if known is not None and known[0] == owed else now
                if now - since < WITHIN_S[owed[0]]:
                    still[connection] = (owed, since)
                else:
                    self.cut += 1
                    connection.cut()
            owing = still
