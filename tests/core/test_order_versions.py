"""Versions of orders."""

import pytest
from msgspec import structs

from realtime.core.model import Order, OrderId
from realtime.core.order_versions import differs, flatten, is_at_least_as_new, is_later, outranks
from realtime.core.timestamps import microseconds

T1, T2 = "2026-10-06T14:02:11.519102Z", "2026-10-06T14:02:12Z"


def order(name: str = "o", status: str = "new", at: str = T1, filled: str = "0") -> Order:
    return Order(id=OrderId(name), status=status, updated_at=at, filled_qty=filled)


def test_flatten() -> None:
    """Each order once, without legs, with its parent's id."""
    leg, other = order("leg"), order("other")
    nested = structs.replace(order("top"), legs=(leg, other))
    assert list(flatten(nested)) == [(order("top"), None), (leg, "top"), (other, "top")]


def test_rest_is_current_unless_older() -> None:
    """It is the broker's record, except within a microsecond, where the further along is newer."""
    for theirs, ours, current in [
        (order(at=T2), order(status="filled", filled="10"), True),
        (order(), order(at=T2), False),
        (order(), order(), True),
        (order(), order(status="filled", filled="10"), False),
        (order(), order(status="pending_cancel"), False),
        (order(filled="2", status="partially_filled"), order(), True),
    ]:
        assert is_at_least_as_new(theirs, ours) == current


def test_is_later_within_an_era() -> None:
    """What is from before a bust is not later than anything."""
    assert is_later(order(at=T2), order(), 0)
    assert not is_later(order(), order(), 0)
    assert not is_later(order(at=T2), order(), microseconds(T2) + 1)


def test_differs() -> None:
    """Status and filled quantity matter; how a number is written does not."""
    assert differs(order(), order(status="filled"))
    assert differs(order(), order(filled="1"))
    assert not differs(order(filled="1"), order(filled="1.0", at=T2))


@pytest.mark.parametrize(
    ("candidate", "current", "expected"),
    [
        (order(status="filled", filled="10"), order(at=T2), True),
        (order(filled="4", at=T1), order(filled="2", at=T2), True),
        (order(at=T2), order(), True),
        (order(status="accepted"), order(status="pending_new"), True),
        (order(status="pondering"), order(status="new"), False),
        (order(), order(), False),
    ],
    ids=["closed", "more filled", "later", "further along", "unknown status", "equal"],
)
def test_rank(candidate: Order, current: Order, expected: bool) -> None:
    """Closed before filled quantity before time before progress; ties keep what is there."""
    assert outranks(candidate, current, 0) is expected
    assert not (expected and outranks(current, candidate, 0))


def test_a_closed_order_with_nothing_filled_outranks_an_open_one_that_filled() -> None:
    """A replaced order may be reported with nothing executed: it stays replaced."""
    replaced, working = order(status="replaced"), order("o", "partially_filled", T2, "3")
    assert outranks(replaced, working, 0)
    assert not outranks(working, replaced, 0)


def test_a_version_from_before_a_reversal_never_wins() -> None:
    """Not even closed over open."""
    filled, reversed_since = order(status="filled", filled="10"), order(at=T2)
    assert not outranks(filled, reversed_since, microseconds(T2))
    assert outranks(reversed_since, filled, microseconds(T2))
