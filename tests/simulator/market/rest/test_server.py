"""Market data over REST: plans, errors, pages, history, and their settings."""

from collections.abc import Callable
from typing import Any

import pytest

from realtime.simulator.app import Simulator
from realtime.simulator.market.settings import MissingBars
from tests.simulator.client import Rest
from tests.simulator.market.conftest import Clock

Steps = Callable[..., None]
MONDAY = {"start": "2026-10-05", "end": "2026-10-05"}
BARS = {"symbols": "AAPL,KO,NVDA", "timeframe": "1Min", **MONDAY}
RECENT_SIP = {"message": "subscription does not permit querying recent SIP data"}


async def get(rest: Rest, path: str, **query: str) -> Any:
    status, body = await rest.request("GET", path, params=query)
    assert status == 200, (path, query, status, body)
    return body


async def test_sip_data_of_the_last_15_minutes_needs_the_plan(sim: Simulator, rest: Rest) -> None:
    """Explicitly 403; by default the request ends 15 minutes ago; IEX has no such limit."""
    query = {"symbols": "AAPL", "timeframe": "1Min"}
    recent = {**query, "start": "2026-10-06T13:50:00Z", "end": "2026-10-06T13:50:00Z"}
    assert await rest.request("GET", "/v2/stocks/bars", params=recent) == (403, RECENT_SIP)
    old = {**query, "start": "2026-10-06T13:30:00Z"}
    bars = (await get(rest, "/v2/stocks/bars", **old))["bars"]["AAPL"]
    assert bars[-1]["t"] <= "2026-10-06T13:45:00Z"
    assert await get(rest, "/v2/stocks/bars", **recent, feed="iex")
    for path in ("trades", "quotes", "bars"):
        latest = {"symbols": "AAPL", "feed": "sip"}
        answer = await rest.request("GET", f"/v2/stocks/{path}/latest", params=latest)
        assert answer == (403, RECENT_SIP)
    sim.market_data.settings.plan = "plus"
    assert (await get(rest, "/v2/stocks/bars", **recent))["bars"]["AAPL"]


@pytest.mark.parametrize(
    ("path", "query", "message"),
    [
        ("/v2/stocks/bars", {"timeframe": "1Day"}, "symbols is required"),
        ("/v2/stocks/bars", {"symbols": "aapl", "timeframe": "1Day"}, "invalid symbol: aapl"),
        ("/v2/stocks/bars", {"symbols": "AAPL"}, "invalid timeframe: "),
        ("/v2/stocks/bars", {"symbols": "AAPL", "timeframe": "60Min"}, "invalid timeframe: 60Min"),
        (
            "/v2/stocks/bars",
            {"symbols": "AAPL", "timeframe": "5Month"},
            "invalid timeframe: 5Month",
        ),
        ("/v2/stocks/trades", {"symbols": "AAPL", "start": "soon"}, "invalid start: soon"),
        ("/v2/stocks/trades", {"symbols": "AAPL", "sort": "up"}, "invalid sort: up"),
        ("/v2/stocks/trades", {"symbols": "AAPL", "feed": "opra"}, "invalid feed: opra"),
        (
            "/v2/stocks/trades",
            {"symbols": "AAPL", "limit": "10001"},
            "invalid limit: larger than the allowed maximum of 10000",
        ),
        ("/v2/stocks/trades", {"symbols": "AAPL", "page_token": "!"}, "invalid page_token: !"),
        ("/v2/stocks/meta/conditions/trade", {}, "invalid tape: expected A, B or C"),
        ("/v1beta3/crypto/mars/trades", {"symbols": "BTC/USD"}, "invalid location: mars"),
        ("/v1beta1/news", {"limit": "51"}, "invalid limit: larger than the allowed maximum of 50"),
        ("/v1/corporate-actions", {"types": "party"}, "invalid type: party"),
    ],
)
async def test_bad_parameters_are_400(
    rest: Rest, path: str, query: dict[str, str], message: str
) -> None:
    assert await rest.request("GET", path, params=query) == (400, {"message": message})


@pytest.mark.parametrize("status", [401, 403])
async def test_keys_are_checked_except_for_coins(sim: Simulator, rest: Rest, status: int) -> None:
    """A wrong key is refused even where none is needed."""
    sim.market_data.settings.bad_key_status = status  # type: ignore[assignment]  # 401 or 403
    wrong = {"APCA-API-KEY-ID": "demo-unknown"}
    stocks, coins = "/v2/stocks/meta/exchanges", "/v1beta3/crypto/us/latest/trades?symbols=BTC/USD"
    for path in (stocks, coins):
        assert (await rest.request("GET", path, headers=wrong))[0] == status
    rest.http.headers.clear()
    assert (await rest.request("GET", coins))[0] == 200
    assert (await rest.request("GET", stocks))[0] == status


async def test_market_data_has_its_own_budget(sim: Simulator, rest: Rest) -> None:
    """200 per minute on the basic plan, whatever the trading API has used."""
    for _ in range(200):
        assert (await rest.request("GET", "/v2/stocks/meta/exchanges"))[0] == 200
    limited = await rest.request("GET", "/v2/stocks/meta/exchanges")
    assert limited == (429, {"message": "too many requests."})
    assert (await rest.request("GET", "/v2/account"))[0] == 200
    sim.market_data.settings.plan = "plus"
    async with rest.http.get("/v2/stocks/meta/exchanges") as response:
        assert response.status == 200
        assert response.headers["X-RateLimit-Limit"] == "10000"


@pytest.mark.parametrize("sort", ["asc", "desc"])
@pytest.mark.parametrize("limit", [1, 7, 400])
async def test_pages_add_up(sim: Simulator, rest: Rest, sort: str, limit: int) -> None:
    """By symbol, then time; every point once, whatever the size of the page."""
    query = {**BARS, "end": "2026-10-05T13:40:00Z", "start": "2026-10-05T13:30:00Z", "sort": sort}
    whole = (await get(rest, "/v2/stocks/bars", **query))["bars"]
    assert list(whole) == ["AAPL", "KO", "NVDA"]
    collected: dict[str, list[Any]] = {}
    token = ""
    while True:
        page = await get(rest, "/v2/stocks/bars", **query, limit=str(limit), page_token=token)
        assert sum(map(len, page["bars"].values())) <= limit
        for symbol, bars in page["bars"].items():
            collected.setdefault(symbol, []).extend(bars)
        token = page["next_page_token"]
        if token is None:
            break
        sim.market_data.settings.plan = "plus"  # more requests per minute
    assert collected == whole
    times = [bar["t"] for bar in whole["AAPL"]]
    assert times == sorted(times, reverse=sort == "desc")
    assert len(times) == 11


async def test_bars_trades_and_timeframes_agree(rest: Rest) -> None:
    """A minute's bar is that of its trades; longer bars are those of their minutes."""
    span = {"symbols": "AAPL", "start": "2026-10-05T13:30:00Z", "end": "2026-10-05T14:29:59Z"}
    minutes = (await get(rest, "/v2/stocks/bars", **span, timeframe="1Min"))["bars"]["AAPL"]
    trades = (await get(rest, "/v2/stocks/trades", **span))["trades"]["AAPL"]
    assert len(minutes) == 60
    for minute in minutes:
        own = [trade for trade in trades if trade["t"][:16] == minute["t"][:16]]
        prices = [trade["p"] for trade in own]
        assert (minute["o"], minute["c"]) == (prices[0], prices[-1])
        assert (minute["h"], minute["l"]) == (max(prices), min(prices))
    for timeframe, count in (("5Min", 12), ("15T", 4), ("30Min", 2)):
        bars = (await get(rest, "/v2/stocks/bars", **span, timeframe=timeframe))["bars"]["AAPL"]
        assert len(bars) == count
        assert sum(bar["v"] for bar in bars) == sum(minute["v"] for minute in minutes)
        assert max(bar["h"] for bar in bars) == max(minute["h"] for minute in minutes)


async def test_the_previous_close_is_that_of_positions(sim: Simulator, rest: Rest) -> None:
    """In snapshots, in day bars and in the auction."""
    close = float(sim.exchange.last_close("AAPL"))
    snapshot = (await get(rest, "/v2/stocks/snapshots", symbols="AAPL,NOPE"))["AAPL"]
    assert snapshot["prevDailyBar"]["c"] == close
    query = {"symbols": "AAPL", **MONDAY}
    (day,) = (await get(rest, "/v2/stocks/bars", **query, timeframe="1Day"))["bars"]["AAPL"]
    assert (day["c"], day["t"]) == (close, "2026-10-05T04:00:00Z")
    (auction,) = (await get(rest, "/v2/stocks/auctions", **query))["auctions"]["AAPL"]
    assert (auction["d"], auction["c"][0]["p"]) == ("2026-10-05", close)


async def test_weekends_have_no_bars_and_days_follow_summer_time(rest: Rest) -> None:
    query = {"symbols": "AAPL", "timeframe": "1Day", "start": "2026-02-27", "end": "2026-03-10"}
    days = (await get(rest, "/v2/stocks/bars", **query))["bars"]["AAPL"]
    assert [day["t"][5:13] for day in days] == [
        "02-27T05", "03-02T05", "03-03T05", "03-04T05", "03-05T05", "03-06T05", "03-09T04",
        "03-10T04",
    ]  # fmt: skip


async def test_history_continues_into_the_tape(
    sim: Simulator, rest: Rest, clock: Clock, steps: Steps
) -> None:
    """Samples until the first use of market data, then trades; the day bar covers both."""
    sim.market_data.settings.plan = "plus"
    steps(5, seconds=60)
    await get(rest, "/v2/stocks/meta/exchanges")
    sim.exchange.set_price("AAPL", "500")
    steps(5, seconds=60)
    query = {"symbols": "AAPL", "timeframe": "1Min", "start": "2026-10-06T13:58:00Z"}
    bars = (await get(rest, "/v2/stocks/bars", **query))["bars"]["AAPL"]
    times = [bar["t"] for bar in bars]
    assert times == sorted(set(times))
    assert times[0] == "2026-10-06T13:58:00Z"
    assert bars[-1]["c"] == 500
    snapshot = (await get(rest, "/v2/stocks/snapshots", symbols="AAPL"))["AAPL"]
    assert (snapshot["dailyBar"]["h"], snapshot["latestTrade"]["p"]) == (500, 500)


async def test_splits_adjust_earlier_bars(sim: Simulator, rest: Rest, clock: Clock) -> None:
    query = {"symbols": "NVDA", "timeframe": "1Day", **MONDAY}
    (raw,) = (await get(rest, "/v2/stocks/bars", **query))["bars"]["NVDA"]
    await rest.request("POST", "/_sim/split", {"symbol": "NVDA", "ratio": 2})
    assert (await get(rest, "/v2/stocks/bars", **query))["bars"]["NVDA"] == [raw]
    (split,) = (await get(rest, "/v2/stocks/bars", **query, adjustment="split"))["bars"]["NVDA"]
    assert split["c"] == pytest.approx(raw["c"] / 2)
    assert split["v"] == 2 * raw["v"]
    actions = (await get(rest, "/v1/corporate-actions", symbols="NVDA"))["corporate_actions"]
    assert [(a["new_rate"], a["old_rate"]) for a in actions["forward_splits"]] == [(2, 1)]


async def test_settings_break_pages(sim: Simulator, rest: Rest) -> None:
    settings = sim.market_data.settings
    settings.page_size = 5
    first = await get(rest, "/v2/stocks/bars", **BARS)
    assert len(first["bars"]["AAPL"]) == 5
    settings.failing_page = 2
    token = first["next_page_token"]
    again = {**BARS, "page_token": token}
    assert (await rest.request("GET", "/v2/stocks/bars", params=again))[0] == 500
    settings.failing_page, settings.repeat_page_token = None, True
    assert (await get(rest, "/v2/stocks/bars", **again))["next_page_token"] == token
    settings.missing_bars = [MissingBars("AAPL", "2026-10-05T00:00:00Z", "2026-10-06T00:00:00Z")]
    assert "AAPL" not in (await get(rest, "/v2/stocks/bars", **BARS))["bars"]


async def test_nothing_is_recorded_before_the_first_use(sim: Simulator, steps: Steps) -> None:
    """Market data costs nothing until it is used."""
    steps(10)
    assert sim.market_data.tape.started_at is None
    assert sim.market_data.tape.feed("AAPL", "sip") is None


async def test_same_seed_and_start_give_the_same_history(clock: Clock) -> None:
    answers = []
    for seed in (7, 7):
        sim = Simulator(accounts=1, step_s=None, seed=seed, clock=clock)
        async with sim, Rest(sim) as rest:
            answers.append(await get(rest, "/v2/stocks/bars", **BARS))
    assert answers[0] == answers[1]


async def test_rates_of_currencies_are_paged_and_the_same_at_every_request(rest: Rest) -> None:
    path = "/v1beta1/forex/rates"
    span = {"start": "2026-10-01T00:00:00Z", "end": "2026-10-01T09:59:00Z"}
    query = {"currency_pairs": "USDJPY,EURUSD", **span}
    whole = await get(rest, path, **query, limit="10000")
    assert whole["next_page_token"] is None
    pages: dict[str, list[Any]] = {}
    token = ""
    while token is not None:
        page = await get(rest, path, **query, limit="500", page_token=token)
        for pair, rows in page["rates"].items():
            pages.setdefault(pair, []).extend(rows)
        token = page["next_page_token"]
    assert pages == whole["rates"]
    assert [len(rows) for rows in pages.values()] == [600, 600]
    assert all(row["bp"] < row["mp"] < row["ap"] for row in pages["USDJPY"])


async def test_perpetual_futures_follow_their_coins(rest: Rest) -> None:
    path = "/v1beta1/crypto-perps/{}/latest/bars"
    symbols = "BTCUSDT.P,NOPEUSDT.P"
    future = await get(rest, path.format("global"), symbols=symbols)
    coin = await get(rest, "/v1beta3/crypto/us/latest/bars", symbols="BTC/USD")
    assert future["bars"] == {"BTCUSDT.P": coin["bars"]["BTC/USD"]}
    status, _ = await rest.request("GET", path.format("us"), params={"symbols": symbols})
    assert status == 400
