"""`realtime order`, `close` and `halt` as programs against the simulator, without a daemon."""

import json
from pathlib import Path

import pytest

from realtime.cli import FAILED, SUCCESS, UNREACHABLE, USAGE_ERROR
from realtime.simulator.app import Simulator
from tests.cli.conftest import edit
from tests.cli.programs import Answer, run

pytestmark = pytest.mark.slow  # every test starts a process or more

NO_DAEMON = "http://127.0.0.1:1"


async def shell(config: Path, *args: str) -> Answer:
    answer = await run(*args, "--config", str(config), REALTIME_URL=NO_DAEMON)
    assert "Traceback" not in answer.err
    assert "demo-secret" not in answer.out + answer.err
    return answer


def orders(sim: Simulator, label: str) -> list[dict[str, object]]:
    return sim.exchange.orders(label, {"status": "all"})


async def test_two_orders_with_one_id_are_one(sim: Simulator, config: Path) -> None:
    """Paper money moves without a question; the same id again is the same order."""
    words = ("order", "buy", "aapl", "2", "--account", "alpha", "--limit", "1", "--id", "mine")
    for _ in range(2):
        placed = await shell(config, *words)
        assert (placed.code, placed.err) == (SUCCESS, "")
        assert placed.out.startswith("alpha buy 2 AAPL limit: ")
    assert len(orders(sim, "alpha")) == 1


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        ((), FAILED, "name the account: --account LABEL"),
        (("--account", "alhpa"), USAGE_ERROR, "did you mean alpha?"),
        (("--account", "alpha", "--notional", "5"), FAILED, "only one of qty or notional"),
    ],
)
async def test_refusals_have_a_remedy(
    sim: Simulator, config: Path, words: tuple[str, ...], code: int, message: str
) -> None:
    refused = await shell(config, "order", "buy", "AAPL", "1", *words)
    assert (refused.code, refused.out) == (code, "")
    assert message in refused.err
    assert not orders(sim, "alpha")


async def test_real_money_needs_confirmation(sim: Simulator, config: Path) -> None:
    """Without a terminal `--yes` is required, and the configuration must allow it too."""
    edit(config, "[accounts.alpha]", "[accounts.alpha]\npaper = false")
    words = ("order", "buy", "AAPL", "1", "--account", "alpha")
    unconfirmed = await shell(config, *words)
    assert unconfirmed.code == USAGE_ERROR
    question = "buy 1 AAPL with real money (alpha)? stdin is not a terminal; pass --yes"
    assert question in unconfirmed.err
    guarded = await shell(config, *words, "--yes")
    assert guarded.code == FAILED
    assert "set [orders] live = true" in guarded.err
    assert not orders(sim, "alpha")
    edit(config, "[accounts.alpha]", "[orders]\nlive = true\n[accounts.alpha]")
    assert (await shell(config, *words, "--yes")).code == SUCCESS
    assert len(orders(sim, "alpha")) == 1


async def test_close_all_reports_accounts_that_are_not_closed(sim: Simulator, config: Path) -> None:
    edit(config, "[accounts.alpha]", "[accounts.alpha]\npaper = false")
    assert (await shell(config, "close", "--all")).code == USAGE_ERROR
    closed = await shell(config, "close", "--all", "--yes", "--wait", "0.1")
    assert closed.code == FAILED
    assert "no daemon was halted" in closed.err
    assert "alpha: not closed: account alpha holds real money" in closed.out
    assert "bravo: confirming" in closed.out
    held = await shell(config, "order", "buy", "AAPL", "1", "--account", "bravo")
    assert held.code == FAILED
    assert "bravo is being closed" in held.err
    released = await shell(config, "close", "--all", "--release")
    assert (released.code, released.out) == (SUCCESS, "released: bravo, charlie\n")
    again = await shell(config, "order", "buy", "AAPL", "1", "--account", "bravo")
    assert again.code == SUCCESS


async def test_halt_without_a_daemon_fails_and_is_in_the_journal(
    sim: Simulator, config: Path
) -> None:
    """Not accepted is not success; what starts later is halted all the same."""
    halted = await shell(config, "halt", "--reason", "storm")
    assert halted.code == UNREACHABLE
    assert "not accepted by a daemon: no daemon at" in halted.err
    assert halted.out.startswith("halt of all accounts written to ")
    refused = await shell(config, "order", "buy", "AAPL", "1", "--account", "alpha")
    assert refused.code == FAILED
    assert "storm" in refused.err
    assert (await shell(config, "halt", "--resume")).code == UNREACHABLE
    assert (await shell(config, "order", "buy", "AAPL", "1", "--account", "alpha")).code == SUCCESS
    assert len(orders(sim, "alpha")) == 1


async def test_halt_needs_no_keys(sim: Simulator, config: Path) -> None:
    """The kill switch works whatever else is wrong with the files."""
    (config.parent / "secrets.toml").unlink()
    halted = await shell(config, "halt", "--account", "alpha")
    assert halted.code == UNREACHABLE
    [entry] = map(json.loads, (config.parent / "orders.jsonl").read_text().splitlines())
    assert (entry["event"], entry["scope"]) == ("trading.halted", "alpha")


async def test_halt_without_any_files_writes_nothing(tmp_path: Path) -> None:
    halted = await shell(tmp_path / "accounts.toml", "halt")
    assert halted.code == UNREACHABLE
    assert "not written to a journal: accounts.toml not found" in halted.err
    assert halted.out == ""
