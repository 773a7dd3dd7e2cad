"""`realtime front` as a program, beside the owner that it follows."""

import json
from pathlib import Path

import aiohttp
import pytest

from realtime.cli import FAILED, SUCCESS, USAGE_ERROR
from realtime.simulator.app import Simulator
from tests.cli.programs import free_port, line_with, run, started, stop

pytestmark = pytest.mark.slow  # every test starts a process or more


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    path = tmp_path / "cluster.secret"
    path.write_text("0123456789abcdef" * 4)
    path.chmod(0o600)
    return path


async def get(url: str) -> dict[str, object]:
    async with aiohttp.ClientSession() as http, http.get(url) as response:
        document: dict[str, object] = await response.json()
        return document


async def test_a_front_serves_the_accounts_of_an_owner_and_needs_no_keys(
    sim: Simulator, config: Path, secret: Path, tmp_path: Path
) -> None:
    mesh, owner_port, front_port = free_port(), free_port(), free_port()
    with config.open("a") as file:
        file.write(
            f'\n[cluster]\nmember = "beta"\nlisten = "127.0.0.1:{mesh}"\nsecret_file = "{secret}"\n'
        )
    run_owner = ("run", "--config", str(config), "--port", str(owner_port))
    run_front = (
        "front", "--of", f"http://127.0.0.1:{mesh}", "--secret-file", str(secret),
        "--config", str(tmp_path / "none.toml"), "--port", str(front_port),
    )  # fmt: skip
    url = f"http://127.0.0.1:{front_port}"
    async with started(*run_front) as front:
        await line_with(front, "owner.lost")
        async with started(*run_owner) as owner:
            await line_with(owner, "daemon.ready")
            assert json.loads(await line_with(front, "owner.connected"))["accounts"] == 3
            assert (await get(f"{url}/health"))["total_accounts"] == 3
            answer = await run("status", "--url", url)
            assert answer.code == SUCCESS
            assert "3 of owner beta" in answer.out
            answer = await run("status", "--url", f"http://127.0.0.1:{owner_port}")
            assert "1 front" in answer.out
            for command in ("status", "drain"):
                answer = await run("cluster", command, "--url", url)
                assert answer.code == FAILED
                assert "no `engine` in [cluster]" in answer.err
            await stop(owner)
        await line_with(front, "owner.lost")
        answer = await run("status", "--url", url)
        assert "owner beta NOT RECEIVED (" in answer.out
        assert (await stop(front)).code == SUCCESS


async def test_what_is_missing_or_wrong_is_said_before_it_starts(
    secret: Path, tmp_path: Path
) -> None:
    common = ("--config", str(tmp_path / "none.toml"), "--secret-file", str(secret))
    answer = await run("front", "--of", "10.0.0.5:8095", *common)
    assert answer.code == USAGE_ERROR
    assert "--of: expected an address such as" in answer.err
    answer = await run("front", "--of", "http://10.0.0.5:8095", *common)
    assert answer.code == USAGE_ERROR
    assert "in clear" in answer.err
    answer = await run("front", *common)
    assert answer.code == USAGE_ERROR
    assert "none.toml not found" in answer.err
