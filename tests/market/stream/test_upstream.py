"""The connection to the broker: one, only while needed, polite, and honest about its state."""

import asyncio

import aiohttp
import pytest

from realtime.market.stream.market_streams import StreamSettings
from realtime.secret import Credentials, Secret
from realtime.simulator.faults.catalogue import parse_fault
from tests.market.stream.scene import IEX, Client, Scene, in_virtual_time
from tests.virtual import VirtualConnector


def test_any_number_of_clients_is_one_connection() -> None:
    async def main(scene: Scene) -> None:
        clients = [await scene.client() for _ in range(200)]
        for number, client in enumerate(clients):
            await client.send(action="subscribe", trades=["AAPL", "KO"][: 1 + number % 2])
        await scene.until(lambda: all("t" in client.kinds() for client in clients))
        assert scene.counts["data_handshakes"] == 1
        assert scene.streams.hubs[IEX].clients == 200

    in_virtual_time(main)


@pytest.mark.slow
def test_a_connection_is_opened_on_demand_and_closed_when_unused() -> None:
    async def main(scene: Scene) -> None:
        await asyncio.sleep(60)
        assert "data_handshakes" not in scene.counts
        client = await scene.client()
        await client.send(action="subscribe", bars=["AAPL"])
        hub = scene.streams.hubs[IEX]
        assert hub.status.state == "connected"
        client.session.close()
        await scene.until(lambda: hub.status.state == "idle", within_s=120)
        assert not scene.simulator.market_data.stream.sessions

    in_virtual_time(main)


def test_a_feed_without_entitlement_is_refused_as_the_broker_refuses_it() -> None:
    """And it stays refused with a warm connection to another feed."""

    async def main(scene: Scene) -> None:
        free = await scene.client()
        await free.send(action="subscribe", trades=["AAPL"])
        client = Client(scene.streams.get_hub("/v2/sip"))
        await client.open()
        assert client.read()[-1] == {
            "T": "error", "code": 409, "msg": "insufficient subscription",
        }  # fmt: skip
        assert not client.session.is_authorized
        assert scene.streams.hubs["/v2/sip"].status.state == "refused"

    in_virtual_time(main)


def test_what_the_key_may_use_is_probed_without_a_connection() -> None:
    async def main(scene: Scene) -> None:
        await scene.streams.wait_probed()
        found = scene.streams.entitlement
        assert (found.plan, found.feed, found.option_feed) == ("basic", "iex", "indicative")
        assert "data_handshakes" not in scene.counts

    in_virtual_time(main)


@pytest.mark.slow
def test_another_program_that_holds_the_connection_is_named_and_not_disturbed() -> None:
    """406: retried after 1, 2, 4 … 60 s, and REST stays available."""

    async def main(scene: Scene) -> None:
        first = await scene.client()
        await first.send(action="subscribe", trades=["AAPL"])
        hub = scene.streams.hubs[IEX]
        # The broker counts the lost connection for two minutes.
        scene.set(slot_release_s=120.0)
        scene.simulator.faults.add(parse_fault({"kind": "cut", "account": "alpha"}))
        await scene.until(lambda: hub.status.state == "occupied", within_s=30)
        assert hub.status.remedy is not None
        assert "the broker may still count our last connection" in hub.status.remedy
        before = scene.counts["data_handshakes"]
        await asyncio.sleep(60)
        assert scene.counts["data_handshakes"] - before <= 6
        await scene.until(lambda: hub.status.state == "connected", within_s=200)
        first.read()
        await scene.until(lambda: "t" in first.kinds())

    in_virtual_time(main)


def test_a_program_that_was_there_before_is_named() -> None:
    async def main(scene: Scene) -> None:
        url = f"{scene.simulator.url}{IEX}"
        async with (
            aiohttp.ClientSession(connector=VirtualConnector()) as http,
            http.ws_connect(url) as other,
        ):
            await other.send_json({"action": "auth", "key": "demo-alpha", "secret": SECRET})
            received = [(await other.receive()).data for _ in range(2)]
            assert any("authenticated" in data for data in received)
            client = await scene.client()
            hub = scene.streams.hubs[IEX]
            assert hub.status.state == "occupied"
            assert hub.status.remedy is not None
            assert "another program is connected with this data key" in hub.status.remedy
            await other.close()
            await scene.until(lambda: hub.status.state == "connected", within_s=120)
            assert client.session.is_authorized

    in_virtual_time(main)


def test_names_may_be_reserved_for_the_daemon_itself() -> None:
    async def main(scene: Scene) -> None:
        await scene.streams.wait_probed()
        client, own = await scene.client(), await scene.client()
        own.session.client.is_internal = True
        await client.send(action="subscribe", trades=[f"S{n}" for n in range(20)], bars=["*"])
        assert client.read()[-1]["T"] == "subscription"
        await client.send(action="subscribe", quotes=["KO"])
        assert client.read()[-1]["code"] == 405
        await own.send(action="subscribe", quotes=[f"M{n}" for n in range(10)])
        assert len(own.read()[-1]["quotes"]) == 10

    in_virtual_time(main, settings=StreamSettings(reserve=10))


def test_a_rejected_key_is_reported_and_clients_stay() -> None:
    async def main(scene: Scene) -> None:
        client = await scene.client()
        hub = scene.streams.hubs[IEX]
        assert hub.status.state == "waiting"
        assert hub.status.error is not None
        assert "rejected the key" in hub.status.error
        assert client.port.refusals == []

    in_virtual_time(main, keys=Credentials(Secret("demo-alpha"), Secret("wrong")))


def test_after_a_lost_connection_everything_is_subscribed_again() -> None:
    """Clients are not closed; those that asked for it get one message each way."""

    async def main(scene: Scene) -> None:
        plain = await scene.client()
        aware = await scene.client(is_resumable=True)
        for client in (plain, aware):
            await client.send(action="subscribe", trades=["AAPL"], quotes=["KO"])
        scene.simulator.faults.add(parse_fault({"kind": "cut", "account": "alpha"}))
        hub = scene.streams.hubs[IEX]
        await scene.until(lambda: hub.status.state != "connected")
        await scene.until(lambda: hub.status.state == "connected")
        plain.read()
        aware.read()
        await scene.until(lambda: {"t", "q"} <= {message["T"] for message in _all(plain)})
        links = [message["live"] for message in aware.received if message["T"] == "link"]
        assert links == [False, True]
        assert {m["T"] for m in plain.received} <= {"success", "subscription", "t", "q"}
        assert plain.port.refusals == []

    in_virtual_time(main)


def _all(client: Client) -> list[dict[str, object]]:
    client.read()
    return client.received


def test_names_are_subscribed_in_chunks_of_a_hundred() -> None:
    async def main(scene: Scene) -> None:
        client = await scene.client()
        names = [f"S{number}" for number in range(350)]
        await client.send(action="subscribe", bars=names)
        assert len(client.read()[-1]["bars"]) == 350
        assert scene.counts["data_subscribes"] == 4

    in_virtual_time(main)


def test_a_client_over_the_brokers_limit_has_the_error_alone() -> None:
    async def main(scene: Scene) -> None:
        first, second = await scene.client(), await scene.client()
        await first.send(action="subscribe", quotes=[f"S{n}" for n in range(29)])
        await second.send(action="subscribe", quotes=["KO", "AAPL"])
        assert second.read() == [{"T": "error", "code": 405, "msg": "symbol limit exceeded"}]
        await second.send(action="subscribe", quotes=["KO"])
        assert second.read()[-1]["quotes"] == ["KO"]
        hub = scene.streams.hubs[IEX]
        await scene.until(lambda: hub.plan.acked == hub.union.wanted)
        assert len(hub.plan.acked) == 30

    in_virtual_time(main)


def test_lingering_names_give_way_to_a_client() -> None:
    async def main(scene: Scene) -> None:
        first, second = await scene.client(), await scene.client()
        await first.send(action="subscribe", quotes=[f"S{n}" for n in range(30)])
        first.session.close()
        await second.send(action="subscribe", quotes=["KO", "AAPL"])
        assert second.read()[-1]["quotes"] == ["AAPL", "KO"]

    in_virtual_time(main)


def test_trading_and_data_of_one_key_never_connect_at_once() -> None:
    """Also several data streams."""

    async def main(scene: Scene) -> None:
        loop, starts = asyncio.get_running_loop(), []
        limiter = scene.streams._target.connect_limiter

        async def trade() -> None:
            async with limiter.slot(KEY):
                starts.append(("trading", loop.time()))
                await asyncio.sleep(0.3)
                starts.append(("trading ended", loop.time()))

        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(trade())
            client = await scene.client()
        assert [name for name, _ in starts] == ["trading", "trading ended"]
        hub = scene.streams.hubs[IEX]
        connected_at = hub.status.since - 1_790_000_000
        assert connected_at >= starts[1][1] + 1.0
        assert client.session.is_authorized

    in_virtual_time(main, settings=StreamSettings(feed="iex"))


KEY = Secret("demo-alpha")
SECRET = "demo-secret-alpha"


def test_data_that_follows_the_brokers_ack_at_once_reaches_the_client() -> None:
    """The broker sends the whole order book right after its ack, once."""

    async def main(scene: Scene) -> None:
        first = await scene.client("/v1beta3/crypto/us")
        await first.send(action="subscribe", orderbooks=["BTC/USD"])
        await asyncio.sleep(0.01)
        ack, book = first.read()[:2]
        assert (ack["T"], book["T"], book["r"]) == ("subscription", "o", True)
        second = await scene.client("/v1beta3/crypto/us")
        await second.send(action="subscribe", orderbooks=["BTC/USD"])
        ack, again = second.read()[:2]
        assert (ack["T"], again["r"], again["b"]) == ("subscription", True, book["b"])

    in_virtual_time(main)
