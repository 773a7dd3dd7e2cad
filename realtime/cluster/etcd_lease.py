"""This daemon's lease: renewed every second, and for how long it may be relied on.

etcd counts a lease from when it receives a renewal. This daemon counts from when it *sent* the last
renewal that was answered, by a clock that does not stop while the machine is suspended, and relies
on the lease for one second less. So it stops before any other daemon can claim its accounts, even
if the rates of the clocks differ by a fifth; no two clocks are compared.
"""

import asyncio
import math
from collections.abc import Callable

from realtime.cluster.etcd_types import EtcdClient
from realtime.errors import EngineUnreachable, EtcdRefusal
from realtime.telemetry.log import get_logger

log = get_logger()

LEASE_TTL_S = 5
"""The longest stall of the event loop is 0.2 s, with Python's default garbage collection."""

DEADLINE_S = 4.0
"""How long the lease may be relied on after a renewal was sent: a second less than in etcd."""

RENEW_INTERVAL_S = 1.0
"""Four attempts fit; replacing etcd's leader takes 1.1–1.7 s of that time (measured)."""

RETRY_INTERVAL_S = 0.1
"""After an attempt that failed at once, as with a refused connection."""

REDUCING_S = 1.0
"""For this long after the deadline cancels and closes may leave. Then another daemon may claim the
account, and two must not close it at the same time."""


class Lease:
    """One lease after another. `boottime`: seconds of a clock that never stops."""

    def __init__(self, client: EtcdClient, boottime: Callable[[], float]) -> None:
        self._client = client
        self._boottime = boottime
        self.id = 0
        """0: there is none."""
        self._sent_at = -math.inf
        """When the last renewal that was answered was sent."""
        self.losses = 0
        """Leases that have ended before they were given up."""

    @property
    def remaining_s(self) -> float:
        """For how long it may be relied on; below zero: not any more, since then."""
        return self._sent_at + DEADLINE_S - self._boottime()

    def holds(self, *, reduces_risk: bool = False) -> bool:
        """Whether it may be relied on now."""
        return self.id != 0 and self.remaining_s + (REDUCING_S if reduces_risk else 0.0) > 0

    async def grant(self) -> None:
        """Get a new lease. Raises `EngineUnreachable`."""
        sent_at = self._boottime()
        self.id = await self._client.grant(LEASE_TTL_S)
        self._sent_at = sent_at

    async def renew_until_lost(self) -> None:
        """Renew until etcd reports that the lease has ended. While etcd cannot be reached, the
        lease may or may not hold there: it is tried again."""
        while self.id != 0:
            await asyncio.sleep(RENEW_INTERVAL_S)
            await self._renew()

    async def _renew(self) -> None:
        while True:
            sent_at = self._boottime()
            try:
                held_s = await self._client.keep_alive(self.id)
            except (EngineUnreachable, EtcdRefusal) as error:
                log.debug("engine.renewal_failed", reason=error.message)
                await asyncio.sleep(RETRY_INTERVAL_S)
                continue
            if held_s <= 0:
                log.warning("member.lease_lost", seconds=round(sent_at - self._sent_at, 1))
                self.losses += 1
                self.id = 0
            else:
                self._sent_at = sent_at
            return

    async def revoke(self) -> None:
        """End the lease, so that the accounts can be claimed at once."""
        lease, self.id = self.id, 0
        if lease:
            await self._client.revoke(lease)
