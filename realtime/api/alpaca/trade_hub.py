"""Trade updates for any number of Alpaca's own clients: one upstream stream for each account.

An account's events are kept from its first listener on; without listeners nothing is computed. What
happens in one step of the event loop is written to each listener at once, after that step, so that
the store's writer never waits.
"""

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import Protocol

from realtime.api.alpaca.trade_events import AccountEvents, Frame
from realtime.core.model import AccountLabel
from realtime.store.records import Change, Record
from realtime.store.store import Store


class Listener(Protocol):
    """One client of one account."""

    def deliver(self, frames: list[Frame]) -> None:
        """Write frames; never waits."""

    def update_account(self, record: Record) -> None:
        """Write the account's figures, if the client listens to them; never waits."""

    def is_allowed(self) -> bool:
        """Whether its keys or its token are still valid."""

    def end(self) -> None:
        """Its account was removed, or may not be used any more."""


class TradeHub:
    """Listeners by account. `clock` gives epoch seconds; `get_keys_version` another number whenever
    an account's keys have changed."""

    def __init__(
        self, store: Store, *, clock: Callable[[], float], get_keys_version: Callable[[], int]
    ) -> None:
        self._store = store
        self._clock = clock
        self._get_keys_version = get_keys_version
        self._keys_version = get_keys_version()
        self._events: dict[AccountLabel, AccountEvents] = {}
        self._listeners: dict[AccountLabel, dict[Listener, None]] = {}
        self._pending: dict[AccountLabel, list[Frame]] = {}
        self._changed: set[AccountLabel] = set()
        self._is_scheduled = False
        self.streams: Counter[str] = Counter()
        """Open streams of server-sent events, by token or account."""
        self.listens = 0
        """Clients that began to listen since the start; many in a short time: one reconnects."""
        self.slow_clients = 0
        """Clients that were closed because they did not read."""
        store.subscribe(self._handle_change)

    @property
    def clients(self) -> int:
        """How many clients listen."""
        return sum(map(len, self._listeners.values()))

    def get_record(self, label: str) -> Record | None:
        """Return an account as it is now."""
        return self._store.get(label)

    def events(self, label: str) -> AccountEvents:
        """The events of an account, from now on."""
        key = AccountLabel(label)
        events = self._events.get(key)
        if events is None:
            events = self._events[key] = AccountEvents(self._clock())
        return events

    def add(self, label: str, listener: Listener) -> None:
        """Send a listener every event from now on."""
        self.events(label)
        self._flush()  # what happened before is not for it
        listeners = self._listeners.setdefault(AccountLabel(label), {})
        self.listens += listener not in listeners
        listeners[listener] = None

    def remove(self, label: str, listener: Listener) -> None:
        """Stop sending; the events are still kept, for a client that resumes."""
        self._listeners.get(AccountLabel(label), {}).pop(listener, None)

    def end_all(self) -> None:
        """End every listener: the daemon stops."""
        for listener in self._all():
            listener.end()

    def end_disallowed(self) -> None:
        """End every listener whose keys or token are not valid any more."""
        self._keys_version = self._get_keys_version()
        for listener in self._all():
            if not listener.is_allowed():
                listener.end()

    def _all(self) -> list[Listener]:
        return [listener for listeners in self._listeners.values() for listener in listeners]

    def _handle_change(self, change: Change) -> None:
        if self._keys_version != self._get_keys_version():
            # Whatever else happened: an account that gets other keys is connected again.
            self.end_disallowed()
        events = self._events.get(change.label)
        if events is None:
            return
        if change.after is None:
            del self._events[change.label]
            for listener in tuple(self._listeners.pop(change.label, {})):
                listener.end()
            return
        if frames := events.add(change):
            self._pending.setdefault(change.label, []).extend(frames)
        before = change.before
        if (
            before is None
            or before.mark is not change.after.mark
            or (before.state.account is not change.after.state.account)
        ):
            self._changed.add(change.label)
        if not self._is_scheduled and (self._pending or self._changed):
            self._is_scheduled = True
            asyncio.get_running_loop().call_soon(self._flush)

    def _flush(self) -> None:
        self._is_scheduled = False
        pending, changed = self._pending, self._changed
        self._pending, self._changed = {}, set()
        for label, frames in pending.items():
            for listener in tuple(self._listeners.get(label, ())):
                listener.deliver(frames)
        for label in changed:
            record = self._store.get(label)
            for listener in tuple(self._listeners.get(label, ())):
                if record is not None:
                    listener.update_account(record)
