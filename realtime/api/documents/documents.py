"""Every document about accounts as bytes, for the handlers."""

from collections.abc import Callable, Hashable
from operator import is_

from msgspec import UNSET, Raw, Struct

from realtime.api.documents.accounts import (
    AccountRow,
    AccountsJson,
    AccountsQuery,
    is_selected,
    make_account_row,
    sort_rows,
)
from realtime.api.documents.cluster import ClusterDocument
from realtime.api.documents.dashboard import DEFAULT, DashboardQuery, assemble_dashboard
from realtime.api.documents.document_cache import (
    ENCODER,
    MAX_BYTES,
    DocumentCache,
    RenderedDocument,
    RowCache,
)
from realtime.api.documents.fragments import FragmentCache, Fragments
from realtime.api.documents.orders import OrdersQuery, select_orders
from realtime.api.documents.positions import PositionsQuery, select_positions
from realtime.api.documents.status import (
    StatusJson,
    StatusQuery,
    changes_with_time,
    count_states,
    make_status_row,
    with_countdown,
    with_message_times,
)
from realtime.api.documents.timestamps import format_millis
from realtime.store.records import Record, Records
from realtime.telemetry.histogram import RecentPercentiles


class Documents:
    """Renders documents on request and keeps them until the account changes.

    The documents of one account depend on its record's version, the table of accounts on the
    store's; the status counts seconds and is assembled for every request, from cached rows.
    `render_account`, `render_positions` and `render_orders` are for records that have data.
    """

    def __init__(self, *, max_bytes: int = MAX_BYTES, started_at: float = 0.0) -> None:
        self._started_at = started_at
        """`as_of` of a list without accounts, epoch seconds."""
        self.document_cache = DocumentCache(max_bytes)
        self.fragment_cache = FragmentCache()
        self._account_rows = RowCache(make_account_row)
        self._account_json = RowCache(lambda record: _encode(self._account_rows.get(record)))
        self._version_rows = RowCache(make_status_row)
        self._status_rows = RowCache(
            lambda record: with_message_times(self._version_rows.get(record), record), is_same=is_
        )
        self._status_json = RowCache(
            lambda record: _encode(self._status_rows.get(record)), is_same=is_
        )

    def render_dashboard(self, record: Record, query: DashboardQuery = DEFAULT) -> RenderedDocument:
        """All of one account."""

        def render(fragments: Fragments) -> RenderedDocument:
            total = len(record.state.orders) if record.has_data else None
            return RenderedDocument(
                ENCODER.encode(assemble_dashboard(record, fragments, query)), total
            )

        return self._render(("dashboard", record.profile.label, query), record, render)

    def render_account(self, record: Record) -> RenderedDocument:
        """The broker's account object."""
        account = record.state.account
        assert account is not None, "only for records that have data"
        return self._render(
            ("account", record.profile.label),
            record,
            lambda fragments: RenderedDocument(ENCODER.encode(fragments.account(account))),
        )

    def render_positions(self, record: Record, query: PositionsQuery) -> RenderedDocument:
        """The broker's list of positions."""

        def render(fragments: Fragments) -> RenderedDocument:
            rows = [fragments.position(p) for p in select_positions(record.state, query)]
            return RenderedDocument(ENCODER.encode(rows), len(rows))

        return self._render(("positions", record.profile.label, query), record, render)

    def render_orders(self, record: Record, query: OrdersQuery) -> RenderedDocument:
        """The broker's list of orders."""

        def render(fragments: Fragments) -> RenderedDocument:
            orders, total = select_orders(record.state, query, fragments.sort_key)
            rows = [fragments.order(order) for order in orders]
            return RenderedDocument(ENCODER.encode(rows), total)

        return self._render(("orders", record.profile.label, query), record, render)

    def render_accounts(self, store: Records, query: AccountsQuery) -> RenderedDocument:
        """The table of all accounts."""
        return self.document_cache.get(
            ("accounts", query), store.version, lambda: self._render_accounts(store, query)
        )

    def get_account_rows(self, store: Records) -> list[AccountRow]:
        """The rows of all accounts."""
        self._account_rows.remove_absent(store)
        return [self._account_rows.get(record) for record in store]

    def render_status(
        self,
        store: Records,
        query: StatusQuery,
        *,
        now: float,
        requests: RecentPercentiles | None = None,
        updates: RecentPercentiles | None = None,
        cluster: ClusterDocument | None = None,
    ) -> RenderedDocument:
        """The fleet's links as of `now`, epoch seconds."""
        for rows in (self._version_rows, self._status_rows, self._status_json):
            rows.remove_absent(store)
        selected = [r for r in store if not query.state or r.link.state in query.state]
        by_state = count_states(store)
        document = StatusJson(
            total_accounts=len(store),
            connected_accounts=by_state["synced"],
            accounts={
                record.profile.label: self._encode_status_row(record, now)
                for record in selected[query.offset : query.offset + query.limit]
            },
            as_of=format_millis(now),
            by_state=by_state,
            requests=requests,
            updates=updates,
            cluster=UNSET if cluster is None else cluster,
        )
        return RenderedDocument(ENCODER.encode(document), len(selected))

    def _encode_status_row(self, record: Record, now: float) -> Raw:
        if not changes_with_time(record.link):
            return self._status_json.get(record)
        return _encode(with_countdown(self._status_rows.get(record), record, now))

    def _render(
        self, key: Hashable, record: Record, render: Callable[[Fragments], RenderedDocument]
    ) -> RenderedDocument:
        return self.document_cache.get(
            key, record.version, lambda: self.fragment_cache.render(record, render)
        )

    def _render_accounts(self, store: Records, query: AccountsQuery) -> RenderedDocument:
        for rows in (self._account_rows, self._account_json):
            rows.remove_absent(store)
        selected = [
            self._account_rows.get(record) for record in store if is_selected(record, query)
        ]
        records = store.records
        page = sort_rows(selected, query)[query.offset : query.offset + query.limit]
        document = AccountsJson(
            as_of=format_millis(max((record.as_of for record in store), default=self._started_at)),
            total=len(selected),
            accounts=[self._account_json.get(records[row.account_id]) for row in page],
        )
        return RenderedDocument(ENCODER.encode(document), len(selected))


def _encode(row: Struct) -> Raw:
    return Raw(ENCODER.encode(row))
