"""`/stream` and `/v2/events/trades` for unmodified clients: one upstream socket for all."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest

from tests.api.alpaca.client import Client, keys, trade

OLD_FORM = {"key_id": "demo-alpha", "secret_key": "demo-secret-alpha"}
AUTH = {"action": "auth", "key": "demo-alpha", "secret": "demo-secret-alpha"}
LISTEN = {"action": "listen", "data": {"streams": ["trade_updates"]}}


class Socket:
    """One client of the trading stream."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket

    async def send(self, message: object) -> None:
        await self._socket.send_str(msgspec.json.encode(message).decode())

    async def receive(self, within_s: float = 30.0) -> Any:  # messages of every shape
        message = await self._socket.receive(within_s)
        if message.type in (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED):
            return None
        assert message.type in (aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY), message
        return msgspec.json.decode(message.data)

    async def updates(self, until: str) -> list[Any]:
        """Trade updates up to the first of an event."""
        found: list[Any] = []
        while not found or found[-1]["data"]["event"] != until:
            found.append(await self.receive())
        return found


@asynccontextmanager
async def socket(client: Client, path: str = "/stream", **headers: str) -> AsyncIterator[Socket]:
    url = f"http://127.0.0.1:{client.fleet.daemon.port}{path}"
    async with client.fleet.http.ws_connect(url, headers=headers) as connected:
        yield Socket(connected)


@asynccontextmanager
async def listening(client: Client, path: str = "/stream", **data: Any) -> AsyncIterator[Socket]:
    async with socket(client, path) as connected:
        await connected.send(AUTH)
        assert (await connected.receive())["data"]["status"] == "authorized"
        streams = data.pop("streams", ["trade_updates"])
        await connected.send({"action": "listen", "data": {"streams": streams, **data}})
        assert (await connected.receive())["stream"] == "listening"
        yield connected


@pytest.mark.parametrize("path", ["/stream", "/stream/"])
@pytest.mark.parametrize("is_old", [False, True])
def test_both_forms_of_authorization_are_answered_by_one_frame(
    tmp_path: Path, path: str, is_old: bool
) -> None:
    async def scene(client: Client) -> None:
        async with socket(client, path) as connected:
            await connected.send({"action": "authenticate", "data": OLD_FORM} if is_old else AUTH)
            answer = await connected.receive()
            assert answer["stream"] == "authorization"
            assert (answer["data"]["status"], answer["data"]["action"]) == (
                "authorized",
                "authenticate",
            )
            assert ("message" in answer["data"]) is is_old
            await connected.send(LISTEN)
            assert await connected.receive() == {
                "stream": "listening",
                "data": {"streams": ["trade_updates"]},
            }

    trade(scene, tmp_path)


@pytest.mark.parametrize(
    "message",
    [
        {"action": "auth", "key": "demo-alpha", "secret": "demo-secret-bravo"},
        {"action": "auth", "key": "unknown", "secret": "demo-secret-alpha"},
        {"action": "auth", "key": 7, "secret": None},
        {"action": "authenticate", "data": "demo-alpha"},
    ],
)
def test_wrong_keys_are_refused_inside_the_socket(tmp_path: Path, message: object) -> None:
    async def scene(client: Client) -> None:
        async with socket(client) as connected:
            await connected.send(message)
            assert (await connected.receive())["data"]["status"] == "unauthorized"
            await connected.send(LISTEN)
            answer = await connected.receive()
            assert answer["data"] == {"status": "unauthorized", "action": "listen"}
            assert await connected.receive() is None

    trade(scene, tmp_path)


@pytest.mark.parametrize("data", ["no json", "[]", "null", '{"action":7}', "{" * 2000, "\x00"])
def test_other_messages_are_ignored(tmp_path: Path, data: str) -> None:
    async def scene(client: Client) -> None:
        async with socket(client) as connected:
            await connected._socket.send_str(data)
            await connected.send(AUTH)
            assert (await connected.receive())["data"]["status"] == "authorized"

    trade(scene, tmp_path)


def test_every_client_gets_each_event_once_in_order_over_one_upstream(tmp_path: Path) -> None:
    async def scene(client: Client) -> None:
        upstream = client.fleet.attempts("alpha")
        async with (
            listening(client) as one,
            listening(client) as two,
            listening(client, "/stream/") as three,
        ):
            for _ in range(5):
                client.fleet.buy("alpha", qty="3")
            await client.settle()
            seen: list[Any] = []
            for each in (one, two, three):
                updates: list[Any] = []
                while sum(u["data"]["event"] == "fill" for u in updates) < 5:
                    updates.append(await each.receive())
                seen.append(updates)
            assert seen[0] == seen[1] == seen[2]
            numbers = [update["seq"] for update in seen[0]]
            assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
            ids = [u["data"]["execution_id"] for u in seen[0] if "execution_id" in u["data"]]
            assert len(ids) == len(set(ids))
        assert client.fleet.attempts("alpha") == upstream

    trade(scene, tmp_path)


def test_an_update_is_the_broker_s_own_with_a_number(tmp_path: Path) -> None:
    async def scene(client: Client) -> None:
        async with listening(client) as connected:
            order_id = client.fleet.buy("alpha")
            await client.settle()
            last = (await connected.updates("fill"))[-1]
            assert set(last) == {"stream", "data", "seq"}
            assert last["data"]["order"]["id"] == order_id
            assert "x_recovered" not in last["data"]

    trade(scene, tmp_path)


def test_other_accounts_events_are_not_sent(tmp_path: Path) -> None:
    async def scene(client: Client) -> None:
        async with listening(client) as connected:
            client.fleet.buy("bravo")
            await client.settle()
            mine = client.fleet.buy("alpha")
            await client.settle()
            updates = await connected.updates("fill")
            assert {update["data"]["order"]["id"] for update in updates} == {mine}

    trade(scene, tmp_path)


def test_what_the_stream_missed_is_sent_as_ordinary_updates_once(tmp_path: Path) -> None:
    async def scene(client: Client) -> None:
        async with listening(client) as connected:
            resting = client.fleet.buy("alpha", symbol="KO", type="limit", limit_price="2")
            await connected.updates("new")
            await client.fleet.fault(kind="cut", account="alpha")
            await asyncio.sleep(0)
            order_id = client.fleet.buy("alpha", qty="4")
            client.fleet.simulator.exchange.cancel("alpha", resting)
            await client.settle()
            await client.fleet.until(client.fleet.all_synced, within_s=300)
            await client.settle()
            updates: list[Any] = []
            while {"fill", "canceled"} - {u["data"]["event"] for u in updates}:
                updates.append(await connected.receive())
            executions = [u for u in updates if "execution_id" in u["data"]]
            ids = [u["data"]["execution_id"] for u in executions]
            assert len(ids) == len(set(ids))
            assert sum(float(u["data"]["qty"]) for u in executions) == 4
            assert float(executions[-1]["data"]["position_qty"]) == 4
            by_order = {u["data"]["order"]["id"] for u in updates}
            assert by_order == {order_id, resting}
            numbers = [u["seq"] for u in updates]
            assert numbers == sorted(numbers)

    trade(scene, tmp_path)


def test_a_client_that_asks_resumes_exactly_or_learns_of_the_gap(tmp_path: Path) -> None:
    async def scene(client: Client) -> None:
        async with listening(client) as connected:
            client.fleet.buy("alpha")
            await client.settle()
            seq = (await connected.updates("fill"))[-1]["seq"]
        client.fleet.buy("alpha")
        await client.settle()
        async with listening(client, resume=seq) as connected:
            missed = await connected.updates("fill")
            assert missed[0]["seq"] == seq + 1
        async with listening(client, resume=seq - 1_000_000) as connected:
            gap = await connected.receive()
            assert gap == {
                "stream": "gap",
                "data": {"from": seq - 1_000_000, "to": missed[-1]["seq"]},
            }

    trade(scene, tmp_path)


def test_account_updates_have_the_account_s_figures(tmp_path: Path) -> None:
    async def scene(client: Client) -> None:
        async with listening(client, streams=["account_updates", "trade_updates"]) as connected:
            client.fleet.buy("alpha", qty="2")
            await client.settle()
            found = None
            while found is None or found["stream"] != "account_updates":
                found = await connected.receive()
            assert found["data"]["currency"] == "USD"
            assert "equity_mark" not in found["data"]

    trade(scene, tmp_path)


def test_an_unknown_stream_is_missing_from_the_answer(tmp_path: Path) -> None:
    async def scene(client: Client) -> None:
        async with socket(client) as connected:
            await connected.send(AUTH)
            await connected.receive()
            for streams in (["bars", 7, None], "trade_updates", None, []):
                await connected.send({"action": "listen", "data": {"streams": streams}})
                assert (await connected.receive())["data"] == {"streams": []}

    trade(scene, tmp_path)


def test_a_page_cannot_open_the_socket(tmp_path: Path) -> None:
    async def scene(client: Client) -> None:
        with pytest.raises(aiohttp.WSServerHandshakeError, match="403"):
            async with socket(client, Origin="https://example.com"):
                pass

    trade(scene, tmp_path)


def test_messagepack_is_sent_on_request(tmp_path: Path) -> None:
    async def scene(client: Client) -> None:
        url = f"http://127.0.0.1:{client.fleet.daemon.port}/stream"
        headers = {"Content-Type": "application/msgpack"}
        async with client.fleet.http.ws_connect(url, headers=headers) as connected:
            await connected.send_bytes(msgspec.msgpack.encode(AUTH))
            answer = msgspec.msgpack.decode((await connected.receive()).data)
            assert answer["data"]["status"] == "authorized"

    trade(scene, tmp_path)


# -- server-sent events ----------------------------------------------------------------------------


@asynccontextmanager
async def events(client: Client, query: str = "") -> AsyncIterator[aiohttp.ClientResponse]:
    url = f"http://127.0.0.1:{client.fleet.daemon.port}/v2/events/trades{query}"
    async with client.fleet.http.get(url, headers=keys("alpha")) as response:
        yield response


async def read_event(response: aiohttp.ClientResponse) -> Any:
    while True:
        line = await response.content.readline()
        if line.startswith(b"data: "):
            return msgspec.json.decode(line[6:])
        assert line in (b"\n", b":heartbeat\n"), line


def test_events_are_sent_live_and_resumed_by_id_and_time(tmp_path: Path) -> None:
    async def scene(client: Client) -> None:
        async with events(client) as response:
            client.fleet.buy("alpha")
            await client.settle()
            seen: list[Any] = []
            while not seen or seen[-1]["event"] != "fill":
                seen.append(await read_event(response))
        assert all(event["order"]["symbol"] == "AAPL" for event in seen)
        async with events(client, f"?since_id={seen[0]['event_id']}") as response:
            assert [await read_event(response) for _ in seen[1:]] == seen[1:]
        async with events(client, f"?since={seen[1]['at']}") as response:
            assert await read_event(response) == seen[1]

    trade(scene, tmp_path)


@pytest.mark.parametrize(
    "query",
    [
        "?since=yesterday",
        "?until=2026-10-06T14:00:00Z",
        "?until_id=01",
        "?since=2026-10-06T14:00:00Z&since_id=01",
        "?since_id=01ARZ3NDEKTSV4RRFFQ69G5FAV",
        "?since=2001-01-01T00:00:00Z",
    ],
)
def test_bad_or_unknown_ranges_are_refused(tmp_path: Path, query: str) -> None:
    async def scene(client: Client) -> None:
        async with events(client, query) as response:
            assert response.status == 400
            assert "message" in await response.json(content_type=None)

    trade(scene, tmp_path)


def test_event_streams_of_one_client_are_bounded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("realtime.api.alpaca.trade_sse.MAX_CLIENT_STREAMS", 2)

    async def scene(client: Client) -> None:
        async with events(client), events(client) as second:
            assert second.status == 200
            async with events(client) as third:
                assert third.status == 429
                assert "too many" in (await third.json(content_type=None))["message"]
        async with asyncio.timeout(60):
            while True:  # those that have left make room
                async with events(client) as again:
                    if again.status == 200:
                        return
                await asyncio.sleep(1)

    trade(scene, tmp_path)


def test_a_heartbeat_shows_that_the_stream_is_open(tmp_path: Path) -> None:
    async def scene(client: Client) -> None:
        async with events(client) as response:
            assert await response.content.readline() == b":heartbeat\n"

    trade(scene, tmp_path)
