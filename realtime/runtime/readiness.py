"""When the start is over: every enabled account has been tried, whatever came of it."""

import asyncio
from collections import Counter
from collections.abc import Callable

from msgspec import Struct

from realtime.api.documents.health import is_tried
from realtime.store.store import Change, Record, Store


class Readiness(Struct, frozen=True, kw_only=True):
    """What came of the start, by number of accounts."""

    enabled: int
    synced: int
    refused: int
    waiting: int
    """Neither synced nor refused: another attempt is due or under way."""

    def __str__(self) -> str:
        """The counts as a sentence has them: `23 synced, 1 waiting, 1 refused`."""
        others = {"waiting": self.waiting, "refused": self.refused}
        told = [f"{count} {word}" for word, count in others.items() if count]
        return ", ".join([f"{self.synced} synced", *told])


async def until_ready(store: Store, advanced: Callable[[int], None]) -> Readiness:
    """Wait until every enabled account has been tried; `advanced` is told how many have."""
    untried = {record.profile.label for record in store if not _is_settled(record)}
    enabled = sum(1 for record in store if record.link.state != "disabled")
    ready = asyncio.Event()

    def take(change: Change) -> None:
        if change.label in untried and (change.after is None or _is_settled(change.after)):
            untried.discard(change.label)
            advanced(enabled - len(untried))
            if not untried:
                ready.set()

    advanced(enabled - len(untried))
    if untried:
        unsubscribe = store.subscribe(take)
        try:
            await ready.wait()
        finally:
            unsubscribe()
    return take_stock(store)


def take_stock(store: Store) -> Readiness:
    """Count the accounts as they stand now."""
    states = Counter(record.link.state for record in store)
    enabled = states.total() - states["disabled"]
    synced, refused = states["synced"], states["refused"]
    return Readiness(
        enabled=enabled, synced=synced, refused=refused, waiting=enabled - synced - refused
    )


def _is_settled(record: Record) -> bool:
    return record.link.state == "disabled" or is_tried(record)
