"""Every answer from memory is the broker's own, byte for byte; all others come from the broker."""

import asyncio
import gzip
import random
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

import aiohttp
import pytest
from msgspec import structs

from realtime.api.alpaca import market_reads
from realtime.api.alpaca.routes import ROUTES
from realtime.config.settings import MarketSettings, Settings
from tests.api.alpaca.client import Client, keys, trade
from tests.api.alpaca.order_books import place_random_orders, random_query
from tests.virtual import world

QUERIES = 300
MANY_QUERIES = 10_000


async def compare(client: Client, target: str) -> str:
    """Compare both answers; return where ours came from."""
    await asyncio.sleep(1.5)  # within the budget of what is passed on
    here, there = await client.here("GET", target), await client.there("GET", target)
    assert (here.status, here.body) == (there.status, there.body), target
    assert here.source in ("memory", "upstream")
    return here.source


async def compare_random_lists(client: Client, seed: int, queries: int, orders: int) -> float:
    """Compare lists of a random account; return the part that came from memory."""
    rng = random.Random(seed)
    place_random_orders(client.fleet, client.label, rng, orders)
    await client.settle()
    listed = client.at_broker()
    sources = [await compare(client, random_query(rng, listed)) for _ in range(queries)]
    for order in rng.sample(listed, 20):
        for nested in ("", "?nested=true", "?nested=False"):
            await compare(client, f"/v2/orders/{order['id']}{nested}")
        wanted = f"/v2/orders:by_client_order_id?client_order_id={order['client_order_id']}"
        await compare(client, wanted)
    return sources.count("memory") / len(sources)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
def test_random_lists_equal_the_brokers(tmp_path: Path, seed: int) -> None:
    async def scene(client: Client) -> None:
        assert await compare_random_lists(client, seed, QUERIES, orders=60) > 0.2

    trade(scene, tmp_path)


@pytest.mark.slow
def test_random_lists_of_a_long_history_equal_the_brokers(tmp_path: Path) -> None:
    """More orders than memory keeps: what reaches beyond it is passed on."""

    async def scene(client: Client) -> None:
        await compare_random_lists(client, 3, QUERIES, orders=900)

    trade(scene, tmp_path)


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_many_random_lists_equal_the_brokers(tmp_path: Path) -> None:
    async def scene(client: Client) -> None:
        await compare_random_lists(client, 4, MANY_QUERIES, orders=150)

    trade(scene, tmp_path)


SPELLINGS = [
    "/v2/account",
    "/v2/account/",
    "/v2/positions",
    "/v2/positions/BTC/USD",
    "/v2/positions/BTC%2FUSD",
    "/v2/positions/BTCUSD",
    "/v2/positions/btcusd",
    "/v2/positions/AAPL",
    "/v2/positions/AAPL?symbol=AAPL",
    "/v2/positions/{asset_id}",
    "/v2/positions/NONE",
    "/v2/orders/x",
    "/v2/orders/00000000-0000-4000-8000-000000000000",
    "/v2/orders:by_client_order_id?client_order_id=none",
    "/v2/orders:by_client_order_id",
    "/v2/calendar?start=2026-10-01&end=2026-10-09",
    "/v2/calendar?start=2026-10-01T00:00:00.000Z&end=2026-10-09T00%3A00%3A00.000Z",
    "/v2/calendar?start=x",
    "/v2/calendar?end=2026-01-09&date_type=SETTLEMENT",
    "/v2/assets?asset_class=crypto",
    "/v2/assets?status=active&exchange=NASDAQ",
    "/v2/assets/AAPL",
    "/v2/assets/BTC%2FUSD",
    "/v2/assets/NONE",
    "/v2/account/portfolio/history?period=1D&timeframe=5Min",
    "/v2/account/activities?activity_types=FILL&page_size=2",
    "/v2/account/activities/FILL",
    "/v2/account/configurations",
    "/v2/options/contracts?underlying_symbols=AAPL",
    "/v2/invented/path?a=1&a=2&b=%2F+x",
]


def test_every_spelling_has_the_brokers_answer(tmp_path: Path) -> None:
    """The first time and again, when it may come from memory."""

    async def scene(client: Client) -> None:
        client.fleet.buy(client.label, "BTC/USD", "0.5", time_in_force="gtc")
        client.fleet.buy(client.label, "AAPL", "3")
        await client.settle()
        asset_id = (await client.there("GET", "/v2/assets/AAPL")).json["id"]
        for _ in range(3):
            for text in SPELLINGS:
                target = text.replace("{asset_id}", asset_id)
                await asyncio.sleep(1.5)
                here = await client.here("GET", target)
                spelled = target.removesuffix("/").replace("/BTC/USD", "/BTC%2FUSD")
                there = await client.there("GET", spelled)
                assert (here.status, here.body) == (there.status, there.body), target
        before = client.requests()
        for text in SPELLINGS[:9]:
            assert (await client.here("GET", text)).source == "memory", text
        assert client.requests() == before

    trade(scene, tmp_path)


def test_head_has_no_body(tmp_path: Path) -> None:
    async def scene(client: Client) -> None:
        for target in ("/v2/account", "/v2/orders"):
            reply = await client.here("HEAD", target)
            assert (reply.status, reply.body) == (200, b"")

    trade(scene, tmp_path)


def test_symbol_is_decoded_with_plus_as_a_space(tmp_path: Path) -> None:
    async def scene(client: Client) -> None:
        client.fleet.buy(client.label, client_order_id="a b/c+1")
        await client.settle()
        for spelling in ("a+b%2Fc%2B1", "a%20b%2Fc%2B1", "a%20b/c%2B1"):
            target = f"/v2/orders:by_client_order_id?client_order_id={spelling}"
            reply = await client.here("GET", target)
            assert (reply.source, reply.json["client_order_id"]) == ("memory", "a b/c+1")

    trade(scene, tmp_path)


def test_clock_moves_between_two_reads_of_the_brokers(tmp_path: Path) -> None:
    async def scene(client: Client) -> None:
        await client.here("GET", "/v2/clock")
        for _ in range(50):
            await asyncio.sleep(1.37)
            here = await client.here("GET", "/v2/clock")
            there = await client.there("GET", "/v2/clock")
            assert here.source == "memory"
            ours, theirs = here.json, there.json
            skew = _seconds(theirs.pop("timestamp")) - _seconds(ours.pop("timestamp"))
            assert abs(skew) <= 0.05
            assert ours == theirs
        await asyncio.sleep(300)
        assert (await client.here("GET", "/v2/clock")).source == "upstream"

    trade(scene, tmp_path)


def _seconds(text: str) -> float:
    return datetime.fromisoformat(text[:19] + text[-6:]).timestamp() + float("0" + text[19:-6])


def test_calendar_and_assets_cost_one_request_a_day(tmp_path: Path) -> None:
    async def scene(client: Client) -> None:
        for target in ("/v2/calendar?start=2026-10-01&end=2026-10-02", "/v2/assets"):
            await client.here("GET", target)
        await asyncio.sleep(1)
        before = client.requests()
        for target in ("/v2/calendar?start=2026-11-01&end=2026-12-02", "/v2/assets"):
            assert (await client.here("GET", target)).source == "memory"
            bravo = structs.replace(client, label="bravo")
            assert (await bravo.here("GET", target)).source == "memory"
        assert client.requests() == before

    trade(scene, tmp_path)


@pytest.mark.parametrize("odd", ["%ff", "&".join(f"x{number}" for number in range(101))])
def test_parameters_that_cannot_be_read_are_parameters(tmp_path: Path, odd: str) -> None:
    """A part of the calendar is not the whole of it, for this program or any other."""

    async def scene(client: Client) -> None:
        await client.here("GET", f"/v2/calendar?start=2026-10-01&end=2026-10-02&{odd}")
        await asyncio.sleep(1)
        target = "/v2/calendar?start=2026-11-01&end=2026-12-02"
        bravo = structs.replace(client, label="bravo")
        assert (await bravo.here("GET", target)).body == (await client.there("GET", target)).body
        for target in ("/v2/clock", "/v2/account", "/v2/positions"):
            await client.here("GET", target)
            assert (await client.here("GET", f"{target}?{odd}")).source == "upstream"

    trade(scene, tmp_path)


def test_unconfirmed_state_is_passed_on(tmp_path: Path) -> None:
    """After a fill money is provisional, and after any change it is read again: both are the
    broker's to answer until then."""

    async def scene(client: Client) -> None:
        assert (await client.here("GET", "/v2/account")).source == "memory"
        order = {"symbol": "AAPL", "qty": "1", "side": "buy", "type": "limit", "limit_price": "1",
                 "time_in_force": "gtc"}  # fmt: skip
        await client.here("POST", "/v2/orders", order)
        reply = await client.here("GET", "/v2/account")
        assert reply.source == "upstream"
        assert reply.body == (await client.there("GET", "/v2/account")).body
        await asyncio.sleep(5)
        assert (await client.here("GET", "/v2/account")).source == "memory"
        client.fleet.buy(client.label, "AAPL", "3")
        client.fleet.simulator.step(prices_move=False)
        await asyncio.sleep(0.1)
        assert (await client.here("GET", "/v2/positions")).source == "upstream"
        await client.settle()
        reply = await client.here("GET", "/v2/positions")
        assert reply.source == "memory"
        assert reply.body == (await client.there("GET", "/v2/positions")).body

    trade(scene, tmp_path)


def test_cancel_is_read_at_once(tmp_path: Path) -> None:
    """Its event comes later: until then the broker is read."""

    async def scene(client: Client) -> None:
        order_id = client.fleet.buy(client.label, "AAPL", "1", type="limit", limit_price="1")
        await client.settle()
        await client.fleet.fault(kind="deaf", account=client.label)
        await client.here("DELETE", f"/v2/orders/{order_id}")
        assert (await client.here("GET", f"/v2/orders/{order_id}")).json["status"] == "canceled"
        assert (await client.here("GET", "/v2/orders")).json == []

    trade(scene, tmp_path)


def test_answer_is_marked_where_the_broker_cannot_be_asked(tmp_path: Path) -> None:
    async def scene(client: Client) -> None:
        client.fleet.buy(client.label, "AAPL", "3")
        await client.settle()
        await client.fleet.fault(kind="maintenance", account=client.label)
        await client.fleet.fault(kind="cut", account=client.label)
        await asyncio.sleep(1)
        for target in ("/v2/account", "/v2/positions", "/v2/orders?status=all"):
            reply = await client.here("GET", target)
            assert (reply.status, reply.source) == (200, "memory")
            assert reply.headers["X-Realtime-Stale"] == "true"
        other = await client.here("GET", "/v2/account/configurations")
        assert other.status == 503

    trade(scene, tmp_path)


def test_old_dotnet_client_gets_the_fields_it_requires(tmp_path: Path) -> None:
    """From memory and from the broker; no other client does."""

    async def scene(client: Client) -> None:
        old = {"User-Agent": "APCA-DOTNET/7.2.1 Unix/6.1"}
        for _ in range(2):
            document = (await client.here("GET", "/v2/account", headers=old)).json
            assert (document["pattern_day_trader"], document["daytrade_count"]) == (False, 0)
            client.fleet.buy(client.label, "AAPL", "3")
            client.fleet.simulator.step(prices_move=False)
            await asyncio.sleep(0.1)
        new = {"User-Agent": "APCA-DOTNET/8.0.0 Unix/6.1"}
        document = (await client.here("GET", "/v2/account", headers=new)).json
        assert "pattern_day_trader" not in document

    trade(scene, tmp_path)


def test_a_long_list_of_assets_is_compressed_and_has_a_tag(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(market_reads, "MIN_COMPRESSED_BYTES", 1_000)

    async def scene(client: Client) -> None:
        plain = await client.here("GET", "/v2/assets")
        assert plain.source == "upstream"
        url = f"http://127.0.0.1:{client.fleet.daemon.port}/v2/assets"

        async def get(**headers: str) -> tuple[int, Mapping[str, str], bytes]:
            sent = {**keys("alpha"), "Accept-Encoding": "identity", **headers}
            connector = world(1).make_connector()
            async with (
                aiohttp.ClientSession(connector=connector, auto_decompress=False) as http,
                http.get(url, headers=sent) as response,
            ):
                return response.status, response.headers.copy(), await response.read()

        await asyncio.sleep(1)  # it is compressed in a thread
        while True:
            status, headers, body = await get(**{"Accept-Encoding": "gzip"})
            if headers.get("Content-Encoding") == "gzip":
                break
            await asyncio.sleep(0.01)
        assert status == 200
        assert gzip.decompress(body) == plain.body
        assert (await get())[2] == plain.body
        assert (await get(**{"Accept-Encoding": "gzip;q=0"}))[2] == plain.body
        status, _, body = await get(**{"If-None-Match": headers["ETag"]})
        assert (status, body) == (304, b"")

    trade(scene, tmp_path)


def test_what_depends_on_the_time_is_not_kept_for_an_account_that_rests() -> None:
    """The cache of responses keeps the others until the account's version changes."""
    timed = {route.path for route in ROUTES if route.read is not None and route.is_timed}
    assert timed == {"/v2/clock", "/v2/calendar", "/v2/assets", "/v2/assets/{symbol+}"}


@pytest.mark.parametrize(
    "target",
    [
        "/v1beta1/screener/of-tomorrow?top=3&top=4",
        "/v2/stocks/AAPL/depth?levels=%31%30",
        "/v1beta3/crypto/us/latest/funding?symbols=BTC%2FUSD",
        "/v1beta1/logos/a/b",
    ],
)
def test_a_path_of_market_data_that_is_not_known_here_is_passed_on(
    tmp_path: Path, target: str
) -> None:
    """With the key of `[market]`, to its host, and unchanged."""

    async def scene(client: Client) -> None:
        before = client.fleet.simulator.counters.total()
        here = await client.here("GET", target)
        there = await client.there("GET", target)
        assert (here.status, here.body) == (there.status, there.body)
        assert here.source == "rest"
        assert (await client.here("POST", target)).status in (403, 404, 405)
        counts = client.fleet.simulator.counters.total()
        assert counts.get("requests", 0) - before.get("requests", 0) <= 2

    trade(scene, tmp_path, change=with_market)


def with_market(settings: Settings) -> Settings:
    (account, *_) = settings.accounts
    assert account.credentials is not None
    market = MarketSettings(
        account=account.label,
        credentials=account.credentials,
        data_url=account.trading_url,
        stream_url=account.trading_url.replace("http", "ws"),
    )
    return structs.replace(settings, market=market)
