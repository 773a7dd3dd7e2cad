import msgspec
from hypothesis import given
from hypothesis import strategies as st

from realtime.api.documents.accounts import AccountsQuery
from realtime.api.documents.document_cache import RenderedDocument
from realtime.api.documents.documents import Documents
from realtime.api.documents.orders import OrdersQuery
from realtime.api.documents.positions import PositionsQuery
from realtime.api.documents.status import StatusQuery
from realtime.core.model import AccountLabel
from realtime.core.state import AccountState
from realtime.store.store import Store
from tests.api.documents.made import LIVE, LOST, NOW, fleet, put, states

ALPHA = AccountLabel("alpha")


def everything(views: Documents, store: Store, now: float) -> list[RenderedDocument]:
    """All documents, each with some queries."""
    documents = []
    for record in store:
        documents.append(views.render_dashboard(record))
        if record.has_data:
            documents.append(views.render_account(record))
            documents += [
                views.render_positions(record, PositionsQuery(symbol=s)) for s in ((), ("A",))
            ]
            documents += [
                views.render_orders(record, OrdersQuery(nested=nested, limit=limit))
                for nested in (False, True)
                for limit in (1, 500)
            ]
    documents += [views.render_accounts(store, AccountsQuery(sort=s)) for s in ("equity", "name")]
    documents += [views.render_status(store, StatusQuery(limit=n), now=now) for n in (1, 10_000)]
    return documents


moves = st.lists(
    st.tuples(
        st.sampled_from(["alpha", "bravo", "charlie"]),
        st.one_of(st.none(), states()),
        st.sampled_from([None, LIVE, LOST]),
        st.booleans(),
    ),
    max_size=6,
)


@given(moves)
def test_cached_documents_equal_new_ones(
    changes: list[tuple[str, AccountState | None, object, bool]],
) -> None:
    """After any changes, requested in between or not, no document is outdated."""
    store, views = fleet(), Documents()
    for second, (label, state, link, asked) in enumerate(changes):
        now = NOW + second
        store.update(AccountLabel(label), now=now, state=state, link=link)  # type: ignore[arg-type]
        store.record_message(AccountLabel(label), now=now)
        if asked:
            everything(views, store, now)
        assert everything(views, store, now) == everything(Documents(), store, now)


def test_nothing_is_rendered_twice_for_one_version() -> None:
    store, views = fleet(), Documents()
    first = everything(views, store, NOW)
    again = everything(views, store, NOW)
    kept = [a is b for a, b in zip(first, again, strict=True)]
    assert kept.count(False) == 2, "only the status is put together at every call"


def test_change_of_one_account_keeps_the_documents_of_the_others() -> None:
    store, views = fleet(), Documents()
    bravo = views.render_dashboard(store.records[AccountLabel("bravo")])
    alpha = views.render_dashboard(store.records[ALPHA])
    store.update(ALPHA, now=NOW, link=LOST)
    assert views.render_dashboard(store.records[AccountLabel("bravo")]) is bravo
    assert views.render_dashboard(store.records[ALPHA]) is not alpha


def test_status_document_is_exact() -> None:
    store = Store(boot="b")
    put(store, "account_1", LIVE)
    put(store, "account_2", LOST)
    body = Documents().render_status(store, StatusQuery(), now=NOW).body
    document = msgspec.json.decode(body)
    assert list(document)[:3] == ["total_accounts", "connected_accounts", "accounts"]
    assert (document["total_accounts"], document["connected_accounts"]) == (2, 1)
    first_four = [dict(list(row.items())[:4]) for row in document["accounts"].values()]
    assert first_four == [
        {"connected": True, "reconnect_attempts": 0, "last_error": None, "has_data": False},
        {
            "connected": False,
            "reconnect_attempts": 3,
            "last_error": "2026-10-03T03:59:58Z",
            "has_data": False,
        },
    ]


def test_status_counts_down_without_a_new_version() -> None:
    store, views = fleet(), Documents()
    asked = StatusQuery(state=("waiting",))

    def left(now: float) -> float:
        document = msgspec.json.decode(views.render_status(store, asked, now=now).body)
        seconds: float = document["accounts"]["bravo"]["next_attempt_in_s"]
        return seconds

    assert [left(NOW), left(NOW + 10)] == [41.3, 31.3]


def test_status_filters_rows_and_counts_the_whole_fleet() -> None:
    store = fleet()
    rendered = Documents().render_status(
        store, StatusQuery(state=("synced",), offset=1, limit=1), now=NOW
    )
    document = msgspec.json.decode(rendered.body)
    assert list(document["accounts"]) == ["delta"]
    assert (rendered.total, document["total_accounts"], document["by_state"]["refused"]) == (
        2,
        5,
        1,
    )


def test_pages_of_the_table_add_up_to_the_table() -> None:
    store, views = fleet(), Documents()
    pages = [
        msgspec.json.decode(views.render_accounts(store, AccountsQuery(limit=2, offset=n)).body)
        for n in (0, 2, 4, 6)
    ]
    assert [row["account_id"] for page in pages for row in page["accounts"]] == list(store.records)
    assert {page["total"] for page in pages} == {5}
