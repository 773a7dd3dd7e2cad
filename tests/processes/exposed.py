"""A daemon bound to all interfaces of its own network, and a client on that network.

Run in its own network namespace: `unshare -n python -m tests.processes.exposed DIR`. Prints its
results as one line of JSON.
"""

import asyncio
import json
import sys
from pathlib import Path

from realtime.simulator.app import Simulator
from realtime.simulator.write_config import write_config
from tests.api.guarded import get, read_answer
from tests.auth.made import SECRET, claims, signed
from tests.processes.pair import STOP_S, events, free_port

ADDRESS = "10.99.0.1"
CONNECTIONS = 20
AUTH = f"""
[auth]
secret_file = "token-secret"

[limits]
connections_per_address = {CONNECTIONS}
"""
ALPHA = signed(claims(account_id="alpha", exp=4_000_000_000))


async def main(directory: Path) -> dict[str, object]:
    """Start the daemon and probe it from another address."""
    await run("ip", "link", "set", "lo", "up")
    await run("ip", "addr", "add", f"{ADDRESS}/24", "dev", "lo")
    async with Simulator(accounts=2) as simulator:
        config = write_config(directory, simulator.specs, simulator.url)
        unguarded = await run(*daemon(config, free_port()))
        config.write_text(config.read_text() + AUTH)
        secret = directory / "token-secret"
        secret.write_bytes(SECRET)
        secret.chmod(0o600)
        port, log = free_port(), directory / "run.log"
        with log.open("ab") as output:
            process = await asyncio.create_subprocess_exec(
                *daemon(config, port), stdout=output, stderr=output
            )
        try:
            async with asyncio.timeout(60):
                while not events(log, "daemon.ready"):
                    await asyncio.sleep(0.05)
            results = await probe(port)
        finally:
            process.terminate()
            async with asyncio.timeout(STOP_S):
                await process.wait()
    return {"unguarded": unguarded, "log": log.read_text(), **results}


async def probe(port: int) -> dict[str, object]:
    """Return the responses for a client that is not on this machine."""
    results: dict[str, object] = {}
    for name, head in {
        "livez": get("/livez"),
        "accounts": get("/realtime/accounts"),
        "metrics": get("/metrics"),
        "page": get("/", None, "Accept: text/html"),
        "status": get("/websocket/status"),
        "orders": get("/orders"),
        "mine": get("/realtime/dashboard/alpha", ALPHA),
        "foreign": get("/realtime/dashboard/bravo", ALPHA),
    }.items():
        responses = []
        source, sink = await asyncio.open_connection(ADDRESS, port)
        for _ in range(3):
            sink.write(head.replace(b"127.0.0.1", ADDRESS.encode()))
            async with asyncio.timeout(30):
                responses.append((await read_answer(source)).status)
        sink.close()
        results[name] = responses
    results["connections"] = await connection_limiter(port)
    return results


async def connection_limiter(port: int) -> int:
    """Return how many connections one address gets."""
    connections = [await asyncio.open_connection(ADDRESS, port) for _ in range(CONNECTIONS + 10)]
    served = 0
    for source, sink in connections:
        try:
            sink.write(get("/livez"))
            async with asyncio.timeout(30):
                served += (await read_answer(source)).status == 200
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
    for _, sink in connections:
        sink.close()
    return served


def daemon(config: Path, port: int) -> tuple[str, ...]:
    where = ("--config", str(config), "--host", "0.0.0.0", "--port", str(port))
    return (sys.executable, "-m", "realtime", "run", *where)


async def run(*command: str) -> tuple[int | None, str]:
    """Run a command to its end; return exit code and output."""
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    async with asyncio.timeout(60):
        out, _ = await process.communicate()
    return process.returncode, out.decode()


if __name__ == "__main__":
    sys.stdout.write(json.dumps(asyncio.run(main(Path(sys.argv[1])))) + "\n")
