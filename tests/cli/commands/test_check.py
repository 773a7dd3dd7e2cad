"""`realtime check` as a program, against the simulator."""

import asyncio
from pathlib import Path

import pytest

from realtime.cli import FAILED, SUCCESS, USAGE_ERROR
from realtime.simulator.app import Simulator
from realtime.simulator.exchange.engine import AccountSpec
from realtime.simulator.write_config import write_config
from tests.cli.conftest import edit, fault
from tests.cli.programs import Answer, free_port, run

pytestmark = pytest.mark.slow  # every test starts a process or more


async def check(config: Path, *args: str, **variables: str) -> Answer:
    answer = await run("check", "--config", str(config), *args, **variables)
    assert "Traceback" not in answer.err
    assert "demo-secret" not in answer.out + answer.err
    assert "demo-alpha" not in answer.out + answer.err
    return answer


async def test_all_well(sim: Simulator, config: Path) -> None:
    """A row per account, in the order of the file, with its figures."""
    answer = await check(config)
    lines = answer.out.splitlines()
    assert answer.code == SUCCESS
    assert lines[0].split() == ["accounts.toml", "ok", "3", "accounts"]
    assert lines[1].split(maxsplit=2) == ["keys", "ok", "alpha bravo charlie (secrets.toml)"]
    assert [line.split()[0] for line in lines[2:5]] == ["alpha", "bravo", "charlie"]
    figures = "ACTIVE  equity 1,000,000.00  cash 1,000,000.00  buying power 4,000,000.00"
    assert f"PA0SIM000001  {figures}  0 positions  0 open orders" in lines[2]
    assert "REST" in lines[2]
    assert "websocket authorized" in lines[2]
    assert lines[5] == "all 3 are well"
    assert all(sim.counters.get(label)["authorized"] == 1 for label in sim.exchange.labels)


async def test_offline_sends_no_request(sim: Simulator, config: Path) -> None:
    answer = await check(config, "--offline")
    assert (answer.code, len(answer.out.splitlines())) == (SUCCESS, 2)
    assert sim.counters.total() == {}


async def test_a_disabled_account_is_counted_and_not_tested(sim: Simulator, config: Path) -> None:
    edit(config, "[accounts.bravo]", "[accounts.bravo]\nenabled = false")
    answer = await check(config)
    assert "3 accounts, 1 disabled" in answer.out
    assert answer.out.endswith("all 2 are well\n")
    assert "requests" not in sim.counters.get("bravo")


async def test_a_refused_key_fails_its_account_only(sim: Simulator, config: Path) -> None:
    fault(sim, kind="key_revoked", account="bravo")
    answer = await check(config)
    assert answer.code == FAILED
    assert "bravo    FAILED  key refused: " in answer.out
    assert "create a new paper key, put it into secrets.toml [bravo]" in answer.out
    assert "alpha    PA0SIM000001  ACTIVE" in answer.out
    assert answer.out.endswith("1 of 3 failed\n")


async def test_an_address_that_is_no_broker(sim: Simulator, config: Path) -> None:
    fault(sim, kind="server_error", account="bravo", status=404)
    answer = await check(config)
    assert f"bravo    FAILED  {sim.url}: GET /v2/account: 404" in answer.out
    assert "remedy: is the address right?" in answer.out


async def test_the_source_of_a_key_is_named(sim: Simulator, config: Path) -> None:
    keys = {"ALPACA_BRAVO_KEY_ID": "demo-bravo", "ALPACA_BRAVO_SECRET_KEY": "demo-secret-bravo"}
    fault(sim, kind="key_revoked", account="bravo")
    answer = await check(config, **keys)
    assert "alpha charlie (secrets.toml)   bravo (environment)" in answer.out
    assert "put it into ALPACA_BRAVO_KEY_ID and ALPACA_BRAVO_SECRET_KEY" in answer.out


async def test_a_websocket_in_use(sim: Simulator, config: Path) -> None:
    """429 at the handshake: another program is connected."""
    fault(sim, kind="refuse_handshake", status=429, count=1)
    answer = await check(config)
    assert answer.code == FAILED
    assert "FAILED  another program uses this key's only websocket: " in answer.out
    assert "remedy: stop it; if it is a daemon, `realtime status` shows it" in answer.out
    assert "equity" in answer.out  # what was read before is shown


async def test_a_key_of_another_account(sim: Simulator, config: Path) -> None:
    edit(config, "PA0SIM000002", "PA0EXAMPLE09")
    answer = await check(config)
    assert answer.code == FAILED
    assert "the key belongs to PA0SIM000002, accounts.toml expects PA0EXAMPLE09" in answer.out
    assert "authorized" not in sim.counters.get("bravo")


async def test_a_broker_that_limits_or_fails(sim: Simulator, config: Path) -> None:
    fault(sim, kind="rate_limited", account="alpha")
    fault(sim, kind="server_error", account="bravo", status=503)
    fault(sim, kind="unauthorized", account="charlie", html=True)
    answer = await check(config)
    assert "alpha    FAILED  the request limit of this key is used up" in answer.out
    assert "bravo    FAILED  GET /v2/account: 503" in answer.out
    assert "charlie  FAILED  " in answer.out  # a page of HTML is not the broker's refusal
    assert "key refused" not in answer.out
    assert answer.out.endswith("3 of 3 failed\n")


async def test_a_broker_that_is_not_there(tmp_path: Path) -> None:
    spec = AccountSpec(label="alpha", account_number="PA0SIM000001")
    url = f"http://127.0.0.1:{free_port()}"
    answer = await check(write_config(tmp_path, [spec], url))
    assert answer.code == FAILED
    assert f"alpha  FAILED  {url}: " in answer.out
    assert "remedy: is the address right, and this machine online?" in answer.out


async def test_wrong_files_are_exit_code_2(tmp_path: Path) -> None:
    answer = await check(tmp_path / "accounts.toml")
    assert answer.code == USAGE_ERROR
    assert answer.err.startswith(f"accounts.toml not found in {tmp_path}\n  remedy: ")


async def test_missing_keys_are_one_error(sim: Simulator, config: Path) -> None:
    (config.parent / "secrets.toml").unlink()
    answer = await check(config)
    assert (answer.code, answer.out) == (USAGE_ERROR, "")
    assert answer.err.startswith("no keys for 3 accounts; try `realtime demo`")


async def test_an_unused_key_in_the_environment_is_a_warning(sim: Simulator, config: Path) -> None:
    answer = await check(config, "--offline", APCA_API_KEY_ID="PKSTRAY0000000000000")
    assert answer.code == SUCCESS
    assert "warning found APCA_API_KEY_ID in the environment" in answer.out
    assert "PKSTRAY" not in answer.out


async def test_real_money_is_marked(sim: Simulator, config: Path) -> None:
    edit(config, "[accounts.alpha]", "[accounts.alpha]\npaper = false")
    answer = await run("check", "--offline", "--config", str(config))
    assert "REAL MONEY  alpha" in answer.out


async def test_named_accounts_are_tested_alone_with_their_positions(
    sim: Simulator, config: Path
) -> None:
    order = {"symbol": "AAPL", "qty": "2", "side": "buy", "type": "market", "time_in_force": "day"}
    sim.exchange.submit("bravo", order)
    await sim_settled(sim, "bravo")
    answer = await check(config, "bravo")
    assert answer.out.splitlines()[-1] == "all 1 are well"
    assert "requests" not in sim.counters.get("alpha")
    [position] = [line for line in answer.out.splitlines() if "AAPL" in line]
    assert position.split()[:3] == ["AAPL", "2", "value"]
    assert "1 position" in answer.out


async def test_an_unknown_account_is_a_usage_error(sim: Simulator, config: Path) -> None:
    answer = await check(config, "brvao")
    assert answer.code == USAGE_ERROR
    assert "did you mean bravo?" in answer.err


async def sim_settled(sim: Simulator, label: str) -> None:
    """Wait until the exchange has filled an account's orders."""
    async with asyncio.timeout(60):
        while sim.exchange.orders(label, {"status": "open"}):  # noqa: ASYNC110 - the exchange has no event for it
            await asyncio.sleep(0.05)
