"""The only mutable state of the daemon: account label → record, by value.

Each account has one writer (its task in `sync`) and any number of readers. Every method is
synchronous and awaits nothing, so a reader always sees one consistent record and needs no lock. A
subscriber is called with every change and must not block.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import MappingProxyType

from msgspec import structs

from realtime.core.cash_flows import NetFlows
from realtime.core.link import Link
from realtime.core.mark import AccountMark
from realtime.core.model import AccountLabel, TradeUpdate
from realtime.core.state import AccountState, Execution
from realtime.store.records import Change, OrderInDoubt, Profile, Record, Subscriber
from realtime.telemetry.histogram import Histogram

MAX_COUNTERS = 500

LAG_BOUNDS_S = (
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0,
)  # fmt: skip


class Store:
    """Records of all accounts. `boot` names this run in ETags: versions start again with it."""

    def __init__(self, *, boot: str) -> None:
        self.boot = boot
        self.version = 0
        """Increases with every change of any account."""
        self.counts: Counter[str] = Counter()
        """Counters of this run, by name: `events.fill`, `differences.order_missing`."""
        self.lag = Histogram(LAG_BOUNDS_S)
        """Seconds from the broker's time of an execution until clients see it."""
        self._records: dict[AccountLabel, Record] = {}
        self._subscribers: list[Subscriber] = []

    @property
    def records(self) -> Mapping[AccountLabel, Record]:
        """All records, in the order of the configuration; a live, read-only view."""
        return MappingProxyType(self._records)

    def __len__(self) -> int:
        return len(self._records)

    def __iter__(self) -> Iterator[Record]:
        return iter(self._records.values())

    def get(self, label: str) -> Record | None:
        """The record of an account, or None if there is no such account."""
        return self._records.get(AccountLabel(label))

    def add(self, profile: Profile, *, now: float, link: Link | None = None) -> Record:
        """Add an account; a second one with the same label is an internal error."""
        assert profile.label not in self._records, f"{profile.label} is in the store already"
        first = link or Link(since=now, stale_since=now)
        # Versions continue from the fleet's: an account that is added again never repeats one, so
        # a client's old ETag never matches.
        record = Record(profile=profile, link=first, version=self.version + 1, as_of=now)
        return self._assign(None, record)

    def remove(self, label: AccountLabel) -> None:
        """Remove an account."""
        removed = self._records.pop(label)
        self.version += 1
        self._announce(Change(label=label, before=removed, after=None))

    def update(
        self,
        label: AccountLabel,
        *,
        now: float,
        state: AccountState | None = None,
        link: Link | None = None,
        updates: tuple[TradeUpdate, ...] = (),
        recovered: tuple[Execution, ...] | None = None,
    ) -> Record:
        """Set the next state, the next link or both, with their cause; return the new record.

        Without a difference and without an event nothing is announced. An event also counts as a
        frame of the stream (`record_message`).
        """
        old = self._records[label]
        state = old.state if state is None else state
        link = old.link if link is None else link
        last_message_at = now if updates else old.last_message_at
        if state is not old.state or link != old.link:
            new = structs.replace(
                old,
                state=state,
                link=link,
                version=old.version + 1,
                as_of=now,
                last_message_at=last_message_at,
            )
            return self._assign(old, new, updates=updates, recovered=recovered)
        if updates:
            new = self._records[label] = structs.replace(old, last_message_at=last_message_at)
            self._announce(Change(label=label, before=old, after=new, updates=updates))
            return new
        return old

    def set_profile(self, profile: Profile, *, now: float) -> None:
        """Set an account's settings after a reload."""
        old = self._records[profile.label]
        if old.profile != profile:
            version = old.version + 1
            self._assign(old, structs.replace(old, profile=profile, version=version, as_of=now))

    def renew(self) -> None:
        """Give every record a new version: what is shown of it has changed, not what is known."""
        for old in tuple(self._records.values()):
            self._assign(old, structs.replace(old, version=old.version + 1))

    def record_message(self, label: AccountLabel, *, now: float) -> None:
        """Record that the stream delivered a frame that is no event; no new version."""
        self._records[label] = structs.replace(self._records[label], last_message_at=now)

    def record_confirmation(self, label: AccountLabel, *, now: float) -> None:
        """Record that positions and money were read at `now`; no new version."""
        old = self._records[label]
        self._records[label] = new = structs.replace(old, confirmed_at=now)
        self._announce(Change(label=label, before=old, after=new))

    def set_net_flows(self, label: AccountLabel, flows: NetFlows, *, now: float) -> None:
        """Store what was read of deposits and withdrawals; a new version if it has changed."""
        old = self._records.get(label)
        if old is None:
            return
        new = structs.replace(old, net_flows=flows)
        if (
            old.net_flows is not None
            and structs.replace(old.net_flows, read_at=flows.read_at) == flows
        ):
            self._records[label] = new
            return
        self._assign(old, structs.replace(new, version=old.version + 1, as_of=now))

    def set_mark(self, mark: AccountMark, *, now: float) -> None:
        """Store an account's newest mark: a new version, since documents show it."""
        old = self._records.get(mark.label)
        if old is not None:
            new = structs.replace(old, mark=mark, version=old.version + 1, as_of=now)
            self._assign(old, new)

    def remove_mark(self, label: AccountLabel, *, now: float) -> None:
        """Withdraw an account's mark: a new version, unless it has none."""
        old = self._records.get(label)
        if old is not None and old.mark is not None:
            self._assign(old, structs.replace(old, mark=None, version=old.version + 1, as_of=now))

    def report_doubt(self, label: AccountLabel, doubt: OrderInDoubt) -> None:
        """Announce that an order's status is unknown, or that it was found; no new version."""
        record = self._records.get(label)
        if record is not None:
            self._announce(Change(label=label, before=record, after=record, doubt=doubt))

    def put(
        self,
        record: Record,
        *,
        is_new_version: bool = True,
        updates: tuple[TradeUpdate, ...] = (),
        recovered: tuple[Execution, ...] | None = None,
        doubt: OrderInDoubt | None = None,
    ) -> Record:
        """Set a record that another daemon made, with its cause, and add it if it is new.

        Its version is one of this store: those of another run, or daemon, may be lower.
        """
        label = record.profile.label
        old = self._records.get(label)
        if old is None:
            new = structs.replace(record, version=self.version + 1)
        else:
            new = structs.replace(record, version=old.version + is_new_version)
        self._records[label] = new
        self.version += is_new_version or old is None
        self._announce(
            Change(
                label=label,
                before=old,
                after=new,
                updates=updates,
                recovered=recovered,
                doubt=doubt,
            )
        )
        return new

    def sort(self, labels: Iterable[AccountLabel]) -> None:
        """Put these accounts, of those that there are, into this order, in the places that they
        have together; all others stay where they are."""
        ordered = [label for label in labels if label in self._records]
        chosen, rest = frozenset(ordered), iter(ordered)
        names = [next(rest) if label in chosen else label for label in self._records]
        if names != list(self._records):
            self._records = {label: self._records[label] for label in names}
            self.version += 1

    def count(self, name: str) -> None:
        """Increase a counter. Names may come from the broker, so their number is bounded."""
        self.counts[
            name if name in self.counts or len(self.counts) < MAX_COUNTERS else "other"
        ] += 1

    def subscribe(self, subscriber: Subscriber) -> Callable[[], None]:
        """Call `subscriber` with every change; return the function that ends it."""
        self._subscribers.append(subscriber)
        return lambda: self._subscribers.remove(subscriber)

    def _assign(
        self,
        old: Record | None,
        new: Record,
        *,
        updates: tuple[TradeUpdate, ...] = (),
        recovered: tuple[Execution, ...] | None = None,
    ) -> Record:
        label = new.profile.label
        self._records[label] = new
        self.version += 1
        self._announce(
            Change(label=label, before=old, after=new, updates=updates, recovered=recovered)
        )
        return new

    def _announce(self, change: Change) -> None:
        for subscriber in tuple(self._subscribers):
            subscriber(change)
