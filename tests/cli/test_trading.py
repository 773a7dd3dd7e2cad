"""`realtime order`, `close` and `halt` as programs, without a daemon, against the simulator."""

from pathlib import Path

import pytest

from realtime.cli import FAILED, FINE, MISUSED
from realtime.simulator.app import Simulator
from tests.cli.conftest import edit
from tests.cli.programs import Answer, run

NO_DAEMON = "http://127.0.0.1:1"


async def shell(config: Path, *args: str) -> Answer:
    answer = await run(*args, "--config", str(config), REALTIME_URL=NO_DAEMON)
    assert "Traceback" not in answer.err
    assert "demo-secret" not in answer.out + answer.err
    return answer


def orders(sim: Simulator, label: str) -> list[dict[str, object]]:
    return sim.exchange.orders(label, {"status": "all"})


async def test_an_order_of_one_name_is_one(sim: Simulator, config: Path) -> None:
    """Paper money moves without a question; the same name again is the same order."""
    words = ("order", "buy", "aapl", "2", "--account", "alpha", "--limit", "1", "--id", "mine")
    for _ in range(2):
        placed = await shell(config, *words)
        assert (placed.code, placed.err) == (FINE, "")
        assert placed.out.startswith("alpha buy 2 AAPL limit: ")
    assert len(orders(sim, "alpha")) == 1


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ((), FAILED, "say which: --account LABEL"),
        (("--account", "alhpa"), MISUSED, "did you mean alpha?"),
        (("--account", "alpha", "--notional", "5"), FAILED, "only one of qty or notional"),
    ],
)
async def test_what_is_refused_says_what_to_do(
    sim: Simulator, config: Path, words: tuple[str, ...], code: int, said: str
) -> None:
    refused = await shell(config, "order", "buy", "AAPL", "1", *words)
    assert (refused.code, refused.out) == (code, "")
    assert said in refused.err
    assert not orders(sim, "alpha")


async def test_real_money_is_asked_about(sim: Simulator, config: Path) -> None:
    """Where nobody can be asked `--yes` must have been said, and the configuration allow it."""
    edit(config, "[accounts.alpha]", "[accounts.alpha]\npaper = false")
    words = ("order", "buy", "AAPL", "1", "--account", "alpha")
    asked = await shell(config, *words)
    assert asked.code == MISUSED
    assert "buy 1 AAPL with real money (alpha)? Nobody is there to be asked: say --yes" in asked.err
    guarded = await shell(config, *words, "--yes")
    assert guarded.code == FAILED
    assert "set [orders] live = true" in guarded.err
    assert not orders(sim, "alpha")
    edit(config, "[accounts.alpha]", "[orders]\nlive = true\n[accounts.alpha]")
    assert (await shell(config, *words, "--yes")).code == FINE
    assert len(orders(sim, "alpha")) == 1


async def test_close_everything_says_what_it_leaves(sim: Simulator, config: Path) -> None:
    """An account that may not be traded is not passed over in silence."""
    edit(config, "[accounts.alpha]", "[accounts.alpha]\npaper = false")
    assert (await shell(config, "close", "--all")).code == MISUSED
    closed = await shell(config, "close", "--all", "--yes", "--wait", "0.1")
    assert closed.code == FAILED
    assert "alpha: left as it is: account alpha holds real money" in closed.out
    assert "bravo: confirming" in closed.out
    held = await shell(config, "order", "buy", "AAPL", "1", "--account", "bravo")
    assert held.code == FAILED
    assert "bravo is being closed" in held.err
    released = await shell(config, "close", "--all", "--release")
    assert (released.code, released.out) == (FINE, "released: bravo, charlie\n")
    again = await shell(config, "order", "buy", "AAPL", "1", "--account", "bravo")
    assert again.code == FINE


async def test_halt_without_a_daemon_holds_for_what_starts_later(
    sim: Simulator, config: Path
) -> None:
    assert (await shell(config, "halt", "--reason", "storm")).code == FINE
    refused = await shell(config, "order", "buy", "AAPL", "1", "--account", "alpha")
    assert refused.code == FAILED
    assert "storm" in refused.err
    assert (await shell(config, "halt", "--resume")).code == FINE
    assert (await shell(config, "order", "buy", "AAPL", "1", "--account", "alpha")).code == FINE
    assert len(orders(sim, "alpha")) == 1
