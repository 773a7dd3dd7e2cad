"""Documents of the event stream: one for each event, each about one account.

State documents (`account`, `positions`, `link`, the open orders) describe a part of the state, so
the newest replaces all earlier ones. The others report what happened, and none may be left out.
"""

from collections.abc import Iterable
from typing import Any

from msgspec import Struct, field, structs

from realtime.api.documents.accounts import AccountRow, make_account_row
from realtime.api.documents.marks import MarkDocument, make_mark
from realtime.api.documents.positions import ALL_POSITIONS, select_positions
from realtime.api.documents.status import LinkRow, make_link_row
from realtime.api.documents.timestamps import format_millis
from realtime.core.model import Account, AccountLabel, Order, OrderId, Position
from realtime.core.state import Execution
from realtime.core.timestamps import microseconds
from realtime.store.records import Record


class EventDocument(Struct, frozen=True, kw_only=True):
    """The account, its version, and whether it may be out of date."""

    account_id: AccountLabel
    tier: str | None = None
    as_of: str
    version: int
    stale: bool
    provisional: list[str]


class AccountEvent(EventDocument, frozen=True, kw_only=True):
    """Event `account`: the figures, `None` until the first read."""

    confirmed_at: str | None
    """When money and positions were last read; changes with every read."""
    account: Account | None


class RowEvent(AccountRow, frozen=True, kw_only=True):
    """Event `row`: the account's row of the table, and when the broker last confirmed its money."""

    confirmed_at: str | None


class MarkEvent(EventDocument, frozen=True, kw_only=True):
    """Event `mark`: the account marked to market; at most four a second."""

    mark: MarkDocument | None


class PositionsEvent(EventDocument, frozen=True, kw_only=True):
    """Event `positions`: all of them, by symbol; `None` until the first read."""

    positions: list[Position] | None


class LinkEvent(EventDocument, frozen=True, kw_only=True):
    """Event `link`: the account's row of the status document."""

    link: LinkRow


class OrdersEvent(EventDocument, frozen=True, kw_only=True):
    """Event `orders`: changes that no trade update reported.

    `complete`: these are all open orders; `None` until the first read. Otherwise only these have
    changed, and `removed` are unknown to the broker.
    """

    complete: bool
    orders: list[Order] | None
    removed: list[OrderId]


class GapEvent(Struct, frozen=True, kw_only=True):
    """Event `gap`: the stream was silent or incomplete between two times."""

    account_id: AccountLabel
    tier: str | None = None
    since: str | None = field(name="from")
    until: str | None = field(name="to")
    """`None`: it continues."""
    repaired: bool
    """Whether everything that happened in it is known now."""
    recovered: int
    """Executions that a read found and that no `order` event reports."""
    executions: list[Execution]


class AccountRemovedEvent(Struct, frozen=True):
    """Event `gone`: the account is no longer in the configuration."""

    account_id: AccountLabel


class OrderStatusUnknownEvent(Struct, frozen=True):
    """Event `unknown`: an order was sent through the daemon, and its status is unknown.

    With `order_id` it was found.
    """

    account_id: AccountLabel
    client_order_id: str
    order_id: str | None
    tier: str | None = None


def make_account_event(record: Record) -> AccountEvent:
    """The figures of a record."""
    confirmed = record.confirmed_at
    return AccountEvent(
        **_common_fields(record),
        confirmed_at=None if confirmed is None else format_millis(confirmed),
        account=record.state.account,
    )


def make_row_event(record: Record) -> RowEvent:
    """The row of a record, and when its money was confirmed."""
    confirmed = record.confirmed_at
    return RowEvent(
        **structs.asdict(make_account_row(record)),
        confirmed_at=None if confirmed is None else format_millis(confirmed),
    )


def make_mark_event(record: Record) -> MarkEvent:
    """The mark of a record."""
    return MarkEvent(**_common_fields(record), mark=make_mark(record))


def make_positions_event(record: Record) -> PositionsEvent:
    """The positions of a record."""
    return PositionsEvent(
        **_common_fields(record),
        positions=select_positions(record.state, ALL_POSITIONS) if record.has_data else None,
    )


def make_link_event(record: Record) -> LinkEvent:
    """The link of a record."""
    return LinkEvent(**_common_fields(record), link=make_link_row(record))


def make_open_orders_event(record: Record) -> OrdersEvent:
    """Every open order of a record, newest submitted first."""
    if not record.has_data:
        return _orders(record, None, (), complete=True)
    orders = [order for order in record.state.orders.values() if not order.is_closed]
    orders.sort(key=lambda order: microseconds(order.submitted_at), reverse=True)
    return _orders(record, orders, (), complete=True)


def make_changed_orders_event(
    record: Record, changed: list[Order], removed: Iterable[OrderId]
) -> OrdersEvent:
    """Changed orders of a record, in their current version."""
    return _orders(record, changed, removed, complete=False)


def _orders(
    record: Record, orders: list[Order] | None, removed: Iterable[OrderId], *, complete: bool
) -> OrdersEvent:
    return OrdersEvent(
        **_common_fields(record), complete=complete, orders=orders, removed=list(removed)
    )


def _common_fields(record: Record) -> dict[str, Any]:  # Any: the fields of `EventDocument`
    return {
        "account_id": record.profile.label,
        "tier": record.profile.tier,
        "as_of": format_millis(record.as_of),
        "version": record.version,
        "stale": record.link.is_stale,
        "provisional": sorted(record.state.provisional),
    }
