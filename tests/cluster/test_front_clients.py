"""Clients of a front other than those of our own routes: Alpaca's, a browser; and TLS."""

import asyncio
from pathlib import Path

import pytest
from msgspec import structs

from realtime.config.settings import ClusterTls, Settings
from realtime.runtime.daemon import run_daemon
from realtime.runtime.environment import real_environment
from realtime.simulator.app import Simulator
from tests.certificates import make_certificate
from tests.cli.programs import free_port
from tests.cluster.fronts import Pair, as_owner, front_settings
from tests.cluster.test_forwarding import ORDER, placed
from tests.cluster.test_front import comparable, first_label, play
from tests.fleet import fleet

ALPACA_PATHS = ("/v2/account", "/v2/positions", "/v2/orders?status=all&limit=100")


def test_alpacas_clients_read_an_account_at_a_front_by_its_label() -> None:
    async def scenario(both: Pair, simulator: Simulator) -> None:
        label = first_label(both)
        both.owner.buy(label)
        await both.owner.until_done(label)
        await both.until(both.is_equal)
        keys = {"APCA-API-KEY-ID": label, "APCA-API-SECRET-KEY": "any"}
        for path in ALPACA_PATHS:
            bodies = []
            for port in (both.owner.daemon.port, both.front.port):
                url = f"http://127.0.0.1:{port}{path}"
                async with both.owner.http.get(url, headers=keys) as response:
                    assert response.status == 200, (path, await response.text())
                    bodies.append(await response.read())
            assert comparable(bodies[0]) == comparable(bodies[1])

    play(scenario)


def test_alpacas_clients_place_no_order_at_a_front() -> None:
    async def scenario(both: Pair, simulator: Simulator) -> None:
        label = first_label(both)
        before = len(placed(simulator, label))
        url = f"http://127.0.0.1:{both.front.port}/v2/orders"
        keys = {"APCA-API-KEY-ID": label, "APCA-API-SECRET-KEY": "any"}
        async with both.owner.http.post(url, json=ORDER, headers=keys) as response:
            assert response.status == 503
            message = (await response.json())["message"]
        assert message.startswith("realtime: nothing was sent: another daemon owns "), message
        assert len(placed(simulator, label)) == before

    play(scenario)


@pytest.mark.parametrize("path", ["/v2/account", "/v2/positions", "/v2/orders/none", "/v2/wallets"])
def test_a_front_without_keys_never_blames_those_of_alpacas_clients(path: str) -> None:
    async def scenario(both: Pair, simulator: Simulator) -> None:
        label = first_label(both)
        record = both.front.store.get(label)
        assert record is not None
        unconfirmed = structs.replace(
            record,
            state=structs.replace(record.state, provisional=frozenset({"account", "positions"})),
        )
        both.front.store.put(unconfirmed)
        keys = {"APCA-API-KEY-ID": label, "APCA-API-SECRET-KEY": "any"}
        url = f"http://127.0.0.1:{both.front.port}{path}"
        async with both.owner.http.get(url, headers=keys) as response:
            if path in ALPACA_PATHS:
                assert response.status == 200
                assert response.headers["X-Realtime-Stale"] == "true"
            else:
                assert response.status == 503
                assert "another daemon owns " in (await response.json())["message"]

    play(scenario)


def test_a_browser_gets_the_page_of_a_front() -> None:
    async def scenario(both: Pair, simulator: Simulator) -> None:
        url = f"http://127.0.0.1:{both.front.port}/"
        async with both.owner.http.get(url, headers={"Accept": "text/html"}) as response:
            assert response.status == 200
            assert response.content_type == "text/html"

    play(scenario)


@pytest.mark.slow
async def test_the_feed_and_orders_go_over_tls_to_an_owner_that_is_verified(
    tmp_path: Path,
) -> None:
    certificate, key = make_certificate(tmp_path)
    mesh = free_port()
    tls = ClusterTls(certificate_file=certificate, key_file=key)

    def with_tls(settings: Settings) -> Settings:
        settings = as_owner(port=mesh)(settings)
        assert settings.cluster is not None
        return structs.replace(settings, cluster=structs.replace(settings.cluster, tls=tls))

    def follower(ca_file: Path | None) -> Settings:
        settings = front_settings(mesh)
        assert settings.cluster is not None
        cluster = structs.replace(
            settings.cluster, of=(f"https://127.0.0.1:{mesh}",), ca_file=ca_file
        )
        return structs.replace(settings, cluster=cluster)

    simulator = Simulator(accounts=1)
    world = real_environment()
    async with (
        simulator,
        fleet(simulator, world, configure=with_tls) as owner,
        run_daemon(follower(None), world) as stranger,
        run_daemon(follower(certificate), world) as front,
    ):
        both = Pair(owner, front, None)  # type: ignore[arg-type]  # no relay
        await both.until(owner.settled)
        await both.until(lambda: front.cluster is not None and front.cluster.is_complete)
        label = first_label(both)
        status, headers, _ = await both.send("POST", "/orders", {**ORDER, "account_id": label})
        assert (status, headers["X-Realtime-Owner"]) == (200, "beta")
        await both.until(both.is_equal)
        await asyncio.sleep(0)
        assert stranger.cluster is not None
        assert "certificate is not valid" in (stranger.cluster.statuses[0].error or "")
        assert len(stranger.store) == 0
