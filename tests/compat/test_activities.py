"""Account activities (by plain `get`, as the SDK has no method) and portfolio history."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from alpaca.common.exceptions import APIError
from alpaca.trading.models import NonTradeActivity, TradeActivity
from alpaca.trading.requests import GetPortfolioHistoryRequest

from tests.compat.broker import TUESDAY_10_00
from tests.compat.localhost import EITHER
from tests.compat.trader import Trader

pytestmark = [pytest.mark.compat, EITHER]

NOW = datetime.fromtimestamp(TUESDAY_10_00 // 1_000_000_000, UTC)


@pytest.fixture
def fills(trader: Trader) -> list[Any]:
    """All executions of five orders, newest first."""
    for symbol, qty in (("AAPL", 3), ("KO", 2), ("BTC/USD", 0.1), ("F", 10), ("WMT", 1)):
        trader.own(symbol, qty)
    activities = trader.client.get("/account/activities/FILL")
    assert len(activities) >= 5
    return list(activities)


def test_models_parse_activities(trader: Trader, fills: list[Any]) -> None:
    """The models ask for the account's id, which only the broker API sends."""
    account_id = trader.client.get_account().id
    for each in fills:
        fill = TradeActivity(account_id=account_id, **each)
        assert fill.symbol in {"AAPL", "KO", "BTC/USD", "F", "WMT"}
        assert UUID(each["id"].split("::")[1]).version == 4
    (deposit,) = trader.client.get("/account/activities/JNLC")
    assert NonTradeActivity(account_id=account_id, **deposit).net_amount == 1_000_000


def test_activities_are_filtered(trader: Trader, fills: list[Any]) -> None:
    every = trader.client.get("/account/activities")
    assert every[: len(fills)] == fills
    assert len(every) == len(fills) + 1
    assert trader.client.get("/account/activities", {"activity_types": "FILL"}) == fills
    assert trader.client.get("/account/activities", {"category": "trade_activity"}) == fills
    oldest = trader.client.get("/account/activities/FILL", {"direction": "asc"})
    assert oldest == fills[::-1]
    today = trader.client.get("/account/activities/FILL", {"date": "2026-10-06"})
    assert today == fills


@pytest.mark.parametrize("direction", ["asc", "desc"])
def test_activities_are_paged(trader: Trader, fills: list[Any], direction: str) -> None:
    seen: list[Any] = []
    query: dict[str, Any] = {"page_size": 2, "direction": direction}
    while page := trader.client.get("/account/activities/FILL", query):
        seen += page
        query["page_token"] = page[-1]["id"]
    assert seen == (fills if direction == "desc" else fills[::-1])


def test_unknown_type_is_refused(trader: Trader) -> None:
    with pytest.raises(APIError) as refused:
        trader.client.get("/account/activities/NONSENSE")
    assert (refused.value.status_code, refused.value.code) == (422, 40010001)
    assert refused.value.message == "invalid activity type: NONSENSE"


@pytest.mark.parametrize("timeframe", ["1Min", "5Min", "15Min", "1H", "1D"])
def test_history_in_every_width(trader: Trader, timeframe: str) -> None:
    asked = GetPortfolioHistoryRequest(
        period="1D", timeframe=timeframe, intraday_reporting="continuous", pnl_reset="no_reset"
    )
    history = trader.client.get_portfolio_history(asked)
    assert history.timeframe == timeframe
    lengths = {len(history.timestamp), len(history.equity), len(history.profit_loss)}
    assert lengths == {len(history.profit_loss_pct)}
    assert history.base_value == 1_000_000


def test_history_ends_at_current_equity(trader: Trader) -> None:
    trader.broker.pin("AAPL", "200")
    trader.own("AAPL", 100)
    trader.broker.pin("AAPL", "210")
    asked = GetPortfolioHistoryRequest(period="1D", timeframe="1Min", extended_hours=True)
    history = trader.client.get_portfolio_history(asked)
    assert history.equity[-1] == float(trader.client.get_account().equity) == 1_001_000
    assert history.profit_loss[-1] == 1000


def test_history_of_a_span(trader: Trader) -> None:
    asked = GetPortfolioHistoryRequest(
        start=NOW - timedelta(hours=1), end=NOW + timedelta(hours=1), timeframe="5Min"
    )
    history = trader.client.get_portfolio_history(asked)
    assert all(each >= NOW.timestamp() - 3600 for each in history.timestamp)
    default = trader.client.get_portfolio_history()
    assert default.timeframe == "1D"


def test_history_shows_deposits(trader: Trader) -> None:
    trader.broker.call(lambda sim: sim.exchange.deposit(trader.label, "500"))
    asked = GetPortfolioHistoryRequest(period="1D", timeframe="15Min", cashflow_types="CSD,JNLC")
    history = trader.client.get_portfolio_history(asked)
    assert sum(sum(values) for values in history.cashflow.values()) >= 500
