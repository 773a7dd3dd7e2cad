"""Faults of events, each seen by a raw client."""

import asyncio
import json
from contextlib import suppress

import pytest

from realtime.simulator.app import Simulator
from tests.simulator.client import RESTING_BUY, Rest, Stream, listening


async def names(stream: Stream, count: int) -> list[str]:
    return [(await stream.event())["event"] for _ in range(count)]


async def test_events_are_dropped(sim: Simulator, rest: Rest) -> None:
    await rest.fault("drop", account="alpha", count=1)
    async with listening(sim) as stream:
        await rest.buy(RESTING_BUY)
        assert await names(stream, 1) == ["new"]


async def test_events_are_dropped_by_name(sim: Simulator, rest: Rest) -> None:
    await rest.fault("drop", event="new")
    async with listening(sim) as stream:
        await rest.buy(RESTING_BUY)
        await rest.buy(RESTING_BUY)
        assert await names(stream, 2) == ["pending_new", "pending_new"]


async def test_every_third_event_is_dropped(sim: Simulator, rest: Rest) -> None:
    await rest.fault("drop", every=3)
    async with listening(sim) as stream:
        for _ in range(3):
            await rest.buy(RESTING_BUY)
        assert await names(stream, 4) == ["pending_new", "new", "new", "pending_new"]
        assert await stream.is_silent()


async def test_events_are_dropped_by_seeded_chance() -> None:
    received: list[list[str]] = []
    for _ in range(2):
        async with Simulator(accounts=1, step_s=None) as sim, Rest(sim) as rest:
            await rest.fault("drop", probability=0.5)
            async with listening(sim) as stream:
                for _ in range(10):
                    await rest.buy(RESTING_BUY)
                await rest.request("DELETE", "/_sim/faults")
                await rest.buy(RESTING_BUY | {"client_order_id": "last"})
                received.append([])
                while (event := await stream.event())["order"]["client_order_id"] != "last":
                    received[-1].append(event["event"])
    assert received[0] == received[1]
    assert 0 < len(received[0]) < 20


async def test_events_are_sent_twice(sim: Simulator, rest: Rest) -> None:
    await rest.fault("duplicate", times=2, count=1)
    async with listening(sim) as stream:
        await rest.buy(RESTING_BUY)
        first, second, third, fourth = [await stream.event() for _ in range(4)]
    assert first == second == third
    assert fourth["event"] == "new"


async def test_copies_may_come_later(sim: Simulator, rest: Rest) -> None:
    await rest.fault("duplicate", after_s=0.02, count=1)
    async with listening(sim) as stream:
        await rest.buy(RESTING_BUY)
        assert await names(stream, 3) == ["pending_new", "new", "pending_new"]


async def test_events_are_late_and_overtaken(sim: Simulator, rest: Rest) -> None:
    await rest.fault("delay", seconds=0.05, event="pending_new")
    async with listening(sim) as stream:
        asked = asyncio.get_running_loop().time()
        await rest.buy(RESTING_BUY)
        assert await names(stream, 2) == ["new", "pending_new"]
        assert asyncio.get_running_loop().time() - asked >= 0.04


async def test_delayed_events_keep_their_order(sim: Simulator, rest: Rest) -> None:
    await rest.fault("delay", seconds=0.03)
    async with listening(sim) as stream:
        orders = [(await rest.buy(RESTING_BUY))["id"] for _ in range(5)]
        events = [await stream.event() for _ in range(10)]
    assert [event["order"]["id"] for event in events] == [i for i in orders for _ in range(2)]


async def test_events_are_reordered(sim: Simulator, rest: Rest) -> None:
    await rest.fault("reorder", window=2, count=1)
    async with listening(sim) as stream:
        await rest.buy(RESTING_BUY)
        await rest.buy(RESTING_BUY)
        assert await names(stream, 4) == ["new", "pending_new", "pending_new", "new"]


async def test_reordering_releases_frames_after_its_limit(sim: Simulator, rest: Rest) -> None:
    await rest.fault("reorder", window=50, within_s=0.03)
    async with listening(sim) as stream:
        await rest.buy(RESTING_BUY)
        assert sorted(await names(stream, 2)) == ["new", "pending_new"]


async def test_last_events_come_again_on_reconnect(sim: Simulator, rest: Rest) -> None:
    async with listening(sim) as stream:
        await rest.buy(RESTING_BUY)
        await rest.buy(RESTING_BUY)
        received = [await stream.raw() for _ in range(4)]
    await rest.fault("duplicate_on_reconnect", events=3, count=1)
    async with listening(sim) as stream:
        assert [await stream.raw() for _ in range(3)] == received[1:]
        assert await stream.is_silent()


async def test_event_has_an_unknown_name(sim: Simulator, rest: Rest) -> None:
    await rest.fault("unknown_event", event="new")
    async with listening(sim) as stream:
        await rest.buy(RESTING_BUY)
        first, second = await stream.event(), await stream.event()
    assert (first["event"], second["event"]) == ("pending_new", "quantum_leap")
    assert second["order"]["status"] == "new"


async def test_order_has_an_unknown_status(sim: Simulator, rest: Rest) -> None:
    await rest.fault("unknown_status", name="confused", count=1)
    async with listening(sim) as stream:
        order = await rest.buy(RESTING_BUY)
        assert (await stream.event())["order"]["status"] == "confused"
    assert (await rest.get(f"/v2/orders/{order['id']}"))["status"] == "new"


@pytest.mark.parametrize("instead", [False, True])
async def test_data_is_null(sim: Simulator, rest: Rest, instead: bool) -> None:
    await rest.fault("null_data", instead=instead, count=1)
    async with listening(sim) as stream:
        await rest.buy(RESTING_BUY)
        assert await stream.raw() == b'{"stream":"trade_updates","data":null}'
        assert (await stream.event())["event"] == ("new" if instead else "pending_new")


async def test_fields_are_missing(sim: Simulator, rest: Rest) -> None:
    await rest.fault("missing_fields", count=1)
    await rest.fault("missing_fields", fields=["execution_id"])
    async with listening(sim) as stream:
        await rest.buy(RESTING_BUY)
        old, new = await stream.event(), await stream.event()
    assert "event_id" not in old
    assert "at" not in old
    assert "at" in new
    assert "execution_id" not in new


@pytest.mark.parametrize("form", ["noise", "truncated", "array", "number", "empty", "not_utf8"])
async def test_frame_is_garbage(sim: Simulator, rest: Rest, form: str) -> None:
    await rest.fault("garbage", form=form, count=1)
    async with listening(sim) as stream:
        await rest.buy(RESTING_BUY)
        frame = await stream.raw()
        with suppress(ValueError):  # what can be parsed at all is no object
            assert not isinstance(json.loads(frame), dict)
        assert (await stream.event())["event"] == "pending_new"
