"""The kill switch of several daemons: a halt here is written to the engine, one there holds here.

A halt holds at once where it was requested, and from the revision at which the engine has it for
every daemon's next order, whether that daemon has received it or not. What the engine does not take
now is written later.
"""

import asyncio
from contextlib import suppress

from realtime.cluster.coordinator import Latch
from realtime.cluster.etcd_coordinator import EtcdCoordinator
from realtime.errors import EngineUnreachable, EtcdRefusal
from realtime.orders.kill_switch import KillSwitch
from realtime.orders.results import Halt
from realtime.telemetry.log import get_logger

log = get_logger()

RETRY_INTERVAL_S = 0.5


class HaltSync:
    """Keeps the kill switch and the engine equal. Run `run` beside the coordinator."""

    def __init__(self, coordinator: EtcdCoordinator, kill_switch: KillSwitch) -> None:
        self._coordinator = coordinator
        self._kill_switch = kill_switch
        self._to_write: dict[str | None, Latch | None] = {}
        """scope → what was requested here and is not in the engine yet; None: released"""
        self._shared: set[str | None] = set()
        """Scopes whose latch here is that of the engine."""
        self._changed = asyncio.Event()

    async def run(self) -> None:
        """Write and apply halts, until cancelled."""
        unsubscribe = self._coordinator.subscribe(self._changed.set)
        self._kill_switch.subscribe(self._handle_request)
        try:
            while True:
                self._changed.clear()
                await self._write()
                self._apply()
                with suppress(TimeoutError):
                    async with asyncio.timeout(RETRY_INTERVAL_S):
                        await self._changed.wait()
        finally:
            unsubscribe()
            self._kill_switch.unsubscribe(self._handle_request)

    def _handle_request(self, scope: str | None, halt: Halt | None) -> None:
        """Called by the kill switch when a person or a program halts or resumes here."""
        if halt is None and scope is None:
            for shared in [*self._shared, *self._coordinator.halts, None]:
                self._to_write[shared] = None
        elif halt is None:
            self._to_write[scope] = None
        else:
            self._to_write[scope] = Latch(
                reason=halt.reason, principal=halt.principal, since=halt.since
            )
        self._changed.set()

    async def _write(self) -> None:
        for scope, latch in list(self._to_write.items()):
            try:
                await self._coordinator.set_halt(scope, latch)
            except (EngineUnreachable, EtcdRefusal) as error:
                log.warning("engine.halt_waiting", account=scope, reason=error.message)
                return
            if self._to_write.get(scope) is latch:
                del self._to_write[scope]
            if latch is not None:
                self._shared.add(scope)

    def _apply(self) -> None:
        """Latch here what the engine has, and release what it has no longer."""
        halts = self._coordinator.halts
        for scope, latch in halts.items():
            if scope not in self._to_write and scope not in self._shared:
                self._shared.add(scope)
                self._kill_switch.latch_shared(
                    Halt(
                        account_id=scope,
                        reason=latch.reason,
                        principal=latch.principal,
                        since=latch.since,
                    )
                )
        for scope in self._shared - halts.keys():
            if scope not in self._to_write:
                self._shared.discard(scope)
                self._kill_switch.release_shared(scope)
