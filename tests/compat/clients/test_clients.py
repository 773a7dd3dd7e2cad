"""Other clients than alpaca-py, unmodified, in environments of their own."""

import json
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from tests.compat.broker import Broker, tuesday
from tests.compat.clients.environments import CLIENTS, Client, command_of, environment
from tests.compat.daemon import MarketDaemon

pytestmark = [pytest.mark.compat, pytest.mark.timeout(900)]

RUN_TIMEOUT_S = 60
OPEN = ("limit", "stop", "stop_limit", "trailing_stop", "oco", "bracket", "oto")


@pytest.fixture
def broker() -> Iterator[Broker]:
    # Prices rest, so that what waits for a price keeps waiting.
    with Broker(accounts=1, clock=tuesday(), step_s=0.05, requests_per_minute=2_000) as broker:
        broker.call(lambda sim: sim.market_data.settings.plans.update(alpha="plus"))
        yield broker


@pytest.fixture(params=["broker", "localhost"])
def url(request: pytest.FixtureRequest, broker: Broker) -> Iterator[str]:
    """Where the client is pointed: at the simulator, or at a daemon in front of it."""
    if request.param == "broker":
        yield broker.url
        return
    with MarketDaemon(broker) as daemon:
        broker.until(lambda sim: sim.counters.get("alpha").get("listening", 0) >= 1)
        yield daemon.url


@pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.name)
def test_client_trades_and_listens(client: Client, broker: Broker, url: str) -> None:
    """Account, orders of every class, positions, trade updates, and market data."""
    command = command_of(client)
    option = broker.call(lambda sim: sim.exchange.listing.options()[0].symbol)
    result = subprocess.run(
        [*command, url, option],
        env=environment(),
        timeout=RUN_TIMEOUT_S,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr[-3000:] + result.stdout[-1000:]
    seen: dict[str, Any] = json.loads(result.stdout.strip().splitlines()[-1])
    assert seen["account"] == "PA0SIM000001"
    if client.name == "ccxt":
        _check_ccxt(seen)
        return
    if client.name == "mcp":
        _check_mcp(seen, option)
        return
    filled = dict.fromkeys(("market", "notional", "crypto", "option"), "filled")
    expected = {**filled, **dict.fromkeys(OPEN, "new"), "limit": "replaced"}
    assert seen["statuses"] == expected
    assert seen["positions"].keys() == {"AAPL", "NVDA", "ETHUSD", option}
    assert {"new", "fill", "replaced", "canceled"} <= set(seen["events"])
    assert seen["bars"] == 21
    if client.name != "js-3":  # its market-data streams insist on TLS
        assert set(seen["trades"]) & {"AAPL", "KO"}


def _check_mcp(seen: dict[str, Any], option: str) -> None:
    filled = dict.fromkeys(("market", "notional", "crypto", "option"), "filled")
    assert seen["statuses"] == {**filled, "limit": "replaced"}
    assert seen["positions"].keys() == {"AAPL", "NVDA", "ETHUSD", option}
    assert (seen["position"], seen["bars"]) == ("ETHUSD", 21)
    assert all(seen[name] for name in ("working", "by_id", "clock", "activities", "closed"))
    assert seen["history"] == ["base_value", "base_value_asof"]


def _check_ccxt(seen: dict[str, Any]) -> None:
    assert seen["statuses"] == {"market": "closed", "limit": "canceled", "stop_limit": "open"}
    assert seen["positions"].keys() == {"ETHUSD"}
    assert (seen["events"], seen["trades"]) == (["ETH/USD"], ["ETH/USD"])
    assert seen["bars"] > 20
    assert seen["has_book"]
