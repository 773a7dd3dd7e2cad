"""A search for keys and tokens in every output of a daemon: every route, every error path, every
command, the debug log, the journal, the process list."""

import asyncio
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest

from realtime.api.order_routes import ORDER_ROUTES
from realtime.api.routes import ROUTES
from realtime.simulator.app import Simulator
from realtime.simulator.credentials import secret_for
from realtime.simulator.write_config import write_config
from realtime.web.files import FILES
from tests.auth.made import claims, signed
from tests.processes.pair import STOP_S, events, free_port

pytestmark = pytest.mark.slow

TOKEN_SECRET = b"the-issuers-secret-never-to-be-seen-7f3a"
LABELS = ("alpha", "bravo", "charlie", "delta")
KEYS = {label: f"PKNEVERSEEN{label.upper()}" for label in LABELS}
FOREVER = 4_000_000_000
READER = signed(claims(exp=FOREVER, account_id="*"), TOKEN_SECRET)
EVERYTHING = ["account_access", "market_data", "trading", "admin"]
ADMIN = signed(claims(exp=FOREVER, account_id="*", permissions=EVERYTHING), TOKEN_SECRET)
ENDED = signed(claims(exp=1, account_id="*"), TOKEN_SECRET)

SEARCHED = [
    *KEYS.values(),
    *map(secret_for, LABELS),
    TOKEN_SECRET.decode(),
    *(token.rpartition(".")[2] for token in (READER, ADMIN, ENDED)),
]
CONFIG = """
[server]
account_metrics = true

[auth]
secret_file = "token-secret"
"""


class Outputs:
    """All outputs, by source."""

    def __init__(self) -> None:
        self.by_source: dict[str, bytes] = {}

    def add(self, source: str, output: bytes) -> None:
        self.by_source[source] = self.by_source.get(source, b"") + output

    def find_secrets(self) -> Iterator[str]:
        for source, output in self.by_source.items():
            for secret in SEARCHED:
                if secret.encode() in output:
                    at = output.index(secret.encode())
                    yield f"{source}: …{output[max(0, at - 80) : at + len(secret)]!r}"


def paths() -> Iterator[tuple[str, str]]:
    """Method and path of every route, for an existing account and a missing one."""
    for label in ("alpha", "nobody"):
        values = {"{account_id}": label, "{symbol}": "AAPL", "{order_id}": "no-such-order"}
        templates = [("GET", path) for route in ROUTES for path in route.paths]
        templates += [(route.method, path) for route in ORDER_ROUTES for path in route.paths]
        templates += [("POST", "/admin/reload"), ("GET", "/session"), ("GET", "/nowhere")]
        for method, path in templates:
            for name, value in values.items():
                path = path.replace(name, value)
            if path not in ("/realtime/events", "/orders/halt", "/positions", "/positions/alpha"):
                yield method, path


async def request_everything(http: aiohttp.ClientSession, url: str, outputs: Outputs) -> None:
    tokens = {"reader": READER, "admin": ADMIN, "ended": ENDED, "none": "", "cut": ADMIN[:-4]}
    for principal, token in tokens.items():
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        for method, path in paths():
            body = {"symbol": "AAPL", "side": "buy", "qty": "1", "account_id": "alpha"}
            sent = body if method in ("POST", "PATCH") and "reload" not in path else None
            async with http.request(method, url + path, headers=headers, json=sent) as answer:
                words = repr(answer.headers).encode() + await answer.read()
                outputs.add(f"{principal}: {method} {path}", words)
    async with http.get(f"{url}/realtime/accounts?token={ADMIN}") as answer:
        outputs.add("a token in the address", await answer.read())
    for name in FILES:
        async with http.get(f"{url}/page/{name}") as answer:
            outputs.add(f"/page/{name}", await answer.read())


def read(path: Path) -> str:
    return path.read_text()


def write(path: Path, text: str) -> None:
    path.write_text(text)


async def listen(http: aiohttp.ClientSession, url: str, outputs: Outputs) -> None:
    headers = {"Authorization": f"Bearer {READER}"}
    async with http.get(f"{url}/realtime/events", headers=headers) as answer:
        async for line in answer.content:
            outputs.add("/realtime/events", line)


async def send_nonsense(port: int, outputs: Outputs) -> None:
    for raw in (
        f"GET /{ADMIN} HTTP/1.1\r\nHost : x\r\n\r\n",
        f"GET / HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {ADMIN}\r\nX: a\0b\r\n\r\n",
        f"{ADMIN}\r\n\r\n",
        f"GET /{ADMIN * 40} HTTP/1.1\r\n\r\n",
    ):
        source, sink = await asyncio.open_connection("127.0.0.1", port)
        sink.write(raw.encode())
        async with asyncio.timeout(30):
            outputs.add(f"nonsense {raw[:4]!r}", await source.read(65536))
        sink.close()


async def command(outputs: Outputs, *arguments: str, config: Path, url: str) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "realtime", *arguments,
        env={**os.environ, "REALTIME_URL": url, "REALTIME_TOKEN": ADMIN,
             "REALTIME_CONFIG": str(config)},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    async with asyncio.timeout(60):
        out, _ = await process.communicate()
    outputs.add(f"realtime {' '.join(arguments)}", out)


async def break_the_files(
    config: Path, url: str, http: aiohttp.ClientSession, outputs: Outputs
) -> None:
    """Every mistake in the files that may lead to a key being quoted."""
    secrets = config.with_name("secrets.toml")
    good = secrets.read_text()
    key, secret = KEYS["alpha"], secret_for("alpha")
    for at, broken in enumerate(
        (
            good.replace(f'"{key}"', key),
            good.replace(f'"{key}"', f'"{key}'),
            good.replace(f'secret_key = "{secret}"', f'"{secret}" = 1'),
            good.replace("[alpha]", f"[{key}]"),
            good.replace(f'"{key}"', f'"{key} "'),
            good.replace(f'"{key}"', f'["{key}"]'),
            good.replace(f'"{secret}"', f'"{secret}\\u0000"'),
            good.replace(f'"{KEYS["bravo"]}"', f'"{key}"').replace(secret_for("bravo"), secret),
            good.replace(f'"{key}"', f'"A{key[1:]}"'),
        )
    ):
        secrets.write_text(broken)
        headers = {"Authorization": f"Bearer {ADMIN}"}
        async with http.post(f"{url}/admin/reload", headers=headers) as answer:
            outputs.add("/admin/reload of broken files", await answer.read())
        if at % 3 == 0:
            await command(outputs, "check", "--offline", config=config, url=url)
    secrets.write_text(good)
    write(config, read(config) + f'\nkey_id = "{key}"\n')
    await command(outputs, "check", "--offline", config=config, url=url)


@pytest.mark.timeout(180)
async def test_no_output_contains_a_key_or_a_token(tmp_path: Path) -> None:
    outputs = Outputs()
    async with Simulator(accounts=4, activity=20) as simulator, aiohttp.ClientSession() as http:
        config = write_config(tmp_path, simulator.specs, simulator.url)
        config.write_text(config.read_text() + CONFIG)
        secrets = tmp_path / "secrets.toml"
        for label, key in KEYS.items():
            simulator.credentials.rotate(label, key)
            secrets.write_text(secrets.read_text().replace(f'"demo-{label}"', f'"{key}"'))
        simulator.add_fault({"kind": "key_revoked", "account": "charlie"})
        simulator.add_fault({"kind": "server_error", "account": "delta"})
        (tmp_path / "token-secret").write_bytes(TOKEN_SECRET)
        (tmp_path / "token-secret").chmod(0o600)
        port, log = free_port(), tmp_path / "run.log"
        url = f"http://127.0.0.1:{port}"
        with log.open("ab") as output:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "realtime", "run", "--config", str(config),
                "--port", str(port), stdout=output, stderr=output,
                env={**os.environ, "REALTIME_LOG_LEVEL": "debug"},
            )  # fmt: skip
        try:
            async with asyncio.timeout(30):
                while not events(log, "daemon.ready"):
                    await asyncio.sleep(0.05)
            listening = asyncio.create_task(listen(http, url, outputs))
            await request_everything(http, url, outputs)
            await send_nonsense(port, outputs)
            await break_the_files(config, url, http, outputs)
            for name in ("status", "reload", "openapi"):
                await command(outputs, name, config=config, url=url)
            outputs.add("process list", read(Path(f"/proc/{process.pid}/cmdline")).encode())
            listening.cancel()
        finally:
            process.terminate()
            async with asyncio.timeout(STOP_S):
                await process.wait()
        outputs.add("log", log.read_bytes())
        outputs.add("journal", (tmp_path / "orders.jsonl").read_bytes())
    assert list(outputs.find_secrets()) == []
    assert len(outputs.by_source) > 200
    assert b"fill.applied" in outputs.by_source["log"]
    assert b"order.placed" in outputs.by_source["journal"]
    assert outputs.by_source["/realtime/events"]


def test_the_search_finds_a_key() -> None:
    outputs = Outputs()
    outputs.add("somewhere", b"the key is " + KEYS["alpha"].encode())
    assert len(list(outputs.find_secrets())) == 1
