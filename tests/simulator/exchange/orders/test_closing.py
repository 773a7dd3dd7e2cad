"""Closing positions: all of one, a part of one, every one."""

import pytest

from realtime.simulator.exchange.errors import ApiError
from tests.simulator.exchange.harness import World, nested


def close(world: World, symbol: str, **part: str) -> dict[str, object]:
    wanted = {"qty": None, "percentage": None, **part}
    return world.exchange.close_position("alpha", symbol, **wanted)


def test_a_position_is_closed_by_a_market_order() -> None:
    """A day order for stocks, gtc for coins, the other side for shorts."""
    world = World()
    world.own("F", 10)
    world.own("ETH/USD", "1", time_in_force="gtc")
    world.sell("AAPL", 3)
    world.settle()
    stock, coin, short = close(world, "F"), close(world, "ETHUSD"), close(world, "AAPL")
    assert [stock[n] for n in ("side", "qty", "type", "time_in_force")] == [
        "sell",
        "10",
        "market",
        "day",
    ]
    assert (coin["qty"], coin["time_in_force"]) == ("0.9975", "gtc")
    assert (short["side"], short["position_intent"]) == ("buy", "buy_to_close")
    world.settle()
    assert world.exchange.positions("alpha") == []


@pytest.mark.parametrize(
    ("part", "qty"), [({"qty": "4"}, "4"), ({"percentage": "50"}, "5"), ({"percentage": "33"}, "3")]
)
def test_parts(part: dict[str, str], qty: str) -> None:
    """A whole position stays whole."""
    world = World()
    world.own("F", 10)
    assert close(world, "F", **part)["qty"] == qty


def test_a_fraction_of_a_fractional_position() -> None:
    """Nine decimals."""
    world = World()
    world.own("F", "1.5")
    assert close(world, "F", percentage="33.3")["qty"] == "0.4995"


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
    world = World()
    world.own("F", 10)
    with pytest.raises(ApiError):
        close(world, "F", **part)
    assert world.events() == []


def test_no_position_is_404() -> None:
    """Of an unknown symbol as well."""
    for symbol in ("F", "NOPE"):
        with pytest.raises(ApiError) as caught:
            close(World(), symbol)
        assert (caught.value.status, caught.value.body) == (
            404,
            {"code": 40410000, "message": "position does not exist"},
        )


def test_close_all_says_what_could_not_be_closed() -> None:
    """Shares held by an order: 403 with its body; the others go."""
    world = World()
    world.own("F", 10)
    world.own("AAPL", 2)
    held = world.sell("F", 10, type="limit", limit_price="500")
    answer = world.exchange.close_all_positions("alpha", cancel_orders=False)
    assert [(item["symbol"], item["status"]) for item in answer] == [("F", 403), ("AAPL", 200)]
    assert nested(answer, 0, "body", "related_orders") == [held["id"]]
    assert nested(answer, 1, "body", "qty") == "2"


def test_close_all_may_cancel_first() -> None:
    """Then nothing is in the way."""
    world = World()
    world.own("F", 10)
    world.sell("F", 10, type="limit", limit_price="500")
    answer = world.exchange.close_all_positions("alpha", cancel_orders=True)
    assert [item["status"] for item in answer] == [200]
    world.settle()
    assert world.exchange.positions("alpha") == []


def test_without_positions_the_answer_is_empty() -> None:
    """Not an error."""
    assert World().exchange.close_all_positions("alpha", cancel_orders=True) == []
