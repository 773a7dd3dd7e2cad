"""A client over a real socket, and its server."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import msgspec
from aiohttp import web
from msgspec import Struct
from multidict import CIMultiDictProxy
from yarl import URL

from realtime.api.app import build_application
from realtime.api.documents.documents import Documents
from realtime.api.listener import serve
from realtime.store.store import Store
from realtime.web.files import PAGES
from tests.api.documents.made import NOW

SECURITY = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Server": "realtime",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
}


class Clock:
    """A clock that the test sets."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now


class Reply(Struct):
    """A response."""

    status: int
    headers: CIMultiDictProxy[str]
    body: bytes

    @property
    def told(self) -> list[tuple[str, str]]:
        """The headers, in their order, without the clock's."""
        return [(name, value) for name, value in self.headers.items() if name != "Date"]

    @property
    def json(self) -> Any:  # documents of every shape
        """The body read."""
        return msgspec.json.decode(self.body)

    def problem(self, status: int, code: str) -> Any:  # as `json`
        """The body of a problem, checked for its shape."""
        assert (self.status, self.json["code"]) == (status, code), self.body
        assert self.headers["Content-Type"] == "application/problem+json"
        assert self.headers["Cache-Control"] == "no-store"
        assert self.json["status"] == status
        assert self.json["type"] == f"urn:realtime:problem:{code}"
        assert all(isinstance(self.json[k], str) for k in ("title", "detail", "remedy"))
        assert {name: self.headers.get(name) for name in SECURITY} == SECURITY
        return self.json


class Reader:
    """Sends requests to one server."""

    def __init__(self, session: aiohttp.ClientSession, port: int) -> None:
        self.session = session
        self.port = port

    async def get(self, path: str, **headers: str) -> Reply:
        """GET, with header names written with underscores."""
        return await self.ask("GET", path, **headers)

    async def ask(self, method: str, path: str, **headers: str) -> Reply:
        """Any request without a body. It is made twice: what is remembered must not show."""
        first, second = [await self._ask(method, path, headers) for _ in range(2)]
        assert first.status == second.status
        if not path.partition("?")[0].endswith("/metrics"):  # which count the first
            assert first.body == second.body
            assert first.told == second.told
        return second

    async def _ask(self, method: str, path: str, headers: Mapping[str, str]) -> Reply:
        url = URL(f"http://127.0.0.1:{self.port}{path}", encoded=True)
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        async with self.session.request(method, url, headers=sent) as answer:
            return Reply(answer.status, answer.headers, await answer.read())


def application(
    store: Store, clock: Clock, cors_origins: Sequence[str] = (), **more: Any
) -> web.Application:
    """The API application of this store."""
    return build_application(
        store,
        Documents(),
        clock=clock,
        version="1.2.3",
        started_at=NOW - 60,
        cors_origins=cors_origins,
        pages=PAGES,
        **more,
    )


@asynccontextmanager
async def reading(
    store: Store, clock: Clock, cors_origins: Sequence[str] = (), **more: Any
) -> AsyncIterator[Reader]:
    """A client of a server of this store."""
    app = application(store, clock, cors_origins, **more)
    async with serve(app, "127.0.0.1", 0) as port, aiohttp.ClientSession() as session:
        yield Reader(session, port)
