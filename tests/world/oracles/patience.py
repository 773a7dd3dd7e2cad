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


REST_TROUBLE = frozenset(
    {
        *("rate_limited", "server_error", "latency", "no_answer", "unauthorized", "key_revoked"),
        *("lagging_positions", "lagging_activities", "stale_orders", "maintenance"),
        *(kind for kind in KINDS if kind.startswith(("net.", "clock.", "daemon."))),
        *("deed.split", "deed.rename", "deed.new_day", "deed.deposit"),
        *("deed.correct", "deed.bust"),
    }
)
"""Kinds after which REST may tell late, or of what no stream would have told."""

FOUND_S = 22.0
"""A lost fill that has moved a position is noticed by the next reading of the money, 15 s apart; it
takes a reading and the gap after the one before. From then on orders are marked."""


READING_S = 60.0
"""From the first list of a reading until readers see it, over a net in trouble."""


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

        self._all_acts = {
            label: [act for act in schedule.acts if act.account in (None, label)]
            for label in schedule.labels
        }
        self._began: dict[str, list[float]] = {label: [] for label in schedule.labels}
        self._running: set[str] = set()

    def forget(self) -> None:
        """The daemon starts anew."""
        self._running.clear()

    def began(self, label: str, at: float) -> None:
        """An account is live; for the first time in a run it knows nothing better than lists."""
        if label not in self._running:
            self._running.add(label)
            self._began[label].append(at)

    def first_synced(self, label: str) -> float:
        """When an account that is live became so for the first time in this run."""
        return self._began[label][-1]

    def is_untouched(self, label: str, at: float) -> bool:
        """Whether nothing at all has happened to an account so far, to speak of."""
        return not any(act.at <= at + 1 for act in self._all_acts[label])

    def has_activities(self, label: str, at: float) -> bool:
        """Whether the broker tells of executions by REST, and in time."""
        return not any(act.at <= at and act.what in REST_TROUBLE for act in self._all_acts[label])

    def for_fill(self, label: str, at: float) -> float:
        """The same for a fill that has moved a position: money is read, and tells on the stream."""
        troubles = (
            act
            for act in self._all_acts[label]
            if act.what in REST_TROUBLE
            and act.at - FOUND_S <= at <= act.at + lasts_s(act) + FOUND_S + blind_s(act)
        )
        return float("inf") if any(troubles) else HEALTHY_S + FOUND_S + self._late_s(label, at)

    def _late_s(self, label: str, at: float) -> float:
        return sum(
            blind_s(act) for act in self._during(label, at) if act.what in (*LATE, "net.hole")
        )

    def for_event(self, label: str, at: float) -> float:
        """Seconds until an event of that moment must be visible, or the answer marked."""
        return HEALTHY_S + sum(blind_s(act) for act in self._during(label, at))

    def _during(self, label: str, at: float) -> Iterable[Act]:
        before_s = self._on_its_way_s[label]
        for act in self._acts[label]:
            reaches_back_s = before_s
            if act.what == "stale_orders":
                if not self._misled_a_start(label, act):
                    continue  # who was live before says that orders are provisional
                reaches_back_s += float(act.details["seconds"] or 0)
            if act.at - reaches_back_s <= at <= act.at + lasts_s(act) + blind_s(act):
                yield act

    def _misled_a_start(self, label: str, act: Act) -> bool:
        until = act.at + lasts_s(act) + READING_S
        return any(act.at <= at <= until for at in self._began[label])


def blind_s(act: Act) -> float:
    """How long an act may hide an event."""
    return KINDS[act.what].blind_s(act.details)


def lasts_s(act: Act) -> float:
    """How long an act goes on striking. One with a count strikes whenever there is something."""
    lasting = act.details.get("for_s")
    if lasting is not None:
        return float(lasting)
    return float("inf") if act.details.get("count") else 0.0
