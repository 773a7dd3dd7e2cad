"""All of one account in one document: what a page about it shows."""

from typing import Any

from msgspec import Struct

from realtime.api.documents.fragments import Fragments, Json
from realtime.api.documents.orders import recent_orders
from realtime.api.documents.positions import ALL, select_positions
from realtime.api.documents.status import LinkRow, link_row
from realtime.api.documents.timestamps import instant
from realtime.core.model import Account, AccountLabel, Order, Position
from realtime.store.store import Record


class _Beside(Struct, frozen=True, kw_only=True):
    """What one version of a record says beside the broker's own objects."""

    account_id: AccountLabel
    as_of: str
    version: int
    stale: bool
    stale_since: str | None
    stale_reason: str | None
    provisional: list[str]
    link: LinkRow


class DashboardDocument(_Beside, frozen=True, kw_only=True):
    """One version of a record. Its last three are `None` while nothing was ever read."""

    account: Account | None
    positions: list[Position] | None
    orders: list[Order] | None


class DashboardJson(_Beside, frozen=True, kw_only=True):
    """The same, of parts that may be encoded already."""

    account: Json | None
    positions: list[Json] | None
    orders: list[Json] | None


def dashboard(record: Record) -> DashboardDocument:
    """The document of a record."""
    state, has_data = record.state, record.has_data
    return DashboardDocument(
        **_beside(record),
        account=state.account,
        positions=select_positions(state, ALL) if has_data else None,
        orders=recent_orders(state) if has_data else None,
    )


def dashboard_json(record: Record, parts: Fragments) -> DashboardJson:
    """The document of a record, put together from parts."""
    state, account = record.state, record.state.account
    if account is None:
        return DashboardJson(**_beside(record), account=None, positions=None, orders=None)
    return DashboardJson(
        **_beside(record),
        account=parts.account(account),
        positions=[parts.position(each) for each in select_positions(state, ALL)],
        orders=[parts.order(each) for each in recent_orders(state, parts.age)],
    )


def _beside(record: Record) -> dict[str, Any]:  # Any: the fields of `_Beside`
    link = link_row(record)
    return {
        "account_id": record.profile.label,
        "as_of": instant(record.as_of),
        "version": record.version,
        "stale": link.stale,
        "stale_since": link.stale_since,
        "stale_reason": link.stale_reason,
        "provisional": sorted(record.state.provisional),
        "link": link,
    }
