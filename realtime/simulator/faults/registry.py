"""Registry of active faults: accounts, remaining time and remaining count."""

from collections.abc import Callable
from typing import Generic, TypeVar

import msgspec

from realtime.simulator.faults.base import FaultSpec, RequestFault

# Bound against a client that posts in a loop.
MAX_FAULTS = 10_000

K = TypeVar("K", bound=FaultSpec)
R = TypeVar("R", bound=RequestFault)


class Fault(Generic[K]):
    """An active fault. `left` None: unlimited; `until` None: no end."""

    def __init__(self, fault_id: str, spec: K, until: float | None, now: float) -> None:
        self.id = fault_id
        self.spec = spec
        self.until = until
        self.since = now
        self.left = spec.count
        self.used = 0
        self.is_over = False

    @property
    def is_used_up(self) -> bool:
        """Return whether its count is used up."""
        return self.left == 0

    def count_use(self) -> K:
        """Count one use."""
        self.used += 1
        if self.left is not None:
            self.left -= 1
        return self.spec


class FaultRegistry:
    """All active faults by type. `listeners` are called for each fault that is added."""

    def __init__(self, now: Callable[[], float]) -> None:
        self.now = now
        self.listeners: list[Callable[[Fault[FaultSpec]], None]] = []
        # kind → faults of that kind, oldest first; no empty lists
        self._faults: dict[type[FaultSpec], list[Fault[FaultSpec]]] = {}
        self._counter = 0

    def add(self, spec: FaultSpec) -> Fault[FaultSpec]:
        """Add a fault; a one-shot fault is applied before this returns."""
        if sum(map(len, self._faults.values())) >= MAX_FAULTS:
            raise ValueError(f"{MAX_FAULTS} faults are on; DELETE /_sim/faults first")
        self._counter += 1
        now = self.now()
        until = None if spec.for_s is None else now + spec.for_s
        fault = Fault(f"f{self._counter}", spec, until, now)
        self._faults.setdefault(type(spec), []).append(fault)
        for listener in self.listeners:
            listener(fault)
        if fault.is_used_up or (spec.is_one_shot and spec.for_s is None and spec.count is None):
            self._end_if_used_up(fault)
        return fault

    def remove(self, fault_id: str) -> bool:
        """Remove one fault; False if there is none with that id."""
        for fault in self.list_active():
            if fault.id == fault_id:
                self._end(fault)
                return True
        return False

    def clear(self) -> int:
        """Remove all faults; return how many there were."""
        faults = self.list_active()
        for fault in faults:
            self._end(fault)
        return len(faults)

    def list_active(self) -> list[Fault[FaultSpec]]:
        """Return all active faults, oldest first."""
        for fault_type in list(self._faults):
            self._expire(fault_type)
        every = [fault for faults in self._faults.values() for fault in faults]
        return sorted(every, key=lambda fault: int(fault.id[1:]))

    def is_active_for_any(self, fault_type: type[FaultSpec]) -> bool:
        """Return whether a fault of a type is active for any account; cheap."""
        if fault_type not in self._faults:
            return False
        self._expire(fault_type)
        return fault_type in self._faults

    def active(self, fault_type: type[K], label: str | None) -> Fault[K] | None:
        """Return the active fault of a type for an account, without counting a use.

        Of several, the oldest, so that they apply one after another; of states the newest, which
        replaces the others. Label None matches faults for all accounts.
        """
        for fault in self._matching(fault_type, label):
            return fault
        return None

    def trigger(self, fault_type: type[K], label: str | None) -> K | None:
        """Like `active`, and count one use."""
        fault = self.active(fault_type, label)
        return None if fault is None else self.count_use(fault)

    def trigger_request(
        self, fault_type: type[R], label: str | None, method: str, path: str
    ) -> R | None:
        """Like `trigger`, for faults that apply to this request."""
        for fault in self._matching(fault_type, label):
            if fault.spec.concerns(method, path):
                return self.count_use(fault)
        return None

    def count_use(self, fault: Fault[K]) -> K:
        """Count one use of a fault; end it after its last."""
        spec = fault.count_use()
        if fault.is_used_up:
            self._end_if_used_up(fault)
        return spec

    def _matching(self, fault_type: type[K], label: str | None) -> list[Fault[K]]:
        if fault_type not in self._faults:
            return []
        self._expire(fault_type)
        faults = self._faults.get(fault_type, [])
        return [
            fault  # type: ignore[misc]  # the dict's key is the type of `what`
            for fault in (reversed(faults) if fault_type.is_state else faults)
            if not fault.is_used_up and fault.spec.account in (None, label)
        ]

    def _expire(self, fault_type: type[FaultSpec]) -> None:
        now = self.now()
        for fault in list(self._faults.get(fault_type, ())):
            if fault.until is not None and now >= fault.until:
                self._end(fault)

    def _end_if_used_up(self, fault: Fault[K]) -> None:
        if not fault.spec.holds_sockets:
            self._end(fault)

    def _end(self, fault: Fault[K]) -> None:
        fault.is_over = True
        faults = self._faults.get(type(fault.spec), [])
        if fault in faults:
            faults.remove(fault)  # type: ignore[arg-type]
        if not faults:
            self._faults.pop(type(fault.spec), None)


def encode_fault(fault: Fault[K], now: float) -> dict[str, object]:
    """Return a fault as JSON for `/_sim/faults`."""
    spec: dict[str, object] = msgspec.to_builtins(fault.spec)
    remaining = None if fault.until is None else round(max(0.0, fault.until - now), 3)
    return {
        "id": fault.id,
        **spec,
        "left": fault.left,
        "used": fault.used,
        "ends_in_s": remaining,
    }
