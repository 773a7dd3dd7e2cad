"""The bells: auctions, expiry, pauses, and the accounts' yesterday."""

from decimal import Decimal

from tests.simulator.exchange.harness import World, nested

HOUR = 3600


def waiting(world: World, **body: object) -> str:
    wish = {"symbol": "F", "qty": 1, "side": "buy", "type": "limit", "limit_price": "5"}
    return str(world.submit(**{**wish, **body})["id"])


def test_day_orders_expire_at_the_close_and_gtc_orders_stay() -> None:
    """At 16:00 New York, also where trading never stops."""
    for mode in ("nyse", "always"):
        world = World(mode=mode)
        day, gtc = waiting(world), waiting(world, time_in_force="gtc")
        world.pass_time(6 * HOUR - 1)
        assert world.status(day) == "new"
        world.pass_time(1)
        assert world.status(day) == "expired"
        assert world.order(day)["expired_at"] is not None
        assert world.events(day)[-1] == "expired"
        assert world.status(gtc) == "new"


def test_gtc_orders_end_after_ninety_days() -> None:
    """At the close of that day."""
    world = World(mode="always")
    order_id = waiting(world, symbol="ETH/USD", time_in_force="gtc")
    assert world.order(order_id)["expires_at"] == "2027-01-04T21:00:00Z"
    world.pass_time(91 * 24 * HOUR)
    assert world.status(order_id) == "expired"


def test_orders_sent_at_night_wait_for_the_opening() -> None:
    """`accepted`, then `new` with the bell, then they trade."""
    world = World(mode="nyse")
    world.pass_time(8 * HOUR)
    order = world.buy("F", 1)
    assert order["status"] == "accepted"
    assert order["expires_at"] == "2026-10-07T20:00:00Z"
    world.pass_time(15 * HOUR)
    assert world.status(order["id"]) == "accepted"
    world.pass_time(HOUR)
    world.step(2)
    assert world.events() == ["accepted", "new", "fill"]


def test_extended_hours_are_for_those_who_ask() -> None:
    """After the close a limit order with the flag trades, one without waits."""
    world = World(mode="nyse")
    world.exchange.set_price("F", "5")
    world.pass_time(7 * HOUR)
    format_decimal, extended = waiting(world), waiting(world, extended_hours=True)
    assert world.order(extended)["expires_at"] == "2026-10-07T00:00:00Z"
    world.settle()
    assert world.status(extended) == "filled"
    assert world.status(format_decimal) == "accepted"


def test_extended_orders_sent_at_night_start_before_the_bell() -> None:
    """At four in the morning."""
    world = World(mode="nyse")
    world.exchange.set_price("F", "5")
    world.pass_time(11 * HOUR)
    order_id = waiting(world, extended_hours=True)
    assert world.status(order_id) == "accepted"
    world.pass_time(7 * HOUR + 60)
    world.settle()
    assert world.status(order_id) == "filled"


def test_opening_auction() -> None:
    """A market order trades at the bell; a limit out of reach is canceled."""
    world = World(mode="nyse")
    market = world.buy("F", 1, time_in_force="opg")
    limit = waiting(world, time_in_force="opg")
    world.settle()
    assert world.status(market["id"]) == "accepted"
    world.pass_time(24 * HOUR)
    assert world.status(market["id"]) == "filled"
    assert world.status(limit) == "canceled"


def test_closing_auction() -> None:
    """The same at the other bell."""
    world = World(mode="nyse")
    market = world.buy("F", 1, time_in_force="cls")
    limit = waiting(world, time_in_force="cls")
    world.pass_time(6 * HOUR)
    assert world.status(market["id"]) == "filled"
    assert world.status(limit) == "canceled"


def test_switching_hours_rings_the_bells() -> None:
    """A test closes and opens the market without moving the clock."""
    world = World()
    day, gtc = waiting(world), waiting(world, time_in_force="gtc")
    world.step()
    world.exchange.set_market("closed")
    assert world.status(day) == "expired"
    assert world.status(gtc) == "new"
    queued = world.buy("F", 1)
    assert world.exchange.clock()["is_open"] is False
    world.exchange.set_market("open")
    assert world.status(queued["id"]) == "new"


def test_a_partly_filled_gtc_order_pauses_over_night() -> None:
    """done_for_day, and new in the morning; the rest fills then."""
    for seed in range(80):
        world = World(seed=seed, mode="nyse")
        world.exchange.set_price("F", "5")
        order_id = waiting(world, qty=100, time_in_force="gtc")
        world.step()
        if world.status(order_id) == "partially_filled":
            break
    world.exchange.set_market("closed")
    assert world.status(order_id) == "done_for_day"
    world.settle()
    assert world.status(order_id) == "done_for_day"
    world.exchange.set_market("open")
    assert world.status(order_id) == "partially_filled"
    world.settle()
    assert world.status(order_id) == "filled"


def test_yesterday_is_what_the_close_left() -> None:
    """Equity, margin and date; positions count from the close then."""
    world = World(mode="nyse")
    world.own("F", 100, price="10")
    world.exchange.set_price("F", "11")
    world.pass_time(6 * HOUR)
    account = world.account()
    assert (account["last_equity"], account["last_maintenance_margin"]) == ("100100", "330")
    assert account["balance_asof"] == "2026-10-06"
    world.exchange.set_price("F", "12")
    position = world.exchange.position("alpha", "F")
    assert (position["lastday_price"], position["unrealized_intraday_pl"]) == ("11", "100")
    assert position["unrealized_pl"] == "200"


def test_a_day_without_steps_still_rings() -> None:
    """A clock that jumps over days rings every bell once, in order."""
    world = World(mode="nyse")
    order_id = waiting(world)
    world.pass_time(5 * 24 * HOUR)
    assert world.status(order_id) == "expired"
    assert world.account()["balance_asof"] == "2026-10-09"
    assert nested(world.frames()[-1], "event") == "expired"


def test_options_in_the_money_turn_into_shares() -> None:
    """At the strike, on the last day; worthless ones vanish; the stream is silent."""
    call, put = "NVDA261120C00200000", "NVDA261120P00180000"
    world = World(mode="nyse")
    world.exchange.set_price("NVDA", "190")
    world.own(call, 1, price="5")
    world.own(put, 1, price="5")
    world.exchange.set_price("NVDA", "230")
    cash = world.cash()
    world.pass_time(46 * 24 * HOUR)
    assert world.events() == []
    assert [p["symbol"] for p in world.exchange.positions("alpha")] == ["NVDA"]
    assert world.exchange.position("alpha", "NVDA")["avg_entry_price"] == "200"
    assert world.cash() == cash - Decimal(20_000)
    kinds = {e["activity_type"] for e in world.exchange.activities("alpha", {})}
    assert {"OPEXC", "OPEXP", "OPTRD"} <= kinds


def test_hours_may_be_set_before_the_first_step() -> None:
    """No bell rings then: yesterday stays yesterday."""
    world = World(mode="always")
    world.exchange.set_market("closed")
    world.exchange.set_market("nyse")
    assert world.account()["balance_asof"] == "2026-10-05"


def test_days_end_also_while_the_market_stays_closed() -> None:
    """Nothing opens, but yesterday moves on."""
    world = World(mode="closed")
    order = world.buy("F", 1)
    world.step()
    world.pass_time(24 * HOUR)
    assert world.account()["balance_asof"] == "2026-10-06"
    assert world.events(order["id"]) == ["accepted", "expired"]
