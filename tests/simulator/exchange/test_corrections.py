"""Busts, corrections and splits: the books turn, and turn right."""

from decimal import Decimal

import pytest

from realtime.simulator.exchange.engine import ApiError
from tests.simulator.exchange.harness import ExchangeHarness, nested


def filled_world() -> tuple[ExchangeHarness, str, str]:
    """A world that bought 12 and then 18; the second order and its execution."""
    harness = ExchangeHarness()
    harness.own("F", 12, price="10")
    harness.exchange.set_price("F", "11")
    order = harness.buy("F", 18, time_in_force="fok")
    harness.step()
    execution_id = str(harness.frames()[-1]["execution_id"])
    harness.updates.clear()
    return harness, str(order["id"]), execution_id


def test_a_bust_undoes_the_fill() -> None:
    """Order, position, average, cash and activity."""
    harness, order_id, execution_id = filled_world()
    harness.exchange.bust("alpha", execution_id)
    frame = harness.frames()[0]
    assert (frame["event"], frame["reason"]) == ("trade_bust", "TRADE_BUST")
    assert frame["previous_execution_id"] == execution_id != frame["execution_id"]
    assert (frame["price"], frame["qty"], frame["position_qty"]) == ("11", "18", "12")
    order = harness.order(order_id)
    assert (order["status"], order["filled_qty"], order["filled_at"]) == ("new", "0", None)
    assert harness.exchange.position("alpha", "F")["avg_entry_price"] == "10"
    assert harness.cash() == 100_000 - 120
    assert len(harness.exchange.activities("alpha", {}, "FILL")) == 1


def test_a_busted_order_is_open_but_does_not_trade_again() -> None:
    """It can be canceled."""
    harness, order_id, execution_id = filled_world()
    harness.exchange.bust("alpha", execution_id)
    harness.settle()
    assert harness.status(order_id) == "new"
    assert [o["id"] for o in harness.exchange.orders("alpha", {})] == [order_id]
    harness.exchange.cancel("alpha", order_id)
    assert harness.status(order_id) == "canceled"


def test_an_execution_is_busted_once() -> None:
    """And must exist."""
    harness, _, execution_id = filled_world()
    harness.exchange.bust("alpha", execution_id)
    with pytest.raises(ValueError, match=execution_id):
        harness.exchange.bust("alpha", execution_id)
    with pytest.raises(ValueError, match="nope"):
        harness.exchange.correct("alpha", "nope", "1")


def test_a_bust_of_yesterday() -> None:
    """The lot is gone from the day's trades, the books still turn back."""
    harness, _, execution_id = filled_world()
    harness.pass_time(24 * 3600)
    harness.exchange.bust("alpha", execution_id)
    assert harness.qty("F") == 12
    assert harness.cash() == 100_000 - 120


def test_a_correction_changes_the_price() -> None:
    """The execution goes on under a new id; the quantity stays."""
    harness, order_id, execution_id = filled_world()
    harness.exchange.correct("alpha", execution_id, "10.5")
    frame = harness.frames()[0]
    assert (frame["event"], frame["price"], frame["position_qty"]) == (
        "trade_correct",
        "10.5",
        "30",
    )
    assert "reason" not in frame
    assert harness.order(order_id)["filled_avg_price"] == "10.5"
    assert harness.exchange.position("alpha", "F")["avg_entry_price"] == "10.3"
    assert harness.cash() == 100_000 - 120 - 189
    fills = harness.exchange.activities("alpha", {}, "FILL")
    assert str(fills[0]["id"]).endswith(str(frame["execution_id"]))
    assert len(fills) == 2


def test_a_split_keeps_the_value() -> None:
    """Position, resting order, prices; no event; a SPLIT activity."""
    harness, _, _ = filled_world()
    order = harness.sell("F", 10, type="limit", limit_price="12.4")
    harness.updates.clear()
    before = harness.account()
    harness.exchange.split("F", 2)
    assert harness.events() == []
    assert harness.qty("F") == 60
    assert harness.account()["equity"] == before["equity"]
    changed = harness.order(order["id"])
    assert (changed["qty"], changed["limit_price"]) == ("20", "6.2")
    assert str(changed["updated_at"]) > str(order["updated_at"])
    entry = harness.exchange.activities("alpha", {}, "SPLIT")[0]
    assert (entry["symbol"], entry["qty"]) == ("F", "30")
    harness.exchange.set_price("F", "6.2")
    harness.settle()
    assert harness.qty("F") == 40
    assert nested(harness.frames()[-1], "order", "limit_price") == "6.2"


@pytest.mark.parametrize("symbol", ["F", "SIRI"])
def test_a_reverse_split_keeps_the_value(symbol: str) -> None:
    """Orders are canceled without an event; a fraction that cannot be held is paid in cash."""
    harness = ExchangeHarness()
    harness.own(symbol, 32, price="12.5")
    order = harness.sell(symbol, 10, type="limit", limit_price="13")
    harness.settle()
    harness.updates.clear()
    before = harness.account()
    harness.exchange.split(symbol, 10, reverse=True)
    assert harness.events() == []
    assert harness.status(order["id"]) == "canceled"
    assert harness.exchange.prices()[symbol] == "125"
    assert harness.account()["equity"] == before["equity"]
    is_fractional = harness.exchange.asset(symbol)["fractionable"]
    assert harness.qty(symbol) == (Decimal("3.2") if is_fractional else 3)
    entry = harness.exchange.activities("alpha", {}, "SPLIT")[0]
    assert (entry["qty"], entry["description"]) == ("-28.8", "1 for 10 split")
    paid = harness.exchange.activities("alpha", {}, "REORG")
    assert [a["net_amount"] for a in paid] == ([] if is_fractional else ["25"])


def test_a_stock_that_is_renamed_keeps_its_value() -> None:
    """The position moves, its orders end, nothing trades under the old name; an NC activity."""
    harness, _, _ = filled_world()
    order = harness.sell("F", 10, type="limit", limit_price="99")
    harness.updates.clear()
    before = harness.account()
    harness.exchange.rename("F", "FORD")
    assert harness.events() == []
    assert harness.qty("F") == 0
    assert harness.qty("FORD") == 30
    after = harness.account()
    for field in ("equity", "cash", "long_market_value", "initial_margin"):
        assert after[field] == before[field]
    assert harness.order(order["id"])["status"] == "canceled"
    entry = harness.exchange.activities("alpha", {}, "NC")[0]
    assert (entry["symbol"], entry["qty"]) == ("FORD", "30")
    with pytest.raises(ApiError, match="not active"):
        harness.buy("F", 1)
    harness.sell("FORD", 30)
    harness.settle()
    assert harness.qty("FORD") == 0


def test_what_cannot_be_renamed() -> None:
    """Coins, and to a name that is taken."""
    harness = ExchangeHarness()
    for symbol, to in (("ETH/USD", "ETHER"), ("F", "AAPL")):
        with pytest.raises(ValueError, match=r"ETH/USD|AAPL"):
            harness.exchange.rename(symbol, to)


def test_end_of_day_updates_last_close() -> None:
    """Last equity is equity, the last close is the price, and no event tells."""
    harness, _, _ = filled_world()
    harness.exchange.set_price("F", "15")
    harness.settle()
    harness.updates.clear()
    harness.exchange.end_day()
    assert harness.events() == []
    account, (position,) = harness.account(), harness.exchange.positions("alpha")
    assert account["last_equity"] == account["equity"]
    assert position["lastday_price"] == position["current_price"] == "15"
    assert position["unrealized_intraday_pl"] == "0"


def test_what_cannot_be_split() -> None:
    """Coins, and by less than two."""
    harness = ExchangeHarness()
    for symbol, ratio in (("ETH/USD", 2), ("F", 1)):
        with pytest.raises(ValueError, match=symbol):
            harness.exchange.split(symbol, ratio)


def test_books_show_the_executions() -> None:
    """Busted ones are marked; the rest add up."""
    harness, _, execution_id = filled_world()
    harness.exchange.bust("alpha", execution_id)
    books = harness.exchange.books("alpha")
    executions = books["executions"]
    assert isinstance(executions, list)
    assert [e["is_busted"] for e in executions] == [False, True]
    deltas = sum(Decimal(e["cash_delta"]) for e in executions if not e["is_busted"])
    assert Decimal(str(books["cash"])) == 100_000 + deltas
    assert books["seq"] == 7


def test_a_bust_of_one_part_leaves_the_others_average() -> None:
    """Of an order that filled at two prices."""
    for seed in range(60):
        harness = ExchangeHarness(seed=seed)
        harness.exchange.set_price("F", "10")
        order = harness.buy("F", 50)
        harness.step()
        if "partial_fill" in harness.events():
            break
    harness.exchange.set_price("F", "12")
    harness.settle()
    fills = [data for data in harness.frames() if "fill" in str(data["event"])]
    harness.exchange.bust("alpha", str(fills[-1]["execution_id"]))
    busted = harness.order(order["id"])
    assert busted["status"] == "partially_filled"
    standing = fills[:-1]
    shares = sum(int(str(data["qty"])) for data in standing)
    amounts = [Decimal(str(d["qty"])) * Decimal(str(d["price"])) for d in standing]
    paid = sum(amounts, Decimal(0))
    assert busted["filled_qty"] == str(shares)
    assert abs(Decimal(str(busted["filled_avg_price"])) - paid / shares) < Decimal("1e-8")
