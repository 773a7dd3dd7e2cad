from operator import is_

from hypothesis import given
from hypothesis import strategies as st

from realtime.api.documents.document_cache import (
    OVERHEAD_BYTES,
    DocumentCache,
    RenderedDocument,
    RowCache,
)
from realtime.core.model import AccountLabel
from realtime.store.records import Record
from realtime.store.store import Store
from tests.api.documents.made import LIVE, LOST, NOW, put


def test_version_is_rendered_once() -> None:
    renderings, calls = DocumentCache(), []

    def render() -> RenderedDocument:
        calls.append(1)
        return RenderedDocument(b"x")

    first = renderings.get("key", 1, render)
    assert renderings.get("key", 1, render) is first
    assert len(calls) == 1
    renderings.get("key", 2, render)
    assert len(calls) == 2
    assert len(renderings) == 1


def test_least_recently_used_documents_leave_first() -> None:
    renderings = DocumentCache(max_bytes=2 * (OVERHEAD_BYTES + 10))
    for key in ("a", "b", "a", "c"):
        renderings.get(key, 1, lambda: RenderedDocument(b"0123456789"))
    kept = [key for key in "acb" if renderings.get(key, 1, lambda: RenderedDocument(b"")).body]
    assert kept == ["a", "c"]


def test_document_larger_than_the_cache_is_returned_and_not_kept() -> None:
    renderings = DocumentCache(max_bytes=100)
    assert renderings.get("key", 1, lambda: RenderedDocument(b"x" * 1000)).body == b"x" * 1000
    assert (len(renderings), renderings.size_bytes) == (0, 0)


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 3), st.integers(0, 5000))))
def test_cache_memory_is_bounded(asked: list[tuple[int, int, int]]) -> None:
    renderings = DocumentCache(max_bytes=20_000)
    for key, version, size in asked:
        renderings.get(key, version, lambda size=size: RenderedDocument(b"x" * size))  # type: ignore[misc]
        assert 0 <= renderings.size_bytes <= 20_000
    assert renderings.size_bytes >= len(renderings) * OVERHEAD_BYTES


def test_row_is_made_again_when_its_record_changes() -> None:
    store, made = Store(boot="b"), []

    def make(record: Record) -> int:
        made.append(record.version)
        return record.version

    by_version, by_record = RowCache(make), RowCache(make, is_same=is_)
    put(store, "alpha", LIVE)
    label = AccountLabel("alpha")
    for rows, expected in ((by_version, [2, 3]), (by_record, [3, 3, 4])):
        made.clear()
        rows.get(store.records[label])
        rows.get(store.records[label])
        store.record_message(label, now=NOW)
        rows.get(store.records[label])
        store.update(label, now=NOW, link=LOST if rows is by_version else LIVE)
        rows.get(store.records[label])
        assert made == expected


def test_account_that_was_removed_and_added_again_gets_a_new_row() -> None:
    """Even if its versions start again."""
    store = Store(boot="b")
    rows = RowCache(lambda record: record.link.state)
    put(store, "alpha", LIVE)
    label = AccountLabel("alpha")
    assert rows.get(store.records[label]) == "synced"
    store.remove(label)
    put(store, "alpha", LOST)
    assert rows.get(store.records[label]) == "waiting"


def test_rows_of_removed_accounts_are_removed() -> None:
    store = Store(boot="b")
    rows = RowCache(lambda record: record.version)
    for label in ("alpha", "bravo"):
        put(store, label, LIVE)
        rows.get(store.records[AccountLabel(label)])
    store.remove(AccountLabel("alpha"))
    rows.remove_absent(store)
    assert len(rows) == 1
