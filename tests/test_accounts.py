"""The library: the same gateway without the daemon, each account for itself, silent."""

import asyncio
import contextlib
import logging
import random
import subprocess
import sys
from collections.abc import Callable, Coroutine
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import structlog
from msgspec import structs

import realtime
from realtime.accounts import Accounts, NotOpen
from realtime.config.settings import OrdersSettings, Settings
from realtime.core.model import Account
from realtime.errors import ConfigError, LinkError, RealtimeError, Refused
from realtime.orders.errors import Declined
from realtime.orders.results import Placed
from realtime.simulator.app import Simulator
from tests.fleet import settings_for
from tests.orders.trading import broker
from tests.virtual import VirtualConnector, run, wall_clock

BUY = {"symbol": "AAPL", "qty": "1", "side": "buy", "type": "market", "time_in_force": "day"}

Scene = Callable[[Simulator, Accounts], Coroutine[Any, Any, None]]


def library_settings(simulator: Simulator, folder: Path) -> Settings:
    settings = settings_for(simulator, list(simulator.exchange.labels), {})
    return structs.replace(settings, orders=OrdersSettings(audit_log=folder / "orders.jsonl"))


def accounts_of(simulator: Simulator, folder: Path) -> Accounts:
    return Accounts(
        library_settings(simulator, folder),
        make_connector=lambda: VirtualConnector(limit=0),
        clock=wall_clock,
        rng=random.Random(1),
    )


def play(scene: Scene, folder: Path) -> None:
    """Run a scene with three open accounts, in virtual time."""

    async def main() -> None:
        async with broker() as simulator, accounts_of(simulator, folder) as accounts:
            await scene(simulator, accounts)

    run(main)


def now() -> float:
    return asyncio.get_running_loop().time()


def test_each_account_has_its_own_result(tmp_path: Path) -> None:
    """In parallel; by label, in the order of the configuration, with the account on each error."""

    async def scene(simulator: Simulator, accounts: Accounts) -> None:
        simulator.add_fault({"kind": "unauthorized", "account": "bravo"})
        simulator.add_fault({"kind": "latency", "seconds": 1})
        began = now()
        results = await accounts.get_accounts()
        assert now() - began < 1.5
        assert list(results) == ["alpha", "bravo", "charlie"]
        assert isinstance(results["alpha"], Account)
        refused = results["bravo"]
        assert isinstance(refused, Refused)
        assert refused.account_id == "bravo"
        assert isinstance((await accounts.verify_credentials())["charlie"], str)
        assert (await accounts.get_positions())["alpha"] == ()

    play(scene, tmp_path)


def test_results_of_many_orders_in_order_and_by_account(tmp_path: Path) -> None:
    async def scene(simulator: Simulator, accounts: Accounts) -> None:
        simulator.add_fault({"kind": "unauthorized", "account": "bravo"})
        results = await accounts.place_orders(
            [
                BUY | {"account_id": "alpha"},
                BUY | {"account_id": "bravo"},
                BUY | {"account_id": "charlie", "qty": "x"},
                BUY | {"account_id": "alpha", "qty": "2"},
                {"symbol": "x"},
            ]
        )
        assert [type(result) for result in results] == [
            Placed, Declined, Declined, Placed, Declined,
        ]  # fmt: skip
        owners = [result.account_id for result in results]
        assert owners == ["alpha", "bravo", "charlie", "alpha", None]
        assert {label: len(found) for label, found in results.by_account.items()} == {
            "alpha": 2, "bravo": 1, "charlie": 1, None: 1,
        }  # fmt: skip

    play(scene, tmp_path)


def test_refusals_name_their_account(tmp_path: Path) -> None:
    async def scene(simulator: Simulator, accounts: Accounts) -> None:
        alpha = accounts.account("alpha")
        for refused in (
            alpha.place_order(**BUY | {"qty": "-1"}),
            alpha.replace_order("nonsense", qty="1"),
            alpha.cancel_order("nonsense"),
            alpha.close_position("AAPL"),
            accounts.place_order(**BUY, account_id="alpha", strategy="hash", routing_key=""),
        ):
            with pytest.raises(Declined) as declined:
                await refused
            assert declined.value.account_id in ("alpha", None)

    play(scene, tmp_path)


def test_one_account(tmp_path: Path) -> None:
    async def scene(simulator: Simulator, accounts: Accounts) -> None:
        alpha = accounts.account("alpha")
        placed = await alpha.place_order(**BUY, key="k")
        again = await alpha.place_order(**BUY, key="k")
        assert placed.order.id == again.order.id
        await asyncio.sleep(2)
        assert [p.qty for p in await alpha.get_positions()] == ["1"]
        assert [p.qty for p in await alpha.get_positions("aapl")] == ["1"]
        assert await alpha.get_positions("TSLA") == ()
        limit = await alpha.place_order(**(BUY | {"type": "limit", "limit_price": "1"}))
        await alpha.cancel_order(limit.order.id)
        await asyncio.sleep(11)
        assert {o.status for o in await alpha.get_orders()} == {"filled", "canceled"}
        closed = await accounts.close_all_positions()
        assert [each.state for each in closed.values()] == ["flat"] * 3  # type: ignore[union-attr]  # none was refused
        with pytest.raises(Declined, match="3 accounts"):
            await accounts.place_order(**BUY)

    play(scene, tmp_path)


def test_orders_are_selected_by_the_broker(tmp_path: Path) -> None:
    async def scene(simulator: Simulator, accounts: Accounts) -> None:
        alpha = accounts.account("alpha")
        limit = BUY | {"type": "limit", "limit_price": "1"}
        for symbol in ("AAPL", "TSLA", "MSFT"):
            await alpha.place_order(**(limit | {"symbol": symbol}))
            await asyncio.sleep(1)
        await alpha.place_order(**BUY)
        await asyncio.sleep(2)

        async def symbols(**query: Any) -> list[str | None]:
            return [order.symbol for order in await alpha.get_orders(**query)]

        assert await symbols(status="open") == ["MSFT", "TSLA", "AAPL"]
        assert await symbols(status="closed") == ["AAPL"]
        assert await symbols(symbols=["TSLA", "MSFT"]) == ["MSFT", "TSLA"]
        assert await symbols(side="sell") == []
        assert await symbols(limit=1) == ["AAPL"]
        [tesla] = await alpha.get_orders(symbols=["TSLA"])
        assert tesla.submitted_at is not None
        assert await symbols(after=tesla.submitted_at) == ["AAPL", "MSFT"]
        at = datetime.fromisoformat(tesla.submitted_at)
        assert await symbols(until=at, nested=False) == ["AAPL"]
        everyone = await accounts.get_orders(status="open", limit=2)
        assert {label: len(found) for label, found in everyone.items()} == {  # type: ignore[arg-type]  # no errors here
            "alpha": 2, "bravo": 0, "charlie": 0,
        }  # fmt: skip

    play(scene, tmp_path)


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ({"status": "opened"}, "status: expected open, closed, all, got 'opened'"),
        ({"side": "short"}, "side: expected buy, sell, got 'short'"),
        ({"limit": 501}, "limit: expected 1–500, got 501"),
        ({"limit": True}, "limit: expected 1–500"),
        ({"symbols": "AAPL"}, "symbols: expected a list"),
        ({"after": datetime(2026, 1, 1)}, "after: the time has no time zone"),  # noqa: DTZ001 - that is the test
    ],
)
def test_wrong_queries_are_refused(tmp_path: Path, query: dict[str, Any], message: str) -> None:
    async def scene(simulator: Simulator, accounts: Accounts) -> None:
        with pytest.raises(ValueError, match=message):
            await accounts.get_orders(**query)

    play(scene, tmp_path)


@pytest.mark.parametrize("status", [502, 503, 504])
def test_reads_are_retried_after_a_passing_error(tmp_path: Path, status: int) -> None:
    async def scene(simulator: Simulator, accounts: Accounts) -> None:
        fault = {"kind": "server_error", "account": "alpha", "status": status, "count": 3}
        simulator.add_fault(fault)
        began = now()
        results = await accounts.get_accounts()
        assert isinstance(results["alpha"], Account)
        assert 0.8 < now() - began < 4

    play(scene, tmp_path)


def test_a_rejected_read_is_not_retried(tmp_path: Path) -> None:
    async def scene(simulator: Simulator, accounts: Accounts) -> None:
        simulator.add_fault({"kind": "unauthorized", "account": "alpha"})
        before = simulator.counters.get("alpha").get("requests", 0)
        assert isinstance((await accounts.get_accounts())["alpha"], Refused)
        assert simulator.counters.get("alpha")["requests"] == before + 1

    play(scene, tmp_path)


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "no_answer"},
        {"kind": "latency", "seconds": 60},
        {"kind": "rate_limited", "for_s": 600},
        {"kind": "server_error", "status": 503},
    ],
)
def test_every_account_has_a_result_within_the_limit(
    tmp_path: Path, fault: dict[str, object]
) -> None:
    """One account in trouble: it has an error that names it, the others have their results."""

    async def scene(simulator: Simulator, accounts: Accounts) -> None:
        simulator.add_fault({**fault, "account": "bravo"})
        began = now()
        alpha = asyncio.create_task(accounts.account("alpha").get_account(timeout=5))
        results = await accounts.get_accounts(timeout=5)
        assert now() - began <= 5.1
        error = results["bravo"]
        assert isinstance(error, LinkError)
        assert error.account_id == "bravo"
        assert isinstance(results["alpha"], Account)
        assert isinstance(results["charlie"], Account)
        assert (await alpha).id == results["alpha"].id

    play(scene, tmp_path)


def test_a_broker_that_is_down_is_waited_for_within_the_limit(tmp_path: Path) -> None:
    async def main() -> None:
        async with broker() as simulator:
            settings = library_settings(simulator, tmp_path)
        accounts = Accounts(
            settings, make_connector=lambda: VirtualConnector(limit=0), clock=wall_clock
        )
        async with accounts:
            began = now()
            results = await accounts.get_accounts(timeout=3)
            assert 2 < now() - began <= 3.1
            assert {type(result).__mro__[1] for result in results.values()} <= {
                LinkError, RealtimeError,
            }  # fmt: skip

    run(main)


def test_use_before_opening_or_after_closing_is_an_error(tmp_path: Path) -> None:
    """Never an empty result."""

    async def main() -> None:
        async with broker() as simulator:
            accounts = accounts_of(simulator, tmp_path)
            for _ in range(2):
                with pytest.raises(NotOpen, match="use `async with Accounts") as error:
                    await accounts.get_accounts()
                assert isinstance(error.value, RealtimeError)
                with pytest.raises(NotOpen):
                    await accounts.place_order(**BUY)
                with pytest.raises(NotOpen):
                    accounts.account("alpha")
                with pytest.raises(NotOpen):
                    assert accounts.labels
                with pytest.raises(NotOpen):
                    accounts.release_closing()
                async with accounts:
                    assert accounts.labels == ["alpha", "bravo", "charlie"]
            await accounts.close()  # closing again is fine

    run(main)


def test_it_may_be_closed_in_another_task(tmp_path: Path) -> None:
    """As startup and shutdown hooks of a web framework do."""

    async def main() -> None:
        async with broker() as simulator:
            accounts = accounts_of(simulator, tmp_path)
            await asyncio.create_task(accounts.__aenter__())
            assert isinstance((await accounts.get_accounts())["alpha"], Account)
            with pytest.raises(RealtimeError, match="open already"):
                await accounts.__aenter__()
            await asyncio.create_task(accounts.close())
            assert "accounts" not in {task.get_name() for task in asyncio.all_tasks()}

    run(main)


def test_an_error_while_opening_leaves_nothing_open(tmp_path: Path) -> None:
    (tmp_path / "orders.jsonl").mkdir()

    async def main() -> None:
        async with broker() as simulator:
            accounts = accounts_of(simulator, tmp_path)
            await asyncio.sleep(1)
            before = asyncio.all_tasks()
            with pytest.raises(ConfigError, match=r"orders\.jsonl"):
                await accounts.__aenter__()
            assert asyncio.all_tasks() == before
            with pytest.raises(NotOpen):
                assert accounts.labels

    run(main)


def test_cancelling_while_opening_leaves_nothing_open(tmp_path: Path) -> None:
    async def main() -> None:
        async with broker() as simulator:
            await asyncio.sleep(1)
            before = asyncio.all_tasks()
            for turns in range(4):
                opening = asyncio.create_task(accounts_of(simulator, tmp_path).__aenter__())
                for _ in range(turns):
                    await asyncio.sleep(0)
                opening.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await (await opening).close()
                assert asyncio.all_tasks() == before

    run(main)


async def test_open_reads_the_configuration(tmp_path: Path) -> None:
    path = tmp_path / "accounts.toml"
    path.write_text('[accounts.alpha]\ntrading_url = "http://127.0.0.1:1"\n')
    environ = {"ALPACA_ALPHA_KEY_ID": "PKX", "ALPACA_ALPHA_SECRET_KEY": "s"}
    accounts = await Accounts.open(path, environ=environ)
    try:
        assert accounts.labels == ["alpha"]
        with pytest.raises(ConfigError, match="did you mean alpha"):
            accounts.account("alhpa")
    finally:
        await accounts.close()


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"order_type": "market"}, None),
        ({"order_type": "market", "type": "market"}, None),
        ({"order_type": "limit", "type": "market"}, "type: differs from `order_type`"),
        ({"type": "market", "sid": "buy"}, "unknown field `sid`; did you mean `side`\\?"),
        ({"type": "market", "time_in_fore": "day"}, "did you mean `time_in_force`\\?"),
        ({"type": "market", "zzzz": 1}, "unknown field `zzzz`$"),
    ],
)
def test_order_type_and_unknown_fields(
    tmp_path: Path, fields: dict[str, object], message: str | None
) -> None:
    async def scene(simulator: Simulator, accounts: Accounts) -> None:
        order: dict[str, Any] = {n: value for n, value in BUY.items() if n != "type"}
        order |= {"account_id": "alpha", **fields}
        if message is None:
            assert (await accounts.place_order(**order)).order.type == "market"
            return
        with pytest.raises(Declined, match=message) as declined:
            await accounts.place_order(**order)
        [result] = await accounts.place_orders([order])
        assert isinstance(result, Declined)
        assert (result.account_id, result.message) == ("alpha", declined.value.message)

    play(scene, tmp_path)


def test_nothing_is_printed_and_the_log_is_the_callers(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    async def scene(simulator: Simulator, accounts: Accounts) -> None:
        simulator.add_fault({"kind": "server_error", "account": "bravo", "count": 2})
        await accounts.get_accounts()
        await accounts.account("alpha").place_order(**BUY)

    structlog.reset_defaults()  # another test of this process may have configured it
    play(scene, tmp_path)
    assert capfd.readouterr() == ("", "")
    caplog.clear()
    with caplog.at_level(logging.INFO, logger="realtime"):
        play(scene, tmp_path)
    assert {record.name for record in caplog.records} == {"realtime"}
    assert any("AAPL" in record.getMessage() for record in caplog.records)


def test_import_stays_cheap() -> None:
    program = "import sys, realtime; print('aiohttp' in sys.modules, hasattr(realtime, 'Accounts'))"
    answer = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True
    )
    assert answer.stdout == "False True\n"
    assert realtime.Accounts is Accounts
    with pytest.raises(AttributeError):
        realtime.Nonsense  # type: ignore[attr-defined]  # noqa: B018 - that is the test


@pytest.mark.slow
def test_optimized_python_has_the_same_errors() -> None:
    """Under `-O` no assert runs."""
    program = (
        "import asyncio, realtime\n"
        "from pathlib import Path\n"
        "from realtime.config import Settings\n"
        "accounts = realtime.Accounts(Settings(path=Path('x'), accounts=()))\n"
        "try: asyncio.run(accounts.place_order(symbol='AAPL'))\n"
        "except realtime.NotOpen as error: print(error.remedy)\n"
    )
    answer = subprocess.run(
        [sys.executable, "-O", "-c", program],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert "use `async with" in answer.stdout
    assert answer.stderr == ""
