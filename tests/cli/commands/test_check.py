"""`realtime check` as a program, against the simulator."""

from pathlib import Path

from realtime.cli import FAILED, FINE, MISUSED
from realtime.simulator.app import Simulator
from realtime.simulator.exchange.engine import AccountSpec
from realtime.simulator.write_config import write_config
from tests.cli.conftest import edit, fault
from tests.cli.programs import Answer, free_port, run


async def check(config: Path, *args: str, **variables: str) -> Answer:
    answer = await run("check", "--config", str(config), *args, **variables)
    assert "Traceback" not in answer.err
    assert "demo-secret" not in answer.out + answer.err
    assert "demo-alpha" not in answer.out + answer.err
    return answer


async def test_all_well(sim: Simulator, config: Path) -> None:
    """A row an account, in the order of the file, with what was read of it."""
    answer = await check(config)
    lines = answer.out.splitlines()
    assert answer.code == FINE
    assert lines[0].split() == ["accounts.toml", "ok", "3", "accounts"]
    assert lines[1].split(maxsplit=2) == ["keys", "ok", "alpha bravo charlie (secrets.toml)"]
    assert [line.split()[0] for line in lines[2:5]] == ["alpha", "bravo", "charlie"]
    assert "PA0SIM000001  ACTIVE  equity 1 000 000.00  0 positions  0 open orders" in lines[2]
    assert "REST" in lines[2]
    assert "socket authorized" in lines[2]
    assert lines[5] == "all 3 are well"
    assert all(sim.counters.get(label)["authorized"] == 1 for label in sim.exchange.labels)


async def test_offline_asks_nobody(sim: Simulator, config: Path) -> None:
    answer = await check(config, "--offline")
    assert (answer.code, len(answer.out.splitlines())) == (FINE, 2)
    assert sim.counters.total() == {}


async def test_a_disabled_account_is_counted_and_left_alone(sim: Simulator, config: Path) -> None:
    edit(config, "[accounts.bravo]", "[accounts.bravo]\nenabled = false")
    answer = await check(config)
    assert "3 accounts, 1 disabled" in answer.out
    assert answer.out.endswith("all 2 are well\n")
    assert "requests" not in sim.counters.get("bravo")


async def test_a_refused_key_is_its_accounts_alone(sim: Simulator, config: Path) -> None:
    fault(sim, kind="key_revoked", account="bravo")
    answer = await check(config)
    assert answer.code == FAILED
    assert "bravo    FAILED  key refused: " in answer.out
    assert "make a new paper key, put it into secrets.toml [bravo]" in answer.out
    assert "alpha    PA0SIM000001  ACTIVE" in answer.out
    assert answer.out.endswith("1 of 3 failed\n")


async def test_an_address_that_is_not_a_brokers(sim: Simulator, config: Path) -> None:
    fault(sim, kind="server_error", account="bravo", status=404)
    answer = await check(config)
    assert f"bravo    FAILED  {sim.url}: GET /v2/account: 404" in answer.out
    assert "remedy: is the address right?" in answer.out


async def test_a_key_from_the_environment_is_named_where_it_is(
    sim: Simulator, config: Path
) -> None:
    keys = {"ALPACA_BRAVO_KEY_ID": "demo-bravo", "ALPACA_BRAVO_SECRET_KEY": "demo-secret-bravo"}
    fault(sim, kind="key_revoked", account="bravo")
    answer = await check(config, **keys)
    assert "alpha charlie (secrets.toml)   bravo (environment)" in answer.out
    assert "put it into ALPACA_BRAVO_KEY_ID and ALPACA_BRAVO_SECRET_KEY" in answer.out


async def test_a_socket_that_somebody_holds(sim: Simulator, config: Path) -> None:
    """429 at the handshake and the broker's word about its limit mean the same."""
    fault(sim, kind="refuse_handshake", status=429, count=1)
    answer = await check(config)
    assert answer.code == FAILED
    assert "FAILED  another program holds this key's only socket: " in answer.out
    assert "remedy: stop it; is a daemon running? `realtime status` says" in answer.out
    assert "equity" in answer.out  # what was learned before stays said


async def test_a_key_of_another_account(sim: Simulator, config: Path) -> None:
    edit(config, "PA0SIM000002", "PA0EXAMPLE09")
    answer = await check(config)
    assert answer.code == FAILED
    assert "key belongs to PA0SIM000002, accounts.toml says PA0EXAMPLE09" in answer.out
    assert "authorized" not in sim.counters.get("bravo")


async def test_a_broker_that_limits_or_fails(sim: Simulator, config: Path) -> None:
    fault(sim, kind="rate_limited", account="alpha")
    fault(sim, kind="server_error", account="bravo", status=503)
    fault(sim, kind="unauthorized", account="charlie", html=True)
    answer = await check(config)
    assert "alpha    FAILED  this key's requests are used up" in answer.out
    assert "bravo    FAILED  GET /v2/account: 503" in answer.out
    assert "charlie  FAILED  key refused" in answer.out
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
    assert answer.code == MISUSED
    assert answer.err.startswith(f"accounts.toml not found in {tmp_path}\n  remedy: ")


async def test_keys_that_are_missing_are_all_named(sim: Simulator, config: Path) -> None:
    (config.parent / "secrets.toml").unlink()
    answer = await check(config)
    assert (answer.code, answer.out) == (MISUSED, "")
    assert answer.err.startswith("no keys for 3 accounts; try `realtime demo`")


async def test_a_stray_key_in_the_environment_is_a_warning(sim: Simulator, config: Path) -> None:
    answer = await check(config, "--offline", APCA_API_KEY_ID="PKSTRAY0000000000000")
    assert answer.code == FINE
    assert "warning found APCA_API_KEY_ID in the environment" in answer.out
    assert "PKSTRAY" not in answer.out


async def test_real_money_is_named(sim: Simulator, config: Path) -> None:
    edit(config, "[accounts.alpha]", "[accounts.alpha]\npaper = false")
    answer = await run("check", "--offline", "--config", str(config))
    assert "LIVE    real money: alpha" in answer.out
