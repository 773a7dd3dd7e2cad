"""A whole daemon that requires tokens: which credentials of the broker's own clients it accepts."""

from pathlib import Path

import aiohttp
from msgspec import structs

from realtime.auth.keys import Key
from realtime.auth.tokens import TokenRules, issue_token
from realtime.config.settings import AuthSettings, MarketSettings
from realtime.runtime.daemon import run_daemon
from realtime.runtime.environment import real_environment
from realtime.simulator.app import Simulator
from tests.fleet import settings_for
from tests.market.rest.scene import KEYS as DATA_KEYS
from tests.virtual import EPOCH_S

KEYS = (Key(algorithm="HS256", material=b"x" * 32),)
PATHS = ("/v2/stocks/AAPL/quotes/latest?feed=iex", "/stocks/AAPL/quote?feed=iex", "/market/status")


async def test_an_accounts_own_pair_or_a_token_as_the_secret(tmp_path: Path) -> None:
    async with Simulator(accounts=2, step_s=None) as simulator:
        market = MarketSettings(
            account="alpha",
            credentials=DATA_KEYS,
            data_url=simulator.url,
            stream_url=simulator.url.replace("http", "ws"),
        )
        settings = structs.replace(
            settings_for(simulator, ["alpha", "bravo"], {}),
            market=market,
            auth=AuthSettings(keys=KEYS),
        )
        environment = real_environment()
        token = issue_token(
            KEYS, TokenRules(), user_id="ann", accounts=["alpha"], permissions=["market_data"],
            now=max(environment.clock(), EPOCH_S), valid_s=600,
        )  # fmt: skip
        pairs = {
            ("demo-bravo", "demo-secret-bravo"): 200,
            ("alpha", token): 200,
            ("demo-bravo", "demo-secret-alpha"): 401,
            ("demo-bravo", ""): 401,
            ("", ""): 401,
        }
        async with run_daemon(settings, environment) as daemon, aiohttp.ClientSession() as session:
            for (key, secret), status in pairs.items():
                headers = {"APCA-API-KEY-ID": key, "APCA-API-SECRET-KEY": secret}
                for path in PATHS:
                    url = f"http://127.0.0.1:{daemon.port}{path}"
                    async with session.get(url, headers=headers) as response:
                        assert response.status == status, (key, path, await response.text())
            counts = simulator.counters
            assert counts.get("bravo").get("data_requests", 0) == 0, "only the data key is sent"
            assert counts.get("alpha")["data_requests"] > 0
