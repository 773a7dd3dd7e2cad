"""docs/notify.md: the receiver of the page verifies what the daemon sends."""

import asyncio
import os
import re
import socket
import subprocess
import sys
import time
from pathlib import Path

import aiohttp
from msgspec import structs

from realtime.notify.address_guard import make_connector
from realtime.notify.webhook_client import WebhookClient
from realtime.secret import Secret
from tests.notify.scene import SECRET
from tests.notify.test_webhook_client import settings

PAGE = (Path(__file__).parents[2] / "docs" / "notify.md").read_text()
PROGRAM = re.findall(r"```python receiver\n(.*?)```", PAGE, re.DOTALL)[0]


def start(environ: dict[str, str]) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM], env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


async def wait_for_port(port: int) -> None:
    async with asyncio.timeout(60):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.05)
                continue
            writer.close()
            return


async def test_the_receiver_of_the_page_accepts_what_is_signed_and_nothing_else() -> None:
    assert len([line for line in PROGRAM.splitlines() if line.strip()]) <= 22
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environ = {**os.environ, "WEBHOOK_SECRET": SECRET, "PORT": str(port)}
    process = start(environ)
    try:
        await wait_for_port(port)
        good = settings(port, timeout_s=10)
        forged = structs.replace(good, secrets=(Secret("whsec_" + "Zm9yZ2VkZm9yZ2Vk" * 2),))
        for made, clock, expected in (
            (good, time.time, None),
            (good, time.time, None),
            (forged, time.time, "status 401"),
            (good, lambda: time.time() - 600, "status 401"),
        ):
            client = WebhookClient(made, make_connector, clock)
            failure = await client.send("msg_1", b'{"type":"test"}')
            await client.close()
            assert (None if failure is None else failure.reason) == expected
        async with aiohttp.ClientSession() as http:
            headers = {"webhook-id": "a", "webhook-timestamp": "1", "webhook-signature": "v1,x"}
            async with http.post(f"http://127.0.0.1:{port}/", headers=headers) as response:
                assert response.status == 401
    finally:
        process.kill()
        output, _ = process.communicate()
    assert output.decode().splitlines() == ['{"type":"test"}'], "a repeated id is taken once"
