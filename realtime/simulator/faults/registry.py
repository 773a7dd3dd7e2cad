"""The switchboard: which faults are on, for whom, and for how long still."""

from collections.abc import Callable
from typing import Generic, TypeVar

import msgspec

from realtime.simulator.faults.base import Kind, RequestKind

# More faults at once than anyone can mean; against a client that posts in a loop.
MAX_FAULTS = 10_000

K = TypeVar("K", bound=Kind)
R = TypeVar("R", bound=RequestKind)


class Fault(Generic[K]):
    """A fault that was switched on. `left` None: no count; `until` None: no time."""

    def __init__(self, fault_id: str, what: K, until: float | None, now: float) -> None:
        self.id = fault_id
        self.what = what
        self.until = until
        self.since = now
        self.left = what.count
        self.struck = 0
        self.is_over = False

    @property
    def is_spent(self) -> bool:
        """Whether its count is used up."""
        return self.left == 0

    def spend(self) -> K:
        """Count one strike."""
        self.struck += 1
        if self.left is not None:
            self.left -= 1
        return self.what


class Switchboard:
    """All faults, by kind. `on_switch` is told of each fault that is switched on."""

    def __init__(self, now: Callable[[], float]) -> None:
        self.now = now
        self.on_switch: list[Callable[[Fault[Kind]], None]] = []
        # kind → faults of that kind, oldest first; no empty lists
        self._faults: dict[type[Kind], list[Fault[Kind]]] = {}
        self._counter = 0

    def add(self, what: Kind) -> Fault[Kind]:
        """Switch a fault on; an act strikes before this returns."""
        if sum(map(len, self._faults.values())) >= MAX_FAULTS:
            raise ValueError(f"{MAX_FAULTS} faults are on; DELETE /_sim/faults first")
        self._counter += 1
        now = self.now()
        until = None if what.for_s is None else now + what.for_s
        fault = Fault(f"f{self._counter}", what, until, now)
        self._faults.setdefault(type(what), []).append(fault)
        for tell in self.on_switch:
            tell(fault)
        if fault.is_spent or (what.is_act and what.for_s is None and what.count is None):
            self._retire(fault)
        return fault

    def remove(self, fault_id: str) -> bool:
        """Switch one fault off; False if there is none of that id."""
        for fault in self.listing():
            if fault.id == fault_id:
                self._end(fault)
                return True
        return False

    def clear(self) -> int:
        """Switch every fault off and say how many there were."""
        faults = self.listing()
        for fault in faults:
            self._end(fault)
        return len(faults)

    def listing(self) -> list[Fault[Kind]]:
        """Every fault that is on, oldest first."""
        for kind in list(self._faults):
            self._expire(kind)
        every = [fault for faults in self._faults.values() for fault in faults]
        return sorted(every, key=lambda fault: int(fault.id[1:]))

    def has(self, kind: type[Kind]) -> bool:
        """Whether any fault of a kind is on, for anyone: the cheap question."""
        if kind not in self._faults:
            return False
        self._expire(kind)
        return kind in self._faults

    def active(self, kind: type[K], label: str | None) -> Fault[K] | None:
        """The fault of a kind that is on for an account; nothing is counted.

        Of several the oldest, so that they strike one after another; of states the newest, which
        takes the place of what was. An account of None asks for faults that concern everybody.
        """
        for fault in self._matching(kind, label):
            return fault
        return None

    def strike(self, kind: type[K], label: str | None) -> K | None:
        """The same, and count one strike."""
        fault = self.active(kind, label)
        return None if fault is None else self.spend(fault)

    def strike_request(self, kind: type[R], label: str | None, method: str, path: str) -> R | None:
        """Like `strike`, for the requests that a fault is about."""
        for fault in self._matching(kind, label):
            if fault.what.concerns(method, path):
                return self.spend(fault)
        return None

    def spend(self, fault: Fault[K]) -> K:
        """Count one strike of a fault and retire it when that was its last."""
        what = fault.spend()
        if fault.is_spent:
            self._retire(fault)
        return what

    def _matching(self, kind: type[K], label: str | None) -> list[Fault[K]]:
        if kind not in self._faults:
            return []
        self._expire(kind)
        faults = self._faults.get(kind, [])
        return [
            fault  # type: ignore[misc]  # the dict's key is the type of `what`
            for fault in (reversed(faults) if kind.is_state else faults)
            if not fault.is_spent and fault.what.account in (None, label)
        ]

    def _expire(self, kind: type[Kind]) -> None:
        now = self.now()
        for fault in list(self._faults.get(kind, ())):
            if fault.until is not None and now >= fault.until:
                self._end(fault)

    def _retire(self, fault: Fault[K]) -> None:
        if not fault.what.holds_sockets:
            self._end(fault)

    def _end(self, fault: Fault[K]) -> None:
        fault.is_over = True
        faults = self._faults.get(type(fault.what), [])
        if fault in faults:
            faults.remove(fault)  # type: ignore[arg-type]
        if not faults:
            self._faults.pop(type(fault.what), None)


def as_json(fault: Fault[K], now: float) -> dict[str, object]:
    """What `/_sim/faults` tells of a fault."""
    what: dict[str, object] = msgspec.to_builtins(fault.what)
    remaining = None if fault.until is None else round(max(0.0, fault.until - now), 3)
    return {
        "id": fault.id,
        **what,
        "left": fault.left,
        "struck": fault.struck,
        "ends_in_s": remaining,
    }
