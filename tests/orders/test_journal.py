"""The audit log: what it holds, in which order, and what happens when it cannot be written."""

import json
import os
import resource
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from realtime.core.model import Order, OrderId
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


DAMAGED = {
    "no JSON": b"{oops\n",
    "not an object": b"[1, 2]\n",
    "a member of the wrong type": b'{"event": "trading.halted", "scope": 5}\n',
    "no event": b'{"at": "2026-11-30T10:00:00Z"}\n',
    "zeros, as a file system leaves them": b"\0" * 500 + b"\n",
    "no UTF-8": b'{"event": "trading.halted", "message": "\xff"}\n',
    "nested without end": b"[" * 20_000 + b"\n",
    "longer than any line": b'{"event": "x", "message": "' + b"x" * 200_000 + b'"}\n',
}


@pytest.mark.parametrize("line", DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_line_halts_until_a_person_resumes(tmp_path: Path, line: bytes) -> None:
    path = tmp_path / "orders.jsonl"

    async def main() -> None:
        async with broker(accounts=1) as simulator:
            async with trading(simulator, journal=path) as setup:
                await setup.place(order())
            path.write_bytes(path.read_bytes() + line)
            for _ in range(2):  # also after another restart
                async with trading(simulator, seed=2, journal=path) as setup:
                    with pytest.raises(Declined, match=r"line 3 of .* cannot be read") as error:
                        await setup.place(order())
                    assert error.value.code == "orders_halted"
                    assert setup.gateway.get_origin("alpha", OTHER) == "unknown"
            async with trading(simulator, seed=3, journal=path) as setup:
                setup.gateway.kill_switch.resume(None, principal="ops")
                await setup.place(order())
            async with trading(simulator, seed=4, journal=path) as setup:
                await setup.place(order())

    run(main)


@pytest.mark.parametrize("rest", [b'{"at": "2026-11', b"\0\0\0", b"{"])
def test_an_unfinished_last_line_is_ignored(tmp_path: Path, rest: bytes) -> None:
    """Its writer died, and did nothing. It stays ignored when other lines follow it."""
    path = tmp_path / "orders.jsonl"

    async def main() -> None:
        async with broker(accounts=1) as simulator:
            async with trading(simulator, journal=path) as setup:
                await setup.place(order())
            path.write_bytes(path.read_bytes() + rest)
            for seed in (2, 3, 4):
                async with trading(simulator, seed=seed, journal=path) as setup:
                    await setup.place(order())

    run(main)


def test_a_last_line_without_its_end_counts_if_it_can_be_read(tmp_path: Path) -> None:
    path = tmp_path / "orders.jsonl"
    path.write_bytes(b'{"event": "trading.halted", "scope": null}')

    async def main() -> None:
        async with broker(accounts=1) as simulator:
            for seed in (1, 2):
                async with trading(simulator, seed=seed, journal=path) as setup:
                    with pytest.raises(Declined, match="halted"):
                        await setup.place(order())
                    setup.gateway.kill_switch.halt("alpha", reason="", principal="ops")

    run(main)


@pytest.mark.parametrize("kind", ["fifo", "device", "folder"])
def test_only_a_regular_file_is_a_journal(tmp_path: Path, kind: str) -> None:
    """Nothing hangs on a pipe without a writer, and nothing is lost in /dev/null."""
    path = tmp_path / "orders.jsonl"
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    else:
        path.symlink_to("/dev/null")
    journal = Journal(path, lambda: 0)
    with pytest.raises(ConfigError, match="cannot be read"):
        list(journal.read())
    with pytest.raises(Declined, match="cannot be written"):
        journal.write("trading.halted", {})


def test_a_second_daemon_is_refused_and_commands_are_not(tmp_path: Path) -> None:
    path = tmp_path / "orders.jsonl"
    daemon = Journal(path, lambda: 0, is_exclusive=True)
    assert list(daemon.read()) == []
    with pytest.raises(ConfigError, match="another daemon uses"):
        list(Journal(path, lambda: 0, is_exclusive=True).read())
    command = Journal(path, lambda: 0)
    command.write("trading.halted", {"scope": "alpha"})
    assert [entry.scope for entry in daemon.read_new()] == ["alpha"]
    daemon.close()
    assert len(list(Journal(path, lambda: 0, is_exclusive=True).read())) == 1


def test_one_process_writes_at_a_time(tmp_path: Path) -> None:
    path = tmp_path / "orders.jsonl"
    ours, theirs = Journal(path, lambda: 0), Journal(path, lambda: 0)
    with theirs.locked(), pytest.raises(Declined, match="another process keeps it locked"):
        ours.write("trading.halted", {})
    ours.write("trading.halted", {"scope": "a"})
    theirs.write("trading.halted", {"scope": "b"})
    ours.write("trading.halted", {"scope": "c"})
    # Each reads what the other wrote, and not its own lines.
    assert [entry.scope for entry in ours.read_new()] == ["b"]
    assert [entry.scope for entry in theirs.read_new()] == ["a", "c"]
    assert ours.read_new() == theirs.read_new() == []


@pytest.mark.parametrize("damage", ["removed", "replaced", "cut"])
def test_a_journal_that_is_not_the_same_file_any_more_stops_orders(
    tmp_path: Path, damage: str
) -> None:
    path = tmp_path / "orders.jsonl"

    async def main() -> str:
        async with broker(accounts=1) as simulator, trading(simulator, journal=path) as setup:
            await setup.place(order())
            content = path.read_bytes()
            if damage == "cut":
                os.truncate(path, 10)
            else:
                path.unlink()
            if damage == "replaced":
                path.write_bytes(content)
            with pytest.raises(Declined) as error:
                await setup.place(order())
            return error.value.code

    assert run(main) == "journal_unwritable"


OTHER = Order(id=OrderId("o"), client_order_id="by-another-program")


def test_lines_of_an_account_contain_its_tier(tmp_path: Path) -> None:
    path = tmp_path / "orders.jsonl"
    journal = Journal(path, lambda: 0.0, get_tier={"alpha": "premium"}.get)
    journal.write("order.intended", {"account": "alpha"})
    journal.write("order.intended", {"account": "bravo"})
    journal.write("trading.halted", {"scope": None})
    assert [line.get("tier") for line in lines(path)] == ["premium", None, None]
    assert [entry.account for entry in journal.read()] == ["alpha", "bravo", None]
