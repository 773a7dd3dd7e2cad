"""Records: what is known of each account at one version, and how it changed. No functions here."""

from collections.abc import Callable, Iterator, Mapping
from typing import Protocol

from msgspec import Struct

from realtime.core.cash_flows import NetFlows
from realtime.core.link import Link
from realtime.core.mark import AccountMark
from realtime.core.model import AccountLabel, TradeUpdate
from realtime.core.state import EMPTY, AccountState, Execution


class Profile(Struct, frozen=True, kw_only=True):
    """An account's settings that clients may see; never a secret."""

    label: AccountLabel
    name: str | None = None
    tier: str | None = None
    paper: bool = True
    initial_balance: str | None = None


class Record(Struct, frozen=True, kw_only=True):
    """Everything that clients may see of one account, at one version."""

    profile: Profile
    state: AccountState = EMPTY
    link: Link = Link()
    version: int = 0
    """Increases with every change of `state` or `link`; never decreases within one run."""
    as_of: float = 0.0
    """When this version was made, epoch seconds."""
    last_message_at: float | None = None
    """When the stream last delivered a frame, epoch seconds; changes without a version."""
    net_flows: NetFlows | None = None
    """Deposits and withdrawals; None until they were read, and without `initial_balance`."""
    confirmed_at: float | None = None
    """When positions and money were last read, epoch seconds; changes without a version."""
    mark: AccountMark | None = None
    """The account marked to market; None without market data, and before its first."""
    owner: str | None = None
    """The daemon that keeps the account in sync, where that is another one; None: this one."""

    @property
    def has_data(self) -> bool:
        """Whether a snapshot was ever read: without one, lists are unknown and not empty."""
        return self.state.account is not None


class OrderInDoubt(Struct, frozen=True, kw_only=True):
    """An order that was sent through this daemon and never answered: whether it exists."""

    client_order_id: str
    order_id: str | None = None
    """Of the order that was found after all; `None` while its status is unknown."""


class Change(Struct, frozen=True, kw_only=True):
    """A change of one account, and its cause."""

    label: AccountLabel
    before: Record | None
    """`None` if the account was added."""
    after: Record | None
    """`None` if it was removed. Of the same version as `before` if an event changed nothing, or if
    only the time of confirmation changed."""
    updates: tuple[TradeUpdate, ...] = ()
    """The events that were applied, in their order."""
    recovered: tuple[Execution, ...] | None = None
    """Executions that a read found and no event had delivered; `None` if nothing was read."""
    doubt: OrderInDoubt | None = None
    """An order whose status is unknown, or known again; state and version are as before."""


Subscriber = Callable[[Change], None]


class Records(Protocol):
    """Read access to the store, or to the part of it that a client may see."""

    @property
    def boot(self) -> str:
        """Identifies this run."""

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
