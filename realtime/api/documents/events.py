"""What a follower of the push is told: one document an event, each about one account.

State documents (`account`, `positions`, `link`, the working orders) say how a part stands, so the
newest replaces all before it. The others tell what happened, and none may be left out.
"""

from collections.abc import Iterable

from msgspec import Struct, field, structs

from realtime.api.documents.accounts import AccountRow, account_row
from realtime.api.documents.positions import ALL, select_positions
from realtime.api.documents.status import LinkRow, link_row
from realtime.api.documents.timestamps import instant
from realtime.core.model import Account, AccountLabel, Order, OrderId, Position
from realtime.core.state import Execution
from realtime.core.timestamps import microseconds
from realtime.store.store import Record


class EventDocument(Struct, frozen=True, kw_only=True):
    """Which version of which account this is, and how far it can be trusted."""

    account_id: AccountLabel
    as_of: str
    version: int
    stale: bool
    provisional: list[str]


class AccountEvent(EventDocument, frozen=True, kw_only=True):
    """Event `account`: the figures, `None` while nothing was ever read."""

    confirmed_at: str | None
    """When money and positions were last read; comes anew with every reading."""
    account: Account | None


class RowEvent(AccountRow, frozen=True, kw_only=True):
    """Event `row`: the account's row of the table, and when the broker last confirmed its money."""

    confirmed_at: str | None


class PositionsEvent(EventDocument, frozen=True, kw_only=True):
    """Event `positions`: all of them, by symbol; `None` while nothing was ever read."""

    positions: list[Position] | None


class LinkEvent(EventDocument, frozen=True, kw_only=True):
    """Event `link`: the row of the status as of this version."""

    link: LinkRow


class OrdersEvent(EventDocument, frozen=True, kw_only=True):
    """Event `orders`: what trade updates did not tell.

    `complete`: these are all orders that work, and no other does; `None` while nothing was ever
    read. Otherwise only these have changed, and `removed` are unknown to the broker.
    """

    complete: bool
    orders: list[Order] | None
    removed: list[OrderId]


class GapEvent(Struct, frozen=True, kw_only=True):
    """Event `gap`: the stream told nothing, or not all, between two moments."""

    account_id: AccountLabel
    since: str | None = field(name="from")
    until: str | None = field(name="to")
    """`None`: it goes on."""
    repaired: bool
    """Whether everything that happened in it is known by now."""
    recovered: int
    """Executions that were found by reading, and that no `order` event tells."""
    executions: list[Execution]


class AccountRemovedEvent(Struct, frozen=True):
    """Event `gone`: the account is no longer in the configuration."""

    account_id: AccountLabel


class OrderStatusUnknownEvent(Struct, frozen=True):
    """Event `unknown`: an order was sent through here, and nobody knows whether the broker has it.

    With `order_id` it was found after all.
    """

    account_id: AccountLabel
    client_order_id: str
    order_id: str | None


def account_stand(record: Record) -> AccountEvent:
    """The figures of a record."""
    confirmed = record.confirmed_at
    return AccountEvent(
        account_id=record.profile.label,
        as_of=instant(record.as_of),
        version=record.version,
        stale=record.link.is_stale,
        provisional=sorted(record.state.provisional),
        confirmed_at=None if confirmed is None else instant(confirmed),
        account=record.state.account,
    )


def row_event(record: Record) -> RowEvent:
    """The row of a record, and when its money was confirmed."""
    confirmed = record.confirmed_at
    return RowEvent(
        **structs.asdict(account_row(record)),
        confirmed_at=None if confirmed is None else instant(confirmed),
    )


def positions_stand(record: Record) -> PositionsEvent:
    """The positions of a record."""
    return PositionsEvent(
        account_id=record.profile.label,
        as_of=instant(record.as_of),
        version=record.version,
        stale=record.link.is_stale,
        provisional=sorted(record.state.provisional),
        positions=select_positions(record.state, ALL) if record.has_data else None,
    )


def link_stand(record: Record) -> LinkEvent:
    """The link of a record."""
    return LinkEvent(
        account_id=record.profile.label,
        as_of=instant(record.as_of),
        version=record.version,
        stale=record.link.is_stale,
        provisional=sorted(record.state.provisional),
        link=link_row(record),
    )


def working_orders(record: Record) -> OrdersEvent:
    """Every order of a record that is not final, newest submitted first."""
    if not record.has_data:
        return _orders(record, None, (), complete=True)
    working = [order for order in record.state.orders.values() if not order.is_closed]
    working.sort(key=lambda order: microseconds(order.submitted_at), reverse=True)
    return _orders(record, working, (), complete=True)


def changed_orders(record: Record, changed: list[Order], removed: Iterable[OrderId]) -> OrdersEvent:
    """Some orders of a record, as they are now."""
    return _orders(record, changed, removed, complete=False)


def _orders(
    record: Record, orders: list[Order] | None, removed: Iterable[OrderId], *, complete: bool
) -> OrdersEvent:
    return OrdersEvent(
        account_id=record.profile.label,
        as_of=instant(record.as_of),
        version=record.version,
        stale=record.link.is_stale,
        provisional=sorted(record.state.provisional),
        complete=complete,
        orders=orders,
        removed=list(removed),
    )
