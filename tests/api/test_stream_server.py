"""Websockets of market data: authorization, bad input, limits, slow clients, TLS."""

import json
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosedError, InvalidStatus

from realtime.api import stream_connection, stream_server
from realtime.api.handlers.reload import revoke
from realtime.config.settings import MarketTls
from realtime.market.stream.market_streams import StreamSettings
from tests.api.streams import StreamServer, User, opened, trusting
from tests.api.streams import stream_server as run_server
from tests.auth.made import claims, signed
from tests.certificates import make_certificate
from tests.market.stream.made import element
from tests.processes.pair import free_port

FAR = 4_000_000_000
TOKEN = signed(claims(permissions=["market_data"], exp=FAR))
NO_PERMISSION = signed(claims(permissions=["account_access"], exp=FAR))


@pytest.fixture
async def server() -> AsyncIterator[StreamServer]:
    async with run_server() as running:
        yield running


@pytest.fixture
async def guarded() -> AsyncIterator[StreamServer]:
    async with run_server(needs_token=True) as running:
        yield running


# -- Alpaca's protocol ---------------------------------------------------------------------------


@pytest.mark.parametrize("is_msgpack", [False, True], ids=["json", "msgpack"])
async def test_a_session_as_the_broker_has_it(server: StreamServer, is_msgpack: bool) -> None:
    async with opened(server, is_msgpack=is_msgpack) as user:
        assert await user.control() == {"T": "success", "msg": "connected"}
        assert await user.subscribe(trades=["AAPL"]) == error(401, "not authenticated")
        assert await user.authorize() == {"T": "success", "msg": "authenticated"}
        assert await user.authorize() == error(403, "already authenticated")
        ack = await user.subscribe(trades=["AAPL"], bars=["*"])
        assert list(ack) == [
            "T", "trades", "quotes", "bars", "updatedBars", "dailyBars", "statuses", "lulds",
            "corrections", "cancelErrors",
        ]  # fmt: skip
        assert (ack["trades"], ack["bars"], ack["corrections"]) == (["AAPL"], ["*"], ["AAPL"])
        assert (await user.until("t"))["S"] == "AAPL"
        await user.send({"action": "unsubscribe", "trades": ["AAPL"]})
        assert (await user.until("subscription"))["trades"] == []


async def test_keys_may_come_with_the_handshake_or_before_the_greeting(
    server: StreamServer,
) -> None:
    pair = {"APCA-API-KEY-ID": "key", "APCA-API-SECRET-KEY": "secret"}
    for headers in (
        pair,
        {"Authorization": "Bearer x"},
        {"Authorization": "Basic a2V5OnNlY3JldA=="},
    ):
        async with opened(server, headers=headers) as user:
            assert (await user.control())["msg"] == "connected"
            assert (await user.control())["msg"] == "authenticated"
    async with opened(server) as user:
        await user.send({"action": "auth", "key": "k", "secret": "s"})
        assert [(await user.control())["msg"] for _ in range(2)] == ["connected", "authenticated"]


async def test_text_in_binary_frames_and_fragments_are_read(server: StreamServer) -> None:
    """C# sends text with the binary opcode, alpaca-py subscribes in fragments (MARKET 0)."""
    async with opened(server) as user:
        await user.control()
        await user.socket.send(b'{"action":"auth","key":"k","secret":"s"}')
        assert (await user.control())["msg"] == "authenticated"
        await user.socket.send(['{"action":"subscribe",', '"bars":["AAPL"],"quotes":null}'])
        assert (await user.control())["bars"] == ["AAPL"]


BAD = {
    "no JSON": "nonsense",
    "no object": "[1]",
    "deep": "[" * 100_000,
    "an unknown action": '{"action":"fly"}',
    "an unknown channel": '{"action":"subscribe","colors":["A"]}',
    "no list": '{"action":"subscribe","trades":"AAPL"}',
    "a lower-case symbol": '{"action":"subscribe","trades":["aapl"]}',
    "a number": '{"action":"subscribe","trades":[1]}',
    "a long symbol": '{"action":"subscribe","trades":["' + "A" * 40 + '"]}',
    "a resume without a number": '{"action":"resume","seq":"x"}',
    "a resume before all time": '{"action":"resume","seq":-1}',
    "a resume with names": '{"action":"resume","seq":1,"trades":["A"]}',
    "no action": "{}",
}


@pytest.mark.parametrize("message", BAD.values(), ids=BAD)
async def test_bad_input_gets_400_and_the_connection_stays(
    server: StreamServer, message: str
) -> None:
    async with authorized(server) as user:
        await user.socket.send(message)
        assert await user.control() == error(400, "invalid syntax")
        assert (await user.subscribe(bars=["AAPL"]))["bars"] == ["AAPL"]


async def test_json_on_a_messagepack_connection_is_bad_input(server: StreamServer) -> None:
    async with opened(server, is_msgpack=True) as user:
        await user.control()
        await user.socket.send('{"action":"auth","key":"k","secret":"s"}')
        assert await user.control() == error(400, "invalid syntax")


async def test_refusals_have_the_brokers_codes(server: StreamServer) -> None:
    async with authorized(server) as user:
        ack = await user.subscribe(orderbooks=["AAPL"])
        assert ack == error(410, "invalid subscribe action for this feed")
    async with opened(server, "/v2/sip") as user:
        await user.control()
        assert await user.authorize() == error(409, "insufficient subscription")
        await user.closed()
    async with opened(
        server, "/v1beta1/indicative", headers={"Content-Type": "application/json"}
    ) as user:
        await user.control()
        assert (await user.authorize())["code"] == 412
        await user.closed()
    async with authorized(server, "/v1beta1/indicative", is_msgpack=True) as user:
        assert (await user.subscribe(quotes=["*"]))["code"] == 413


async def test_who_does_not_authorize_is_closed(
    server: StreamServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream_server, "AUTH_TIMEOUT_S", 0.2)
    async with opened(server) as user:
        await user.control()
        assert await user.control() == error(404, "auth timeout")
        await user.closed()


async def test_a_message_that_is_too_long_closes(server: StreamServer) -> None:
    async with authorized(server) as user:
        await user.socket.send("x" * (stream_connection.MAX_MESSAGE_BYTES + 1))
        assert await user.closed() == 1009


@pytest.mark.slow
async def test_one_client_has_a_limit_of_subscriptions() -> None:
    settings = StreamSettings(max_subscriptions=3)
    async with run_server(settings=settings) as server, authorized(server) as user:
        assert (await user.subscribe(bars=["A", "B", "C"]))["bars"] == ["A", "B", "C"]
        assert await user.subscribe(bars=["D"]) == error(405, "symbol limit exceeded")
        assert (await user.subscribe(bars=["A"]))["bars"] == ["A", "B", "C"]


async def test_too_many_clients_are_refused_inside_the_socket() -> None:
    async with run_server(settings=StreamSettings(max_clients=2)) as server:
        async with authorized(server), authorized(server), opened(server) as user:
            await user.control()
            assert await user.authorize() == error(406, "connection limit exceeded")
            await user.closed()
        async with authorized(server):
            pass


# -- tokens --------------------------------------------------------------------------------------


async def test_a_token_takes_the_place_of_the_secret(guarded: StreamServer) -> None:
    async with opened(guarded) as user:
        await user.control()
        assert (await user.authorize(TOKEN))["msg"] == "authenticated"
    async with opened(guarded, headers={"Authorization": f"Bearer {TOKEN}"}) as user:
        await user.control()
        assert (await user.control())["msg"] == "authenticated"


@pytest.mark.parametrize(("secret", "code"), [("nonsense", 402), (NO_PERMISSION, 411), ("", 402)])
async def test_without_a_valid_token_with_the_permission_there_is_nothing(
    guarded: StreamServer, secret: str, code: int
) -> None:
    async with opened(guarded) as user:
        await user.control()
        assert (await user.authorize(secret))["code"] == code
        await user.closed()
    assert not guarded.streams.hubs["/v2/iex"].clients


async def test_a_revoked_token_ends_the_connection(guarded: StreamServer) -> None:
    async with opened(guarded) as user:
        await user.control()
        await user.authorize(TOKEN)
        revoke(guarded.app)
        assert await user.control() == error(401, "not authenticated")
        await user.closed()


async def test_the_small_protocol_needs_the_permission_at_the_handshake(
    guarded: StreamServer,
) -> None:
    for headers, status in (
        ({}, 401),
        ({"Authorization": f"Bearer {NO_PERMISSION}"}, 403),
        ({"Cookie": f"realtime_token={TOKEN}", "Origin": "https://evil.example"}, 403),
    ):
        with pytest.raises(InvalidStatus) as refused:
            async with opened(guarded, "/market/stream", headers=headers):
                pass
        assert refused.value.response.status_code == status
    own = f"http://127.0.0.1:{guarded.port}"
    headers = {"Cookie": f"realtime_token={TOKEN}", "Origin": own}
    async with opened(guarded, "/market/stream", headers=headers) as user:
        await user.send({"action": "ping"})
        assert await user.frame() == {"type": "pong"}


@pytest.mark.parametrize("path", ["/v2/iex", "/market/stream"])
async def test_a_page_of_another_origin_opens_no_stream(server: StreamServer, path: str) -> None:
    with pytest.raises(InvalidStatus) as refused:
        async with connect(server.url + path, origin="https://evil.example"):  # type: ignore[arg-type]
            pass
    assert refused.value.response.status_code == 403


# -- the small protocol --------------------------------------------------------------------------


async def test_the_small_protocol_covers_all_asset_classes(server: StreamServer) -> None:
    async with opened(server, "/broker/stream?symbols=AAPL,btc/usd&streams=quotes") as user:
        seen: set[str] = set()
        while not {"AAPL", "BTC/USD", "subscribed"} <= seen:
            message = await user.frame()
            seen.add(message.get("symbol", message["type"]))
        await user.send({"action": "subscribe", "symbols": ["KO"], "streams": ["bars"]})
        ack = await flat_until(user, "subscribed")
        assert ack["subscriptions"] == {"bars": ["KO"], "quotes": ["AAPL", "BTC/USD"]}
        await user.send({"action": "unsubscribe", "symbols": ["AAPL"], "streams": ["quotes"]})
        ack = await flat_until(user, "subscribed")
        assert ack["subscriptions"] == {"bars": ["KO"], "quotes": ["BTC/USD"]}
        await user.send({"action": "subscribe", "symbols": ["AAPL"], "streams": ["wind"]})
        assert (await flat_until(user, "error"))["code"] == 400


async def flat_until(user: User, kind: str) -> dict[str, object]:
    while True:
        message: dict[str, object] = await user.frame()
        if message["type"] == kind:
            return message


# -- a client that does not read -----------------------------------------------------------------


async def test_a_client_that_stops_reading_is_refused_and_no_other_notices() -> None:
    async with run_server(activity=0) as server:
        hub = server.streams.get_hub("/v2/iex")
        async with authorized(server) as good, authorized(server, max_queue=1) as slow:
            for user in (good, slow):
                assert (await user.subscribe(trades=["AAPL"]))["trades"] == ["AAPL"]
            slow.socket.transport.pause_reading()
            sent, received = 0, 0
            while hub.clients != 1:
                hub.publish([element("t", "AAPL", text="x" * 500) for _ in range(200)])
                sent += 200
                assert sent < 200_000
                while received < sent:
                    received += sum(m.get("text") is not None for m in await good.frame())
            slow.socket.transport.resume_reading()
            messages = await everything(slow)
            assert messages[-1] == error(407, "slow client")
            assert sent * 500 < 10 * 2**20, "memory is bounded"
            assert hub.counts["slow_clients"] == 1


async def everything(user: User) -> list[dict[str, object]]:
    """Read until the connection is closed."""
    messages: list[dict[str, object]] = []
    with suppress(ConnectionClosedError):
        async for frame in user.socket:
            messages += json.loads(frame)
    return messages


# -- TLS, and the daemon without market data -----------------------------------------------------


async def test_clients_that_insist_on_tls_have_a_listener(tmp_path: Path) -> None:
    certificate, key = make_certificate(tmp_path)
    tls = MarketTls(port=free_port(), certificate_file=certificate, key_file=key)
    async with run_server(tls=tls) as server:
        url = f"wss://127.0.0.1:{tls.port}/v2/iex"
        async with connect(url, ssl=trusting(str(certificate))) as raw:
            user = User(raw, is_msgpack=False)
            await user.control()
            assert (await user.authorize())["msg"] == "authenticated"
        async with authorized(server):
            pass


async def test_a_stream_path_without_a_websocket_says_so(server: StreamServer) -> None:
    url = f"http://127.0.0.1:{server.port}/v2/iex"
    async with aiohttp.ClientSession() as http, http.get(url) as response:
        assert response.status == 426
        assert (await response.json())["code"] == "upgrade_required"


def error(code: int, text: str) -> dict[str, object]:
    return {"T": "error", "code": code, "msg": text}


class authorized:
    """A connection that is authorized."""

    def __init__(self, server: StreamServer, path: str = "/v2/iex", **options: Any) -> None:
        self._opening = opened(server, path, **options)

    async def __aenter__(self) -> User:
        user = await self._opening.__aenter__()
        await user.control()
        assert (await user.authorize())["msg"] == "authenticated"
        return user

    async def __aexit__(self, *error: object) -> None:
        await self._opening.__aexit__(*error)  # type: ignore[arg-type]
