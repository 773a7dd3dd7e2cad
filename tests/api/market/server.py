"""The API with market data, and the simulator that it reads."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import msgspec
from msgspec import Struct
from yarl import URL

from realtime.api.listener import serve
from realtime.api.security.authenticator import AccessRules
from realtime.auth.keys import parse_secrets
from realtime.auth.tokens import TokenRules
from realtime.auth.verifier import Verifier
from realtime.market.rest.market_rest import MarketRest
from tests.api.documents.made import NOW, fleet
from tests.api.reader import Clock, Reply, application
from tests.auth.made import SECRET
from tests.market.rest.scene import RestScene, rest_scene


class MarketServer(Struct, frozen=True):
    """A client of the API, and the scene behind it."""

    scene: RestScene
    session: aiohttp.ClientSession
    port: int

    async def get(self, path: str, **headers: str) -> Reply:
        """GET, with header names written with underscores."""
        return await self.send("GET", path, None, headers)

    async def post(self, path: str, body: object = None, **headers: str) -> Reply:
        """POST of JSON, or of bytes as they are."""
        data = body if isinstance(body, bytes) else msgspec.json.encode(body)
        return await self.send("POST", path, None if body is None else data, headers)

    async def send(
        self, method: str, path: str, body: bytes | None, headers: dict[str, str]
    ) -> Reply:
        """Send any request."""
        url = URL(f"http://127.0.0.1:{self.port}{path}", encoded=True)
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        async with self.session.request(method, url, data=body, headers=names) as response:
            return Reply(response.status, response.headers, await response.read())


@asynccontextmanager
async def market_server(
    *, feed: str = "auto", tokens: bool = False, open_reads: bool = False, **options: Any
) -> AsyncIterator[MarketServer]:
    """Serve the API with market data of a simulator. `tokens`: it requires them."""
    async with rest_scene(**options) as scene, aiohttp.ClientSession() as session:
        market_rest = MarketRest(scene.reader, account="alpha", feed=feed)
        access = AccessRules()
        if tokens:
            verifier = Verifier(TokenRules(leeway_s=0), parse_secrets(SECRET))
            access = AccessRules(verifier=verifier, open_reads=open_reads)
        clock = Clock()
        clock.now = scene.clock.now / 1e9
        app = application(
            fleet(), clock, market_rest=market_rest, access=access, wall_clock=lambda: NOW
        )
        async with serve(app, "127.0.0.1", 0) as port:
            yield MarketServer(scene, session, port)
