"""The trading stream without faults."""

import json
from typing import Any

import msgspec
import pytest
from websockets.asyncio.client import connect

from realtime.simulator.app import Simulator
from realtime.simulator.stream import server as stream_module
from realtime.simulator.websocket import MAX_WAITING
from tests.simulator.client import MARKET_BUY, RESTING_BUY, Rest, Stream, listening, opened

REFUSED = {
    "action": "authenticate",
    "message": "access key verification failed",
    "status": "unauthorized",
}


async def test_new_form_is_authorized(sim: Simulator) -> None:
    async with opened(sim) as stream:
        await stream.send({"action": "auth", "key": "demo-alpha", "secret": "demo-secret-alpha"})
        frame = await stream.raw()
    assert frame == (
        b'{"stream":"authorization","data":{"status":"authorized","action":"authenticate"}}'
    )


async def test_old_form_is_authorized_with_a_deprecation_message(sim: Simulator) -> None:
    async with opened(sim) as stream:
        data = {"key_id": "demo-alpha", "secret_key": "demo-secret-alpha"}
        await stream.send({"action": "authenticate", "data": data})
        answer = (await stream.receive())["data"]
    assert list(answer) == ["action", "message", "status"]
    assert answer["status"] == "authorized"
    assert "deprecated" in answer["message"]


@pytest.mark.parametrize(
    "message",
    [
        {"action": "auth", "key": "demo-alpha", "secret": "wrong"},
        {"action": "auth", "key": "demo-unknown", "secret": "demo-secret-alpha"},
        {"action": "auth"},
        {"action": "auth", "key": 7, "secret": None},
        {"action": "authenticate", "data": {"key_id": "demo-alpha"}},
        {"action": "authenticate", "data": [1]},
    ],
)
async def test_bad_key_is_unauthorized_and_the_socket_stays(
    sim: Simulator, message: object
) -> None:
    async with opened(sim) as stream:
        await stream.send(message)
        assert (await stream.receive())["data"] == REFUSED
        assert (await stream.authenticate())["status"] == "authorized"


async def test_unauthorized_socket_is_closed(
    sim: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream_module, "UNAUTHORIZED_CLOSE_S", 0.05)
    async with opened(sim) as wrong, opened(sim) as corrected:
        for stream in (wrong, corrected):
            await stream.send({"action": "auth", "key": "demo-alpha", "secret": "wrong"})
            await stream.receive()
        assert (await corrected.authenticate())["status"] == "authorized"
        assert await wrong.wait_closed() == 1000
        assert await corrected.is_silent(0.1)


async def test_listen_before_authorization_is_unauthorized(sim: Simulator) -> None:
    async with opened(sim) as stream:
        await stream.send({"action": "listen", "data": {"streams": ["trade_updates"]}})
        frame = await stream.receive()
    assert frame == {
        "stream": "authorization",
        "data": {"status": "unauthorized", "action": "listen"},
    }


async def test_listen_takes_the_whole_set_each_time(sim: Simulator, rest: Rest) -> None:
    async with listening(sim) as stream:
        assert await stream.listen() == []
        await rest.buy()
        assert await stream.listen("account_updates") == []
        assert await stream.listen("nonsense", "trade_updates") == ["trade_updates"]
        await rest.buy(RESTING_BUY)
        assert (await stream.event())["order"]["type"] == "limit"


async def test_events_come_in_order_and_in_binary_frames(sim: Simulator, rest: Rest) -> None:
    async with listening(sim) as stream:
        order = await rest.buy()
        sim.step()
        events: list[Any] = []
        while not events or events[-1]["event"] != "fill":
            frame = await stream.raw()
            assert isinstance(frame, bytes)
            events.append(json.loads(frame)["data"])
    assert [event["event"] for event in events[:2]] == ["pending_new", "new"]
    assert {event["order"]["id"] for event in events} == {order["id"]}
    assert events[-1]["order"]["status"] == "filled"
    assert events[-1]["position_qty"] == "1"


async def test_text_frames_can_be_configured() -> None:
    async with Simulator(accounts=1, step_s=None, frames="text") as sim, listening(sim) as stream:
        sim.exchange.submit("alpha", MARKET_BUY)
        assert isinstance(await stream.raw(), str)


async def test_account_receives_only_its_own_events(sim: Simulator, rest: Rest) -> None:
    async with listening(sim) as alpha, listening(sim, "bravo") as bravo:
        await rest.buy()
        assert (await alpha.event())["event"] == "pending_new"
        assert await bravo.is_silent()


async def test_client_may_send_binary_frames(sim: Simulator) -> None:
    async with opened(sim) as stream:
        message = {"action": "auth", "key": "demo-alpha", "secret": "demo-secret-alpha"}
        await stream.socket.send(json.dumps(message).encode())
        assert (await stream.receive())["data"]["status"] == "authorized"


async def test_messagepack_is_sent_on_request(sim: Simulator, rest: Rest) -> None:
    async with opened(sim, Content_Type="application/msgpack") as stream:
        message = {"action": "auth", "key": "demo-alpha", "secret": "demo-secret-alpha"}
        await stream.socket.send(msgspec.msgpack.encode(message))
        answer = await stream.raw()
        assert isinstance(answer, bytes)
        assert msgspec.msgpack.decode(answer)["data"]["status"] == "authorized"


@pytest.mark.parametrize(
    "nonsense", ["hello", "[]", "42", '{"action":"dance"}', "{", "", "\x00", "[" * 60_000]
)
async def test_invalid_message_gets_an_error_and_a_close(sim: Simulator, nonsense: str) -> None:
    async with opened(sim) as stream:
        await stream.socket.send(nonsense)
        frame = await stream.receive()
        assert frame["action"] == "error"
        assert "stream" not in frame
        assert await stream.wait_closed() == 1011


async def test_pings_are_answered(sim: Simulator) -> None:
    async with listening(sim) as stream:
        assert await stream.is_silent()


async def test_second_authorization_with_the_same_key_is_answered_again(sim: Simulator) -> None:
    async with listening(sim) as stream:
        assert (await stream.authenticate())["status"] == "authorized"


async def test_stop_closes_sockets_with_going_away() -> None:
    sim = Simulator(accounts=1, step_s=None)
    await sim.start()
    async with listening(sim) as stream:
        await sim.stop()
        assert await stream.wait_closed() == 1001


async def test_client_that_does_not_read_is_disconnected(sim: Simulator) -> None:
    """Its queue is bounded; others go on."""
    async with listening(sim) as idle, listening(sim, "bravo") as bravo:
        idle.socket.transport.pause_reading()
        for _ in range(MAX_WAITING // 2 + 1):
            sim.exchange.submit("alpha", RESTING_BUY | {"qty": "0.001", "limit_price": "1"})
        sim.exchange.submit("bravo", MARKET_BUY)
        assert (await bravo.event())["event"] == "pending_new"
        idle.socket.transport.resume_reading()
        assert await idle.wait_closed() == 1006


async def test_stream_path_may_end_with_a_slash(sim: Simulator) -> None:
    """As older SDKs send it."""
    async with connect(f"{sim.stream_url}/") as socket:
        stream = Stream(socket)
        assert (await stream.authenticate())["status"] == "authorized"
