"""Webhooks in virtual time: a store that a test changes, and receivers that misbehave."""

import asyncio
import base64
import hashlib
import hmac
import json
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import Executor, Future
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from aiohttp import web
from msgspec import Struct, structs

from realtime.config.settings import WebhookSettings
from realtime.core.model import AccountLabel, Order, TradeUpdate
from realtime.core.state import AccountState
from realtime.notify.webhook_service import WebhookService
from realtime.secret import Secret
from realtime.store.records import Profile
from realtime.store.store import Store
from tests import virtual
from tests.api.documents.made import ACCOUNT, LIVE, order

KEY = b"k" * 32
SECRET = "whsec_" + base64.b64encode(KEY).decode()

Answer = Callable[[web.Request, bytes], Awaitable[web.StreamResponse]]


class InlineExecutor(Executor):
    """Runs at once: virtual time must not pass while a thread works."""

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except BaseException as error:  # noqa: BLE001 - it is raised where the result is read
            future.set_exception(error)
        return future


class Received(Struct, frozen=True):
    """One request that a receiver got."""

    id: str
    timestamp: int
    signature: str
    body: bytes
    at: float

    @property
    def document(self) -> dict[str, Any]:
        document: dict[str, Any] = json.loads(self.body)
        return document

    @property
    def account(self) -> str:
        return str(self.document["data"]["account_id"])


class Receiver:
    """A receiver: an HTTP server that answers as `answer` does, and records what it confirmed."""

    def __init__(self) -> None:
        self.requests: list[Received] = []
        self.confirmed: list[Received] = []
        self.status = 204
        self.answer: Answer | None = None
        self.url = ""

    async def handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        headers = request.headers
        received = Received(
            headers["webhook-id"],
            int(headers["webhook-timestamp"]),
            headers["webhook-signature"],
            body,
            asyncio.get_running_loop().time(),
        )
        self.requests.append(received)
        if self.answer is not None:
            return await self.answer(request, body)
        if 200 <= self.status < 300:
            self.confirmed.append(received)
        return web.Response(status=self.status)

    def names(self) -> list[str]:
        """Order ids of the confirmed messages about orders, in their order."""
        return [
            r.document["data"]["order"]["client_order_id"]
            for r in self.confirmed
            if r.document["type"] == "order"
        ]


@asynccontextmanager
async def receiver(port: int = 4000) -> AsyncIterator[Receiver]:
    """Serve a receiver at an address of the virtual network."""
    made = Receiver()
    app = web.Application()
    app.router.add_post("/hook/{secret}", made.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    made.url = f"http://127.0.0.1:{port}/hook/T0PSECRETPATH"
    try:
        yield made
    finally:
        await runner.cleanup()


def settings_for(made: Receiver | str, **fields: Any) -> WebhookSettings:
    url = made if isinstance(made, str) else made.url
    values: dict[str, Any] = {
        "name": "desk",
        "url": Secret(url),
        "host": "http://127.0.0.1:4000",
        "secrets": (Secret(SECRET),),
        "allow_host": "127.0.0.1",
        **fields,
    }
    return WebhookSettings(**values)


class Scene:
    """A store with some accounts, and the service."""

    def __init__(
        self,
        directory: Path,
        labels: tuple[str, ...] = ("alpha", "bravo"),
        *,
        is_read: bool = True,
    ) -> None:
        self.directory = directory
        self.store = Store(boot="b00t")
        self.labels = labels
        self.numbers = 0
        for label in labels:
            tier = "gold" if label == "alpha" else "basic"
            self.store.add(Profile(label=AccountLabel(label), tier=tier), now=virtual.wall_clock())
        if is_read:
            self.sync()

    def sync(self) -> None:
        """Every account is read for the first time."""
        for label in self.labels:
            self.store.update(
                AccountLabel(label),
                now=virtual.wall_clock(),
                state=AccountState(account=ACCOUNT),
                link=LIVE,
            )

    def fill(self, label: str = "alpha") -> str:
        """An execution arrives; returns its order's name."""
        self.numbers += 1
        name = f"{label}-{self.numbers}"
        filled: Order = order(self.numbers, client_order_id=name, status="filled")
        update = TradeUpdate(event="fill", order=filled, event_id=str(self.numbers), qty="1")
        record = self.store.records[AccountLabel(label)]
        self.store.update(
            AccountLabel(label),
            now=virtual.wall_clock(),
            state=structs.replace(record.state, orders={**record.state.orders, filled.id: filled}),
            updates=(update,),
        )
        return name

    def service(self, *webhooks: WebhookSettings, **more: Any) -> WebhookService:
        return WebhookService(
            self.store,
            self.directory,
            make_connector=lambda _: virtual.VirtualConnector(limit=0),
            clock=virtual.wall_clock,
            rng=random.Random(7).random,
            executor=InlineExecutor(),
            **more,
        )

    @asynccontextmanager
    async def running(
        self, *webhooks: WebhookSettings, **more: Any
    ) -> AsyncIterator[WebhookService]:
        service = self.service(**more)
        await service.apply(webhooks)
        end = self.store.subscribe(service.add)
        task = asyncio.ensure_future(service.run())
        try:
            yield service
        finally:
            end()
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
            await service.stop()


async def until(holds: Callable[[], bool], within_s: float = 3600.0) -> float:
    """Let virtual time pass until it holds; returns the seconds."""
    loop = asyncio.get_running_loop()
    started = loop.time()
    while not holds():
        assert loop.time() - started < within_s, "not so in time"
        await asyncio.sleep(0.05)
    return loop.time() - started


def is_signed(received: Received, key: bytes = KEY) -> bool:
    """Whether one of the signatures is that of the key, by the specification."""
    content = f"{received.id}.{received.timestamp}.".encode() + received.body
    expected = base64.b64encode(hmac.new(key, content, hashlib.sha256).digest()).decode()
    return f"v1,{expected}" in received.signature.split(" ")
