"""A server that requires tokens, and requests to it byte for byte."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
from aiohttp import web
from msgspec import Struct

from realtime.api.listener import serve
from realtime.api.security.authenticator import AccessRules
from realtime.auth.keys import parse_secrets
from realtime.auth.tokens import TokenRules
from realtime.auth.verifier import Verifier
from realtime.store.store import Store
from tests.api.documents.made import NOW
from tests.api.reader import Clock, application
from tests.auth.made import SECRET, claims, signed

LIMIT_S = 30.0
HOSTS = frozenset({"board.example"})
PAGES = ("https://page.example",)


class Raw(Struct):
    """A response as received."""

    status: int
    head: str
    body: bytes

    @property
    def code(self) -> str | None:
        """The problem's, if it is one."""
        if "application/problem+json" not in self.head:
            return None
        code: str = msgspec.json.decode(self.body)["code"]
        return code

    @property
    def json(self) -> Any:  # documents of every shape
        """The body read."""
        return msgspec.json.decode(self.body)


class Guarded(Struct):
    """One server that requires tokens."""

    port: int
    app: web.Application
    verifier: Verifier

    async def get(self, path: str, token: str | None = None, *lines: str) -> Raw:
        """GET twice over one connection: what is remembered must not show."""
        first, second = await self.exchange(get(path, token, *lines), 2)
        assert (first.status, first.code, first.body) == (second.status, second.code, second.body)
        return second

    async def exchange(self, raw: bytes, times: int = 1) -> list[Raw]:
        """Send the same bytes again and again on one connection, each time after the answer."""
        async with asyncio.timeout(LIMIT_S):
            source, sink = await asyncio.open_connection("127.0.0.1", self.port)
            try:
                answers = []
                for _ in range(times):
                    sink.write(raw)
                    answers.append(await read_answer(source))
                return answers
            finally:
                sink.close()


async def read_answer(source: asyncio.StreamReader) -> Raw:
    """Read one response, to its end."""
    head = (await source.readuntil(b"\r\n\r\n")).decode()
    length = re.search(r"Content-Length: (\d+)", head)
    body = await source.readexactly(int(length[1])) if length else b""
    return Raw(int(head.split()[1]), head, body)


def get(path: str, token: str | None = None, *lines: str, method: str = "GET") -> bytes:
    """A request's head."""
    own = [] if token is None else [f"Authorization: Bearer {token}"]
    return "\r\n".join(
        [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", *own, *lines, "", ""]
    ).encode()


def token(**more: object) -> str:
    """A token that is valid by the tests' clock; `secret` signs it with another one."""
    return signed(claims(exp=int(NOW) + 600, **more))


ALL = {"account_id": "*"}


@asynccontextmanager
async def guarded(
    store: Store,
    clock: Clock,
    *,
    requests_per_s: int | None = None,
    open_ops: bool = False,
    open_reads: bool = False,
    **more: Any,  # as `build` has it
) -> AsyncIterator[Guarded]:
    """A server of this store that accepts tokens signed with SECRET."""
    verifier = Verifier(TokenRules(leeway_s=0), parse_secrets(SECRET))
    app = application(
        store,
        clock,
        PAGES,
        hosts=HOSTS,
        access=AccessRules(
            verifier=verifier,
            requests_per_s=requests_per_s,
            open_ops=open_ops,
            open_reads=open_reads,
        ),
        **more,
    )
    async with serve(app, "127.0.0.1", 0) as port:
        yield Guarded(port, app, verifier)
