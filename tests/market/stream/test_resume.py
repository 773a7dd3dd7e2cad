"""Resume by number: nothing lost, nothing twice; a gap where that cannot be known."""

import asyncio
from typing import Any

import pytest

from realtime.market.stream.sequence_ring import SequenceRing
from tests.market.stream.made import element
from tests.market.stream.scene import IEX, Client, Scene, in_virtual_time

DATA = frozenset("tqbcx")


def data_of(messages: list[dict[str, Any]]) -> list[Any]:
    return [(m["T"], m["S"], m["t"]) for m in messages if m["T"] in DATA]


def last_seq(client: Client) -> int:
    return max(int(m["seq"]) for m in client.received if m["T"] == "seq")


@pytest.mark.slow
@pytest.mark.parametrize("is_in_subscribe", [True, False], ids=["with subscribe", "before"])
def test_a_client_that_returns_gets_what_it_missed(is_in_subscribe: bool) -> None:
    async def main(scene: Scene) -> None:
        names = {"trades": ["AAPL", "KO"], "quotes": ["AAPL", "KO"]}
        witness = await scene.client(is_resumable=True)
        client = await scene.client(is_resumable=True)
        for each in (witness, client):
            await each.send(action="subscribe", **names)
        await asyncio.sleep(10)
        client.read()
        client.session.close()
        await asyncio.sleep(20)
        again = await scene.client()
        if is_in_subscribe:
            await again.send(action="subscribe", resume=last_seq(client), **names)
        else:
            await again.send(action="resume", seq=last_seq(client))
            await again.send(action="subscribe", **names)
        await asyncio.sleep(10)
        for each in (witness, again):
            each.read()
        assert data_of(client.received) + data_of(again.received) == data_of(witness.received)
        assert "gap" not in [m["T"] for m in again.received]

    in_virtual_time(main)


@pytest.mark.slow
def test_a_client_that_returns_too_late_gets_one_gap() -> None:
    async def main(scene: Scene) -> None:
        client = await scene.client(is_resumable=True)
        witness = await scene.client()
        for each in (witness, client):
            await each.send(action="subscribe", trades=["AAPL"])
        await asyncio.sleep(5)
        client.read()
        client.session.close()
        await asyncio.sleep(600)
        again = await scene.client(is_resumable=True)
        await again.send(action="subscribe", trades=["AAPL"], resume=last_seq(client))
        await asyncio.sleep(5)
        again.read()
        gaps = [m for m in again.received if m["T"] == "gap"]
        assert [gap["from"] for gap in gaps] == [last_seq(client)]
        assert gaps[0]["to"] > gaps[0]["from"]
        assert "t" in [m["T"] for m in again.received]

    in_virtual_time(main)


def test_what_the_broker_did_not_send_meanwhile_is_a_gap() -> None:
    """All its clients were away for longer than the linger, so the symbol was unsubscribed."""

    async def main(scene: Scene) -> None:
        client = await scene.client(is_resumable=True)
        other = await scene.client()
        await client.send(action="subscribe", trades=["AAPL"])
        await other.send(action="subscribe", trades=["KO"])
        await asyncio.sleep(5)
        client.read()
        client.session.close()
        await asyncio.sleep(45)
        again = await scene.client(is_resumable=True)
        await again.send(action="subscribe", trades=["AAPL"], resume=last_seq(client))
        assert [m["T"] for m in again.read()] == ["subscription", "gap"]

    in_virtual_time(main)


def test_a_snapshot_has_the_last_values_after_the_ack() -> None:
    async def main(scene: Scene) -> None:
        first = await scene.client()
        await first.send(action="subscribe", trades=["AAPL"], quotes=["AAPL"])
        await asyncio.sleep(20)
        first.read()
        newest = {m["T"]: m["t"] for m in first.received if m["T"] in DATA}
        second, plain = await scene.client(), await scene.client()
        await second.send(action="subscribe", trades=["AAPL"], quotes=["AAPL"], snapshot=True)
        await plain.send(action="subscribe", trades=["AAPL"], quotes=["AAPL"])
        ack, *values = second.read()
        assert ack["T"] == "subscription"
        assert {m["T"]: m["t"] for m in values} == newest
        assert [m["T"] for m in plain.read()] == ["subscription"], "only on request"

    in_virtual_time(main)


def test_a_canceled_trade_is_not_a_last_value() -> None:
    async def main(scene: Scene) -> None:
        client = await scene.client()
        await client.send(action="subscribe", trades=["AAPL"])
        hub = scene.streams.hubs[IEX]
        await scene.until(lambda: hub.elements["t"] >= 3)
        tape = scene.simulator.market_data.tape
        last = hub.last_values.get("t", "AAPL")
        assert last is not None
        tape.amend("AAPL", price=1.25)
        await scene.until(lambda: hub.elements["c"] == 1)
        corrected = hub.last_values.get("t", "AAPL")
        assert corrected is not None
        assert corrected.element.fields()["p"] == 1.25
        tape.amend("AAPL", price=None)
        await scene.until(lambda: hub.elements["x"] == 1)
        before = hub.last_values.get("t", "AAPL")
        assert before is not None
        assert before.element.fields()["p"] != 1.25

    in_virtual_time(main, step_s=0.5)


def test_the_ring_is_bounded_by_age_count_and_bytes() -> None:
    trade = element("t")
    for bounds, kept in (
        ({"max_age_s": 10.0}, 11),
        ({"max_elements": 5}, 5),
        ({"max_bytes": 7 * len(trade.raw)}, 7),
    ):
        ring = SequenceRing(0.0, **bounds)
        for second in range(50):
            ring.add([element("t")], float(second))
        elements = ring.get_after(ring.first_seq, ring.seq)
        assert elements is not None
        assert len(elements) == kept
        assert ring.get_after(ring.first_seq - 1, ring.seq) is None
        assert ring.get_after(ring.seq, ring.seq) == []
        assert ring.get_after(ring.seq + 1, ring.seq) is None


def test_numbers_grow_over_a_restart() -> None:
    before = SequenceRing(1000.0)
    for _ in range(1000):
        before.add([element("t")] * 10, 1000.0)
    assert SequenceRing(1001.0).seq > before.seq
