"""Closing positions: all of one, a part of one, every one."""

import pytest

from realtime.simulator.exchange.errors import ApiError
from tests.simulator.exchange.harness import ExchangeHarness, nested


def close(harness: ExchangeHarness, symbol: str, **part: str) -> dict[str, object]:
    wanted = {"qty": None, "percentage": None, **part}
    return harness.exchange.close_position("alpha", symbol, **wanted)


def test_a_position_is_closed_by_a_market_order() -> None:
    """A day order for stocks, gtc for coins, the other side for shorts."""
    harness = ExchangeHarness()
    harness.own("F", 10)
    harness.own("ETH/USD", "1", time_in_force="gtc")
    harness.sell("AAPL", 3)
    harness.settle()
    stock, coin, short = close(harness, "F"), close(harness, "ETHUSD"), close(harness, "AAPL")
    assert [stock[n] for n in ("side", "qty", "type", "time_in_force")] == [
        "sell",
        "10",
        "market",
        "day",
    ]
    assert (coin["qty"], coin["time_in_force"]) == ("0.9975", "gtc")
    assert (short["side"], short["position_intent"]) == ("buy", "buy_to_close")
    harness.settle()
    assert harness.exchange.positions("alpha") == []


@pytest.mark.parametrize(
    ("part", "qty"), [({"qty": "4"}, "4"), ({"percentage": "50"}, "5"), ({"percentage": "33"}, "3")]
)
def test_parts(part: dict[str, str], qty: str) -> None:
    """A whole position stays whole."""
    harness = ExchangeHarness()
    harness.own("F", 10)
    assert close(harness, "F", **part)["qty"] == qty


def test_a_fraction_of_a_fractional_position() -> None:
    """Nine decimals."""
    harness = ExchangeHarness()
    harness.own("F", "1.5")
    assert close(harness, "F", percentage="33.3")["qty"] == "0.4995"


@pytest.mark.parametrize(
    "part",
    [
        {"qty": "0"},
        {"qty": "x"},
        {"percentage": "101"},
        {"percentage": "0"},
        {"percentage": "5"},
        {"qty": "1", "percentage": "5"},
        {"qty": "11"},
    ],
)
def test_bad_parts(part: dict[str, str]) -> None:
    """Refused, nothing sent."""
    harness = ExchangeHarness()
    harness.own("F", 10)
    with pytest.raises(ApiError):
        close(harness, "F", **part)
    assert harness.events() == []


def test_no_position_is_404() -> None:
    """Of an unknown symbol as well."""
    for symbol in ("F", "NOPE"):
        with pytest.raises(ApiError) as caught:
            close(ExchangeHarness(), symbol)
        assert (caught.value.status, caught.value.body) == (
            404,
            {"code": 40410000, "message": "position does not exist"},
        )


def test_close_all_reports_positions_that_could_not_be_closed() -> None:
    """Shares held by an order: 403 with its body; the others go."""
    harness = ExchangeHarness()
    harness.own("F", 10)
    harness.own("AAPL", 2)
    held = harness.sell("F", 10, type="limit", limit_price="500")
    answer = harness.exchange.close_all_positions("alpha", cancel_orders=False)
    assert [(item["symbol"], item["status"]) for item in answer] == [("F", 403), ("AAPL", 200)]
    assert nested(answer, 0, "body", "related_orders") == [held["id"]]
    assert nested(answer, 1, "body", "qty") == "2"


def test_close_all_may_cancel_first() -> None:
    """Then nothing is in the way."""
    harness = ExchangeHarness()
    harness.own("F", 10)
    harness.sell("F", 10, type="limit", limit_price="500")
    answer = harness.exchange.close_all_positions("alpha", cancel_orders=True)
    assert [item["status"] for item in answer] == [200]
    harness.settle()
    assert harness.exchange.positions("alpha") == []


def test_without_positions_the_answer_is_empty() -> None:
    """Not an error."""
    assert ExchangeHarness().exchange.close_all_positions("alpha", cancel_orders=True) == []
