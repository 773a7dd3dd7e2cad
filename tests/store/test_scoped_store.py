from hypothesis import given
from hypothesis import strategies as st

from realtime.core.model import AccountLabel
from realtime.store.records import Records
from realtime.store.scoped_store import ScopedStore
from realtime.store.store import Store
from tests.api.documents.made import LIVE, LOST, NOW, fleet

LABELS = ("alpha", "bravo", "charlie", "delta", "echo")


def test_the_store_and_its_parts_are_read_alike() -> None:
    both: list[Records] = [fleet(), ScopedStore(fleet(), frozenset())]
    assert [len(each) for each in both] == [5, 0]


@given(st.sets(st.sampled_from([*LABELS, "nobody"])))
def test_a_scope_is_the_store_without_the_others(labels: set[str]) -> None:
    store = fleet()
    scope = ScopedStore(store, frozenset(labels))
    seen = [label for label in LABELS if label in labels]
    assert list(scope.records) == seen == [record.profile.label for record in scope]
    assert len(scope) == len(seen)
    for label in (*LABELS, "nobody"):
        assert scope.get(label) is (store.get(label) if label in labels else None)


changes = st.lists(st.tuples(st.sampled_from(LABELS), st.sampled_from([LIVE, LOST])), max_size=8)


@given(st.sets(st.sampled_from(LABELS)), changes)
def test_a_version_moves_with_what_is_seen_only(
    labels: set[str], made: list[tuple[str, object]]
) -> None:
    store: Store = fleet()
    scope = ScopedStore(store, frozenset(labels))
    versions = {scope.version}
    for label, link in made:
        before = store.records[AccountLabel(label)].version
        store.update(AccountLabel(label), now=NOW, link=link)  # type: ignore[arg-type]  # sampled
        is_seen = label in labels and store.records[AccountLabel(label)].version != before
        assert (scope.version in versions) == (not is_seen)
        versions.add(scope.version)


def test_leaving_and_coming_back_is_another_version() -> None:
    store = fleet()
    scope = ScopedStore(store, frozenset({"alpha"}))
    profile, first = store.records[AccountLabel("alpha")].profile, scope.version
    store.remove(AccountLabel("alpha"))
    second = scope.version
    store.add(profile, now=NOW)
    assert len({first, second, scope.version}) == 3
