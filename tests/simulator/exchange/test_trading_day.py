"""The bells: auctions, expiry, pauses, and the accounts' yesterday."""

from decimal import Decimal

from tests.simulator.exchange.harness import ExchangeHarness, nested

HOUR = 3600


def waiting(harness: ExchangeHarness, **body: object) -> str:
    wish = {"symbol": "F", "qty": 1, "side": "buy", "type": "limit", "limit_price": "5"}
    return str(harness.submit(**{**wish, **body})["id"])


def test_day_orders_expire_at_the_close_and_gtc_orders_stay() -> None:
    """At 16:00 New York, also where trading never stops."""
    for mode in ("nyse", "always"):
        harness = ExchangeHarness(mode=mode)
        day, gtc = waiting(harness), waiting(harness, time_in_force="gtc")
        harness.pass_time(6 * HOUR - 1)
        assert harness.status(day) == "new"
        harness.pass_time(1)
        assert harness.status(day) == "expired"
        assert harness.order(day)["expired_at"] is not None
        assert harness.events(day)[-1] == "expired"
        assert harness.status(gtc) == "new"


def test_gtc_orders_end_after_ninety_days() -> None:
    """At the close of that day."""
    harness = ExchangeHarness(mode="always")
    order_id = waiting(harness, symbol="ETH/USD", time_in_force="gtc")
    assert harness.order(order_id)["expires_at"] == "2027-01-04T21:00:00Z"
    harness.pass_time(91 * 24 * HOUR)
    assert harness.status(order_id) == "expired"


def test_orders_sent_at_night_wait_for_the_opening() -> None:
    """`accepted`, then `new` with the bell, then they trade."""
    harness = ExchangeHarness(mode="nyse")
    harness.pass_time(8 * HOUR)
    order = harness.buy("F", 1)
    assert order["status"] == "accepted"
    assert order["expires_at"] == "2026-10-07T20:00:00Z"
    harness.pass_time(15 * HOUR)
    assert harness.status(order["id"]) == "accepted"
    harness.pass_time(HOUR)
    harness.step(2)
    assert harness.events() == ["accepted", "new", "fill"]


def test_extended_hours_need_the_flag() -> None:
    """After the close a limit order with the flag trades, one without waits."""
    harness = ExchangeHarness(mode="nyse")
    harness.exchange.set_price("F", "5")
    harness.pass_time(7 * HOUR)
    format_decimal, extended = waiting(harness), waiting(harness, extended_hours=True)
    assert harness.order(extended)["expires_at"] == "2026-10-07T00:00:00Z"
    harness.settle()
    assert harness.status(extended) == "filled"
    assert harness.status(format_decimal) == "accepted"


def test_extended_orders_sent_at_night_start_before_the_bell() -> None:
    """At four in the morning."""
    harness = ExchangeHarness(mode="nyse")
    harness.exchange.set_price("F", "5")
    harness.pass_time(11 * HOUR)
    order_id = waiting(harness, extended_hours=True)
    assert harness.status(order_id) == "accepted"
    harness.pass_time(7 * HOUR + 60)
    harness.settle()
    assert harness.status(order_id) == "filled"


def test_opening_auction() -> None:
    """A market order trades at the bell; a limit out of reach is canceled."""
    harness = ExchangeHarness(mode="nyse")
    market = harness.buy("F", 1, time_in_force="opg")
    limit = waiting(harness, time_in_force="opg")
    harness.settle()
    assert harness.status(market["id"]) == "accepted"
    harness.pass_time(24 * HOUR)
    assert harness.status(market["id"]) == "filled"
    assert harness.status(limit) == "canceled"


def test_closing_auction() -> None:
    """The same at the other bell."""
    harness = ExchangeHarness(mode="nyse")
    market = harness.buy("F", 1, time_in_force="cls")
    limit = waiting(harness, time_in_force="cls")
    harness.pass_time(6 * HOUR)
    assert harness.status(market["id"]) == "filled"
    assert harness.status(limit) == "canceled"


def test_changing_market_mode_processes_bells() -> None:
    """A test closes and opens the market without moving the clock."""
    harness = ExchangeHarness()
    day, gtc = waiting(harness), waiting(harness, time_in_force="gtc")
    harness.step()
    harness.exchange.set_market("closed")
    assert harness.status(day) == "expired"
    assert harness.status(gtc) == "new"
    queued = harness.buy("F", 1)
    assert harness.exchange.clock()["is_open"] is False
    harness.exchange.set_market("open")
    assert harness.status(queued["id"]) == "new"


def test_a_partly_filled_gtc_order_pauses_over_night() -> None:
    """done_for_day, and new in the morning; the rest fills then."""
    for seed in range(80):
        harness = ExchangeHarness(seed=seed, mode="nyse")
        harness.exchange.set_price("F", "5")
        order_id = waiting(harness, qty=100, time_in_force="gtc")
        harness.step()
        if harness.status(order_id) == "partially_filled":
            break
    harness.exchange.set_market("closed")
    assert harness.status(order_id) == "done_for_day"
    harness.settle()
    assert harness.status(order_id) == "done_for_day"
    harness.exchange.set_market("open")
    assert harness.status(order_id) == "partially_filled"
    harness.settle()
    assert harness.status(order_id) == "filled"


def test_last_close_is_kept() -> None:
    """Equity, margin and date; positions count from the close then."""
    harness = ExchangeHarness(mode="nyse")
    harness.own("F", 100, price="10")
    harness.exchange.set_price("F", "11")
    harness.pass_time(6 * HOUR)
    account = harness.account()
    assert (account["last_equity"], account["last_maintenance_margin"]) == ("100100", "330")
    assert account["balance_asof"] == "2026-10-06"
    harness.exchange.set_price("F", "12")
    position = harness.exchange.position("alpha", "F")
    assert (position["lastday_price"], position["unrealized_intraday_pl"]) == ("11", "100")
    assert position["unrealized_pl"] == "200"


def test_bells_are_processed_after_a_day_without_steps() -> None:
    """A clock that jumps over days rings every bell once, in order."""
    harness = ExchangeHarness(mode="nyse")
    order_id = waiting(harness)
    harness.pass_time(5 * 24 * HOUR)
    assert harness.status(order_id) == "expired"
    assert harness.account()["balance_asof"] == "2026-10-09"
    assert nested(harness.frames()[-1], "event") == "expired"


def test_options_in_the_money_turn_into_shares() -> None:
    """At the strike, on the last day; worthless ones vanish; the stream is silent."""
    call, put = "NVDA261120C00200000", "NVDA261120P00180000"
    harness = ExchangeHarness(mode="nyse")
    harness.exchange.set_price("NVDA", "190")
    harness.own(call, 1, price="5")
    harness.own(put, 1, price="5")
    harness.exchange.set_price("NVDA", "230")
    cash = harness.cash()
    harness.pass_time(46 * 24 * HOUR)
    assert harness.events() == []
    assert [p["symbol"] for p in harness.exchange.positions("alpha")] == ["NVDA"]
    assert harness.exchange.position("alpha", "NVDA")["avg_entry_price"] == "200"
    assert harness.cash() == cash - Decimal(20_000)
    kinds = {e["activity_type"] for e in harness.exchange.activities("alpha", {})}
    assert {"OPEXC", "OPEXP", "OPTRD"} <= kinds


def test_hours_may_be_set_before_the_first_step() -> None:
    """No bell rings then: yesterday stays yesterday."""
    harness = ExchangeHarness(mode="always")
    harness.exchange.set_market("closed")
    harness.exchange.set_market("nyse")
    assert harness.account()["balance_asof"] == "2026-10-05"


def test_days_end_also_while_the_market_stays_closed() -> None:
    """Nothing opens, but yesterday moves on."""
    harness = ExchangeHarness(mode="closed")
    order = harness.buy("F", 1)
    harness.step()
    harness.pass_time(24 * HOUR)
    assert harness.account()["balance_asof"] == "2026-10-06"
    assert harness.events(order["id"]) == ["accepted", "expired"]
