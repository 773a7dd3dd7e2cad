"""Which orders a list shows, in which order, and how one pages through it."""

from collections.abc import Callable

import pytest

from realtime.simulator.exchange.errors import ApiError
from tests.simulator.exchange.harness import ExchangeHarness, Json, nested


def world_with_orders() -> tuple[ExchangeHarness, dict[str, str]]:
    """One filled, one canceled, one waiting, one of crypto, one bracket; name → id."""
    harness = ExchangeHarness()
    harness.exchange.set_price("F", "10")
    ids: dict[str, object] = {}
    ids["filled"] = harness.buy("F", 1)["id"]
    harness.settle()
    ids["canceled"] = harness.buy("AAPL", 1, type="limit", limit_price="5")["id"]
    harness.exchange.cancel("alpha", str(ids["canceled"]))
    ids["waiting"] = harness.sell("F", 1, type="limit", limit_price="20")["id"]
    coin = {"type": "limit", "limit_price": "5", "time_in_force": "gtc"}
    ids["crypto"] = harness.buy("ETH/USD", "1", **coin)["id"]
    exits = {"take_profit": {"limit_price": "200"}, "stop_loss": {"stop_price": "80"}}
    harness.exchange.set_price("NVDA", "100")
    bracket = harness.buy("NVDA", 1, order_class="bracket", **exits)
    ids["bracket"] = bracket["id"]
    ids["profit"], ids["loss"] = (nested(bracket, "legs", n, "id") for n in (0, 1))
    harness.step()
    return harness, {name: str(order_id) for name, order_id in ids.items()}


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({}, "profit crypto waiting"),
        ({"status": "closed"}, "bracket canceled filled"),
        ({"status": "all"}, "loss profit bracket crypto waiting canceled filled"),
        ({"status": "all", "nested": "true"}, "bracket crypto waiting canceled filled"),
        ({"status": "open", "nested": "true"}, "crypto waiting"),
        ({"status": "all", "direction": "asc", "limit": "2"}, "filled canceled"),
        ({"status": "all", "symbols": "F,AAPL"}, "waiting canceled filled"),
        ({"status": "all", "symbols": "ETH/USD"}, "crypto"),
        ({"status": "all", "symbols": "ETHUSD"}, "crypto"),
        ({"status": "all", "side": "sell"}, "loss profit waiting"),
        ({"status": "all", "asset_class": "crypto"}, "crypto"),
        ({"status": "all", "limit": "1"}, "loss"),
    ],
)
def test_queries(query: dict[str, str], expected: str) -> None:
    """Held legs are open and yet not in the flat list of open orders; nested they hide."""
    harness, ids = world_with_orders()
    names = {order_id: name for name, order_id in ids.items()}
    listed = harness.exchange.orders("alpha", query)
    assert " ".join(names[str(order["id"])] for order in listed) == expected


def test_nested_rolls_legs_up() -> None:
    """Flat shows null."""
    harness, ids = world_with_orders()
    nested_one = harness.exchange.orders("alpha", {"status": "all", "nested": "true"})[0]
    assert nested(nested_one, "legs", 1, "id") == ids["loss"]
    assert harness.order(ids["bracket"])["legs"] is None
    assert nested(harness.order(ids["bracket"], nested=True), "legs", 0, "status") == "new"


def test_cursors_are_exclusive() -> None:
    """Before and after an order, and between times."""
    harness, ids = world_with_orders()

    def listed(**query: str) -> list[object]:
        wanted = {"status": "all", "nested": "true", "direction": "asc", **query}
        return [order["id"] for order in harness.exchange.orders("alpha", wanted)]

    everything = listed()
    assert listed(after_order_id=ids["canceled"]) == everything[2:]
    assert listed(before_order_id=ids["canceled"]) == everything[:1]
    submitted = str(harness.order(ids["canceled"])["submitted_at"])
    assert listed(after=submitted) == everything[2:]
    assert listed(until=submitted) == everything[:1]


@pytest.mark.parametrize("direction", ["asc", "desc"])
def test_paging_by_time_returns_every_order_once(direction: str) -> None:
    """By the last one's submitted_at, as REST shows it."""
    harness = ExchangeHarness()
    for _ in range(23):
        harness.buy("F", 1, type="limit", limit_price="5")
    seen: list[object] = []
    query = {"direction": direction, "limit": "5"}
    while page := harness.exchange.orders("alpha", query):
        seen += [order["id"] for order in page]
        query["after" if direction == "asc" else "until"] = str(page[-1]["submitted_at"])
    assert len(seen) == len(set(seen)) == 23


@pytest.mark.parametrize(
    "query",
    [
        {"status": "weird"},
        {"limit": "0"},
        {"limit": "501"},
        {"limit": "ten"},
        {"direction": "up"},
        {"after": "yesterday"},
        {"nested": "perhaps"},
        {"side": "both"},
        {"after_order_id": "unknown"},
        {"after_order_id": "a", "before_order_id": "b"},
        {"after_order_id": "a", "after": "2026-10-06"},
    ],
)
def test_bad_queries(query: dict[str, str]) -> None:
    """422, never an empty list."""
    with pytest.raises(ApiError) as caught:
        ExchangeHarness().exchange.orders("alpha", query)
    assert caught.value.status == 422


def test_one_order_by_either_id() -> None:
    """Its own, in any case of letters, and the customer's."""
    harness = ExchangeHarness()
    order = harness.buy("F", 1, client_order_id="rt-1")
    describe_value = harness.order(str(order["id"]).upper())
    assert harness.exchange.order_by_client_order_id("alpha", "rt-1") == describe_value
    missing: list[Callable[[], Json]] = [
        lambda: harness.exchange.order_by_client_order_id("alpha", "rt-2"),
        lambda: harness.order("00000000-0000-4000-8000-000000000000"),
    ]
    for call in missing:
        with pytest.raises(ApiError) as caught:
            call()
        assert caught.value.status == 404


def test_options_are_found_by_their_underlying() -> None:
    """When the query asks for options."""
    harness = ExchangeHarness()
    order = harness.buy("NVDA261120C00200000", 1)
    query = {"symbols": "NVDA", "asset_class": "us_option"}
    assert [o["id"] for o in harness.exchange.orders("alpha", query)] == [order["id"]]
    assert harness.exchange.orders("alpha", {"symbols": "NVDA"}) == []
