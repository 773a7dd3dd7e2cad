"""All of one account in one document: what a page about it shows."""

from msgspec import Struct

from realtime.core.model import Account, AccountLabel, Order, Position
from realtime.store import Record
from realtime.views.moments import instant
from realtime.views.orders import recent_orders
from realtime.views.positions import ALL, select_positions
from realtime.views.status import LinkRow, link_row


class DashboardDocument(Struct, frozen=True, kw_only=True):
    """One version of a record. Its last three are `None` while nothing was ever read."""

    account_id: AccountLabel
    as_of: str
    version: int
    stale: bool
    stale_since: str | None
    stale_reason: str | None
    provisional: list[str]
    link: LinkRow
    account: Account | None
    positions: list[Position] | None
    orders: list[Order] | None


def dashboard(record: Record) -> DashboardDocument:
    """The document of a record."""
    link, state = link_row(record), record.state
    return DashboardDocument(
        account_id=record.profile.label,
        as_of=instant(record.as_of),
        version=record.version,
        stale=link.stale,
        stale_since=link.stale_since,
        stale_reason=link.stale_reason,
        provisional=sorted(state.provisional),
        link=link,
        account=state.account,
        positions=select_positions(state, ALL) if record.has_data else None,
        orders=recent_orders(state) if record.has_data else None,
    )
