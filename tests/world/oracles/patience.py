"""How long an event may be missing from answers that carry no mark: the promise, by cause.

On a healthy path an event is visible when it arrives. What may delay it, by how much, stands with
each kind of act; an act counts from a moment before it, for what was on its way, until its effect
is over.
"""

from collections.abc import Iterable

from tests.world.kinds import KINDS
from tests.world.schedule import Act, Schedule

HEALTHY_S = 0.5
"""Frames on their way, over a net that is as slow as the schedule's slowest."""

LATE = frozenset({"net.slow", "net.stall", "delay", "reorder"})
"""Kinds that keep events on their way, where a later act may still lose them."""


class Patience:
    """The promised bound, for each account and moment."""

    def __init__(self, schedule: Schedule) -> None:
        self._acts = {
            label: [a for a in schedule.acts if a.account in (None, label) and blind_s(a) > 0]
            for label in schedule.labels
        }
        self._on_its_way_s = {
            label: HEALTHY_S + sum(blind_s(act) for act in acts if act.what in LATE)
            for label, acts in self._acts.items()
        }

    def for_event(self, label: str, at: float) -> float:
        """Seconds until an event of that moment must be visible, or the answer marked."""
        return HEALTHY_S + sum(blind_s(act) for act in self._during(label, at))

    def is_healthy(self, label: str, at: float) -> bool:
        """Whether nothing delays events of that moment."""
        return not any(self._during(label, at))

    def _during(self, label: str, at: float) -> Iterable[Act]:
        before_s = self._on_its_way_s[label]
        for act in self._acts[label]:
            if act.at - before_s <= at <= act.at + lasts_s(act) + blind_s(act):
                yield act


def blind_s(act: Act) -> float:
    """How long an act may hide an event."""
    return KINDS[act.what].blind_s(act.details)


def lasts_s(act: Act) -> float:
    """How long an act goes on striking. One with a count strikes whenever there is something."""
    lasting = act.details.get("for_s")
    if lasting is not None:
        return float(lasting)
    return float("inf") if act.details.get("count") else 0.0
