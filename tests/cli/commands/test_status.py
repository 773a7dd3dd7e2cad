"""`realtime status` as a program, against a daemon and against other programs."""

import asyncio
import json
import re
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from realtime.cli import DENIED, FAILED, SUCCESS, UNREACHABLE, USAGE_ERROR
from realtime.runtime.environment import real_environment
from realtime.simulator.app import Simulator
from tests.cli.conftest import fault
from tests.cli.programs import (
    Answer,
    free_port,
    line_with,
    run,
    run_in_terminal,
    started,
    stop,
)
from tests.fleet import Fleet, fleet

pytestmark = pytest.mark.slow  # each starts a process

SINCE = "2026-11-21T04:10:31Z"
HEALTH = {
    "status": "degraded", "version": "1", "uptime_s": 273_600.0, "total_accounts": 1,
    "connected_accounts": 0, "stale_accounts": 0, "disabled_accounts": 0, "as_of": SINCE,
}  # fmt: skip
ROW = {
    "connected": False, "reconnect_attempts": 0, "last_error": None, "has_data": True,
    "last_error_message": None, "remedy": None, "state": "waiting", "since": SINCE,
    "next_attempt_at": None, "positions": None, "open_orders": None, "stale": True,
    "stale_since": SINCE, "stale_reason": None, "polled_at": None, "tier": None, "paper": True,
    "last_message_at": None, "confirmed_at": None, "next_attempt_in_s": None,
    "out_of_sync_s": 41.0,
}  # fmt: skip
STATUS = {
    "total_accounts": 1,
    "connected_accounts": 0,
    "accounts": {"bravo": ROW},
    "as_of": "2026-11-21T04:11:12Z",
    "by_state": {"waiting": 1},
    "requests": None,
    "updates": None,
}


def account_row(label: str, equity: str) -> dict[str, object]:
    unknown = dict.fromkeys(
        (
            "name",
            "tier",
            "last_equity",
            "cash",
            "buying_power",
            "day_pl",
            "positions",
            "open_orders",
        )
    )
    known = {"paper": True, "connected": False, "stale": True, "as_of": SINCE}
    return {"account_id": label, "equity": equity, **known, **unknown}


async def status(url: str, *args: str, **variables: str) -> Answer:
    answer = await run("status", *args, REALTIME_URL=url, **variables)
    assert "Traceback" not in answer.err
    return answer


async def settled(pair: Fleet) -> None:
    """Wait until every account is synced or has failed."""
    done = asyncio.Event()

    def check(_: object) -> None:
        if all(link.state in ("synced", "waiting", "refused") for link in pair.links.values()):
            done.set()

    unsubscribe = pair.daemon.store.subscribe(check)
    check(None)
    async with asyncio.timeout(60):
        await done.wait()
    unsubscribe()


@asynccontextmanager
async def daemon(sim: Simulator) -> AsyncIterator[str]:
    async with fleet(sim, real_environment()) as pair:
        await settled(pair)
        yield f"http://127.0.0.1:{pair.daemon.port}"


@asynccontextmanager
async def listening(answer_to: Callable[[bytes], bytes]) -> AsyncIterator[str]:
    """A program that responds to any request with these bytes."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(answer_to(await reader.readuntil(b"\r\n\r\n")))
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


def http(body: bytes, head: str = "200 OK", more: str = "") -> bytes:
    return f"HTTP/1.1 {head}\r\nContent-Length: {len(body)}\r\n{more}\r\n".encode() + body


def documents(status: object, *accounts: dict[str, object]) -> Callable[[bytes], bytes]:
    """Respond as a daemon with these documents."""
    table = {"as_of": SINCE, "total": len(accounts), "accounts": accounts}
    bodies = {b"/health": HEALTH, b"/websocket/status": status, b"/realtime/accounts": table}

    def answer_to(request: bytes) -> bytes:
        return http(json.dumps(bodies[request.split(b" ")[1]]).encode())

    return answer_to


@pytest.mark.quick
async def test_all_synced(sim: Simulator) -> None:
    """One line: a table would add nothing."""
    async with daemon(sim) as url:
        answer = await status(url)
    assert (answer.code, answer.err) == (SUCCESS, "")
    assert answer.out.startswith("3/3 synced · up ")
    assert len(answer.out.splitlines()) == 1


async def test_all_shows_every_account(sim: Simulator) -> None:
    async with daemon(sim) as url:
        answer = await status(url, "--all")
    lines = answer.out.splitlines()
    heads = ["ACCOUNT", "STATE", "IN", "SYNC", "POS", "OPEN", "EQUITY", "LAST", "ERROR"]
    assert lines[1].split() == heads
    assert [line.split()[:3] for line in lines[2:]] == [
        ["alpha", "synced", "since"], ["bravo", "synced", "since"], ["charlie", "synced", "since"],
    ]  # fmt: skip
    assert "1,000,000.00" in lines[2]


async def test_named_accounts(sim: Simulator) -> None:
    """They are shown even if they are well; the exit code is about them only."""
    fault(sim, kind="key_revoked", account="alpha")
    async with daemon(sim) as url:
        well = await status(url, "charlie", "bravo")
        refused = await status(url, "bravo", "alpha", "--quiet")
        unknown = await status(url, "brvao")
    assert (well.code, [line.split()[0] for line in well.out.splitlines()[2:]]) == (
        SUCCESS, ["charlie", "bravo"],
    )  # fmt: skip
    assert refused == Answer(FAILED, "", "")
    assert unknown.code == USAGE_ERROR
    assert "did you mean bravo?" in unknown.err


@pytest.mark.slow
async def test_json_is_the_status_document(sim: Simulator) -> None:
    async with daemon(sim) as url:
        answer = await status(url, "--json", "alpha")
    document = json.loads(answer.out)
    assert answer.code == SUCCESS
    assert (document["status"], document["total_accounts"]) == ("ok", 3)
    assert list(document["accounts"]) == ["alpha"]
    assert document["accounts"]["alpha"]["state"] == "synced"
    assert document["accounts"]["alpha"]["equity"] == "1000000"


async def test_watch_repeats_until_ctrl_c(sim: Simulator) -> None:
    async with daemon(sim) as url, started("status", "--watch", REALTIME_URL=url) as process:
        for _ in range(2):
            assert "3/3 synced" in await line_with(process, "synced")
        answer = await stop(process, signal.SIGINT)
    assert (answer.code, answer.err) == (SUCCESS, "")


async def test_accounts_with_a_problem_and_their_cause(sim: Simulator) -> None:
    fault(sim, kind="server_error", account="alpha")
    fault(sim, kind="key_revoked", account="bravo")
    async with daemon(sim) as url:
        answer = await status(url)
        quiet = await status(url, "--quiet")
    lines = answer.out.splitlines()
    assert answer.code == FAILED
    assert lines[0].startswith("1/3 synced · 1 waiting · 1 refused · up ")
    assert [line.split()[:3] for line in lines[2:4]] == [
        ["bravo", "refused", "never"], ["alpha", "waiting", "never"],
    ]  # fmt: skip
    assert "retry in " in lines[3]
    assert "(attempt 1)" in lines[3]
    assert any(line.startswith("remedy for bravo: ") for line in lines)
    assert lines[-1] == "(only accounts that are not synced; --all shows every one)"
    assert quiet == Answer(FAILED, "", "")


@pytest.mark.slow
async def test_from_20_accounts_on_problems_are_grouped_by_cause() -> None:
    """One outage of a thousand accounts is a few lines: the refused first, then by cause."""
    outage = {**ROW, "last_error": SINCE, "last_error_message": "no route to host"}
    refused = {
        **ROW, "state": "refused", "last_error": SINCE, "last_error_message": "key refused (401)",
        "remedy": "put a valid key into secrets.toml",
    }  # fmt: skip
    later = {**outage, "stale_since": "2026-11-21T04:11:00Z"}
    behind = {**ROW, "state": "synced", "stale_reason": "behind: read is late"}
    rows: dict[str, object] = {f"a{n}": later if n else outage for n in range(1000)}
    rows |= {"behind": behind, "bad": refused}
    async with listening(documents({**STATUS, "accounts": rows})) as url:
        answer = await status(url)
        every = await status(url, "--all")
    lines = answer.out.splitlines()
    assert lines[1:] == [
        "1 account refused  key refused (401)  since 04:10:31Z (41 s)",
        "  bad",
        "  remedy: put a valid key into secrets.toml",
        "1,000 accounts waiting  no route to host  since 04:10:31Z (41 s)",
        "  a0, a1, a2, a3, a4 and 995 others",
        "1 account synced  behind: read is late  since 04:10:31Z (41 s)",
        "  behind",
        "(grouped by cause; --all shows a row for every account)",
    ]
    assert len(every.out.splitlines()) > 1000


async def test_quiet_prints_nothing(sim: Simulator) -> None:
    """For health checks of containers: only the exit code counts."""
    async with daemon(sim) as url:
        assert await status(url, "--quiet") == Answer(SUCCESS, "", "")
    no_daemon = f"http://127.0.0.1:{free_port()}"
    assert await status(no_daemon, "--quiet") == Answer(UNREACHABLE, "", "")


async def test_no_daemon() -> None:
    url = f"http://127.0.0.1:{free_port()}"
    answer = await status(url)
    assert (answer.code, answer.out) == (UNREACHABLE, "")
    assert answer.err == (
        f"no daemon at {url} – start one with: realtime demo\n"
        "  remedy: the address is from REALTIME_URL; "
        "--url, REALTIME_URL or --config name another daemon\n"
    )


@pytest.mark.parametrize(
    ("response", "reason"),
    [
        (http(b"<html>Welcome</html>"), "its response is of another program or version"),
        (http(b"[1, 2]"), "its response is of another program or version"),
        (http(b'{"status": 3}'), "its response is of another program or version"),
        (http(b'{"status": "ok", "upti')[:-3], "its response is incomplete"),
        (http(b"\xff\xfe"), "its response is of another program or version"),
        (http(b"no", "404 Not Found"), "it responded with 404"),
        (http(b"", "302 Found", "Location: http://127.0.0.1:1/\r\n"), "it responded with 302"),
        (b"SSH-2.0-OpenSSH_9.6\r\n", "its response is incomplete or not HTTP"),
        (b"", "its response is incomplete or not HTTP"),
    ],
)
async def test_another_program_is_not_a_daemon(response: bytes, reason: str) -> None:
    async with listening(lambda _: response) as url:
        answer = await status(url)
    assert (answer.code, answer.out) == (UNREACHABLE, "")
    assert answer.err.startswith(f"the program at {url} is not this daemon: {reason}")
    assert "remedy: the address is from REALTIME_URL" in answer.err


async def test_a_refused_token_has_its_own_exit_code() -> None:
    """With the daemon's own text and remedy."""
    body = json.dumps({"detail": "the token is too old", "remedy": "ask your issuer"}).encode()
    async with listening(lambda _: http(body, "401 Unauthorized")) as url:
        answer = await status(url)
    assert answer.code == DENIED
    assert answer.err == (
        f"{url} responded with 401: the token is too old\n  remedy: ask your issuer\n"
    )


async def test_the_token_is_sent_as_bearer() -> None:
    requests: list[bytes] = []

    def answer_to(request: bytes) -> bytes:
        requests.append(request)
        return http(json.dumps(HEALTH).encode())

    async with listening(answer_to) as url:
        await status(url, "--quiet", REALTIME_TOKEN="letters.and.digits")
        await status(url, "--quiet")
    assert b"Authorization: Bearer letters.and.digits\r\n" in requests[0]
    assert b"Authorization" not in requests[1]


@pytest.mark.parametrize(
    "url", ["nonsense", "ftp://127.0.0.1", "http://", "http://[::1", "http://a b/", "http://h:x/"]
)
async def test_an_unusable_address(url: str) -> None:
    for answer, source in (
        (await status(url), "REALTIME_URL"),
        (await status("http://127.0.0.1:1", "--url", url), "--url"),
    ):
        assert (answer.code, answer.out) == (USAGE_ERROR, "")
        expected = f"{source}: expected an address such as http://127.0.0.1:8090"
        assert answer.err.startswith(expected)


@pytest.mark.parametrize("token", ["x\r\nX-Evil: 1", '"quoted"', "a b"])
async def test_a_token_that_would_forge_headers(token: str) -> None:
    answer = await status("http://127.0.0.1:1", REALTIME_TOKEN=token)
    assert answer.code == USAGE_ERROR
    assert answer.err.startswith("REALTIME_TOKEN contains characters that no token has")
    assert "Evil" not in answer.err


async def test_the_row_of_an_account_that_waits() -> None:
    """When it was last in sync, as a time and a duration, and what was known before."""
    row = {
        **ROW, "positions": 3, "open_orders": 8, "last_error": SINCE, "reconnect_attempts": 4,
        "last_error_message": "429 on connect", "next_attempt_in_s": 63.7,
    }  # fmt: skip
    daemon = documents({**STATUS, "accounts": {"bravo": row}}, account_row("bravo", "20000"))
    async with listening(daemon) as url:
        answer = await status(url)
    head, _, bravo = answer.out.splitlines()
    assert head == "0/1 synced · 1 waiting · up 3 d 4 h"
    assert re.split("  +", bravo)[:3] == ["bravo", "waiting", "until 04:10:31Z (41 s)"]
    assert bravo.rstrip().endswith(f"20,000.00  {SINCE}  429 on connect, retry in 64 s (attempt 4)")


async def test_an_outage_since_another_day_has_its_date() -> None:
    row = {**ROW, "stale_since": "2026-11-20T23:00:00Z"}
    async with listening(documents({**STATUS, "accounts": {"bravo": row}})) as url:
        answer = await status(url)
    assert "until 2026-11-20T23:00:00Z (5 h 11 min)" in answer.out


async def test_foreign_text_does_not_reach_the_terminal_raw() -> None:
    """A broker's message may contain anything; escape codes and markup are shown, not obeyed."""
    row = {**ROW, "last_error": SINCE, "last_error_message": "\x1b[2Jgone [red]x[/red]\n\r!"}
    async with listening(documents({**STATUS, "accounts": {"bravo": row}})) as url:
        answer = await status(url)
    assert "\x1b" not in answer.out
    assert "[2Jgone [red]x[/red]  !" in answer.out


@pytest.mark.parametrize(("columns", "has_figures"), [("90", True), ("60", False)])
async def test_a_narrow_terminal(columns: str, has_figures: bool) -> None:
    """The error goes below the row, then the figures go; nothing is squeezed or cut."""
    row = {**ROW, "last_error": SINCE, "last_error_message": "gone"}
    terminal = {"TTY_COMPATIBLE": "1", "COLUMNS": columns, "NO_COLOR": "1", "TERM": "xterm"}
    daemon = documents(
        {**STATUS, "accounts": {"bravo": row}}, account_row("bravo", "98765432109.87")
    )
    async with listening(daemon) as url:
        answer = await status(url, **terminal)
    lines = [re.sub("\x1b\\[[0-9;]*m", "", line).rstrip() for line in answer.out.splitlines()]
    assert ("EQUITY" in lines[1]) == has_figures
    assert ("98,765,432,109.87" in answer.out) == has_figures
    assert "LAST ERROR" not in lines[1]
    assert f"bravo: {SINCE}  gone" in lines
    assert max(map(len, lines)) <= int(columns)


async def test_accounts_that_connect_for_the_first_time_are_only_counted() -> None:
    row = {**ROW, "state": "starting", "has_data": False}
    rows = {f"a{n}": row for n in range(300)}
    daemon = documents(
        {**STATUS, "total_accounts": 300, "accounts": rows, "by_state": {"starting": 300}}
    )
    async with listening(daemon) as url:
        answer = await status(url)
    assert answer == Answer(FAILED, "0/300 synced · 300 starting · up 3 d 4 h\n", "")


async def test_rates_of_the_last_minute() -> None:
    busy = {"per_s": 212.0, "p50_ms": 0.02, "p95_ms": 0.31, "p99_ms": 0.4}
    idle = {"per_s": 0.0, "p50_ms": None, "p95_ms": None, "p99_ms": None}
    async with listening(documents({**STATUS, "requests": busy, "updates": idle})) as url:
        answer = await status(url)
    assert answer.out.splitlines()[0] == (
        "0/1 synced · 1 waiting · up 3 d 4 h · 0 fills/s · "
        "212 queries/s, p50 0.02 ms, p95 0.3 ms, p99 0.4 ms"
    )


async def test_real_money_is_marked_before_the_label() -> None:
    long = "momentum_crossover_advanced_v2_2026"
    rows = {long: {**ROW, "paper": False}, "bravo": {**ROW, "paper": True}}
    async with listening(documents({**STATUS, "accounts": rows})) as url:
        answer = await status(url)
    assert "REAL MONEY 1" in answer.out.splitlines()[0]
    real, paper = answer.out.splitlines()[2:4]
    assert real.startswith("REAL MONEY momentum_cr…nced_v2_2026  ")
    assert "REAL MONEY" not in paper


async def test_a_terminal_is_told_how_to_get_a_token() -> None:
    body = json.dumps({"detail": "a token is required", "remedy": "send Authorization"}).encode()
    async with listening(lambda _: http(body, "401 Unauthorized")) as url:
        code, output = await asyncio.to_thread(run_in_terminal, "status", "--url", url)
    assert code == DENIED
    assert "export REALTIME_TOKEN=…; `realtime token` prints one" in output


async def test_url_and_token_may_be_in_env_file(tmp_path: Path) -> None:
    """`.env` beside the accounts file; the environment wins."""
    requests: list[bytes] = []

    def answer_to(request: bytes) -> bytes:
        requests.append(request)
        return http(json.dumps(HEALTH).encode())

    async with listening(answer_to) as url:
        path = tmp_path / ".env"
        path.write_text(f"REALTIME_URL={url}\nREALTIME_TOKEN=from.env.file\n")
        path.chmod(0o600)
        config = ("--config", str(tmp_path / "accounts.toml"))
        await run("status", "--quiet", *config)
        await run("status", "--quiet", *config, REALTIME_TOKEN="from.the.environment")
    assert b"Authorization: Bearer from.env.file\r\n" in requests[0]
    assert b"Authorization: Bearer from.the.environment\r\n" in requests[1]
