"""What the customer may set."""

import pytest

from realtime.simulator.exchange.errors import ApiError
from tests.simulator.exchange.harness import ExchangeHarness


def test_defaults() -> None:
    """All fields of the specification but the removed ones."""
    assert ExchangeHarness().exchange.configurations("alpha") == {
        "disable_overnight_trading": False,
        "fractional_trading": True,
        "max_margin_multiplier": "4",
        "max_options_trading_level": 3,
        "no_shorting": False,
        "ptp_no_exception_entry": False,
        "suspend_trade": False,
        "trade_confirm_email": "all",
    }


def test_a_patch_changes_what_it_names() -> None:
    """Nulls and unknown names change nothing: alpaca-py sends its whole model."""
    harness = ExchangeHarness()
    patch = {"no_shorting": True, "pdt_check": None, "suspend_trade": None, "new_thing": 1}
    answer = harness.exchange.patch_configurations("alpha", patch)
    assert answer["no_shorting"] is True
    assert answer == harness.exchange.configurations("alpha")
    assert answer["suspend_trade"] is False


@pytest.mark.parametrize(
    "body",
    [
        [],
        "x",
        None,
        {"max_margin_multiplier": 2},
        {"max_margin_multiplier": "3"},
        {"max_options_trading_level": 4},
        {"max_options_trading_level": True},
        {"suspend_trade": "yes"},
        {"trade_confirm_email": "some"},
    ],
)
def test_a_bad_patch_changes_nothing(body: object) -> None:
    """Not even its good parts."""
    harness = ExchangeHarness()
    wanted = {**body, "no_shorting": True} if isinstance(body, dict) else body
    with pytest.raises(ApiError):
        harness.exchange.patch_configurations("alpha", wanted)
    assert harness.exchange.configurations("alpha")["no_shorting"] is False
