"""The only mutable state."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from realtime.core.link import Link
from realtime.core.model import Account, AccountLabel, Order, OrderId, TradeUpdate
from realtime.core.state import AccountState
from realtime.store.records import Change, Profile, Record
from realtime.store.store import MAX_COUNTERS, Store

A, B = AccountLabel("account_1"), AccountLabel("account_2")
FULL = AccountState(account=Account(id="1", account_number="PA1"))


@pytest.fixture
def store() -> Store:
    store = Store(boot="b")
    store.add(Profile(label=A), now=1.0)
    store.add(Profile(label=B), now=1.0)
    return store


def test_records_come_in_the_order_of_the_configuration(store: Store) -> None:
    """Readers see all, and cannot write."""
    assert [r.profile.label for r in store] == [A, B] == list(store.records)
    assert len(store) == 2
    assert store.get("account_1") is store.records[A]
    assert store.get("nobody") is None
    with pytest.raises(TypeError):
        store.records[A] = store.records[B]  # type: ignore[index]  # that is the point


def test_an_account_begins_stale_and_without_data(store: Store) -> None:
    """Unknown is told apart from empty."""
    record = store.records[A]
    assert record.link.is_stale
    assert record.link.stale_since == 1.0
    assert not record.has_data
    assert store.update(A, now=2.0, state=FULL).has_data


def test_an_update_is_a_new_record(store: Store) -> None:
    """By value: who holds the old one keeps it."""
    old = store.records[A]
    new = store.update(A, now=2.0, state=FULL)
    assert store.records[A] is new
    assert (new.as_of, new.state) == (2.0, FULL)
    assert old.state is not FULL
    assert new.version > old.version


def test_without_a_difference_nothing_is_announced(store: Store) -> None:
    """Neither the same state nor an equal link is a change."""
    store.update(A, now=2.0, state=FULL, link=Link(state="synced"))
    heard: list[Change] = []
    store.subscribe(heard.append)
    before = store.records[A], store.version
    assert store.update(A, now=3.0) is before[0]
    assert store.update(A, now=3.0, state=FULL, link=Link(state="synced")) is before[0]
    assert (store.records[A], store.version) == before
    assert not heard


def test_subscribers_are_told_each_change_until_they_leave(store: Store) -> None:
    """State and link in one update are one change."""
    heard: list[Change] = []
    leave = store.subscribe(heard.append)
    before = store.records[A]
    both = store.update(A, now=2.0, state=FULL, link=Link(state="synced"))
    assert heard == [Change(label=A, before=before, after=both)]
    leave()
    store.update(A, now=3.0, link=Link(state="waiting"))
    assert len(heard) == 1


def test_what_led_to_a_change_is_told_with_it(store: Store) -> None:
    """Also an event that changed nothing: a refused cancel leaves the order as it was."""
    heard: list[Change] = []
    store.subscribe(heard.append)
    update = TradeUpdate(event="order_cancel_rejected", order=Order(id=OrderId("o")))
    before = store.records[A]
    after = store.update(A, now=2.0, updates=(update,))
    assert after == structs.replace(before, last_message_at=2.0)
    assert heard == [Change(label=A, before=before, after=after, updates=(update,))]


def test_coming_going_and_confirmation_are_told(store: Store) -> None:
    """The first has no record before, the second none after, the third no new version."""
    heard: list[Change] = []
    store.subscribe(heard.append)
    last = store.records[B]
    store.remove(B)
    first = store.add(Profile(label=B), now=3.0)
    store.record_confirmation(B, now=4.0)
    assert [(c.before, c.after) for c in heard] == [
        (last, None),
        (None, first),
        (first, structs.replace(first, confirmed_at=4.0)),
    ]


def test_a_subscriber_may_leave_while_it_is_told(store: Store) -> None:
    """The others are told all the same."""
    heard: list[str] = []

    def once(_: Change) -> None:
        heard.append("first")
        leave()

    leave = store.subscribe(once)
    store.subscribe(lambda _: heard.append("second"))
    store.update(A, now=2.0, state=FULL)
    store.update(A, now=3.0, link=Link(state="synced"))
    assert heard == ["first", "second", "second"]


def test_hearing_is_not_a_change(store: Store) -> None:
    """The time of the last message moves without a version."""
    before = store.records[A]
    store.record_message(A, now=9.0)
    assert store.records[A] == structs.replace(before, last_message_at=9.0)


def test_one_account_changes_nothing_of_another(store: Store) -> None:
    """Not even the version."""
    other = store.records[B]
    store.update(A, now=2.0, state=FULL)
    assert store.records[B] is other


def test_a_label_is_added_once(store: Store) -> None:
    """A second time is a mistake of ours."""
    with pytest.raises(AssertionError, match="account_1"):
        store.add(Profile(label=A), now=2.0)


def test_an_account_that_comes_back_repeats_no_version(store: Store) -> None:
    """A reader's old ETag must not match."""
    seen = {store.update(A, now=2.0, state=FULL).version}
    store.remove(A)
    assert store.get(A) is None
    seen_again = {store.add(Profile(label=A), now=3.0).version}
    seen_again.add(store.update(A, now=4.0, state=FULL).version)
    assert max(seen) < min(seen_again)


def test_counts_are_bounded(store: Store) -> None:
    """Names may come from the broker."""
    for n in range(2 * MAX_COUNTERS):
        store.count(f"events.{n}")
    store.count("events.0")
    assert store.counts["events.0"] == 2
    assert store.counts["other"] == MAX_COUNTERS
    assert len(store.counts) == MAX_COUNTERS + 1


changes = st.tuples(
    st.sampled_from(["state", "link", "heard", "remove", "add"]), st.sampled_from([A, B])
)


@given(st.lists(changes, max_size=60))
def test_versions_only_rise(steps: list[tuple[str, AccountLabel]]) -> None:
    """The fleet's with every change, an account's with its own, also when it left and came back."""
    store, newest = Store(boot="b"), {A: 0, B: 0}
    for now, (step, label) in enumerate(steps):
        fleet, known = store.version, store.get(label)
        if known is None:
            store.add(Profile(label=label), now=now)
        elif step == "state":
            store.update(
                label, now=now, state=AccountState(account=FULL.account, eviction_due_at=int(now))
            )
        elif step == "link":
            store.update(label, now=now, link=Link(since=now))
        elif step == "heard":
            store.record_message(label, now=now)
        elif step == "remove":
            store.remove(label)
        record = store.get(label)
        if record is not known:
            assert step == "heard" or store.version > fleet
        if record is not None:
            assert record.version >= newest[label]
            assert record.version > newest[label] or known is not None
            newest[label] = record.version


def test_a_record_of_another_daemon_gets_a_version_of_this_store(store: Store) -> None:
    """Its own may be lower after that daemon has restarted."""
    changes: list[Change] = []
    store.subscribe(changes.append)
    version = store.version
    made = Record(profile=Profile(label=A), state=FULL, owner="beta", version=1)
    new = store.put(made)
    assert new.version == 2
    assert store.version == version + 1
    same = store.put(structs.replace(made, confirmed_at=5.0), is_new_version=False)
    assert same.version == 2
    assert store.version == version + 1
    added = store.put(structs.replace(made, profile=Profile(label=AccountLabel("new"))))
    assert added.version == store.version
    assert [change.before is None for change in changes] == [False, False, True]
    assert store.get("account_1") is same


def test_accounts_are_sorted_among_themselves(store: Store) -> None:
    c, d = AccountLabel("account_3"), AccountLabel("account_4")
    for label in (c, d):
        store.add(Profile(label=label), now=1.0)
    version = store.version
    store.sort([A, c])
    assert store.version == version
    store.sort([d, AccountLabel("nobody"), A])
    assert list(store.records) == [d, B, c, A]
    assert store.version > version
