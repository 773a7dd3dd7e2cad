"""What the broker tells."""

import pytest

from realtime.core.model import FillActivity, Order, OrderId, position_symbol
from realtime.core.order_status import CLOSED, OPEN


def test_a_status_is_open_or_closed() -> None:
    """Never both; an unknown one may still change."""
    assert not OPEN & CLOSED
    assert all(Order(id=OrderId("o"), status=s).is_closed for s in CLOSED)
    assert not any(Order(id=OrderId("o"), status=s).is_closed for s in {*OPEN, "pondering", ""})


@pytest.mark.parametrize(
    ("activity", "execution"),
    [("20261006100213926::000000e3-1c2d", "000000e3-1c2d"), ("000000e3-1c2d", "000000e3-1c2d")],
)
def test_an_activity_names_its_execution(activity: str, execution: str) -> None:
    """The same key as the stream's."""
    assert FillActivity(id=activity).execution_id == execution


def test_positions_spell_coins_without_a_slash() -> None:
    """Orders spell them with one."""
    assert position_symbol("ETH/USD") == "ETHUSD"
    assert position_symbol("BRK.B") == "BRK.B"
