"""Every document about accounts as bytes: what the readers' edge asks for."""

from collections.abc import Callable, Hashable
from operator import is_

from msgspec import Raw, Struct

from realtime.api.documents.accounts import (
    AccountRow,
    AccountsJson,
    AccountsQuery,
    account_row,
    in_order,
    is_wanted,
)
from realtime.api.documents.dashboard import dashboard_json
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
    count_states,
    counting_down,
    status_row,
    with_moments,
)
from realtime.api.documents.timestamps import instant
from realtime.store.store import Record, Records
from realtime.telemetry.histogram import RecentPercentiles


class Documents:
    """Renders what is asked for and keeps it until the account changes.

    The documents of one account are a function of its record's version, the table of accounts of
    the store's; the status counts seconds and is put together at every call, from kept rows.
    `account`, `positions` and `orders` are for records that have data.
    """

    def __init__(self, *, max_bytes: int = MAX_BYTES) -> None:
        self.renderings = DocumentCache(max_bytes)
        self.fragment_cache = FragmentCache()
        self._account_rows = RowCache(account_row)
        self._account_json = RowCache(lambda record: _json(self._account_rows.of(record)))
        self._version_rows = RowCache(status_row)
        self._status_rows = RowCache(
            lambda record: with_moments(self._version_rows.of(record), record), same=is_
        )
        self._status_json = RowCache(lambda record: _json(self._status_rows.of(record)), same=is_)

    def dashboard(self, record: Record) -> RenderedDocument:
        """All of one account."""

        def render(parts: Fragments) -> RenderedDocument:
            total = len(record.state.orders) if record.has_data else None
            return RenderedDocument(ENCODER.encode(dashboard_json(record, parts)), total)

        return self._rendered(("dashboard", record.profile.label), record, render)

    def account(self, record: Record) -> RenderedDocument:
        """The broker's account object."""
        account = record.state.account
        assert account is not None, "only what was read can be shown"
        return self._rendered(
            ("account", record.profile.label),
            record,
            lambda parts: RenderedDocument(ENCODER.encode(parts.account(account))),
        )

    def positions(self, record: Record, query: PositionsQuery) -> RenderedDocument:
        """The broker's list of positions."""

        def render(parts: Fragments) -> RenderedDocument:
            shown = [parts.position(each) for each in select_positions(record.state, query)]
            return RenderedDocument(ENCODER.encode(shown), len(shown))

        return self._rendered(("positions", record.profile.label, query), record, render)

    def orders(self, record: Record, query: OrdersQuery) -> RenderedDocument:
        """The broker's list of orders."""

        def render(parts: Fragments) -> RenderedDocument:
            shown, total = select_orders(record.state, query, parts.age)
            return RenderedDocument(ENCODER.encode([parts.order(each) for each in shown]), total)

        return self._rendered(("orders", record.profile.label, query), record, render)

    def accounts(self, store: Records, query: AccountsQuery) -> RenderedDocument:
        """The fleet as a table."""
        return self.renderings.get(
            ("accounts", query), store.version, lambda: self._accounts(store, query)
        )

    def account_rows(self, store: Records) -> list[AccountRow]:
        """The rows of all accounts."""
        self._account_rows.forget_strangers(store)
        return [self._account_rows.of(record) for record in store]

    def status(
        self,
        store: Records,
        query: StatusQuery,
        *,
        now: float,
        requests: RecentPercentiles | None = None,
        updates: RecentPercentiles | None = None,
    ) -> RenderedDocument:
        """The fleet's links as of `now`, epoch seconds."""
        for rows in (self._version_rows, self._status_rows, self._status_json):
            rows.forget_strangers(store)
        found = [r for r in store if not query.state or r.link.state in query.state]
        by_state = count_states(store)
        document = StatusJson(
            total_accounts=len(store),
            connected_accounts=by_state["synced"],
            accounts={
                record.profile.label: self._status_now(record, now)
                for record in found[query.offset : query.offset + query.limit]
            },
            as_of=instant(now),
            by_state=by_state,
            requests=requests,
            updates=updates,
        )
        return RenderedDocument(ENCODER.encode(document), len(found))

    def _status_now(self, record: Record, now: float) -> Raw:
        if record.link.next_attempt_at is None:
            return self._status_json.of(record)
        return _json(counting_down(self._status_rows.of(record), record, now))

    def _rendered(
        self, key: Hashable, record: Record, render: Callable[[Fragments], RenderedDocument]
    ) -> RenderedDocument:
        return self.renderings.get(
            key, record.version, lambda: self.fragment_cache.use(record, render)
        )

    def _accounts(self, store: Records, query: AccountsQuery) -> RenderedDocument:
        for rows in (self._account_rows, self._account_json):
            rows.forget_strangers(store)
        found = [self._account_rows.of(record) for record in store if is_wanted(record, query)]
        records = store.records
        shown = in_order(found, query)[query.offset : query.offset + query.limit]
        document = AccountsJson(
            as_of=instant(max((record.as_of for record in store), default=0.0)),
            total=len(found),
            accounts=[self._account_json.of(records[row.account_id]) for row in shown],
        )
        return RenderedDocument(ENCODER.encode(document), len(found))


def _json(row: Struct) -> Raw:
    return Raw(ENCODER.encode(row))
