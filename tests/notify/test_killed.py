"""The daemon as a process that is killed between an event and its delivery."""

import asyncio
import signal
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from tests.notify.scene import SECRET, Received, is_signed
from tests.processes.pair import Pair

SECTION = """
[[webhooks]]
name = "desk"
url = "http://127.0.0.1:{port}/hook/T0PSECRETPATH"
allow_host = "127.0.0.1"
secret = "{secret}"
types = ["order", "link"]
"""


class Sink:
    """A receiver on a real socket; without `is_up` it answers 503."""

    def __init__(self) -> None:
        self.is_up = False
        self.attempts: list[Received] = []
        self.confirmed: list[Received] = []

    async def handle(self, request: web.Request) -> web.Response:
        headers, body = request.headers, await request.read()
        received = Received(
            headers["webhook-id"],
            int(headers["webhook-timestamp"]),
            headers["webhook-signature"],
            body,
            asyncio.get_running_loop().time(),
        )
        self.attempts.append(received)
        if self.is_up:
            self.confirmed.append(received)
        return web.Response(status=204 if self.is_up else 503)

    def filled_orders(self) -> set[str]:
        """Ids of orders with an execution in the confirmed messages, gaps included."""
        found: set[str] = set()
        for received in self.confirmed:
            data = received.document["data"]
            if received.document["type"] == "order" and data["event"] == "fill":
                found.add(data["order"]["id"])
            if received.document["type"] == "gap":
                found |= {execution["order_id"] for execution in data["executions"]}
        return found


@pytest.mark.slow
@pytest.mark.timeout(180)
async def test_a_killed_daemon_delivers_what_happened_before_and_meanwhile(tmp_path: Path) -> None:
    sink = Sink()
    app = web.Application()
    app.router.add_post("/hook/{secret}", sink.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    async with aiohttp.ClientSession() as http:
        pair = Pair(tmp_path, http)
        simulator = await pair.start_simulator("--accounts", "3", "--activity", "0")
        config = tmp_path / "accounts.toml"
        with config.open("a") as file:
            file.write(SECTION.format(port=port, secret=SECRET))
        config.chmod(0o600)
        daemon = await pair.start_daemon()
        try:
            await pair.until_synced()
            labels = await pair.labels()
            expected: set[str] = set()

            async def buy(label: str) -> None:
                keys = {
                    "APCA-API-KEY-ID": f"demo-{label}",
                    "APCA-API-SECRET-KEY": f"demo-secret-{label}",
                }
                order = {
                    "symbol": "AAPL", "qty": "1", "side": "buy", "type": "market",
                    "time_in_force": "day",
                }  # fmt: skip
                async with http.post(
                    f"{pair.simulator}/v2/orders", json=order, headers=keys
                ) as response:
                    assert response.status == 200, await response.text()
                    expected.add((await response.json())["id"])

            for label in labels:
                await buy(label)
            async with asyncio.timeout(30):
                while len(sink.attempts) < 3:  # noqa: ASYNC110 - another process
                    await asyncio.sleep(0.02)
            await pair.allow_second_connections()
            await daemon.stop(signal.SIGKILL)
            for label in labels:
                await buy(label)
            sink.is_up = True
            daemon = await pair.start_daemon(tmp_path / "run2.log")
            await pair.until_synced()
            async with asyncio.timeout(60):
                while not expected <= sink.filled_orders():  # noqa: ASYNC110 - as above
                    await asyncio.sleep(0.1)
            assert len(expected) == 6
            by_id: dict[str, bytes] = {}
            for received in sink.attempts:
                assert is_signed(received)
                assert by_id.setdefault(received.id, received.body) == received.body
            for log in (tmp_path / "run.log", tmp_path / "run2.log"):
                assert "T0PSECRETPATH" not in log.read_text()
                assert SECRET not in log.read_text()
        finally:
            await daemon.stop()
            await simulator.stop()
            await runner.cleanup()
