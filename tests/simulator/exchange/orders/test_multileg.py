"""Option spreads fill together, at a net price, or not at all."""

import pytest

from realtime.simulator.exchange.errors import ApiError
from tests.simulator.exchange.harness import ExchangeHarness, Json, nested

LOW, HIGH = "NVDA261120C00200000", "NVDA261120C00210000"


def legs(*items: tuple[str, str, str]) -> list[Json]:
    return [{"symbol": symbol, "side": side, "ratio_qty": ratio} for symbol, side, ratio in items]


DEBIT = legs((LOW, "buy", "1"), (HIGH, "sell", "1"))


def world_with_prices() -> ExchangeHarness:
    harness = ExchangeHarness()
    harness.exchange.set_price(LOW, "6.30")
    harness.exchange.set_price(HIGH, "3.10")
    return harness


def spread(harness: ExchangeHarness, items: list[Json], **body: object) -> Json:
    fields = {"order_class": "mleg", "qty": "2", "type": "market", "legs": items, **body}
    return harness.submit(**fields)


def test_all_legs_fill_at_once() -> None:
    """The frame of the protocol notes: no id of its own, one execution a leg."""
    harness = world_with_prices()
    order = spread(harness, DEBIT, type="limit", limit_price="3.25")
    harness.step()
    fill = harness.frames()[-1]
    assert list(fill)[4:] == ["order", "price", "qty", "position_qtys", "legs"]
    assert (fill["price"], fill["qty"]) == ("3.2", "2")
    assert fill["position_qtys"] == {LOW: "2", HIGH: "-2"}
    assert [nested(fill, "legs", n, "price") for n in (0, 1)] == ["6.3", "3.1"]
    assert nested(fill, "order", "filled_avg_price") == "3.2"
    assert nested(fill, "order", "legs", 0, "ratio_qty") == "1"
    assert "position_intent" not in nested(fill, "order")  # type: ignore[operator]  # a dict
    assert harness.status(order["id"]) == "filled"
    assert harness.cash() == 100_000 - 640


def test_rest_shows_the_parent_empty() -> None:
    """Empty strings where the stream has zeros and a side; legs without a type."""
    harness = world_with_prices()
    order = spread(harness, DEBIT)
    fields = ("asset_id", "symbol", "asset_class", "side", "type")
    assert [order[name] for name in fields] == ["", "", "", "", "market"]
    assert nested(order, "legs", 1, "type") == ""
    frame = harness.frames()[0]
    assert nested(frame, "order", "asset_id") == "00000000-0000-0000-0000-000000000000"
    assert nested(frame, "order", "side") == "buy"


def test_a_net_limit_waits() -> None:
    """For a debit not above it, for a credit not below."""
    harness = world_with_prices()
    debit = spread(harness, DEBIT, type="limit", limit_price="3")
    harness.step()
    assert harness.status(debit["id"]) == "new"
    harness.exchange.set_price(LOW, "6.10")
    harness.step()
    assert harness.status(debit["id"]) == "filled"
    credit = legs((HIGH, "buy", "1"), (LOW, "sell", "1"))
    closing = spread(harness, credit, type="limit", limit_price="-3.5")
    harness.step()
    assert harness.status(closing["id"]) == "new"
    harness.exchange.set_price(LOW, "6.60")
    harness.step()
    assert harness.status(closing["id"]) == "filled"
    assert harness.exchange.positions("alpha") == []


def test_ratios_multiply() -> None:
    """A leg's quantity is the parent's times its ratio."""
    harness = world_with_prices()
    order = spread(harness, legs((LOW, "buy", "3"), (HIGH, "sell", "1")))
    harness.step()
    assert harness.qty(LOW) == 6
    assert harness.order(order["id"])["filled_avg_price"] == "15.8"


def test_legs_are_never_listed_flat() -> None:
    """They show inside their parent, and by id."""
    harness = world_with_prices()
    order = spread(harness, DEBIT)
    listed = harness.exchange.orders("alpha", {"status": "all"})
    assert [o["id"] for o in listed] == [order["id"]]
    leg_id = str(nested(order, "legs", 0, "id"))
    assert harness.order(leg_id)["symbol"] == LOW
    with pytest.raises(ApiError, match="individual legs"):
        harness.exchange.cancel("alpha", leg_id)


def test_cancel_and_replace() -> None:
    """Of the whole; the new spread has new legs."""
    harness = world_with_prices()
    order = spread(harness, DEBIT, type="limit", limit_price="1")
    new = harness.exchange.replace("alpha", str(order["id"]), {"limit_price": "1.5", "qty": "1"})
    assert nested(new, "legs", 0, "qty") == "1"
    assert harness.status(nested(order, "legs", 0, "id")) == "replaced"
    harness.exchange.cancel("alpha", str(new["id"]))
    assert harness.status(nested(new, "legs", 1, "id")) == "canceled"
    assert harness.account()["buying_power"] == "200000"


def test_each_leg_is_an_activity() -> None:
    """Under the execution ids of the frame."""
    harness = world_with_prices()
    spread(harness, DEBIT)
    harness.step()
    fills = harness.exchange.activities("alpha", {"direction": "asc"}, "FILL")
    wanted = [nested(harness.frames()[-1], "legs", n, "execution_id") for n in (0, 1)]
    assert [str(fill["id"]).split("::")[1] for fill in fills] == wanted


@pytest.mark.parametrize(
    ("items", "body", "message"),
    [
        (legs((LOW, "buy", "1")), {}, "between 2 and 4 legs"),
        (legs((LOW, "buy", "1"), (LOW, "sell", "1")), {}, "unique symbols"),
        (legs((LOW, "sell", "1"), (HIGH, "sell", "1")), {}, "uncovered option contracts"),
        (legs((LOW, "buy", "1"), ("F", "buy", "1")), {}, "only supported for options"),
        (DEBIT, {"time_in_force": "gtc"}, "time in force"),
        (DEBIT, {"type": "limit"}, "limit orders require limit price"),
        (DEBIT, {"qty": "1.5"}, "integer"),
        (DEBIT, {"qty": None, "notional": "100"}, "qty is required"),
        (DEBIT, {"type": "stop"}, "invalid order type"),
        (DEBIT, {"type": "limit", "limit_price": "1.001"}, "sub-penny"),
        (DEBIT, {"qty": "1000"}, "insufficient buying power"),
    ],
)
def test_bad_spreads(items: list[Json], body: Json, message: str) -> None:
    """Each with its reason."""
    with pytest.raises(ApiError, match=message):
        spread(world_with_prices(), items, **body)


def test_level_three_is_needed() -> None:
    """The customer may lower it."""
    harness = world_with_prices()
    harness.exchange.patch_configurations("alpha", {"max_options_trading_level": 2})
    with pytest.raises(ApiError, match="level 3"):
        spread(harness, DEBIT)


def test_legs_end_with_their_parent() -> None:
    """Filled together, expired together: once each."""
    harness = world_with_prices()
    filled = spread(harness, DEBIT)
    waiting = spread(harness, DEBIT, type="limit", limit_price="1")
    harness.step()
    harness.pass_time(6 * 3600)
    for order, status in ((filled, "filled"), (waiting, "expired")):
        ids = [order["id"], nested(order, "legs", 0, "id"), nested(order, "legs", 1, "id")]
        assert {harness.status(order_id) for order_id in ids} == {status}
    assert harness.events(waiting["id"]) == ["pending_new", "new", "expired"]
    assert harness.events(nested(waiting, "legs", 0, "id")) == []
