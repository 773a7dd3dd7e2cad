"""Two sockets of one account: the slot, its modes and its delays."""

import pytest
from websockets.exceptions import InvalidStatus

from realtime.simulator.app import Simulator
from tests.simulator.client import Rest, listening, opened

KEY = {"APCA_API_KEY_ID": "demo-alpha"}


async def test_second_handshake_that_names_its_key_is_refused_with_429(sim: Simulator) -> None:
    async with listening(sim):
        with pytest.raises(InvalidStatus) as refusal:
            async with opened(sim, **KEY):
                pass
        assert refusal.value.response.status_code == 429
        async with opened(sim, APCA_API_KEY_ID="demo-bravo") as other:
            assert (await other.authenticate("bravo"))["status"] == "authorized"


async def test_second_socket_that_named_no_key_is_refused_at_authorization(sim: Simulator) -> None:
    async with listening(sim) as first, opened(sim) as second:
        await second.send({"action": "auth", "key": "demo-alpha", "secret": "demo-secret-alpha"})
        assert (await second.receive())["data"]["error_message"] == "connection limit exceeded"
        assert await second.wait_closed() == 1011
        assert await first.is_silent()


async def test_handshake_is_refused_when_every_slot_is_taken() -> None:
    async with Simulator(accounts=1, step_s=None) as sim, listening(sim):
        with pytest.raises(InvalidStatus, match="429"):
            async with opened(sim):
                pass


async def test_unknown_key_is_401_although_every_slot_is_taken() -> None:
    async with Simulator(accounts=1, step_s=None) as sim, listening(sim):
        with pytest.raises(InvalidStatus, match="401"):
            async with opened(sim, APCA_API_KEY_ID="demo-unknown"):
                pass


async def test_slot_is_free_at_once_after_a_clean_close(sim: Simulator) -> None:
    async with listening(sim):
        pass
    async with listening(sim):
        pass


async def test_slot_stays_taken_for_a_while_after_an_unclean_loss(
    sim: Simulator, rest: Rest
) -> None:
    await rest.fault("second_connection", release_s=0.15)
    async with listening(sim) as first:
        first.socket.transport.abort()
        assert await first.wait_closed() == 1006
    refused = 0
    while True:
        try:
            async with opened(sim, **KEY) as second:
                assert (await second.authenticate())["status"] == "authorized"
                break
        except InvalidStatus:
            refused += 1
    assert refused > 0


async def test_mode_both_sends_events_to_two_sockets(sim: Simulator, rest: Rest) -> None:
    await rest.fault("second_connection", mode="both", account="alpha")
    async with listening(sim) as first, listening(sim) as second:
        order = await rest.buy()
        for stream in (first, second):
            assert (await stream.event())["order"]["id"] == order["id"]


async def test_mode_evict_oldest_closes_the_first(sim: Simulator, rest: Rest) -> None:
    await rest.fault("second_connection", mode="evict-oldest")
    async with listening(sim) as first, listening(sim) as second:
        assert await first.wait_closed() == 1000
        await rest.buy()
        assert (await second.event())["event"] == "pending_new"
