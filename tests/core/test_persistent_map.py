"""A mapping that is a value behaves as a dict that is copied before each change."""

import gc
import itertools
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.core.persistent_map import (
    MAX_NEW,
    PersistentMap,
    changed_keys,
    new_entries,
    put,
)

Puts = st.lists(st.tuples(st.integers(0, 60), st.integers()), max_size=150)


@given(begin=st.dictionaries(st.integers(0, 60), st.integers()), puts=Puts)
def test_it_is_what_a_copied_dict_would_be(
    begin: dict[int, int], puts: list[tuple[int, int]]
) -> None:
    """Whatever is asked, in the same order, and every earlier version stays as it was."""
    versions: list[tuple[Mapping[int, int], dict[int, int]]] = [(begin, dict(begin))]
    for key, value in puts:
        mapping, plain = versions[-1]
        versions.append((put(mapping, key, value), {**plain, key: value}))
    for mapping, plain in versions:
        assert list(mapping.items()) == list(plain.items())
        assert (list(mapping), list(mapping.values())) == (list(plain), list(plain.values()))
        assert mapping.keys() == plain.keys()
        assert len(mapping) == len(plain)
        assert mapping == plain
        assert plain == mapping
        for key in range(62):
            assert (key in mapping, mapping.get(key), mapping.get(key, "none")) == (
                key in plain,
                plain.get(key),
                plain.get(key, "none"),
            )


def test_two_with_the_same_entries_are_equal() -> None:
    one, other = put(put({}, "a", 1), "b", 2), put({"a": 1}, "b", 2)
    assert one == other
    assert put({}, "a", 1) == put({}, "a", 1) == {"a": 1}
    assert put({}, "a", 1) != put({}, "a", 2)
    assert one != put(other, "b", 3)


def test_a_missing_key_is_a_key_error() -> None:
    mapping = put({}, "a", None)
    assert mapping["a"] is None
    assert "b" not in mapping
    with pytest.raises(KeyError, match="b"):
        mapping["b"]
    with pytest.raises(KeyError, match="c"):
        put(mapping, "b", 1)["c"]


def test_a_change_copies_little() -> None:
    """Whatever the size: only what came since the large dict was made."""
    mapping: Mapping[int, int] = dict.fromkeys(range(10_000), 0)
    large = mapping
    for number in range(MAX_NEW):
        mapping = put(mapping, number, 1)
        assert isinstance(mapping, PersistentMap)
        assert mapping._old is large
        assert len(mapping._new) == number + 1


def test_the_garbage_collector_does_not_visit_it() -> None:
    """Nor a dict that holds it: what has a hundred thousand of them would stop everybody."""
    single = put({}, "a", "b")
    several = put(single, "b", "c")
    for mapping in (single, several):
        assert not gc.is_tracked(mapping)
        assert not gc.is_tracked({"outer": mapping})


@given(begin=st.dictionaries(st.integers(0, 60), st.integers()), puts=Puts)
def test_changed_keys_are_those_of_a_comparison_or_unknown(
    begin: dict[int, int], puts: list[tuple[int, int]]
) -> None:
    versions: list[Mapping[int, int]] = [begin]
    for key, value in puts:
        versions.append(put(versions[-1], key, value))
    for before, after in itertools.pairwise(versions):
        keys = changed_keys(before, after)
        different = {key for key in after if before.get(key) != after[key]}
        assert keys is None or different <= set(keys) <= set(after)
    assert changed_keys(begin, begin) == []
    assert changed_keys({1: 1}, {2: 2}) is None


@given(begin=st.dictionaries(st.integers(0, 60), st.integers()), puts=Puts)
def test_new_entries_are_all_that_differs_or_nothing_is_said(
    begin: dict[int, int], puts: list[tuple[int, int]]
) -> None:
    versions: list[Mapping[int, int]] = [begin]
    for key, value in puts:
        versions.append(put(versions[-1], key, value))
        versions.append(put(versions[len(versions) // 2], key, value))
    for before, after in itertools.pairwise(versions):
        entries = new_entries(before, after)
        if entries is not None:
            assert list({**before, **entries}.items()) == list(after.items())


def test_entries_of_another_branch_are_not_new() -> None:
    base = {1: 1, 2: 2}
    assert new_entries(put(base, 3, 3), put(base, 4, 4)) is None
    assert new_entries(base, put(base, 3, 3)) == {3: 3}
