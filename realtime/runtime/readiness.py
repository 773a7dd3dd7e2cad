"""When the start is over: every enabled account was tried once, with success or not."""

import asyncio
from collections import Counter
from collections.abc import Callable

from msgspec import Struct

from realtime.api.documents.health import is_tried
from realtime.store.records import Change, Record
from realtime.store.store import Store


class Readiness(Struct, frozen=True, kw_only=True):
    """Accounts by state at the end of the start."""

    enabled: int
    synced: int
    refused: int
    waiting: int
    """Neither synced nor refused: another attempt is due or under way."""

    def __str__(self) -> str:
        """The counts for a sentence: `23 synced, 1 waiting, 1 refused`."""
        others = {"waiting": self.waiting, "refused": self.refused}
        parts = [f"{count} {state}" for state, count in others.items() if count]
        return ", ".join([f"{self.synced} synced", *parts])


async def wait_until_ready(store: Store, on_progress: Callable[[int], None]) -> Readiness:
    """Wait until every enabled account was tried; `on_progress` gets the number tried so far."""
    untried = {record.profile.label for record in store if not _is_settled(record)}
    enabled = sum(1 for record in store if record.link.state != "disabled")
    ready = asyncio.Event()

    def handle_change(change: Change) -> None:
        if change.label in untried and (change.after is None or _is_settled(change.after)):
            untried.discard(change.label)
            on_progress(enabled - len(untried))
            if not untried:
                ready.set()

    on_progress(enabled - len(untried))
    if untried:
        unsubscribe = store.subscribe(handle_change)
        try:
            await ready.wait()
        finally:
            unsubscribe()
    return count_readiness(store)


def count_readiness(store: Store) -> Readiness:
    """Count the accounts by their present state."""
    states = Counter(record.link.state for record in store)
    enabled = states.total() - states["disabled"]
    synced, refused = states["synced"], states["refused"]
    return Readiness(
        enabled=enabled, synced=synced, refused=refused, waiting=enabled - synced - refused
    )


def _is_settled(record: Record) -> bool:
    return record.link.state == "disabled" or is_tried(record)
