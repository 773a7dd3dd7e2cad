"""What the account was worth: parallel arrays of JSON numbers."""

import pytest

from realtime.simulator.exchange.errors import ApiError
from tests.simulator.exchange.harness import ExchangeHarness

MINUTE = 60


def arrays(history: dict[str, object], *names: str) -> list[list[float]]:
    found = []
    for name in names:
        values = history[name]
        assert isinstance(values, list)
        found.append(values)
    return found


def test_equity_follows_the_prices_of_each_minute() -> None:
    """One point a minute, its equity as of the minute's end, its profit since the base."""
    harness = ExchangeHarness()
    harness.own("F", 100, price="10")
    for price in ("11", "12", "13"):
        harness.exchange.set_price("F", price)
        harness.pass_time(MINUTE)
    history = harness.exchange.portfolio_history("alpha", {"period": "1D", "timeframe": "1Min"})
    times, equity, profit = arrays(history, "timestamp", "equity", "profit_loss")
    assert len(times) == len(equity) == len(profit) == 4
    assert times == [times[0] + MINUTE * n for n in range(4)]
    assert equity == [100_100.0, 100_200.0, 100_300.0, 100_300.0]
    assert profit == [100.0, 200.0, 300.0, 300.0]
    assert (history["base_value"], history["timeframe"]) == (100_000.0, "1Min")


def test_a_deposit_is_no_profit() -> None:
    """It shows in the equity, and in the cash flow if asked for."""
    harness = ExchangeHarness()
    harness.pass_time(MINUTE + 1)
    harness.exchange.deposit("alpha", "500")
    harness.pass_time(MINUTE)
    query = {"period": "1D", "timeframe": "1Min", "cashflow_types": "CSD"}
    history = harness.exchange.portfolio_history("alpha", query)
    equity, profit = arrays(history, "equity", "profit_loss")
    assert equity[-1] == 100_500.0
    assert set(profit) == {0.0}
    assert history["cashflow"] == {"CSD": [0.0, 500.0, 500.0]}


def test_the_last_point_is_the_accounts_equity() -> None:
    """Whatever was traded, the split included."""
    harness = ExchangeHarness()
    harness.own("F", 100, price="10")
    harness.own("ETH/USD", "1", time_in_force="gtc")
    harness.exchange.split("F", 2)
    harness.exchange.close_position("alpha", "F", qty="50", percentage=None)
    harness.settle()
    history = harness.exchange.portfolio_history("alpha", {"period": "1D"})
    assert arrays(history, "equity")[0][-1] == float(str(harness.account()["equity"]))


def test_days() -> None:
    """One point a session since the account was opened."""
    harness = ExchangeHarness(mode="nyse")
    harness.own("F", 100, price="10")
    for _ in range(6):
        harness.pass_time(24 * 60 * MINUTE)
    history = harness.exchange.portfolio_history("alpha", {})
    assert history["timeframe"] == "1D"
    assert len(arrays(history, "timestamp")[0]) == 5


def test_the_first_day_has_its_point_at_any_hour() -> None:
    """Where trading never stops, a new account has a history, also before nine in the morning."""
    harness = ExchangeHarness(mode="always")
    harness.now -= 5 * 60 * MINUTE * 1_000_000_000
    harness.open_account("bravo")
    history = harness.exchange.portfolio_history("bravo", {})
    assert arrays(history, "equity") == [[100_000.0]]


def test_default_timeframes() -> None:
    """Finer for shorter spans."""
    harness = ExchangeHarness()
    frames = [
        harness.exchange.portfolio_history("alpha", {"period": period})["timeframe"]
        for period in ("1D", "2W", "1M", "1A")
    ]
    assert frames == ["1Min", "15Min", "1D", "1D"]


@pytest.mark.parametrize(
    "query",
    [
        {"period": "1X"},
        {"period": "0D"},
        {"timeframe": "2Min"},
        {"period": "1A", "timeframe": "1Min"},
        {"start": "2026-10-06", "end": "2026-10-07", "period": "1D"},
        {"start": "2027-10-06"},
        {"start": "soon"},
        {"intraday_reporting": "never"},
        {"pnl_reset": "never"},
    ],
)
def test_bad_queries(query: dict[str, str]) -> None:
    """422 with the parameter's name."""
    with pytest.raises(ApiError) as caught:
        ExchangeHarness().exchange.portfolio_history("alpha", query)
    assert caught.value.status == 422


def test_a_span_may_be_given_by_its_start() -> None:
    """With a length, or up to a day; never beyond now."""
    harness = ExchangeHarness()
    harness.own("F", 100, price="10")
    for price in ("11", "12", "13"):
        harness.exchange.set_price("F", price)
        harness.pass_time(24 * 60 * MINUTE)

    def last_equity(**query: str) -> float:
        history = harness.exchange.portfolio_history("alpha", {"timeframe": "1H", **query})
        return arrays(history, "equity")[0][-1]

    assert last_equity(start="2026-10-06T12:00:00Z", period="2D") == 100_100.0
    assert last_equity(start="2026-10-06T12:00:00Z", period="9D") == 100_300.0
    assert last_equity(start="2026-10-06T12:00:00Z", date_end="2026-10-08") == 100_200.0


def test_the_base_is_the_close_before() -> None:
    """What `last_equity` says, with the day of that close; intraday the session's start counts."""
    harness = ExchangeHarness(mode="nyse")
    harness.own("F", 100, price="10")
    harness.exchange.set_price("F", "11")
    harness.pass_time(24 * 60 * MINUTE)
    harness.exchange.set_price("F", "12")
    harness.pass_time(60 * MINUTE)
    query = {"start": "2026-10-07T14:30:00Z", "timeframe": "15Min"}
    history = harness.exchange.portfolio_history("alpha", query)
    assert history["base_value"] == float(str(harness.account()["last_equity"])) == 100_100.0
    assert history["base_value_asof"] == "2026-10-06"
    assert arrays(history, "profit_loss")[0][-1] == 100.0
    assert arrays(history, "timestamp")[0][0] == 1_791_379_800  # 09:30 in New York


def test_hours_that_are_reported() -> None:
    """Of the session, from four to eight, or around the clock."""
    harness = ExchangeHarness(mode="nyse")
    for _ in range(24):
        harness.pass_time(60 * MINUTE)

    def points(**query: str) -> int:
        history = harness.exchange.portfolio_history("alpha", {"timeframe": "1H", **query})
        return len(arrays(history, "timestamp")[0])

    # Opened at ten in the morning, looked at a day later; the hour of 09:30 begins at 09:00.
    assert points(period="2D") == 6
    assert points(period="2D", intraday_reporting="extended_hours") == 16
    assert points(period="2D", extended_hours="true") == 16
    assert points(period="2D", intraday_reporting="continuous") == 24
    assert points(start="2026-10-06T23:00:00-04:00") == 0
    assert points(start="2026-10-04T12:00:00-04:00") == 6
