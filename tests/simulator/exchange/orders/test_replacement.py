"""Replaces: a new order with a new id, and an old one that points to it."""

import pytest

from realtime.simulator.exchange.errors import ApiError
from tests.simulator.exchange.harness import ExchangeHarness, Json, nested


def waiting(harness: ExchangeHarness, **body: object) -> str:
    wish = {"symbol": "F", "qty": 10, "side": "buy", "type": "limit", "limit_price": "5"}
    return str(harness.submit(**{**wish, **body})["id"])


def test_old_gives_way_to_new() -> None:
    """The old order's frame comes first; each names the other."""
    harness = ExchangeHarness()
    old = waiting(harness)
    change = {"limit_price": "5.5", "client_order_id": "rt-2"}
    new = harness.exchange.replace("alpha", old, change)
    assert harness.events()[2:] == ["replaced", "new"]
    assert (new["replaces"], new["limit_price"], new["qty"]) == (old, "5.5", "10")
    assert new["client_order_id"] == "rt-2"
    replaced = harness.order(old)
    assert (replaced["status"], replaced["replaced_by"]) == ("replaced", new["id"])
    assert replaced["replaced_at"] == harness.order(old)["replaced_at"]
    assert [o["id"] for o in harness.exchange.orders("alpha", {})] == [new["id"]]
    assert harness.account()["buying_power"] == "199945"


def test_the_rest_of_a_partial_fill_goes_on() -> None:
    """Without a quantity the new order takes what was left."""
    for seed in range(60):
        harness = ExchangeHarness(seed=seed)
        old = waiting(harness)
        harness.exchange.set_price("F", "5")
        harness.step()
        if harness.status(old) == "partially_filled":
            break
    filled = int(str(harness.order(old)["filled_qty"]))
    new = harness.exchange.replace("alpha", old, {"limit_price": "4"})
    assert new["qty"] == str(10 - filled)
    assert new["filled_qty"] == "0"


@pytest.mark.parametrize(
    ("body", "change", "message"),
    [
        ({}, {}, "not changed"),
        ({}, [], "format"),
        ({}, {"qty": "0"}, "qty must be > 0"),
        ({}, {"limit_price": "5.001"}, "sub-penny"),
        ({}, {"stop_price": "4"}, "must not have stop_price"),
        ({}, {"trail": "1"}, "trail can only"),
        ({}, {"notional": "10"}, "ipo"),
        ({}, {"qty": "1000000"}, "insufficient buying power"),
        ({}, {"time_in_force": "never"}, "invalid time_in_force"),
        ({"qty": "1.5"}, {"qty": "2"}, "fractional"),
        ({"time_in_force": "opg"}, {"qty": "2"}, "isn't sent to exchange yet"),
    ],
)
def test_bad_changes(body: Json, change: object, message: str) -> None:
    """The old order stays as it was."""
    harness = ExchangeHarness()
    old = waiting(harness, **body)
    with pytest.raises(ApiError, match=message):
        harness.exchange.replace("alpha", old, change)
    assert harness.status(old) in ("new", "accepted")
    assert len(harness.exchange.orders("alpha", {})) == 1


@pytest.mark.parametrize(
    "body",
    [
        {"type": "limit", "limit_price": "5"},
        {"type": "stop_limit", "stop_price": "20", "limit_price": "21"},
        {"type": "trailing_stop", "trail_percent": "5"},
    ],
)
def test_a_patch_without_a_change_is_rejected(body: Json) -> None:
    """Equal values in another spelling change nothing; one different value is enough."""
    harness = ExchangeHarness()
    order = harness.buy("F", 2, time_in_force="gtc", **body)
    harness.settle()
    prices = {k: f"{v}.0" for k, v in body.items() if k in ("limit_price", "stop_price")}
    trail = {"trail": body["trail_percent"]} if "trail_percent" in body else {}
    same = {"qty": "2.00", "time_in_force": "gtc", **prices, **trail}
    for name, value in same.items():
        with pytest.raises(ApiError) as error:
            harness.exchange.replace("alpha", str(order["id"]), {name: value})
        assert error.value.status == 422
        assert error.value.body == {
            "code": 42210000,
            "message": "order parameters are not changed",
        }
    assert harness.exchange.replace("alpha", str(order["id"]), same | {"qty": "3"})["qty"] == "3"


def test_too_early_has_the_recorded_body() -> None:
    """An order that waits for a bell is not at the exchange yet."""
    harness = ExchangeHarness(mode="closed")
    with pytest.raises(ApiError) as caught:
        harness.exchange.replace("alpha", waiting(harness), {"qty": 2})
    assert caught.value.status == 422
    assert caught.value.body == {
        "code": 40010001,
        "message": "unable to replace order, order isn't sent to exchange yet",
    }


def test_ended_orders_and_notional_ones_stay() -> None:
    """They cannot be replaced."""
    harness = ExchangeHarness()
    order_id = waiting(harness)
    harness.exchange.cancel("alpha", order_id)
    with pytest.raises(ApiError, match='already in "canceled" state'):
        harness.exchange.replace("alpha", order_id, {"qty": 2})
    notional = {"notional": "50", "side": "buy", "type": "limit", "limit_price": "5"}
    order = harness.submit(symbol="F", **notional)
    with pytest.raises(ApiError, match="notional"):
        harness.exchange.replace("alpha", str(order["id"]), {"limit_price": "6"})


def test_the_trail_of_a_trailing_stop() -> None:
    """The stop moves with it, the mark stays."""
    harness = ExchangeHarness()
    harness.own("NVDA", 1, price="100")
    stop = harness.sell("NVDA", 1, type="trailing_stop", trail_percent="5")
    new = harness.exchange.replace("alpha", str(stop["id"]), {"trail": "10"})
    assert (new["trail_percent"], new["hwm"], new["stop_price"]) == ("10", "100", "90")


def test_held_replaces_wait() -> None:
    """pending_replace refuses cancels; switching off carries out."""
    harness = ExchangeHarness()
    harness.exchange.hold_replaces("alpha", True)
    old = waiting(harness)
    new = harness.exchange.replace("alpha", old, {"qty": "4"})
    assert harness.status(old) == "pending_replace"
    with pytest.raises(ApiError, match="pending_replace"):
        harness.exchange.cancel("alpha", old)
    harness.exchange.hold_replaces("alpha", False)
    assert harness.events()[2:] == ["pending_replace", "replaced", "new"]
    assert harness.status(new["id"]) == "new"


def test_a_fill_in_between_refuses_the_replace() -> None:
    """The event is about the order that was to come."""
    harness = ExchangeHarness()
    harness.exchange.hold_replaces("alpha", True)
    old = waiting(harness)
    new = harness.exchange.replace("alpha", old, {"qty": "4"})
    harness.exchange.set_price("F", "5")
    harness.settle()
    last = harness.frames()[-1]
    assert (last["event"], nested(last, "order", "id")) == ("order_replace_rejected", new["id"])
    assert harness.status(old) == "filled"
    assert harness.status(new["id"]) == "rejected"


def test_a_used_client_order_id_is_refused() -> None:
    """Also that of the order being replaced."""
    harness = ExchangeHarness()
    old = waiting(harness, client_order_id="rt-1")
    with pytest.raises(ApiError, match="unique"):
        harness.exchange.replace("alpha", old, {"qty": 2, "client_order_id": "rt-1"})


def test_replacing_at_night_queues_the_new_order() -> None:
    """A gtc order is at the venue over night; its successor waits for the bell."""
    harness = ExchangeHarness()
    old = waiting(harness, time_in_force="gtc")
    harness.step()
    harness.exchange.set_market("closed")
    new = harness.exchange.replace("alpha", old, {"qty": "3"})
    assert new["status"] == "accepted"
    assert harness.events()[-2:] == ["replaced", "accepted"]
    harness.exchange.set_market("open")
    assert harness.status(new["id"]) == "new"


def test_a_replacement_canceled_while_it_waits() -> None:
    """The old order goes on as it was."""
    harness = ExchangeHarness()
    harness.exchange.hold_replaces("alpha", True)
    old = waiting(harness)
    new = harness.exchange.replace("alpha", old, {"qty": "4"})
    harness.exchange.cancel("alpha", str(new["id"]))
    harness.exchange.hold_replaces("alpha", False)
    assert (harness.status(old), harness.status(new["id"])) == ("new", "canceled")


def test_an_order_that_ends_takes_its_replacement_along() -> None:
    """Expired while the replace was on its way."""
    harness = ExchangeHarness()
    harness.exchange.hold_replaces("alpha", True)
    old = waiting(harness)
    new = harness.exchange.replace("alpha", old, {"qty": "4", "time_in_force": "gtc"})
    harness.pass_time(6 * 3600)
    assert harness.status(old) == "expired"
    assert harness.status(new["id"]) == "rejected"
    assert harness.events(new["id"]) == ["order_replace_rejected"]
