"""Latest values of many symbols, from the simulator."""

import asyncio

import pytest

from realtime.market.rest.latest_values import (
    Field,
    LatestQuery,
    LatestValue,
    UnknownSymbol,
    make_single_body,
    split_values,
)
from realtime.market.rest.reader import ANY_FRESH, CacheRules, DataAnswer
from realtime.market.symbols import AssetClass
from tests.market.rest.scene import RestScene, rest_scene

QUOTES = LatestQuery("stocks", "quote", "iex")


async def values(scene: RestScene, query: LatestQuery, *symbols: str) -> dict[str, LatestValue]:
    found = await scene.latest.read(query, symbols, ANY_FRESH)
    assert all(isinstance(value, LatestValue) for value in found.values()), found
    return found  # type: ignore[return-value]


@pytest.mark.parametrize("field", ["quote", "trade", "snapshot"])
async def test_one_symbol_has_the_bytes_of_the_brokers_own_route(field: Field) -> None:
    async with rest_scene() as scene:
        found = await values(scene, LatestQuery("stocks", field, "iex"), "AAPL")
        route = "snapshot" if field == "snapshot" else f"{field}s/latest"
        direct = await scene.direct(f"/v2/stocks/AAPL/{route}?feed=iex")
        assert make_single_body(field, "AAPL", found["AAPL"].raw) == direct


@pytest.mark.parametrize("field", ["quote", "trade", "snapshot"])
@pytest.mark.parametrize("asset_class", ["options", "crypto"])
async def test_options_and_coins_keep_their_bytes(asset_class: AssetClass, field: Field) -> None:
    async with rest_scene() as scene:
        symbol, path = "BTC/USD", f"/v1beta3/crypto/us/latest/{field}s"
        if asset_class == "options":
            symbol = scene.simulator.exchange.listing.options()[0].symbol
            path = f"/v1beta1/options/{field}s/latest"
        if field == "snapshot":
            path = path.replace("/latest", "")
        query = LatestQuery(asset_class, field)
        found = await values(scene, query, symbol)
        direct = await scene.direct(f"{path}?symbols={symbol}")
        assert split_values(query, direct) == {symbol: found[symbol].raw}


async def test_a_batch_is_a_few_requests_and_serves_single_ones() -> None:
    async with rest_scene() as scene:
        names = [f"A{number}" for number in range(997)]
        found = await scene.latest.read(QUOTES, ["AAPL", *names, "KO", "AAPL"], ANY_FRESH)
        assert scene.requests == 4  # of at most 250 symbols
        assert list(found) == ["AAPL", *names, "KO"]
        assert isinstance(found["A1"], UnknownSymbol)
        assert (await values(scene, QUOTES, "KO"))["KO"].source == "cache"
        assert scene.requests == 4
        both = await values(scene, QUOTES, "KO", "NVDA")
        assert [both[s].source for s in ("KO", "NVDA")] == ["cache", "rest"]
        other_feed = await values(scene, LatestQuery("stocks", "quote", None), "KO")
        assert (other_feed["KO"].source, scene.requests) == ("rest", 6)


async def test_batches_at_the_same_time_wait_for_each_others_symbols() -> None:
    async with rest_scene() as scene:
        await asyncio.gather(
            values(scene, QUOTES, "AAPL", "KO"),
            values(scene, QUOTES, "KO", "AAPL"),
            *(values(scene, QUOTES, "KO") for _ in range(50)),
            values(scene, QUOTES, "KO", "NVDA"),
        )
        assert scene.requests == 2


async def test_a_symbol_that_the_broker_calls_invalid_does_not_fail_the_others() -> None:
    """It refuses the whole request for it."""
    async with rest_scene() as scene:
        found = await scene.latest.read(QUOTES, ["AAPL", "BRK-B", "KO", "X-Y"], ANY_FRESH)
        kinds = {symbol: type(value).__name__ for symbol, value in found.items()}
        assert kinds == {
            "AAPL": "LatestValue", "BRK-B": "UnknownSymbol", "KO": "LatestValue",
            "X-Y": "UnknownSymbol",
        }  # fmt: skip
        assert scene.requests == 3


async def test_a_refusal_is_that_of_each_symbol_and_older_values_are_returned_on_request() -> None:
    async with rest_scene() as scene:
        await values(scene, QUOTES, "AAPL")
        scene.clock.move(5)
        scene.fault("rate_limited")
        rules = CacheRules(max_stale_s=60)
        found = await scene.latest.read(QUOTES, ["AAPL", "KO"], rules)
        aapl, ko = found["AAPL"], found["KO"]
        assert isinstance(aapl, LatestValue)
        assert aapl.is_stale
        assert isinstance(ko, DataAnswer)
        assert ko.status == 429


async def test_a_feed_without_the_entitlement_gives_no_value() -> None:
    async with rest_scene() as scene:
        await values(scene, QUOTES, "AAPL")
        found = await scene.latest.read(LatestQuery("stocks", "quote", "sip"), ["AAPL"], ANY_FRESH)
        assert isinstance(found["AAPL"], DataAnswer)
        assert found["AAPL"].status == 403


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b'{"quotes":[]}', b'{"quotes":{"A":null}}', b'{"trades":{"A":{}}}', b"\xff"],
)
def test_a_response_of_another_form_has_no_values(body: bytes) -> None:
    assert split_values(QUOTES, body) == {}
