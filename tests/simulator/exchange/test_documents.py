"""The keys, their order and the strings of the JSON documents."""

from decimal import Decimal

from tests.simulator.exchange.harness import ExchangeHarness, nested

ORDER_KEYS = [
    "id",
    "client_order_id",
    "created_at",
    "updated_at",
    "submitted_at",
    "filled_at",
    "expired_at",
    "cancel_requested_at",
    "canceled_at",
    "failed_at",
    "replaced_at",
    "replaced_by",
    "replaces",
    "asset_id",
    "symbol",
    "asset_class",
    "notional",
    "qty",
    "filled_qty",
    "filled_avg_price",
    "order_class",
    "order_type",
    "type",
    "side",
    "position_intent",
    "time_in_force",
    "limit_price",
    "stop_price",
    "status",
    "extended_hours",
    "legs",
    "trail_percent",
    "trail_price",
    "hwm",
    "expires_at",
]


def test_order_keys() -> None:
    """The order of the 2026 capture on the stream; REST adds two."""
    harness = ExchangeHarness()
    answer = harness.buy("F", 1)
    assert list(nested(harness.frames()[0], "order")) == ORDER_KEYS  # type: ignore[call-overload]
    assert list(answer) == [*ORDER_KEYS, "source", "subtag"]


def test_fresh_answers_carry_nanoseconds_and_later_reads_do_not() -> None:
    """The same order, rounded half up; a switch turns the rounding off."""
    harness = ExchangeHarness()
    harness.now += 123_456_789
    answer = harness.buy("F", 1)
    assert str(answer["submitted_at"]).endswith(".123456789Z")
    assert str(harness.order(answer["id"])["submitted_at"]).endswith(".123457Z")
    harness.exchange.quirks.rest_micros = False
    assert harness.order(answer["id"])["submitted_at"] == answer["submitted_at"]


def test_a_frame_equals_rest_but_for_precision() -> None:
    """Cached parts of a document never lag behind the order."""
    harness = ExchangeHarness()
    harness.exchange.quirks.rest_micros = False
    harness.own("NVDA", 30)
    harness.sell("NVDA", 10, type="trailing_stop", trail_percent="5")
    harness.exchange.set_price("NVDA", "300")
    harness.step()
    limit = harness.sell("NVDA", 5, type="limit", limit_price="310")
    harness.exchange.set_price("NVDA", "310")
    harness.settle()
    harness.exchange.set_price("NVDA", "270")
    harness.settle()
    assert harness.status(limit["id"]) == "filled"
    latest = {nested(data, "order", "id"): nested(data, "order") for data in harness.frames()}
    for order_id, document in latest.items():
        rest = harness.order(order_id)
        assert {**rest, "source": None} == {**as_dict(document), "source": None, "subtag": None}


def as_dict(document: object) -> dict[str, object]:
    assert isinstance(document, dict)
    return document


def test_position() -> None:
    """Keys and arithmetic of the recorded example."""
    harness = ExchangeHarness()
    harness.own("NVDA", 100, price="186.20")
    harness.exchange.set_price("NVDA", "188.4")
    position = harness.exchange.position("alpha", "NVDA")
    assert list(position) == [
        "asset_id",
        "symbol",
        "exchange",
        "asset_class",
        "asset_marginable",
        "qty",
        "avg_entry_price",
        "side",
        "market_value",
        "cost_basis",
        "unrealized_pl",
        "unrealized_plpc",
        "unrealized_intraday_pl",
        "unrealized_intraday_plpc",
        "current_price",
        "lastday_price",
        "change_today",
        "qty_available",
    ]
    assert (position["market_value"], position["cost_basis"]) == ("18840", "18620")
    assert position["unrealized_pl"] == position["unrealized_intraday_pl"] == "220"
    assert position["unrealized_plpc"] == "0.0118152524167562"


def test_a_short_position_is_negative() -> None:
    """Quantity, value, basis and what is available."""
    harness = ExchangeHarness()
    harness.exchange.set_price("XLF", "51.2")
    harness.sell("XLF", 40)
    harness.settle()
    harness.exchange.set_price("XLF", "50.88")
    position = harness.exchange.position("alpha", "XLF")
    names = ("qty", "side", "market_value", "cost_basis", "unrealized_pl", "qty_available")
    assert [position[n] for n in names] == ["-40", "short", "-2035.2", "-2048", "12.8", "-40"]
    assert position["unrealized_plpc"] == "0.00625"


def test_crypto_loses_its_slash_in_positions() -> None:
    """Orders and activities keep it."""
    harness = ExchangeHarness()
    harness.own("ETH/USD", "1", time_in_force="gtc")
    assert harness.exchange.positions("alpha")[0]["symbol"] == "ETHUSD"
    assert harness.exchange.position("alpha", "ETH/USD") == harness.exchange.position(
        "alpha", "ETHUSD"
    )
    assert harness.exchange.activities("alpha", {}, "FILL")[0]["symbol"] == "ETH/USD"


def test_account() -> None:
    """Strings for money, whole numbers for levels, no pattern-day-trader fields."""
    account = ExchangeHarness().account()
    assert account["account_number"] == "PA0SIM000001"
    assert account["equity"] == account["portfolio_value"] == account["last_equity"] == "100000"
    assert (account["multiplier"], account["crypto_tier"]) == ("2", 1)
    assert account["balance_asof"] == "2026-10-05"
    assert "pattern_day_trader" not in account


def test_pattern_day_trader_fields_are_a_switch() -> None:
    """As they were before July 2026."""
    harness = ExchangeHarness()
    harness.exchange.quirks.pdt_fields = True
    account = harness.account()
    assert (account["pattern_day_trader"], account["daytrade_count"]) == (False, 0)
    assert "pdt_check" in harness.exchange.configurations("alpha")


def test_other_switches() -> None:
    """Old frames without ids; an execution id where none is expected; the fee left for later."""
    harness = ExchangeHarness()
    harness.exchange.quirks.legacy_frames = True
    harness.exchange.quirks.execution_id_on_pending_new = True
    harness.exchange.quirks.crypto_fee_in_position = False
    harness.exchange.set_price("ETH/USD", "2000")
    harness.buy("ETH/USD", "1", time_in_force="gtc")
    harness.settle()
    first, last = harness.frames()[0], harness.frames()[-1]
    assert list(first) == ["event", "timestamp", "order", "execution_id"]
    assert last["position_qty"] == "1"
    harness.pass_time(6 * 3600)
    assert harness.qty("ETH/USD") == Decimal("0.9975")


def test_market_values_keep_their_signs() -> None:
    """Long and short apart, and their sum."""
    harness = ExchangeHarness()
    harness.exchange.set_price("F", "10")
    harness.own("AAPL", 1, price="200")
    harness.sell("F", 5)
    harness.settle()
    names = ("long_market_value", "short_market_value", "position_market_value")
    assert [harness.account()[name] for name in names] == ["200", "-50", "150"]
