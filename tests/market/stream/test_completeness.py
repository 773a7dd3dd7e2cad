"""What the stream does not deliver is found within 30 s, repaired, and reported."""

import asyncio

import pytest

from realtime.market.stream import auditor
from realtime.simulator.exchange.timestamps import MINUTE
from realtime.simulator.faults.catalogue import parse_fault
from tests.market.stream.scene import IEX, Scene, in_virtual_time

INDICATIVE = "/v1beta1/indicative"


def test_a_silent_symbol_is_found_and_subscribed_again() -> None:
    async def main(scene: Scene) -> None:
        client = await scene.client()
        await client.send(action="subscribe", trades=["AAPL", "KO"])
        hub = scene.streams.hubs[IEX]
        await asyncio.sleep(20)
        assert hub.missed.total == 0, "nothing is missed while all is well"
        subscribes = scene.counts["data_subscribes"]
        scene.set(silent_symbols=["AAPL"])
        took_s = await scene.until(lambda: hub.missed.total > 0)
        assert took_s <= 30
        missed = hub.missed.entries[0]
        assert (missed.symbol, missed.channel) == ("AAPL", "trades")
        assert missed.from_ns <= missed.to_ns
        scene.set(silent_symbols=[])
        await asyncio.sleep(5)
        assert scene.counts["data_subscribes"] >= subscribes + 2, "unsubscribed, subscribed"
        client.read()
        await scene.until(lambda: any(m.get("S") == "AAPL" for m in client.read()))

    in_virtual_time(main)


@pytest.mark.slow
def test_quotes_and_bars_are_compared_too() -> None:
    async def main(scene: Scene) -> None:
        client = await scene.client()
        await client.send(action="subscribe", quotes=["KO"], bars=["AAPL"], trades=["NVDA"])
        hub = scene.streams.hubs[IEX]
        await asyncio.sleep(130)
        assert hub.missed.total == 0
        scene.set(silent_symbols=["AAPL", "KO"])
        await scene.until(
            lambda: (
                {("quotes", "KO"), ("bars", "AAPL")}
                <= {(m.channel, m.symbol) for m in hub.missed.entries}
            ),
            within_s=120,
        )

    in_virtual_time(main)


def test_a_deaf_connection_is_replaced() -> None:
    async def main(scene: Scene) -> None:
        client = await scene.client()
        await client.send(action="subscribe", trades=["AAPL", "KO"])
        hub = scene.streams.hubs[IEX]
        await asyncio.sleep(20)
        scene.set(deaf=True)
        took_s = await scene.until(lambda: hub.counts["reconnects"] > 0)
        assert took_s <= 30
        assert hub.missed.total > 0
        scene.set(deaf=False)
        client.read()
        await scene.until(lambda: "t" in client.kinds())

    in_virtual_time(main)


def test_single_lost_trades_are_found_by_their_ids_and_delivered_late() -> None:
    async def main(scene: Scene) -> None:
        plain = await scene.client()
        aware = await scene.client(is_resumable=True)
        for client in (plain, aware):
            await client.send(action="subscribe", trades=["AAPL"])
        hub = scene.streams.hubs[IEX]
        await asyncio.sleep(60)
        assert hub.missed.total == 0
        scene.set(drop_every=5)
        took_s = await scene.until(lambda: hub.missed.total > 0)
        assert took_s <= 30
        missed = hub.missed.entries[0]
        assert (missed.symbol, missed.channel, missed.is_repaired) == ("AAPL", "trades", True)
        aware.read()
        plain.read()
        late = [m for m in aware.received if m.get("source") == "rest"]
        assert len(late) == missed.count
        assert not [m for m in plain.received if "source" in m], "it could take it for the newest"
        before = len({m["i"] for m in aware.received if m["T"] == "t"})
        assert before == len([m for m in aware.received if m["T"] == "t"]), "none twice"

    in_virtual_time(main)


@pytest.mark.slow
def test_bars_of_a_disconnect_are_filled_and_marked() -> None:
    async def main(scene: Scene) -> None:
        client = await scene.client()
        await client.send(action="subscribe", bars=["AAPL"], trades=["AAPL"])
        hub = scene.streams.hubs[IEX]
        await scene.until(lambda: "b" in client.kinds(), within_s=90)
        scene.simulator.faults.add(
            parse_fault({"kind": "maintenance", "account": None, "for_s": 200})
        )
        await scene.until(lambda: hub.status.state != "connected")
        await scene.until(lambda: hub.status.state == "connected", within_s=400)
        await asyncio.sleep(70)
        client.read()
        bars = [m for m in client.received if m["T"] == "b"]
        minutes = [m["t"] for m in bars]
        times = [int(t.timestamp()) * 10**9 // MINUTE for t in minutes]
        assert times == list(range(times[0], times[0] + len(times))), "no minute is missing"
        filled = [m for m in bars if m.get("source") == "rest"]
        assert len(filled) >= 3
        assert hub.missed.entries[-1].is_repaired
        assert client.port.refusals == []

    in_virtual_time(main)


def test_a_closed_market_is_not_a_silent_stream() -> None:
    async def main(scene: Scene) -> None:
        scene.simulator.exchange.set_market("closed")
        client = await scene.client()
        await client.send(action="subscribe", trades=["AAPL"], quotes=["AAPL"], bars=["*"])
        await asyncio.sleep(300)
        hub = scene.streams.hubs[IEX]
        assert (hub.missed.total, hub.counts["reconnects"]) == (0, 0)

    in_virtual_time(main)


@pytest.mark.slow
def test_checks_stay_within_the_request_budget() -> None:
    """Of 200 requests a minute, the checks of one stream use a tenth."""

    async def main(scene: Scene) -> None:
        client = await scene.client()
        await client.send(action="subscribe", trades=["AAPL"], bars=["*"], quotes=["KO"])
        await asyncio.sleep(30)
        before = scene.counts["data_requests"]
        await asyncio.sleep(60)
        assert scene.counts["data_requests"] - before <= 25

    in_virtual_time(main)


def test_every_silent_symbol_has_its_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also on a stream whose trades have no ids, of which none are compared."""
    monkeypatch.setattr(auditor, "MAX_SYMBOLS", 1)

    async def main(scene: Scene) -> None:
        client = await scene.client(INDICATIVE)
        listed = scene.simulator.exchange.listing.by_symbol.values()
        *names, other = sorted(asset.symbol for asset in listed if asset.is_option)[:3]
        await client.send(action="subscribe", quotes=[*names, other])
        hub = scene.streams.hubs[INDICATIVE]
        await asyncio.sleep(20)
        assert hub.missed.total == 0
        scene.set(silent_symbols=names)
        await scene.until(lambda: {m.symbol for m in hub.missed.entries} == set(names))

    in_virtual_time(main)
