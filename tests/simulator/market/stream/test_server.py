"""Market-data streams: authentication, slots, subscriptions, data, errors."""

from collections.abc import AsyncIterator, Callable
from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from realtime.simulator import websocket
from realtime.simulator.app import Simulator
from tests.simulator.client import MARKET_BUY, Rest
from tests.simulator.market.conftest import Clock, DataStream, authenticated, opened

Steps = Callable[..., None]


def error(code: int, text: str) -> dict[str, object]:
    return {"T": "error", "code": code, "msg": text}


@pytest.mark.parametrize("is_msgpack", [False, True])
async def test_stock_data_arrives_after_its_ack(
    sim: Simulator, steps: Steps, is_msgpack: bool
) -> None:
    """Prices are those of the exchange, times have nanoseconds, `T` is the first key."""
    async with authenticated(sim, is_msgpack=is_msgpack) as stream:
        ack = await stream.subscribe(trades=["AAPL"], quotes=["AAPL", "XLF"], bars=["*"])
        assert ack == {
            "T": "subscription",
            "trades": ["AAPL"],
            "quotes": ["AAPL", "XLF"],
            "bars": ["*"],
            "updatedBars": [],
            "dailyBars": [],
            "statuses": [],
            "lulds": [],
            "corrections": ["AAPL"],
            "cancelErrors": ["AAPL"],
        }
        sim.exchange.set_price("AAPL", "250")
        steps(20)
        trade = await stream.until("t", "AAPL")
        assert (trade["p"], trade["x"], trade["z"]) == (250, "V", "C")
        assert next(iter(trade)) == "T"
        if is_msgpack:
            assert isinstance(trade["t"], datetime)
        else:
            assert trade["t"].startswith("2026-10-06T14:00:0")
        quote = await stream.until("q", "XLF")
        last = float(sim.exchange.prices()["XLF"])
        assert quote["bp"] < quote["ap"]
        assert quote["ap"] == pytest.approx(last, abs=0.5)


async def test_minute_bars_and_updates(sim: Simulator, clock: Clock, steps: Steps) -> None:
    """`b` after the minute, `d` with it, `u` half a minute later after a late trade."""
    async with authenticated(sim) as stream:
        await stream.subscribe(bars=["AAPL"], updatedBars=["AAPL"], dailyBars=["AAPL"])
        steps(29, seconds=2)
        sim.exchange.set_price("AAPL", "250")
        steps(31, seconds=2)
        await stream.until("b", "AAPL")
        bar = await stream.until("b", "AAPL")
        assert (bar["o"], bar["h"], bar["l"], bar["c"]) == (250, 250, 250, 250)
        assert bar["t"] == "2026-10-06T14:01:00Z"
        day = await stream.until("d", "AAPL")
        assert day["t"] == "2026-10-06T04:00:00Z"
        assert day["v"] >= bar["v"]
        sim.market_data.tape.print_late("AAPL", 260.0, 100, 30 * 1_000_000_000)
        steps(2, seconds=30)
        updated = await stream.until("u", "AAPL")
        assert (updated["h"], updated["c"], updated["t"]) == (260, 250, bar["t"])
        assert updated["v"] == bar["v"] + 100


async def test_corrections_cancels_statuses_and_bands(
    sim: Simulator, rest: Rest, steps: Steps
) -> None:
    async with authenticated(sim) as stream:
        await stream.subscribe(trades=["AAPL"], statuses=["AAPL"], lulds=["AAPL"])
        steps(20)
        trade = await stream.until("t", "AAPL")
        await rest.request("POST", "/_sim/correct_trade", {"symbol": "AAPL", "price": "111"})
        correction = await stream.until("c", "AAPL")
        assert (correction["cp"], correction["op"]) == (111, pytest.approx(trade["p"], abs=5))
        await rest.request("POST", "/_sim/correct_trade", {"symbol": "AAPL"})
        cancel = await stream.until("x", "AAPL")
        assert (cancel["i"], cancel["a"]) == (correction["ci"], "C")
        await rest.request("POST", "/_sim/halt", {"symbol": "AAPL", "on": True})
        assert (await stream.until("s", "AAPL"))["sc"] == "H"
        await rest.request("POST", "/_sim/luld", {"symbol": "AAPL", "up": "260", "down": "200"})
        band = await stream.until("l", "AAPL")
        assert (band["u"], band["d"], band["i"]) == (260, 200, "B")
        await stream.subscribe(imbalances=["AAPL"])
        await rest.request("POST", "/_sim/imbalance", {"symbol": "AAPL", "price": "228"})
        assert (await stream.until("i", "AAPL"))["p"] == 228


async def test_fills_of_accounts_are_printed(sim: Simulator, rest: Rest, steps: Steps) -> None:
    """With the price and the quantity of the execution."""
    async with authenticated(sim) as stream:
        await stream.subscribe(trades=["KO"])
        sim.market_data.settings.no_trades = ["KO"]
        order = await rest.buy({**MARKET_BUY, "symbol": "KO", "qty": "7"})
        steps(20)
        trade = await stream.until("t", "KO")
        filled = sim.exchange.order("alpha", order["id"], nested=False)
        assert filled["status"] == "filled"
        assert trade["s"] <= 7
        assert Decimal(str(trade["p"])) > 0


async def test_crypto_has_order_books(sim: Simulator, steps: Steps) -> None:
    """The book is sent whole after the ack, then with each quote."""
    async with authenticated(sim, "/v1beta3/crypto/us") as stream:
        ack = await stream.subscribe(orderbooks=["BTC/USD"], trades=["BTC/USD"])
        assert ack["orderbooks"] == ["BTC/USD"]
        book = await stream.until("o", "BTC/USD")
        assert book["r"] is True
        assert len(book["b"]) == len(book["a"]) == 5
        assert book["b"][0]["p"] < book["a"][0]["p"]
        steps()
        assert "r" not in await stream.until("o", "BTC/USD")
        assert (await stream.until("t", "BTC/USD"))["tks"] in "BS"


async def test_options_are_messagepack_only_and_have_no_star_for_quotes(
    sim: Simulator, rest: Rest, steps: Steps
) -> None:
    contracts = (await rest.get("/v2/options/contracts"))["option_contracts"]
    symbol = contracts[0]["symbol"]
    async with authenticated(sim, "/v1beta1/indicative", is_msgpack=True) as stream:
        assert (await stream.subscribe(quotes=["*"]))["code"] == 413
        ack = await stream.subscribe(quotes=[symbol], trades=["*"])
        assert ack == {"T": "subscription", "trades": ["*"], "quotes": [symbol]}
        steps(3)
        assert (await stream.until("q", symbol))["c"] == "A"
    json_only = {"Content-Type": "application/json"}
    async with opened(sim, "/v1beta1/indicative", headers=json_only) as stream:
        assert (await stream.authenticate())["code"] == 412


async def test_news_shares_its_path_with_rest(sim: Simulator, rest: Rest) -> None:
    assert (await rest.get("/v1beta1/news?limit=1"))["news"]
    async with authenticated(sim, "/v1beta1/news") as stream:
        assert await stream.subscribe(news=["*"]) == {"T": "subscription", "news": ["*"]}
        body = {"headline": "Something happened", "symbols": ["AAPL"]}
        assert (await rest.request("POST", "/_sim/news", body))[0] == 200
        (article,) = await stream.frame()
        assert (article["T"], article["headline"]) == ("n", "Something happened")
    assert (await rest.get("/v1beta1/news?limit=1"))["news"][0]["headline"] == "Something happened"


async def test_test_stream_has_one_symbol(sim: Simulator, steps: Steps) -> None:
    async with authenticated(sim, "/v2/test") as stream:
        ack = await stream.subscribe(trades=["FAKEPACA"], quotes=["FAKEPACA"])
        assert set(ack) == {"T", "trades", "quotes", "bars"}
        steps()
        assert (await stream.until("t", "FAKEPACA"))["p"] > 0


async def test_subscribe_adds_and_unsubscribe_removes(sim: Simulator) -> None:
    """The ack shows the full set; empty and null channels are accepted, as SDKs send them."""
    async with authenticated(sim) as stream:
        await stream.subscribe(quotes=["AAPL", "XLF"])
        await stream.send({"action": "unsubscribe", "quotes": ["XLF"]})
        assert (await stream.control())["quotes"] == ["AAPL"]
        await stream.send({"action": "subscribe", "trades": None, "news": [], "bars": ["KO"]})
        ack = await stream.control()
        assert (ack["quotes"], ack["bars"], ack["trades"]) == (["AAPL"], ["KO"], [])


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ({"action": "dance"}, error(400, "invalid syntax")),
        ({"action": "subscribe", "trades": ["aapl"]}, error(400, "invalid syntax")),
        ({"action": "subscribe", "trades": "AAPL"}, error(400, "invalid syntax")),
        (
            {"action": "subscribe", "orderbooks": ["AAPL"]},
            error(410, "invalid subscribe action for this feed"),
        ),
        (
            {
                "action": "subscribe",
                "quotes": [f"A{chr(65 + n)}" for n in range(26)] + ["B", "C", "D", "E", "F"],
            },
            error(405, "symbol limit exceeded"),
        ),
        ({"action": "subscribe", "trades": ["*"]}, error(405, "symbol limit exceeded")),
        ({"action": "auth", "key": "x", "secret": "y"}, error(403, "already authenticated")),
        ([1, 2], error(400, "invalid syntax")),
    ],
)
async def test_bad_messages_change_nothing(
    sim: Simulator, message: object, expected: dict[str, object]
) -> None:
    async with authenticated(sim) as stream:
        await stream.subscribe(quotes=["KO"])
        await stream.send(message)
        assert await stream.control() == expected
        assert (await stream.subscribe(bars=["KO"]))["quotes"] == ["KO"]


async def test_authentication_comes_first_and_in_time(sim: Simulator) -> None:
    async with opened(sim, "/v2/iex") as stream:
        await stream.send({"action": "subscribe", "trades": ["AAPL"]})
        assert await stream.control() == error(401, "not authenticated")
        await stream.send({"action": "auth", "key": "demo-alpha", "secret": "wrong"})
        assert await stream.control() == error(402, "auth failed")
        with pytest.raises(ConnectionClosed):
            await stream.frame()


async def test_headers_authenticate(sim: Simulator) -> None:
    headers = {"APCA-API-KEY-ID": "demo-alpha", "APCA-API-SECRET-KEY": "demo-secret-alpha"}
    async with opened(sim, "/v2/iex", headers=headers) as stream:
        assert await stream.control() == {"T": "success", "msg": "authenticated"}


async def test_paid_feeds_need_the_plan(sim: Simulator) -> None:
    """409 inside the socket, which then closes; after a change of the plan it works."""
    for path in ("/v2/sip", "/v1beta1/opra"):
        is_msgpack = "opra" in path
        async with opened(sim, path, is_msgpack=is_msgpack) as stream:
            assert await stream.authenticate() == error(409, "insufficient subscription")
        sim.market_data.settings.plans = {"alpha": "plus"}
        async with authenticated(sim, path, is_msgpack=is_msgpack):
            pass
        sim.market_data.settings.plans = {}


async def test_one_connection_per_path_and_account(sim: Simulator) -> None:
    """406 leaves the newcomer's socket open; it may try again when the slot is free."""
    async with opened(sim, "/v2/iex") as second:
        async with (
            authenticated(sim),
            authenticated(sim, "/v1beta3/crypto/us"),
            authenticated(sim, label="bravo"),
        ):
            assert await second.authenticate() == error(406, "connection limit exceeded")
        assert (await second.authenticate())["msg"] == "authenticated"


async def test_slot_is_held_after_an_unclean_disconnect(sim: Simulator) -> None:
    async with authenticated(sim) as stream:
        stream.socket.transport.abort()
        await stream.socket.wait_closed()
    async with opened(sim, "/v2/iex") as second:
        assert (await second.authenticate())["code"] == 406
        sim.market_data.settings.second_connection = "accept"
        assert (await second.authenticate())["msg"] == "authenticated"


async def test_delayed_feed_is_15_minutes_late(sim: Simulator, clock: Clock, steps: Steps) -> None:
    async with authenticated(sim, "/v2/delayed_sip") as stream:
        await stream.subscribe(trades=["AAPL"])
        sim.exchange.set_price("AAPL", "250")
        steps()
        sim.exchange.set_price("AAPL", "260")
        clock.move(15 * 60)
        sim.step()
        assert (await stream.until("t", "AAPL"))["p"] == 250


async def test_settings_drop_data(sim: Simulator, rest: Rest, steps: Steps) -> None:
    """A silent symbol stays silent while REST goes on; every second trade is dropped."""
    settings = sim.market_data.settings
    async with authenticated(sim) as stream:
        await stream.subscribe(trades=["AAPL", "KO"])
        settings.silent_symbols = ["AAPL"]
        sim.exchange.set_price("AAPL", "250")
        steps(30)
        assert (await stream.until("t", "KO"))["S"] == "KO"
        assert not [m for m in stream.waiting if m["S"] == "AAPL"]
        latest = await rest.get("/v2/stocks/trades/latest?symbols=AAPL")
        assert latest["trades"]["AAPL"]["p"] == 250
        settings.cut_in_frame = True
        steps(30)
        with pytest.raises(ConnectionClosed):
            await stream.until("t", "NEVER")


async def test_quote_shapes(sim: Simulator, rest: Rest, steps: Steps) -> None:
    sim.market_data.settings.quotes = {"AAPL": "crossed", "KO": "no_ask"}
    await rest.get("/v2/stocks/meta/exchanges")
    steps(20)
    quotes = (await rest.get("/v2/stocks/quotes/latest?symbols=AAPL,KO"))["quotes"]
    assert quotes["AAPL"]["bp"] > quotes["AAPL"]["ap"]
    assert (quotes["KO"]["ap"], quotes["KO"]["as"]) == (0, 0)


async def test_greeting_may_be_late_and_auth_may_come_first(sim: Simulator) -> None:
    """As the JavaScript SDK 4 does; the connection then stays open."""
    sim.market_data.settings.greeting_delay_s = 0.05
    url = sim.url.replace("http", "ws") + "/v2/iex"
    async with connect(url) as socket:
        stream = DataStream(socket, is_msgpack=False)
        assert await stream.authenticate() == {"T": "success", "msg": "authenticated"}
        assert await stream.control() == {"T": "success", "msg": "connected"}
        assert (await stream.subscribe(bars=["AAPL"]))["bars"] == ["AAPL"]


@pytest.mark.parametrize("code", [405, 409, 410])
async def test_subscribe_errors_on_demand(sim: Simulator, rest: Rest, code: int) -> None:
    """Once; the next subscribe is accepted."""
    async with authenticated(sim) as stream:
        body = {"subscribe_error": code}
        assert (await rest.request("POST", "/_sim/market_data", body))[0] == 200
        assert (await stream.subscribe(bars=["AAPL"]))["code"] == code
        assert (await stream.subscribe(bars=["AAPL"]))["bars"] == ["AAPL"]


async def test_names_above_a_number_are_acked_and_stay_silent(sim: Simulator, steps: Steps) -> None:
    sim.market_data.settings.ignored_above = 1
    async with authenticated(sim) as stream:
        ack = await stream.subscribe(quotes=["KO", "AAPL"])
        assert ack["quotes"] == ["KO", "AAPL"]
        steps(30)
        await stream.until("q", "KO")
        assert not [message for message in stream.waiting if message["S"] == "AAPL"]


async def test_every_nth_trade_is_dropped_and_a_deaf_stream_answers_pings(
    sim: Simulator, steps: Steps
) -> None:
    async with authenticated(sim, "/v1beta3/crypto/us") as stream:
        await stream.subscribe(trades=["BTC/USD"])
        sim.market_data.settings.drop_every = 2
        for price in ("90000", "90001", "90002", "90003"):
            sim.exchange.set_price("BTC/USD", price)
            steps()
        prices = [(await stream.until("t", "BTC/USD"))["p"] for _ in range(2)]
        assert prices == [90000, 90002]
        sim.market_data.settings.deaf = True
        sim.exchange.set_price("BTC/USD", "91000")
        steps()
        await (await stream.socket.ping())
        sim.market_data.settings.deaf = False
        sim.exchange.set_price("BTC/USD", "92000")
        steps()
        later = [(await stream.until("t", "BTC/USD"))["p"]]
        assert later == [92000]


async def _until_closed(stream: DataStream) -> AsyncIterator[dict[str, Any]]:
    try:
        while True:
            for message in await stream.frame():
                yield message
    except ConnectionClosed:
        return


async def test_client_that_does_not_read_is_closed_as_slow(
    sim: Simulator, steps: Steps, monkeypatch: pytest.MonkeyPatch
) -> None:
    """407, and the others are not affected."""
    monkeypatch.setattr(websocket, "MAX_WAITING", 3)
    async with authenticated(sim) as stream, authenticated(sim, label="bravo") as other:
        await stream.subscribe(quotes=["KO"])
        await other.subscribe(bars=["KO"])
        server = next(s for s in sim.market_data.stream.sessions if s.label == "alpha")
        for _ in range(5):
            server.send_control({"T": "success", "msg": "filler"})
        codes = [message.get("code") async for message in _until_closed(stream)]
        assert codes[-1] == 407
        assert (await other.subscribe(bars=["KO"]))["bars"] == ["KO"]


async def test_deflate_is_negotiated_when_switched_on(sim: Simulator, steps: Steps) -> None:
    for deflate in (False, True):
        sim.market_data.settings.deflate = deflate
        async with authenticated(sim) as stream:
            names = [extension.name for extension in stream.socket.protocol.extensions]
            assert names == (["permessage-deflate"] if deflate else [])
            await stream.subscribe(quotes=["KO"])
            steps(20)
            assert (await stream.until("q", "KO"))["S"] == "KO"


async def test_a_cut_fault_ends_data_streams_too(sim: Simulator, rest: Rest) -> None:
    async with authenticated(sim) as stream:
        await rest.fault("cut")
        await stream.socket.wait_closed()
        assert stream.socket.close_code == 1006
