"""Faults of the websocket, each seen by a raw client."""

import asyncio

import pytest
from websockets.exceptions import InvalidStatus

from realtime.simulator.app import Simulator
from tests.simulator.client import RESTING_BUY, Rest, listening, opened


async def test_cut_is_a_tcp_abort(sim: Simulator, rest: Rest) -> None:
    async with listening(sim) as alpha, listening(sim, "bravo") as bravo:
        await rest.fault("cut", account="alpha")
        assert await alpha.wait_closed() == 1006
        assert await bravo.is_silent()
    assert await rest.get("/_sim/faults") == []


async def test_clean_cut_has_a_close_frame(sim: Simulator, rest: Rest) -> None:
    async with listening(sim) as alpha, listening(sim, "bravo") as bravo:
        await rest.fault("cut", clean=True, code=1012)
        assert await alpha.wait_closed() == 1012
        assert await bravo.wait_closed() == 1012


async def test_cut_with_a_count_takes_later_sockets_too(sim: Simulator, rest: Rest) -> None:
    async with listening(sim) as first:
        await rest.fault("cut", account="alpha", count=2, clean=True)
        assert await first.wait_closed() == 1001
    async with listening(sim) as second:
        assert await second.wait_closed() == 1001
    async with listening(sim) as third:
        assert await third.is_silent()


async def test_error_frame_comes_before_the_close(sim: Simulator, rest: Rest) -> None:
    async with listening(sim) as stream:
        await rest.fault("error_frame")
        assert await stream.receive() == {
            "action": "error",
            "data": {"error_message": "internal server error"},
        }
        assert await stream.wait_closed() == 1011


@pytest.mark.parametrize("status", [429, 403, 404, 502, 503])
async def test_handshakes_are_refused(sim: Simulator, rest: Rest, status: int) -> None:
    await rest.fault("refuse_handshake", status=status, count=1)
    with pytest.raises(InvalidStatus) as refusal:
        async with opened(sim):
            pass
    assert refusal.value.response.status_code == status
    async with listening(sim):
        pass


async def test_handshake_is_refused_for_one_account(sim: Simulator, rest: Rest) -> None:
    """By the key in its headers, and if there is none, at authorization."""
    await rest.fault("refuse_handshake", account="alpha")
    with pytest.raises(InvalidStatus):
        async with opened(sim, APCA_API_KEY_ID="demo-alpha"):
            pass
    async with opened(sim) as stream:
        await stream.send({"action": "auth", "key": "demo-alpha", "secret": "demo-secret-alpha"})
        assert (await stream.receive())["action"] == "error"
        assert await stream.wait_closed() == 1011
    async with listening(sim, "bravo"):
        pass


async def test_authorization_is_never_answered(sim: Simulator, rest: Rest) -> None:
    await rest.fault("auth_silent", count=1)
    async with opened(sim) as stream:
        await stream.send({"action": "auth", "key": "demo-alpha", "secret": "demo-secret-alpha"})
        assert await stream.is_silent()
        assert (await stream.authenticate())["status"] == "authorized"


@pytest.mark.parametrize("events", [False, True])
async def test_listen_is_never_acknowledged(sim: Simulator, rest: Rest, events: bool) -> None:
    await rest.fault("listen_silent", events=events)
    async with opened(sim) as stream:
        await stream.authenticate()
        await stream.send({"action": "listen", "data": {"streams": ["trade_updates"]}})
        assert await stream.is_silent()
        await rest.buy()
        assert await stream.is_silent() is not events


async def test_deaf_socket_answers_pings_and_a_new_one_receives_events(
    sim: Simulator, rest: Rest
) -> None:
    async with listening(sim) as stream:
        await rest.fault("deaf", account="alpha", count=1)
        await rest.buy(RESTING_BUY)
        assert await stream.is_silent()
    async with listening(sim) as fresh:
        await rest.buy(RESTING_BUY)
        assert (await fresh.event())["event"] == "pending_new"


async def test_socket_goes_deaf_after_a_number_of_events(sim: Simulator, rest: Rest) -> None:
    await rest.fault("deaf", after_events=3)
    async with listening(sim) as stream:
        await rest.buy(RESTING_BUY)
        await rest.buy(RESTING_BUY)
        assert [(await stream.event())["event"] for _ in range(3)] == [
            "pending_new",
            "new",
            "pending_new",
        ]
        assert await stream.is_silent()


async def test_socket_goes_deaf_after_a_time(sim: Simulator, rest: Rest) -> None:
    await rest.fault("deaf", after_s=0.1)
    async with listening(sim) as stream:
        await rest.buy(RESTING_BUY)
        assert (await stream.event())["event"] == "pending_new"
        assert (await stream.event())["event"] == "new"
        await asyncio.sleep(0.11)
        await rest.buy(RESTING_BUY)
        assert await stream.is_silent()


async def test_clearing_faults_ends_deafness(sim: Simulator, rest: Rest) -> None:
    async with listening(sim) as stream:
        await rest.fault("deaf", account="alpha", count=1)
        assert await rest.request("DELETE", "/_sim/faults") == (200, {"removed": 1})
        await rest.buy(RESTING_BUY)
        assert (await stream.event())["event"] == "pending_new"


async def test_frames_become_text(sim: Simulator, rest: Rest) -> None:
    await rest.fault("text_frames", account="alpha")
    async with listening(sim) as alpha, listening(sim, "bravo") as bravo:
        for label in ("alpha", "bravo"):
            sim.exchange.submit(label, RESTING_BUY)
        assert isinstance(await alpha.raw(), str)
        assert isinstance(await bravo.raw(), bytes)


async def test_maintenance_takes_everything_down(sim: Simulator, rest: Rest) -> None:
    async with listening(sim) as stream:
        fault = await rest.fault("maintenance")
        assert await stream.wait_closed() == 1006
    assert (await rest.request("GET", "/v2/account"))[0] == 503
    with pytest.raises(InvalidStatus) as refusal:
        async with opened(sim):
            pass
    assert refusal.value.response.status_code == 503
    await rest.request("DELETE", f"/_sim/faults/{fault['id']}")
    await rest.get("/v2/account")


async def test_revoked_key_opens_nothing(sim: Simulator, rest: Rest) -> None:
    async with listening(sim) as alpha, listening(sim, "bravo") as bravo:
        await rest.fault("key_revoked", account="alpha")
        assert await alpha.wait_closed() == 1000
        assert await bravo.is_silent()
    assert (await rest.request("GET", "/v2/account"))[0] == 401
    async with opened(sim) as stream:
        answer = await stream.authenticate()
        assert answer["status"] == "unauthorized"
        assert answer["message"] == "access key verification failed"


async def test_unauthorized_socket_is_closed_as_configured(sim: Simulator, rest: Rest) -> None:
    wrong = {"action": "auth", "key": "demo-alpha", "secret": "wrong"}
    await rest.fault("after_unauthorized", after_s=0.02)
    async with opened(sim) as stream:
        await stream.send(wrong)
        await stream.receive()
        assert await stream.wait_closed() == 1000
    await rest.fault("after_unauthorized", closes=False)
    async with opened(sim) as stream:
        await stream.send(wrong)
        await stream.receive()
        assert await stream.is_silent(0.1)


async def test_messagepack_is_ignored_or_refused(sim: Simulator, rest: Rest) -> None:
    await rest.fault("msgpack")
    async with opened(sim, Content_Type="application/msgpack") as stream:
        assert (await stream.authenticate())["status"] == "authorized"
    await rest.fault("msgpack", mode="refused")
    with pytest.raises(InvalidStatus) as refusal:
        async with opened(sim, Content_Type="application/msgpack"):
            pass
    assert refusal.value.response.status_code == 415
    async with listening(sim, "bravo"):
        pass
