"""Fills and cash movements, their ids, and paging through them."""

from typing import Any

import pytest

from realtime.simulator.exchange.errors import ApiError
from tests.simulator.exchange.harness import ExchangeHarness, Json, nested


def test_a_fill_has_the_execution_id_of_its_frame() -> None:
    """After the New York time in milliseconds."""
    harness = ExchangeHarness()
    harness.exchange.set_price("F", "10")
    order = harness.buy("F", 1)
    harness.step()
    fill = harness.exchange.activities("alpha", {}, "FILL")[0]
    assert fill == {
        "id": f"20261006100000100::{harness.frames()[-1]['execution_id']}",
        "activity_type": "FILL",
        "transaction_time": "2026-10-06T14:00:00.1Z",
        "type": "fill",
        "price": "10",
        "qty": "1",
        "side": "buy",
        "symbol": "F",
        "leaves_qty": "0",
        "order_id": order["id"],
        "cum_qty": "1",
        "order_status": "filled",
    }


def test_parts_count_up() -> None:
    """leaves_qty and cum_qty are as of then."""
    harness = ExchangeHarness()
    for _ in range(60):
        harness.buy("F", 50)
        harness.step()
    harness.settle()
    query = {"direction": "asc", "activity_types": "FILL"}
    fills = pages(harness, query)
    parts = [fill for fill in fills if fill["type"] == "partial_fill"]
    assert parts
    for fill in fills:
        assert int(str(fill["cum_qty"])) + int(str(fill["leaves_qty"])) == 50
        assert (fill["order_status"] == "filled") == (fill["leaves_qty"] == "0")


def pages(harness: ExchangeHarness, query: dict[str, str]) -> list[Json]:
    """Read all pages by token."""
    found: list[Json] = []
    token = {"page_token": ""}
    while page := harness.exchange.activities("alpha", {**query, "page_size": "7", **token}):
        found += page
        token = {"page_token": str(page[-1]["id"])}
    return found


@pytest.mark.parametrize("direction", ["asc", "desc"])
def test_paging_returns_every_entry_once(direction: str) -> None:
    """In both directions, newest first by default."""
    harness = ExchangeHarness()
    for _ in range(20):
        harness.buy("F", 1)
    harness.settle()
    found = pages(harness, {"direction": direction})
    whole = harness.exchange.activities("alpha", {"direction": direction})
    assert found == whole
    assert len(found) == 21
    default = harness.exchange.activities("alpha", {})
    assert default == harness.exchange.activities("alpha", {"direction": "desc"})


def test_filters() -> None:
    """By type, group, category, day and time."""
    harness = ExchangeHarness()
    harness.own("F", 1)
    harness.exchange.deposit("alpha", "250")
    harness.exchange.deposit("alpha", "-50.5")

    def types(**query: str) -> list[object]:
        return [entry["activity_type"] for entry in harness.exchange.activities("alpha", query)]

    assert types() == ["CSW", "CSD", "FILL", "JNLC"]
    assert types(activity_types="TRANS") == ["CSW", "CSD"]
    assert types(activity_types="csd,FILL") == ["CSD", "FILL"]
    assert types(category="trade_activity") == ["FILL"]
    assert types(category="non_trade_activity") == ["CSW", "CSD", "JNLC"]
    assert types(date="2026-10-06") == types()
    assert types(date="2026-10-05") == []
    assert types(after="2026-10-06T14:00:00.1Z") == ["CSW", "CSD"]
    assert types(until="2026-10-06T14:00:00.1Z") == ["JNLC"]
    assert len(harness.exchange.activities("alpha", {}, "CSD")) == 1


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ({"activity_types": "NOPE"}, "invalid activity type: NOPE"),
        ({"page_size": "101"}, "page_size"),
        ({"page_token": "20260101::x"}, "page_token"),
        ({"date": "2026-10-06", "after": "2026-10-06"}, "date cannot be used"),
        ({"category": "trade_activity", "activity_types": "FILL"}, "category cannot be used"),
        ({"category": "gossip"}, "invalid category"),
    ],
)
def test_bad_queries(query: dict[str, Any], message: str) -> None:
    """422 with the reason."""
    with pytest.raises(ApiError, match=message):
        ExchangeHarness().exchange.activities("alpha", query)


def test_cash_movements() -> None:
    """They change cash at once, and say nothing on the stream."""
    harness = ExchangeHarness()
    harness.exchange.deposit("alpha", "250.25")
    assert harness.cash() == 100_250.25
    assert harness.events() == []
    entry = harness.exchange.activities("alpha", {}, "CSD")[0]
    assert (entry["net_amount"], entry["date"], entry["status"]) == (
        "250.25",
        "2026-10-06",
        "executed",
    )


def test_crypto_fees_are_booked_at_the_end_of_the_day() -> None:
    """One entry a symbol, with the coins and the dollars taken."""
    harness = ExchangeHarness()
    harness.own("ETH/USD", "1", price="2000", time_in_force="gtc")
    harness.sell("ETH/USD", "0.5", time_in_force="gtc")
    harness.settle()
    assert harness.exchange.activities("alpha", {}, "CFEE") == []
    harness.pass_time(6 * 3600)
    fee = harness.exchange.activities("alpha", {}, "CFEE")[0]
    assert (fee["symbol"], fee["qty"], fee["net_amount"]) == ("ETHUSD", "-0.0025", "-2.5")


def test_a_busted_fill_is_gone_and_paging_goes_on() -> None:
    """A page may begin at an entry that no longer exists."""
    harness = ExchangeHarness()
    for _ in range(3):
        harness.own("F", 1)
    fills = harness.exchange.activities("alpha", {}, "FILL")
    middle = str(fills[1]["id"])
    harness.exchange.bust("alpha", middle.split("::")[1])
    left = harness.exchange.activities("alpha", {"page_token": middle}, "FILL")
    assert [entry["id"] for entry in left] == [fills[2]["id"]]
    assert nested(harness.frames()[-1], "event") == "trade_bust"
