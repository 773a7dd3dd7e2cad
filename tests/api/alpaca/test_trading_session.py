"""One client of `/stream` that reads slowly: the newest figures always arrive."""

import asyncio
from typing import Any, cast

import msgspec
import pytest
from aiohttp import web
from msgspec import structs

from realtime.api.alpaca.account_selection import Caller, make_key_principal
from realtime.api.alpaca.trade_hub import TradeHub
from realtime.api.alpaca.trade_sse import MAX_WAITING, EventRange, EventStream
from realtime.api.alpaca.trading_socket import TradingConnection, TradingSession
from realtime.core.model import AccountLabel
from realtime.core.state import AccountState
from realtime.store.records import Profile
from realtime.store.store import Store
from tests.api.documents.made import ACCOUNT, NOW

ALPHA = AccountLabel("alpha")


class SlowConnection:
    """Keeps what is sent; `unsent` bytes wait in the transport."""

    def __init__(self) -> None:
        self.sent: list[Any] = []
        self.unsent = 0
        self.is_awake = False

    def send(self, body: bytes) -> None:
        self.sent.append(msgspec.json.decode(body))

    def unsent_bytes(self) -> int:
        return self.unsent

    def wake(self) -> None:
        self.is_awake = True


@pytest.mark.parametrize("number", [-(10**30), -1, 2**63, 2**64, 10**30])
async def test_a_number_that_no_event_can_have_is_a_gap_in_every_format(number: int) -> None:
    store = Store(boot="b")
    store.add(Profile(label=ALPHA), now=NOW)
    connection = SlowConnection()
    session = TradingSession(
        cast(TradingConnection, connection),
        TradeHub(store, clock=lambda: NOW, get_keys_version=lambda: 0),
        lambda credentials: Caller(label="alpha", principal=make_key_principal("alpha")),
        lambda credentials, label: True,
        has_own_messages=False,
    )
    await session.handle(b'{"action":"auth","key":"k","secret":"s"}')
    listen = b'{"action":"listen","data":{"streams":["trade_updates"],"resume":%d}}' % number
    await session.handle(listen)
    gap = connection.sent[-1]
    assert gap["stream"] == "gap"
    assert msgspec.msgpack.encode(gap)  # what `TradingConnection.send` does for such a client


class StuckRequest:
    """A request whose client reads nothing; it is its own transport."""

    def __init__(self) -> None:
        self.transport = self
        self.is_aborted = False

    def abort(self) -> None:
        self.is_aborted = True


@pytest.mark.parametrize("is_revoked", [False, True])
async def test_an_event_stream_that_is_not_read_is_disconnected(is_revoked: bool) -> None:
    """Its write waits for as long as the client likes, so the end cannot wait for the write."""
    hub = TradeHub(Store(boot="b"), clock=lambda: NOW, get_keys_version=lambda: 0)
    request = StuckRequest()
    stream = EventStream(cast(web.Request, request), hub, EventRange(), lambda: True)
    if is_revoked:
        stream.end()
    for _ in range(MAX_WAITING):
        assert request.is_aborted == is_revoked
        stream.deliver([])
    stream.deliver([])
    assert request.is_aborted


async def test_newest_figures_follow_when_a_slow_client_has_read() -> None:
    store = Store(boot="b")
    store.add(Profile(label=ALPHA), now=NOW)
    hub = TradeHub(store, clock=lambda: NOW, get_keys_version=lambda: 0)
    connection = SlowConnection()
    session = TradingSession(
        cast(TradingConnection, connection),
        hub,
        lambda credentials: Caller(label="alpha", principal=make_key_principal("alpha")),
        lambda credentials, label: True,
        has_own_messages=False,
    )

    async def set_equity(equity: str) -> None:
        account = structs.replace(ACCOUNT, equity=equity)
        store.update(ALPHA, state=AccountState(account=account), now=NOW)
        await asyncio.sleep(0)

    await session.handle(b'{"action":"auth","key":"k","secret":"s"}')
    await session.handle(b'{"action":"listen","data":{"streams":["account_updates"]}}')
    connection.sent.clear()

    await set_equity("1")
    connection.unsent = 1
    await set_equity("2")
    await set_equity("3")
    assert [m["data"]["equity"] for m in connection.sent] == ["1"]
    assert connection.is_awake
    assert not session.flush()

    connection.unsent = 0
    assert session.flush()
    assert session.flush()
    assert [m["data"]["equity"] for m in connection.sent] == ["1", "3"]
