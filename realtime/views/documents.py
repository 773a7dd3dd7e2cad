"""Every document about accounts as bytes: what the readers' edge asks for."""

from collections.abc import Sequence
from operator import is_

from realtime.store import Record, Store
from realtime.views.accounts import (
    AccountsDocument,
    AccountsQuery,
    account_row,
    in_order,
    is_wanted,
)
from realtime.views.dashboard import dashboard
from realtime.views.moments import instant
from realtime.views.orders import OrdersQuery, select_orders
from realtime.views.positions import PositionsQuery, select_positions
from realtime.views.rendering import ENCODER, MAX_BYTES, Rendered, Renderings, Rows
from realtime.views.status import (
    StatusDocument,
    StatusQuery,
    count_states,
    counting_down,
    status_row,
    with_moments,
)


class Views:
    """Renders what is asked for and keeps it until the account changes.

    The documents of one account are a function of its record's version, the table of accounts of
    the store's; the status counts seconds and is put together at every call, from kept rows.
    `account`, `positions` and `orders` are for records that have data.
    """

    def __init__(self, *, max_bytes: int = MAX_BYTES) -> None:
        self.renderings = Renderings(max_bytes)
        self._account_rows = Rows(account_row)
        self._version_rows = Rows(status_row)
        self._status_rows = Rows(
            lambda record: with_moments(self._version_rows.of(record), record), same=is_
        )

    def dashboard(self, record: Record) -> Rendered:
        """All of one account."""
        total = len(record.state.orders) if record.has_data else None
        return self.renderings.get(
            ("dashboard", record.profile.label),
            record.version,
            lambda: Rendered(ENCODER.encode(dashboard(record)), total),
        )

    def account(self, record: Record) -> Rendered:
        """The broker's account object."""
        return self.renderings.get(
            ("account", record.profile.label),
            record.version,
            lambda: Rendered(ENCODER.encode(record.state.account)),
        )

    def positions(self, record: Record, query: PositionsQuery) -> Rendered:
        """The broker's list of positions."""
        return self.renderings.get(
            ("positions", record.profile.label, query),
            record.version,
            lambda: _list(select_positions(record.state, query)),
        )

    def orders(self, record: Record, query: OrdersQuery) -> Rendered:
        """The broker's list of orders."""

        def render() -> Rendered:
            shown, total = select_orders(record.state, query)
            return Rendered(ENCODER.encode(shown), total)

        return self.renderings.get(("orders", record.profile.label, query), record.version, render)

    def accounts(self, store: Store, query: AccountsQuery) -> Rendered:
        """The farm as a table."""
        return self.renderings.get(
            ("accounts", query), store.version, lambda: self._accounts(store, query)
        )

    def status(self, store: Store, query: StatusQuery, *, now: float) -> Rendered:
        """The farm's links as of `now`, epoch seconds."""
        self._version_rows.forget_strangers(store)
        self._status_rows.forget_strangers(store)
        found = [r for r in store if not query.state or r.link.state in query.state]
        by_state = count_states(store)
        document = StatusDocument(
            total_accounts=len(store),
            connected_accounts=by_state["live"],
            accounts={
                record.profile.label: counting_down(self._status_rows.of(record), record, now)
                for record in found[query.offset : query.offset + query.limit]
            },
            as_of=instant(now),
            by_state=by_state,
        )
        return Rendered(ENCODER.encode(document), len(found))

    def _accounts(self, store: Store, query: AccountsQuery) -> Rendered:
        self._account_rows.forget_strangers(store)
        rows = [self._account_rows.of(record) for record in store if is_wanted(record, query)]
        shown = in_order(rows, query)[query.offset : query.offset + query.limit]
        document = AccountsDocument(
            as_of=instant(max((record.as_of for record in store), default=0.0)),
            total=len(rows),
            accounts=shown,
        )
        return Rendered(ENCODER.encode(document), len(rows))


def _list(items: Sequence[object]) -> Rendered:
    return Rendered(ENCODER.encode(items), len(items))
