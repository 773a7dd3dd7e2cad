"""The only mutable state of the daemon: account label → record, by value.

One writer an account (its task in `live`), any number of readers. Every method is synchronous and
awaits nothing, so a reader always sees one consistent record and needs no lock. Whoever wants to
know of changes subscribes; a subscriber is called with the change and must not block.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Protocol

from msgspec import Struct, structs

from realtime.core.cash_flows import NetFlows
from realtime.core.link import Link
from realtime.core.model import AccountLabel, TradeUpdate
from realtime.core.state import EMPTY, AccountState, Execution
from realtime.telemetry.histogram import Histogram

NAMES_COUNTED = 500

LAG_BOUNDS_S = (
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0,
)  # fmt: skip


class Profile(Struct, frozen=True, kw_only=True):
    """What the configuration says of an account; never a secret."""

    label: AccountLabel
    name: str | None = None
    tier: str | None = None
    paper: bool = True
    initial_balance: str | None = None


class Record(Struct, frozen=True, kw_only=True):
    """All that readers may know of one account, at one version."""

    profile: Profile
    state: AccountState = EMPTY
    link: Link = Link()
    version: int = 0
    """Rises with every change of `state` or `link`; never falls within one run."""
    as_of: float = 0.0
    """When this version was made, epoch seconds."""
    last_message_at: float | None = None
    """When the broker was last heard on the stream, epoch seconds; changes without a version."""
    net_flows: NetFlows | None = None
    """Deposits and withdrawals; None until they were read, and without `initial_balance`."""
    confirmed_at: float | None = None
    """When positions and money were last read, epoch seconds; changes without a version."""

    @property
    def has_data(self) -> bool:
        """Whether a snapshot was ever read: without one, lists are unknown and not empty."""
        return self.state.account is not None


class OrderInDoubt(Struct, frozen=True, kw_only=True):
    """Whether an order exists that was sent through here and never answered."""

    client_order_id: str
    order_id: str | None = None
    """Of the order that was found after all; `None` while nobody knows."""


class Change(Struct, frozen=True, kw_only=True):
    """What became of one account, and what led to it."""

    label: AccountLabel
    before: Record | None
    """`None` if the account was added."""
    after: Record | None
    """`None` if it was removed. Of the same version as `before` if an event changed nothing, or if
    only the time of confirmation moved."""
    updates: tuple[TradeUpdate, ...] = ()
    """The events that were applied, in their order."""
    recovered: tuple[Execution, ...] | None = None
    """Executions that a reading found and no event had told; `None` if nothing was read."""
    doubt: OrderInDoubt | None = None
    """An order of which nobody knows, or no longer does not; state and version are as before."""


Subscriber = Callable[[Change], None]


class Records(Protocol):
    """What readers may do with the store, or with the part of it that they may know of."""

    @property
    def boot(self) -> str:
        """Names this run."""

    @property
    def version(self) -> int:
        """Another number whenever any of the records has changed."""

    @property
    def records(self) -> Mapping[AccountLabel, Record]:
        """All of them, in the order of the configuration."""

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[Record]: ...

    def get(self, label: str) -> Record | None:
        """The record of an account."""


class Store:
    """Records of all accounts. `boot` names this run in ETags: versions start anew with it."""

    def __init__(self, *, boot: str) -> None:
        self.boot = boot
        self.version = 0
        """Rises with every change of any account."""
        self.counts: Counter[str] = Counter()
        """What happened in this run, by name: `events.fill`, `differences.order_missing`."""
        self.lag = Histogram(LAG_BOUNDS_S)
        """Seconds from the broker's time of an execution until readers see it."""
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
        """Begin an account's record; a second one for the same label is a mistake of ours."""
        assert profile.label not in self._records, f"{profile.label} is in the store already"
        first = link or Link(since=now, stale_since=now)
        # From the fleet's version on: an account that returns never repeats a version, so
        # a reader's old ETag never matches.
        begun = Record(profile=profile, link=first, version=self.version + 1, as_of=now)
        return self._assign(None, begun)

    def remove(self, label: AccountLabel) -> None:
        """Forget an account."""
        gone = self._records.pop(label)
        self.version += 1
        self._announce(Change(label=label, before=gone, after=None))

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
        """Take the next state, the next link or both, and what led to them.

        Without a difference and without an event nothing is announced. An event is also a sign of
        life, as `heard` notes it.
        """
        old = self._records[label]
        state = old.state if state is None else state
        link = old.link if link is None else link
        heard_at = now if updates else old.last_message_at
        if state is not old.state or link != old.link:
            new = structs.replace(
                old,
                state=state,
                link=link,
                version=old.version + 1,
                as_of=now,
                last_message_at=heard_at,
            )
            return self._assign(old, new, updates=updates, recovered=recovered)
        if updates:
            new = self._records[label] = structs.replace(old, last_message_at=heard_at)
            self._announce(Change(label=label, before=old, after=new, updates=updates))
            return new
        return old

    def describe(self, profile: Profile, *, now: float) -> None:
        """Take what the configuration says of an account now."""
        old = self._records[profile.label]
        if old.profile != profile:
            version = old.version + 1
            self._assign(old, structs.replace(old, profile=profile, version=version, as_of=now))

    def heard(self, label: AccountLabel, *, now: float) -> None:
        """Note that the broker spoke on the stream, no event though; no new version."""
        self._records[label] = structs.replace(self._records[label], last_message_at=now)

    def confirmed(self, label: AccountLabel, *, now: float) -> None:
        """Note that positions and money are as REST said at `now`; no new version."""
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

    def doubt(self, label: AccountLabel, doubt: OrderInDoubt) -> None:
        """Announce that nobody knows of an order, or that it was found; no new version."""
        record = self._records.get(label)
        if record is not None:
            self._announce(Change(label=label, before=record, after=record, doubt=doubt))

    def count(self, name: str) -> None:
        """Count a happening. Names may come from the broker, so their number is bounded."""
        self.counts[
            name if name in self.counts or len(self.counts) < NAMES_COUNTED else "other"
        ] += 1

    def subscribe(self, subscriber: Subscriber) -> Callable[[], None]:
        """Have every change announced; returns what ends it."""
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
