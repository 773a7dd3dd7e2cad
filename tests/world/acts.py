"""How each act of a schedule is carried out."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import cast

from realtime.simulator.faults.catalogue import parse_fault
from tests.world.broker import Broker
from tests.world.clocks import Clocks
from tests.world.daemon import Keeper
from tests.world.deeds import Deeds
from tests.world.kinds import SIMULATED
from tests.world.network import Kind, Network
from tests.world.schedule import Act

Later = Callable[[float, Callable[[], Awaitable[None] | None]], None]

SIMULATED_WORDS = frozenset(kind.word for kind in SIMULATED)


class Acts:
    """The hand of fate. `later` has something done at a loop time."""

    def __init__(
        self, broker: Broker, network: Network, keeper: Keeper, deeds: Deeds, later: Later
    ) -> None:
        self._broker = broker
        self._network = network
        self._keeper = keeper
        self._deeds = deeds
        self._later = later

    async def carry_out(self, act: Act) -> None:
        """Do what the schedule says, now."""
        if act.what in SIMULATED_WORDS:
            body = {"kind": act.what, "account": act.account, **act.details}
            self._broker.faults.add(parse_fault(body))
        elif act.what.startswith("net."):
            self._spoil(act)
        elif act.what == "daemon.restart":
            await self._restart(act)
        elif act.what.startswith("clock."):
            self._set_clock(self._broker.clocks, act)
        else:
            self._deeds.do(act.what, act.account, act.details)
            if act.what.startswith("deed.hold") and act.account is not None:
                label = act.account
                at = self._now() + float(act.details["for_s"] or 0)
                self._later(at, lambda: self._deeds.release(label))

    def heal(self) -> None:
        """End all that goes on."""
        self._broker.faults.clear()
        self._network.heal()
        for label in self._broker.exchange.labels:
            self._deeds.release(label)

    def _spoil(self, act: Act) -> None:
        assert act.account is not None
        kind = cast("Kind", act.details["way"])  # drawn from the same words
        path = self._network.paths[act.account, kind]
        until = self._now() + float(act.details.get("for_s") or 0)
        open_now = self._network.open(act.account, kind)
        match act.what:
            case "net.cut":
                for connection in open_now:
                    connection.cut()
            case "net.cut_after":
                for connection in open_now:
                    connection.down.cut_after = int(act.details["bytes"] or 0)
            case "net.hole":
                for connection in open_now:
                    connection.swallow()
            case "net.stall":
                path.stalled_until = until
            case "net.slow":
                path.slow_s, path.slow_until = float(act.details["delay_s"] or 0), until
            case "net.dribble":
                path.dribbling_until = until
            case "net.refuse":
                path.refusing_until = until
            case "net.dark":
                path.dark_until = until
            case other:
                raise AssertionError(other)

    async def _restart(self, act: Act) -> None:
        if self._keeper.daemon is None:
            return  # it is down already
        await self._keeper.stop(kill=bool(act.details["kill"]))
        self._later(self._now() + float(act.details["down_s"] or 0), self._keeper.start)

    def _set_clock(self, clocks: Clocks, act: Act) -> None:
        ahead_s = float(act.details["ahead_s"] or 0)
        if act.what == "clock.broker":
            clocks.broker_ahead_s += ahead_s
        else:
            clocks.daemon_ahead_s += ahead_s

    def _now(self) -> float:
        return asyncio.get_running_loop().time()
