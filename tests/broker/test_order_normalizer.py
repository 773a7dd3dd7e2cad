"""The quick way to REST's form and the careful one agree."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.broker.order_normalizer import TIME_FIELDS, normalize_order, round_to_micros
from realtime.core.model import Order, OrderId
from realtime.core.timestamps import to_rest_precision

MOMENTS = st.datetimes(min_value=datetime(2000, 1, 1), max_value=datetime(2100, 1, 1))  # noqa: DTZ001  # hypothesis wants naive bounds


@given(MOMENTS, st.integers(0, 999_999_999), st.sampled_from("789"))
def test_like_at_micros(moment: datetime, nanos: int, digits: str) -> None:
    """For every time that the broker may write, both give the same."""
    whole = moment.replace(tzinfo=UTC).strftime("%Y-%m-%dT%H:%M:%S")
    time = f"{whole}.{f'{nanos:09d}'[: int(digits)]}Z"
    assert round_to_micros(time) == to_rest_precision(time)


@pytest.mark.parametrize(
    ("time", "expected"),
    [
        ("2026-10-06T14:02:11.517310955Z", "2026-10-06T14:02:11.517311Z"),
        ("2026-10-06T14:02:11.517310455Z", "2026-10-06T14:02:11.51731Z"),
        ("2026-10-06T14:02:11.0000001Z", "2026-10-06T14:02:11Z"),
        ("2026-12-31T23:59:59.9999995Z", "2027-01-01T00:00:00Z"),
        ("2026-10-06T10:02:11.517310955-04:00", "2026-10-06T14:02:11.517311Z"),
        ("9999-12-31T23:59:59.9999999Z", "9999-12-31T23:59:59.9999999Z"),
        ("an unreadable time, but a long one", "an unreadable time, but a long one"),
    ],
)
def test_rounded(time: str, expected: str) -> None:
    assert round_to_micros(time) == expected


@given(st.text(min_size=28))
def test_any_text(time: str) -> None:
    """Nothing raises."""
    round_to_micros(time)


def test_all_times_of_an_order_and_its_legs() -> None:
    """Every time is rounded; what has none to round is the same object."""
    long = dict.fromkeys(TIME_FIELDS, "2026-10-06T14:02:11.517310955Z")
    leg = Order(id=OrderId("b"), status="held", **long)  # type: ignore[arg-type]  # names from TIMES
    order = normalize_order(Order(id=OrderId("a"), status="new", legs=(leg,), **long))  # type: ignore[arg-type]
    assert order.legs is not None
    short = "2026-10-06T14:02:11.517311Z"
    assert {getattr(o, name) for o in (order, *order.legs) for name in TIME_FIELDS} == {short}
    plain = Order(id=OrderId("c"), created_at="2026-10-06T14:02:11Z", status="new")
    assert normalize_order(plain) is plain
