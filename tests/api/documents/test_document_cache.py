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
from realtime.store.store import Record, Store
from tests.api.documents.made import LIVE, LOST, NOW, put


def test_a_version_is_rendered_once() -> None:
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


def test_the_least_recently_asked_leave_first() -> None:
    renderings = DocumentCache(max_bytes=2 * (OVERHEAD_BYTES + 10))
    for key in ("a", "b", "a", "c"):
        renderings.get(key, 1, lambda: RenderedDocument(b"0123456789"))
    kept = [key for key in "acb" if renderings.get(key, 1, lambda: RenderedDocument(b"")).body]
    assert kept == ["a", "c"]


def test_a_rendering_larger_than_all_memory_is_answered_and_not_kept() -> None:
    renderings = DocumentCache(max_bytes=100)
    assert renderings.get("key", 1, lambda: RenderedDocument(b"x" * 1000)).body == b"x" * 1000
    assert (len(renderings), renderings.size_bytes) == (0, 0)


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 3), st.integers(0, 5000))))
def test_memory_is_bounded_whatever_is_asked(asked: list[tuple[int, int, int]]) -> None:
    renderings = DocumentCache(max_bytes=20_000)
    for key, version, size in asked:
        renderings.get(key, version, lambda size=size: RenderedDocument(b"x" * size))  # type: ignore[misc]
        assert 0 <= renderings.size_bytes <= 20_000
    assert renderings.size_bytes >= len(renderings) * OVERHEAD_BYTES


def test_a_row_is_made_anew_when_its_record_is_another() -> None:
    store, made = Store(boot="b"), []

    def make(record: Record) -> int:
        made.append(record.version)
        return record.version

    by_version, by_record = RowCache(make), RowCache(make, same=is_)
    put(store, "alpha", LIVE)
    label = AccountLabel("alpha")
    for rows, expected in ((by_version, [2, 3]), (by_record, [3, 3, 4])):
        made.clear()
        rows.of(store.records[label])
        rows.of(store.records[label])
        store.heard(label, now=NOW)
        rows.of(store.records[label])
        store.update(label, now=NOW, link=LOST if rows is by_version else LIVE)
        rows.of(store.records[label])
        assert made == expected


def test_an_account_that_left_and_came_back_is_another_one() -> None:
    """Even if its versions begin anew."""
    store = Store(boot="b")
    rows = RowCache(lambda record: record.link.state)
    put(store, "alpha", LIVE)
    label = AccountLabel("alpha")
    assert rows.of(store.records[label]) == "synced"
    store.remove(label)
    put(store, "alpha", LOST)
    assert rows.of(store.records[label]) == "waiting"


def test_rows_of_accounts_that_left_are_dropped() -> None:
    store = Store(boot="b")
    rows = RowCache(lambda record: record.version)
    for label in ("alpha", "bravo"):
        put(store, label, LIVE)
        rows.of(store.records[AccountLabel(label)])
    store.remove(AccountLabel("alpha"))
    rows.forget_strangers(store)
    assert len(rows) == 1
