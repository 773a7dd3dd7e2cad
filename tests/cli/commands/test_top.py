"""`realtime top`, driven by textual's pilot against a daemon."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

pytest.importorskip("textual", reason="textual is not installed: scripts/setup dev,top")

from msgspec import structs
from textual.pilot import Pilot
from textual.widgets import DataTable, Static

from realtime.cli import UNREACHABLE, USAGE_ERROR
from realtime.cli.client import connect
from realtime.cli.top.account_screen import AccountScreen
from realtime.cli.top.app import HelpScreen, TopApp
from realtime.cli.top.fleet_screen import FleetScreen
from realtime.simulator.app import Simulator
from tests.cli.commands.test_status import daemon
from tests.cli.conftest import fault
from tests.cli.programs import Answer, free_port, run

pytestmark = pytest.mark.slow  # each starts a process

Driver = Pilot[None]


@pytest.fixture
async def pilot(sim: Simulator) -> AsyncIterator[Driver]:
    async with daemon(sim) as url:
        top = TopApp(connect(url))
        async with top.run_test(size=(120, 30)) as pilot:
            await until(pilot, lambda: len(labels(pilot)) == 3)
            yield pilot


async def until(pilot: Driver, holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not holds():
            await pilot.pause(0.05)


def fleet_screen(pilot: Driver) -> FleetScreen:
    screen = pilot.app.screen
    assert isinstance(screen, FleetScreen)
    return screen


def cells(table: DataTable[Any]) -> list[list[str]]:
    return [[str(cell) for cell in table.get_row_at(at)] for at in range(table.row_count)]


def is_out(table: DataTable[Any], label: str) -> bool:
    """Whether an account is the first row, waits, and has a reason."""
    row = cells(table)[0]
    return row[:2] == [label, "waiting"] and row[-1] != ""


def labels(pilot: Driver) -> list[str]:
    if not isinstance(pilot.app.screen, FleetScreen):
        return []
    return [row[0] for row in cells(pilot.app.screen.query_one("#fleet", DataTable))]


def text_of(pilot: Driver, widget_id: str) -> str:
    return str(pilot.app.screen.query_one(f"#{widget_id}", Static).render())


def head(pilot: Driver) -> str:
    return text_of(pilot, "head")


async def test_accounts_with_their_figures(pilot: Driver) -> None:
    await until(pilot, lambda: "3/3 synced" in head(pilot))
    rows = {row[0]: row for row in cells(fleet_screen(pilot).table)}
    assert rows["alpha"][1:6] == ["synced", "1,000,000.00", "0.00", "0.00 %", "1,000,000.00"]
    totals = text_of(pilot, "totals")
    assert "paper      3 accounts · equity 1,150,000.00 · day 0.00 0.00 %" in totals
    assert "REAL MONEY" not in totals


async def test_sorting(pilot: Driver) -> None:
    """alpha has 1 000 000, bravo 100 000, charlie 50 000."""
    await pilot.press("e")
    assert labels(pilot) == ["alpha", "bravo", "charlie"]
    assert "troubles first, then by equity" in head(pilot)
    await pilot.press("p", "t")
    assert "sorted by positions" in head(pilot)


async def test_filtering_by_label_and_tier(pilot: Driver) -> None:
    await pilot.press("slash", "b", "r", "enter")
    assert labels(pilot) == ["bravo"]
    await pilot.press("escape")
    assert len(labels(pilot)) == 3
    row = pilot.app.rows.figures["charlie"]  # type: ignore[attr-defined]  # TopApp's own
    pilot.app.rows.figures["charlie"] = structs.replace(row, tier="premium")  # type: ignore[attr-defined]  # as above
    await pilot.press("slash", *"prem")
    assert labels(pilot) == ["charlie"]


async def test_a_filter_without_a_match_says_so(pilot: Driver) -> None:
    await pilot.press("slash", *"zzz", "enter")
    assert labels(pilot) == []
    assert "no account matches “zzz”" in text_of(pilot, "empty")


async def test_enter_opens_an_account_and_escape_returns(pilot: Driver) -> None:
    await pilot.press("e", "down", "enter")
    await until(pilot, lambda: isinstance(pilot.app.screen, AccountScreen))
    await until(pilot, lambda: "bravo · synced · equity 100,000.00" in head(pilot))
    await pilot.press("escape")
    assert isinstance(pilot.app.screen, FleetScreen)


async def test_problems_come_first_with_their_reason(sim: Simulator, pilot: Driver) -> None:
    """The reason is whole: in its column, which grows, and below the table for the selected row."""
    await pilot.press("e")
    table = fleet_screen(pilot).table
    fault(sim, kind="key_revoked", account="charlie")
    await until(pilot, lambda: is_out(table, "charlie"))
    row = cells(table)[0]
    assert row[1] == "waiting"
    assert len(row[-1]) > 10
    await pilot.pause()
    columns = {str(column.label): column for column in table.columns.values()}
    assert columns["WHY"].content_width >= len(row[-1])
    assert "2/3 synced" in head(pilot)
    table.move_cursor(row=0)
    await pilot.pause()
    assert row[-1] in text_of(pilot, "selected")
    await pilot.press("t")
    assert labels(pilot) == ["alpha", "bravo", "charlie"]


async def test_a_long_label_leaves_the_figures_on_the_screen(pilot: Driver) -> None:
    rows = pilot.app.rows  # type: ignore[attr-defined]  # TopApp's own
    long = "x" * 64
    rows.links[long] = rows.links["alpha"]
    rows.figures[long] = structs.replace(
        rows.figures["alpha"], account_id=long, equity="98765432109.87", paper=False
    )
    await until(pilot, lambda: any("…" in label for label in labels(pilot)))
    table = fleet_screen(pilot).table
    columns = list(table.columns.values())
    equity = next(at for at, column in enumerate(columns) if str(column.label) == "EQUITY")
    right = sum(column.get_render_width(table) for column in columns[: equity + 1])
    assert right <= 80
    [label] = [label for label in labels(pilot) if "…" in label]
    assert label.startswith("REAL MONEY xxx")
    totals = text_of(pilot, "totals")
    assert "REAL MONEY 1 account · equity 98,765,432,109.87" in totals
    assert "paper      3 accounts" in totals


async def test_a_narrow_terminal_has_room_for_reasons(sim: Simulator, pilot: Driver) -> None:
    """Per cent and cash make room; the reason of the selected account is whole below the table."""
    fault(sim, kind="key_revoked", account="alpha")
    await pilot.resize_terminal(80, 24)
    table = fleet_screen(pilot).table
    await until(pilot, lambda: is_out(table, "alpha"))
    await pilot.pause()
    heads = [str(column.label) for column in table.columns.values()]
    assert heads == ["ACCOUNT", "LINK", "EQUITY", "DAY P/L", "POS", "OPEN", "WHY"]
    left = sum(column.get_render_width(table) for column in list(table.columns.values())[:-1])
    assert left <= 60
    table.move_cursor(row=0)
    await pilot.pause()
    assert cells(table)[0][-1] in text_of(pilot, "selected")
    await pilot.resize_terminal(120, 30)
    await until(pilot, lambda: len(table.columns) == 9)


async def test_question_mark_shows_the_keys(pilot: Driver) -> None:
    await pilot.press("question_mark")
    assert isinstance(pilot.app.screen, HelpScreen)
    await pilot.press("escape")
    assert isinstance(pilot.app.screen, FleetScreen)


async def test_q_quits(pilot: Driver) -> None:
    await pilot.press("q")
    assert pilot.app.return_code == 0


async def test_no_daemon() -> None:
    url = f"http://127.0.0.1:{free_port()}"
    answer = await run("top", REALTIME_URL=url)
    assert (answer.code, answer.out) == (UNREACHABLE, "")
    assert answer.err.startswith(f"no daemon at {url} – start one with: realtime demo\n")


async def test_without_a_terminal_it_names_another_command(sim: Simulator) -> None:
    async with daemon(sim) as url:
        text = "realtime top needs a terminal\n  remedy: realtime status --all\n"
        assert await run("top", REALTIME_URL=url) == Answer(USAGE_ERROR, "", text)
