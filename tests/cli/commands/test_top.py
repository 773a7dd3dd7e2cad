"""`realtime top`, driven by textual's pilot against a daemon."""

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest

pytest.importorskip("textual", reason="textual is not installed: scripts/setup dev,top")

from textual.pilot import Pilot
from textual.widgets import DataTable, Static

from realtime.cli import MISUSED, UNREACHABLE
from realtime.cli.client import DaemonClient
from realtime.cli.top.account_screen import AccountScreen
from realtime.cli.top.fleet_screen import FleetScreen, TopApp
from realtime.simulator.app import Simulator
from tests.cli.commands.test_status import daemon
from tests.cli.conftest import fault
from tests.cli.programs import Answer, free_port, run

Driver = Pilot[None]


@pytest.fixture
async def pilot(sim: Simulator) -> AsyncIterator[Driver]:
    async with daemon(sim) as url:
        top = TopApp(DaemonClient({"REALTIME_URL": url}))
        async with top.run_test(size=(120, 30)) as pilot:
            await until(pilot, lambda: len(labels(pilot)) == 3)
            yield pilot


async def until(pilot: Driver, holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(15):
        while not holds():
            await pilot.pause(0.05)


def fleet_screen(pilot: Driver) -> FleetScreen:
    screen = pilot.app.screen
    assert isinstance(screen, FleetScreen)
    return screen


def cells(table: DataTable[object]) -> list[list[str]]:
    return [[str(cell) for cell in table.get_row_at(at)] for at in range(table.row_count)]


def labels(pilot: Driver) -> list[str]:
    if not isinstance(pilot.app.screen, FleetScreen):
        return []
    return [row[0] for row in cells(pilot.app.screen.query_one("#fleet", DataTable))]


def head(pilot: Driver) -> str:
    return str(pilot.app.screen.query_one("#head", Static).render())


async def test_accounts_with_their_figures(pilot: Driver) -> None:
    await until(pilot, lambda: "3/3 synced" in head(pilot))
    rows = {row[0]: row for row in cells(fleet_screen(pilot).query_one("#fleet", DataTable))}
    assert rows["alpha"][1:4] == ["synced", "1 000 000.00", "0.00"]
    assert "3/3 synced" in head(pilot)


async def test_sorting(pilot: Driver) -> None:
    """alpha has 1 000 000, bravo 100 000, charlie 50 000."""
    await pilot.press("e")
    assert labels(pilot) == ["alpha", "bravo", "charlie"]
    assert "sorted by equity" in head(pilot)
    await pilot.press("p")
    assert "sorted by positions" in head(pilot)


async def test_filtering(pilot: Driver) -> None:
    await pilot.press("slash", "b", "r", "enter")
    assert labels(pilot) == ["bravo"]
    await pilot.press("escape")
    assert len(labels(pilot)) == 3


async def test_enter_opens_an_account_and_escape_leads_back(pilot: Driver) -> None:
    await pilot.press("e", "down", "enter")
    await until(pilot, lambda: isinstance(pilot.app.screen, AccountScreen))
    await until(pilot, lambda: "bravo · synced · equity 100 000.00" in head(pilot))
    await pilot.press("escape")
    assert isinstance(pilot.app.screen, FleetScreen)


async def test_changes_come_by_themselves(sim: Simulator, pilot: Driver) -> None:
    fault(sim, kind="key_revoked", account="charlie")

    def state() -> str:
        return dict(row[:2] for row in cells(fleet_screen(pilot).query_one("#fleet", DataTable)))[
            "charlie"
        ]

    await until(pilot, lambda: state() == "refused")
    assert "2/3 synced" in head(pilot)


async def test_q_quits(pilot: Driver) -> None:
    await pilot.press("q")
    assert pilot.app.return_code == 0


async def test_no_daemon() -> None:
    url = f"http://127.0.0.1:{free_port()}"
    words = f"no daemon at {url} – start one with: realtime demo\n"
    assert await run("top", REALTIME_URL=url) == Answer(UNREACHABLE, "", words)


async def test_without_a_terminal_it_says_what_to_ask_instead(sim: Simulator) -> None:
    async with daemon(sim) as url:
        words = "realtime top needs a terminal\n  remedy: realtime status --all\n"
        assert await run("top", REALTIME_URL=url) == Answer(MISUSED, "", words)
