"""All of one account in one document, for a page about it."""

from typing import Annotated, Any

from msgspec import UNSET, Meta, Struct, UnsetType

from realtime.api.documents.filters import AsOf
from realtime.api.documents.fragments import Fragments, Json
from realtime.api.documents.marks import MarkDocument, make_mark
from realtime.api.documents.orders import RECENT_CLOSED, recent_orders
from realtime.api.documents.positions import ALL_POSITIONS, select_positions
from realtime.api.documents.status import LinkRow, make_link_row
from realtime.api.documents.timestamps import format_millis
from realtime.core.model import Account, AccountLabel, Order, Position
from realtime.core.state import CLOSED_ORDERS_KEPT
from realtime.store.records import Record


class DashboardQuery(Struct, frozen=True, kw_only=True):
    """Parameters of a dashboard."""

    closed_orders: Annotated[
        int,
        Meta(
            ge=0,
            le=CLOSED_ORDERS_KEPT,
            description="At most this many closed orders, the newest; open orders are all listed.",
        ),
    ] = RECENT_CLOSED
    as_of: AsOf = None


DEFAULT = DashboardQuery()


class _VersionFields(Struct, frozen=True, kw_only=True):
    """What a dashboard contains beside the broker's own objects."""

    account_id: AccountLabel
    as_of: str
    version: int
    stale: bool
    stale_since: str | None
    stale_reason: str | None
    provisional: list[str]
    link: LinkRow
    equity_mark: MarkDocument | UnsetType | None = UNSET
    """Marked to market; absent without market data."""


class DashboardDocument(_VersionFields, frozen=True, kw_only=True):
    """One version of a record. The last three are `None` until the first read."""

    account: Account | None
    positions: list[Position] | None
    orders: list[Order] | None


class DashboardJson(_VersionFields, frozen=True, kw_only=True):
    """The same with parts that may be encoded already."""

    account: Json | None
    positions: list[Json] | None
    orders: list[Json] | None


def make_dashboard(record: Record, query: DashboardQuery = DEFAULT) -> DashboardDocument:
    """The document of a record."""
    state, has_data = record.state, record.has_data
    return DashboardDocument(
        **_version_fields(record),
        account=state.account,
        positions=select_positions(state, ALL_POSITIONS) if has_data else None,
        orders=recent_orders(state, query.closed_orders) if has_data else None,
    )


def assemble_dashboard(
    record: Record, fragments: Fragments, query: DashboardQuery = DEFAULT
) -> DashboardJson:
    """The document of a record, assembled from fragments."""
    state, account = record.state, record.state.account
    if account is None:
        return DashboardJson(**_version_fields(record), account=None, positions=None, orders=None)
    return DashboardJson(
        **_version_fields(record),
        account=fragments.account(account),
        positions=[
            fragments.position(position) for position in select_positions(state, ALL_POSITIONS)
        ],
        orders=[
            fragments.order(order) for order in fragments.recent_orders(state, query.closed_orders)
        ],
    )


def _version_fields(record: Record) -> dict[str, Any]:  # Any: the fields of `_VersionFields`
    link = make_link_row(record)
    return {
        "account_id": record.profile.label,
        "as_of": format_millis(record.as_of),
        "version": record.version,
        "stale": link.stale,
        "stale_since": link.stale_since,
        "stale_reason": link.stale_reason,
        "provisional": sorted(record.state.provisional),
        "link": link,
        "equity_mark": UNSET if record.mark is None else make_mark(record),
    }
