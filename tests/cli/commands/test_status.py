"""`realtime status` as a program, against a daemon and against what only listens."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from realtime.cli import FAILED, FINE, MISUSED, UNREACHABLE
from realtime.runtime.environment import real_environment
from realtime.simulator.app import Simulator
from tests.cli.conftest import fault
from tests.cli.programs import Answer, free_port, run
from tests.fleet import Fleet, fleet

SINCE = "2026-11-21T04:10:31Z"
HEALTH = {"status": "degraded", "uptime_s": 273_600.0}
ROW = {"connected": False, "state": "waiting", "since": SINCE, "stale": True}
STATUS = {
    "total_accounts": 1,
    "connected_accounts": 0,
    "accounts": {"bravo": ROW},
    "as_of": "2026-11-21T04:11:12Z",
    "by_state": {"waiting": 1},
}


async def status(url: str, *args: str, **variables: str) -> Answer:
    answer = await run("status", *args, REALTIME_URL=url, **variables)
    assert "Traceback" not in answer.err
    return answer


async def settled(pair: Fleet) -> None:
    """Every account has come as far as it can."""
    done = asyncio.Event()

    def look(_: object) -> None:
        if all(link.state in ("synced", "waiting", "refused") for link in pair.links.values()):
            done.set()

    unsubscribe = pair.daemon.store.subscribe(look)
    look(None)
    async with asyncio.timeout(20):
        await done.wait()
    unsubscribe()


@asynccontextmanager
async def daemon(sim: Simulator) -> AsyncIterator[str]:
    async with fleet(sim, real_environment()) as pair:
        await settled(pair)
        yield f"http://127.0.0.1:{pair.daemon.port}"


@asynccontextmanager
async def listening(answer_to: Callable[[bytes], bytes]) -> AsyncIterator[str]:
    """Something that takes any request and sends these bytes."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(answer_to(await reader.readuntil(b"\r\n\r\n")))
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


def http(body: bytes, head: str = "200 OK", more: str = "") -> bytes:
    return f"HTTP/1.1 {head}\r\nContent-Length: {len(body)}\r\n{more}\r\n".encode() + body


def documents(status: object, accounts: object = ()) -> Callable[[bytes], bytes]:
    """Answer as a daemon would that has these documents."""
    bodies = {b"/health": HEALTH, b"/websocket/status": status}

    def answer_to(request: bytes) -> bytes:
        path = request.split(b" ")[1]
        return http(json.dumps(bodies.get(path, {"accounts": accounts})).encode())

    return answer_to


async def test_all_live(sim: Simulator) -> None:
    """One line; a table would say nothing."""
    async with daemon(sim) as url:
        answer = await status(url)
    assert (answer.code, answer.err) == (FINE, "")
    assert answer.out.startswith("3/3 synced · up ")
    assert len(answer.out.splitlines()) == 1


async def test_all_shows_everyone(sim: Simulator) -> None:
    async with daemon(sim) as url:
        answer = await status(url, "--all")
    lines = answer.out.splitlines()
    assert lines[1].split() == [
        "ACCOUNT",
        "STATE",
        "SINCE",
        "POS",
        "OPEN",
        "EQUITY",
        "LAST",
        "ERROR",
    ]
    assert [line.split()[:2] for line in lines[2:]] == [
        ["alpha", "synced"], ["bravo", "synced"], ["charlie", "synced"],
    ]  # fmt: skip
    assert "1 000 000.00" in lines[2]


async def test_who_is_not_live_and_why(sim: Simulator) -> None:
    fault(sim, kind="key_revoked", account="alpha")
    fault(sim, kind="server_error", account="bravo")
    async with daemon(sim) as url:
        answer = await status(url)
        quiet = await status(url, "--quiet")
    lines = answer.out.splitlines()
    assert answer.code == FAILED
    assert lines[0].startswith("1/3 synced · 1 waiting · 1 refused · up ")
    assert [line.split()[:2] for line in lines[2:4]] == [["alpha", "refused"], ["bravo", "waiting"]]
    assert "retry in " in lines[3]
    assert "(attempt 1)" in lines[3]
    assert lines[4].startswith("remedy for alpha: put a valid key of the right kind")
    assert lines[-1] == "(only accounts that are not synced; --all for every one)"
    assert quiet == Answer(FAILED, "", "")


async def test_quiet_says_nothing(sim: Simulator) -> None:
    """For health checks of containers: the exit code is the answer."""
    async with daemon(sim) as url:
        assert await status(url, "--quiet") == Answer(FINE, "", "")
    nobody = f"http://127.0.0.1:{free_port()}"
    assert await status(nobody, "--quiet") == Answer(UNREACHABLE, "", "")


async def test_no_daemon() -> None:
    url = f"http://127.0.0.1:{free_port()}"
    assert await status(url) == Answer(
        UNREACHABLE, "", f"no daemon at {url} – start one with: realtime demo\n"
    )


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (http(b"<html>Welcome</html>"), "its answer is not ours"),
        (http(b"[1, 2]"), "its answer is not ours"),
        (http(b'{"status": 3}'), "its answer is not ours"),
        (http(b'{"status": "ok", "upti')[:-3], "its answer is broken off"),
        (http(b"\xff\xfe"), "its answer is not ours"),
        (http(b"no", "404 Not Found"), "it answered 404"),
        (http(b"", "302 Found", "Location: http://127.0.0.1:1/\r\n"), "it answered 302"),
        (b"SSH-2.0-OpenSSH_9.6\r\n", "its answer is broken off or not HTTP"),
        (b"", "its answer is broken off or not HTTP"),
    ],
)
async def test_what_listens_is_no_daemon(answer: bytes, reason: str) -> None:
    async with listening(lambda _: answer) as url:
        found = await status(url)
    assert (found.code, found.out) == (UNREACHABLE, "")
    assert found.err.startswith(f"what listens at {url} is no daemon: {reason}")
    assert "remedy: set REALTIME_URL to the daemon's address" in found.err


async def test_a_problem_is_told_in_the_daemons_words() -> None:
    body = json.dumps({"detail": "the token is too old", "remedy": "ask your issuer"}).encode()
    async with listening(lambda _: http(body, "401 Unauthorized")) as url:
        answer = await status(url)
    assert answer.code == UNREACHABLE
    assert answer.err == f"{url} answered 401: the token is too old\n  remedy: ask your issuer\n"


async def test_the_token_is_sent_as_bearer() -> None:
    asked: list[bytes] = []

    def answer_to(request: bytes) -> bytes:
        asked.append(request)
        return http(json.dumps(HEALTH).encode())

    async with listening(answer_to) as url:
        await status(url, "--quiet", REALTIME_TOKEN="letters.and.digits")
        await status(url, "--quiet")
    assert b"Authorization: Bearer letters.and.digits\r\n" in asked[0]
    assert b"Authorization" not in asked[1]


@pytest.mark.parametrize(
    "url", ["nonsense", "ftp://127.0.0.1", "http://", "http://[::1", "http://a b/", "http://h:x/"]
)
async def test_an_address_that_is_none(url: str) -> None:
    answer = await status(url)
    assert (answer.code, answer.out) == (MISUSED, "")
    assert answer.err.startswith("REALTIME_URL: expected an address such as http://127.0.0.1:8090")


async def test_a_token_that_would_forge_headers() -> None:
    answer = await status("http://127.0.0.1:1", REALTIME_TOKEN="x\r\nX-Evil: 1")
    assert answer.code == MISUSED
    assert answer.err.startswith("REALTIME_TOKEN has letters that no token has")
    assert "Evil" not in answer.err


async def test_the_row_of_an_account_that_waits() -> None:
    """Known before the outage, and since when it is not."""
    row = {
        **ROW, "positions": 3, "open_orders": 8, "last_error": SINCE, "reconnect_attempts": 4,
        "last_error_message": "429 on connect", "next_attempt_in_s": 63.7,
    }  # fmt: skip
    answers = documents(
        {**STATUS, "accounts": {"bravo": row}}, [{"account_id": "bravo", "equity": "20000"}]
    )
    async with listening(answers) as url:
        answer = await status(url)
    head, _, bravo = answer.out.splitlines()
    assert head == "0/1 synced · 1 waiting · up 3 d 4 h"
    assert bravo.split()[:5] == ["bravo", "waiting", "00:00:41", "3", "8"]
    assert bravo.rstrip().endswith(f"20 000.00  {SINCE}  429 on connect, retry in 64 s (attempt 4)")


async def test_foreign_words_do_not_reach_the_terminal_raw() -> None:
    """A broker's message may hold anything; escape codes and markup are shown, not obeyed."""
    row = {**ROW, "last_error": SINCE, "last_error_message": "\x1b[2Jgone [red]x[/red]\n\r!"}
    async with listening(documents({**STATUS, "accounts": {"bravo": row}})) as url:
        answer = await status(url)
    assert "\x1b" not in answer.out
    assert "[2Jgone [red]x[/red]  !" in answer.out


@pytest.mark.parametrize(("columns", "has_figures"), [("80", True), ("40", False)])
async def test_a_narrow_terminal(columns: str, has_figures: bool) -> None:
    """The error goes below the row, then the figures go; nothing is squeezed into a column."""
    row = {**ROW, "last_error": SINCE, "last_error_message": "gone"}
    terminal = {"TTY_COMPATIBLE": "1", "COLUMNS": columns, "NO_COLOR": "1", "TERM": "xterm"}
    async with listening(documents({**STATUS, "accounts": {"bravo": row}})) as url:
        answer = await status(url, **terminal)
    lines = [re.sub("\x1b\\[[0-9;]*m", "", line).rstrip() for line in answer.out.splitlines()]
    assert ("EQUITY" in lines[1]) == has_figures
    assert "LAST ERROR" not in lines[1]
    assert f"bravo: {SINCE}  gone" in lines
    assert max(map(len, lines)) <= int(columns)


async def test_accounts_on_their_first_way_up_are_only_counted() -> None:
    rows = {f"a{n}": {**ROW, "state": "starting"} for n in range(300)}
    answers = documents(
        {**STATUS, "total_accounts": 300, "accounts": rows, "by_state": {"starting": 300}}
    )
    async with listening(answers) as url:
        answer = await status(url)
    assert answer == Answer(FAILED, "0/300 synced · 300 starting · up 3 d 4 h\n", "")


async def test_how_things_went_lately() -> None:
    lately = {"per_s": 212.0, "p50_ms": 0.02, "p95_ms": 0.31, "p99_ms": 0.4}
    idle = {"per_s": 0.0, "p50_ms": None, "p95_ms": None, "p99_ms": None}
    async with listening(documents({**STATUS, "requests": lately, "updates": idle})) as url:
        answer = await status(url)
    assert answer.out.splitlines()[0] == (
        "0/1 synced · 1 waiting · up 3 d 4 h · 0 fills/s · "
        "212 queries/s, p50 0.02 ms, p95 0.3 ms, p99 0.4 ms"
    )


async def test_real_money_is_marked() -> None:
    rows = {"alpha": {**ROW, "paper": False}, "bravo": {**ROW, "paper": True}}
    async with listening(documents({**STATUS, "accounts": rows})) as url:
        answer = await status(url)
    assert "1 account of real money (LIVE)" in answer.out.splitlines()[0]
    alpha, bravo = (line for line in answer.out.splitlines() if "waiting  00:00:41" in line)
    assert alpha.startswith("alpha LIVE ")
    assert "LIVE" not in bravo
