"""The audit log: what it holds, in which order, and what happens when it cannot be written."""

import json
import os
import resource
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from realtime.errors import ConfigError
from realtime.orders.errors import Declined
from realtime.orders.journal import Journal
from realtime.orders.results import Placed
from tests.orders.trading import broker, make_principal, order, trading
from tests.virtual import run, wall_clock

BOT = make_principal(name="bot")


def lines(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_every_intent_and_answer(tmp_path: Path) -> None:
    """Who, where and why, which request, how long: a line before it leaves, and one after."""
    path = tmp_path / "orders.jsonl"

    async def main() -> None:
        async with broker(accounts=2) as simulator, trading(simulator, journal=path) as setup:
            request = order(routing_key="x", client_order_id="o-1")
            placed = await setup.gateway.place(request, BOT, key="k")
            assert placed.route is not None
            with pytest.raises(Declined):
                await setup.gateway.place(order(account_id="alpha", qty="100000"), BOT)
            intended, answered, _, refused = lines(path)
            assert (
                intended
                | {
                    "event": "order.intended",
                    "account": placed.account_id,
                    "client_order_id": "o-1",
                    "principal": "bot",
                    "route": "hash among 2",
                }
                == intended
            )
            assert isinstance(intended["body"], dict)
            assert intended["body"]["symbol"] == "AAPL"
            assert (
                answered
                | {
                    "event": "order.placed",
                    "order_id": placed.order.id,
                    "request_id": placed.request_id,
                    "principal": "bot",
                    "status": placed.order.status,
                }
                == answered
            )
            assert "took_ms" in answered
            assert refused | {"event": "order.refused", "code": "broker_forbids"} == refused
            assert "took_ms" in refused
            assert path.stat().st_mode & 0o777 == 0o600

    run(main)


def test_without_it_nothing_opens_and_everything_closes(tmp_path: Path) -> None:
    """A full disk stops new orders and replacements; it does not stand before the way out."""

    async def main() -> None:
        async with (
            broker(accounts=1) as simulator,
            trading(simulator, journal=tmp_path / "orders.jsonl") as setup,
        ):
            resting = await setup.place(order(type="limit", limit_price="1"))
            simulator.exchange.submit(
                "alpha", {"symbol": "MSFT", "qty": "3", "side": "buy", "type": "market",
                          "time_in_force": "day"},
            )  # fmt: skip
            simulator.step()
            setup.gateway.journal.close()
            setup.gateway.journal.path = tmp_path / "no such folder" / "orders.jsonl"
            with pytest.raises(Declined) as error:
                await setup.place(order(client_order_id="o-1"))
            assert error.value.code == "journal_unwritable"
            assert "o-1" not in setup.ids("alpha")
            with capture_logs() as log:
                await setup.cancel("alpha", resting.order.id)
                closed = await setup.close_position("alpha", "MSFT")
                setup.gateway.kill_switch.halt(None, reason="full", principal="ops")
            assert isinstance(closed, Placed)
            kept = [entry["line"] for entry in log if entry["event"] == "journal.write_failed"]
            assert kept == [
                "cancel.intended", "cancel.accepted", "order.intended", "order.placed",
                "trading.halted",
            ]  # fmt: skip
            with pytest.raises(Declined, match="cannot be written"):
                setup.gateway.kill_switch.resume(None, principal="ops")
            assert setup.gateway.kill_switch.state.halted

    run(main)


def test_half_a_line_costs_no_other(tmp_path: Path) -> None:
    """The disk is full in the middle of a line, then has room: what comes next can be read."""
    path = tmp_path / "orders.jsonl"

    async def main() -> list[str]:
        journal = Journal(path, wall_clock)
        journal.write("trading.halted", {"scope": "one"})
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + 20, before[1]))
        try:
            with pytest.raises(Declined, match="cannot be written"):
                journal.write("trading.halted", {"scope": "lost"})
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
        journal.write("trading.halted", {"scope": "two"})
        journal.close()
        return [str(line.scope) for line in Journal(path, wall_clock).read()]

    assert run(main) == ["one", "two"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_log_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    path = tmp_path / "orders.jsonl"
    path.touch(mode=0o000)
    with pytest.raises(ConfigError, match="cannot be read"):
        list(Journal(path, lambda: 0).read())


def test_a_folder_in_its_place_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        list(Journal(tmp_path, lambda: 0).read())
