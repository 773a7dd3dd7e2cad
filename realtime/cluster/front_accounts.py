"""The accounts that this daemon follows from their owners, in its own store.

Each account belongs to one feed, that of the highest epoch seen. Frames of a lower epoch come from
a daemon that no longer owns the account: they are dropped and counted. Two feeds with the same
epoch are two daemons that both keep the account in sync, which only a wrong configuration does: the
first one is followed as long as its feed is there.

`base` is a record as the owner has it. What clients see is the same, or that with a link that is
stale while the owner's feed is not there.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Literal

from msgspec import Struct, structs

from realtime.cluster.frames import AccountChange, AccountSnapshot, Handed, Hello
from realtime.cluster.record_changes import apply_parts, find_recovered
from realtime.config.validators import LABEL
from realtime.core.link import Link
from realtime.core.model import AccountLabel
from realtime.errors import ProtocolViolation
from realtime.store.records import Profile, Record
from realtime.store.store import Store
from realtime.telemetry.log import get_logger

log = get_logger()

Dropped = Literal["stale_epoch", "two_owners", "not_joined"]

MAX_ACCOUNTS = 10_000
"""Of one owner, as in the configuration."""

MAX_FOLLOWED = 5 * MAX_ACCOUNTS
"""Of all owners together."""

MARKED_AT_ONCE = 50
"""Accounts that are marked stale before other tasks run."""


class Followed(Struct, kw_only=True, eq=False):
    """One account, and the feed that it comes from."""

    feed: str
    """The address of the owner's feed; empty: it was handed over, and not received yet."""
    epoch: int
    base: Record | None = None
    """None: announced by the owner, and not received yet."""
    n: int = 0
    """Changes up to this number are in `base`."""
    is_joined: bool = False
    """Whether `base` is of the feed's present connection, or was resumed by it."""


class FrontAccounts:
    """All followed accounts. `clock` gives epoch seconds.

    `is_own`: whether this daemon keeps an account in sync itself; None: every account in the store
    that comes from no feed. `keeps`: whether an account stays although no owner has it now, because
    this daemon may become its owner. `feeds`: addresses of owners, in the order in which their
    accounts are shown; others come after them. `handle_successor` is called with label, owner and
    epoch when another daemon's feed has an account that is this one's own, before it is a conflict.
    """

    def __init__(
        self,
        store: Store,
        *,
        clock: Callable[[], float],
        is_own: Callable[[str], bool] | None = None,
        keeps: Callable[[str], bool] = lambda label: False,
        feeds: Sequence[str] = (),
        handle_successor: Callable[[str, str, int], None] = lambda label, owner, epoch: None,
    ) -> None:
        self._store = store
        self._is_own = is_own or self._is_unfollowed
        self._keeps = keeps
        self._handle_successor = handle_successor
        self._clock = clock
        self._accounts: dict[AccountLabel, Followed] = {}
        self._highest: dict[AccountLabel, int] = {}
        """account → the highest epoch seen, also of accounts that are gone"""
        self._current: set[str] = set()
        """Feeds that are up to date."""
        self._order: dict[str, list[AccountLabel]] = {address: [] for address in feeds}
        """feed → its accounts, in the order of the owner's configuration"""
        self._conflicts: set[AccountLabel] = set()
        """Accounts of which a second owner was logged."""
        self.dropped: Counter[Dropped] = Counter()

    def _is_unfollowed(self, label: str) -> bool:
        return self._store.get(label) is not None

    def leave(self, label: str, epoch: int) -> None:
        """Follow an account no longer: this daemon owns it from this epoch on."""
        self._accounts.pop(AccountLabel(label), None)
        self._highest[AccountLabel(label)] = epoch

    def get_feed(self, label: str) -> str | None:
        """The feed that an account comes from; None: it is not followed."""
        followed = self._accounts.get(AccountLabel(label))
        return None if followed is None else followed.feed or None

    def count(self, feed: str) -> int:
        """How many accounts come from a feed."""
        return sum(1 for followed in self._accounts.values() if followed.feed == feed)

    @property
    def is_complete(self) -> bool:
        """Whether every account that an owner has announced was received."""
        return all(followed.base is not None for followed in self._accounts.values())

    def begin(self, feed: str, hello: Hello) -> bool:
        """Follow what a connection announces, before its first frame; whether that is possible.

        It is not if the connection resumes, and an account that it announces was followed from
        elsewhere meanwhile: then it must begin with snapshots.
        """
        if len(hello.epochs) > MAX_ACCOUNTS:
            raise ProtocolViolation(f"an owner of {len(hello.epochs)} accounts")
        for label, followed in list(self._accounts.items()):
            if followed.feed == feed:
                followed.is_joined = hello.resumed and followed.base is not None
                if label not in hello.epochs:
                    self._remove(label)
        can_resume = True
        for label, epoch in hello.epochs.items():
            claimed = self._claim(feed, label, epoch, hello.member)
            if claimed is None:
                continue
            can_resume = can_resume and (claimed.is_joined or not hello.resumed)
            self._announce(label, hello.member)
        self._order[feed] = list(hello.epochs)
        # By owner, however fast each of them was, and then as each has them.
        self._store.sort(
            label
            for address, labels in self._order.items()
            for label in labels
            if self.get_feed(label) == address
        )
        return can_resume

    def _announce(self, label: AccountLabel, member: str) -> None:
        """Add an account of which only the label is known: reads of it say that it is starting."""
        now = self._clock()
        known = self._store.get(label)
        if known is not None and known.owner == member:
            return
        reason = f"not received from {member} yet"
        if known is not None:
            link = make_stale_link(known.link, reason, now)
            self._store.put(structs.replace(known, link=link, owner=member))
            return
        link = Link(since=now, stale_since=now, stale_reason=reason)
        self._store.put(Record(profile=Profile(label=label), link=link, as_of=now, owner=member))

    def _claim(self, feed: str, label: AccountLabel, epoch: int, member: str) -> Followed | None:
        """The account if a frame of this feed and epoch is about it now; None: drop the frame."""
        followed = self._accounts.get(label)
        if epoch < self._highest.get(label, epoch):
            self.dropped["stale_epoch"] += 1
            return None
        if followed is None:
            if self._is_own(label):
                self._handle_successor(label, member, epoch)
            if self._is_own(label):
                self._report_conflict(label, member)
                return None
            if not LABEL.fullmatch(label) or len(self._accounts) >= MAX_FOLLOWED:
                raise ProtocolViolation(f"no account to follow: {label[:64]!r}")
            followed = self._accounts[label] = Followed(feed=feed, epoch=epoch)
        elif followed.feed != feed:
            if epoch == followed.epoch and followed.feed in self._current:
                self._report_conflict(label, member)
                return None
            followed.feed, followed.is_joined = feed, False
        followed.epoch = self._highest[label] = epoch
        return followed

    def _report_conflict(self, label: AccountLabel, member: str) -> None:
        self.dropped["two_owners"] += 1
        if label not in self._conflicts:
            self._conflicts.add(label)
            log.error("owner.conflict", account=label, owner=member)

    def apply_snapshot(self, feed: str, member: str, snapshot: AccountSnapshot) -> None:
        """Set all of an account. Raises `ProtocolViolation`."""
        followed = self._claim(feed, snapshot.label, snapshot.epoch, member)
        if followed is None:
            return
        parts = snapshot.parts
        profile = parts.profile
        if not profile or profile.label != snapshot.label:
            raise ProtocolViolation("a snapshot without its account")
        base = apply_parts(Record(profile=profile, owner=member), parts)
        self._set_base(followed, base, snapshot.n)
        before = self._store.get(snapshot.label)
        recovered = None
        if before is not None and before.has_data:
            recovered = find_recovered(before.state.executions, base.state.executions) or None
        self._store.put(base, recovered=recovered)

    def apply_change(self, feed: str, member: str, change: AccountChange) -> None:
        """Apply what changed. Raises `ProtocolViolation`."""
        followed = self._claim(feed, change.label, change.epoch, member)
        if followed is None:
            return
        if change.is_whole:
            profile = None if change.parts is None else change.parts.profile
            if not profile or profile.label != change.label:
                raise ProtocolViolation("a new account without its profile")
            before = Record(profile=profile, owner=member)
        elif not followed.is_joined or followed.base is None:
            self.dropped["not_joined"] += 1  # its snapshot follows, with this change in it
            return
        elif change.n <= followed.n:
            return  # in the snapshot already
        else:
            before = followed.base
        if change.parts is None:
            self._remove(change.label)
            return
        base = apply_parts(before, change.parts)
        self._set_base(followed, base, change.n)
        shown = self._store.get(change.label)
        is_behind = feed not in self._current and shown is not None and shown.link.is_stale
        self._store.put(
            # While it resumes, what was marked stale stays so until everything has arrived.
            structs.replace(base, link=shown.link) if is_behind and shown is not None else base,
            is_new_version=change.is_new_version,
            updates=tuple(change.updates),
            recovered=None if change.recovered is None else tuple(change.recovered),
            doubt=change.doubt,
        )

    def apply_handed(self, feed: str, handed: Handed) -> None:
        """Follow an account from its next owner; until that is received it is stale."""
        followed = self._accounts.get(handed.label)
        self._highest[handed.label] = max(handed.epoch, self._highest.get(handed.label, 0))
        if followed is None or followed.feed != feed:
            return  # the next owner's frames were faster
        followed.feed, followed.epoch, followed.is_joined = "", self._highest[handed.label], False
        self._mark_stale(followed, f"handed over to {handed.owner}", self._clock())

    def record_messages(self, feed: str, messages: dict[AccountLabel, float]) -> None:
        """Set when the streams of accounts last delivered a frame."""
        for label, at in messages.items():
            followed = self._accounts.get(label)
            if followed is not None and followed.feed == feed and followed.base is not None:
                followed.base = structs.replace(followed.base, last_message_at=at)
                self._store.record_message(label, now=at)

    async def finish_joining(self, feed: str) -> None:
        """The feed is up to date: what it did not send is gone, and nothing of it is stale."""
        self._current.add(feed)
        for at, (label, followed) in enumerate(list(self._accounts.items())):
            if followed.feed != feed:
                continue
            if not followed.is_joined or followed.base is None:
                self._remove(label)
            elif (record := self._store.get(label)) is not None and (
                record.link != followed.base.link
            ):
                self._store.put(followed.base)
            if at % MARKED_AT_ONCE == MARKED_AT_ONCE - 1:
                await asyncio.sleep(0)

    async def mark_stale(self, feed: str, reason: str, since: float) -> None:
        """The feed is not there: its accounts may be behind the broker since then, epoch seconds,
        for this reason."""
        self._current.discard(feed)
        for at, followed in enumerate(list(self._accounts.values())):
            if followed.feed == feed:
                self._mark_stale(followed, reason, since)
            if at % MARKED_AT_ONCE == MARKED_AT_ONCE - 1:
                await asyncio.sleep(0)

    def _mark_stale(self, followed: Followed, reason: str, since: float) -> None:
        base = followed.base
        if base is None or base.link.state == "disabled":
            return
        link = make_stale_link(base.link, reason, since)
        self._store.put(structs.replace(base, link=link, as_of=max(base.as_of, since)))

    def _set_base(self, followed: Followed, base: Record, n: int) -> None:
        followed.base, followed.n, followed.is_joined = base, n, True

    def _remove(self, label: AccountLabel) -> None:
        """The account is in no configuration any more; its highest epoch stays known."""
        followed = self._accounts.pop(label)
        if self._keeps(label):
            self._mark_stale(followed, "no daemon owns it now", self._clock())
        elif self._store.get(label) is not None:
            self._store.remove(label)


def make_stale_link(link: Link, reason: str, since: float) -> Link:
    """The link of an account whose owner's feed is not there."""
    if link.is_stale:
        since = min(since, link.stale_since if link.stale_since is not None else since)
    return structs.replace(
        link,
        state=link.state if link.state == "refused" else "waiting",
        stale_since=since,
        stale_reason=reason,
        next_attempt_at=None,
    )
