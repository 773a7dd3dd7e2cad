"""The page on a thousand accounts: few rows, exact sums, and no task that holds up the reader."""

import asyncio
from collections.abc import Callable
from decimal import Decimal
from itertools import cycle, islice
from typing import TYPE_CHECKING

import pytest
from msgspec import structs
from playwright.async_api import Page, expect

from realtime.core.model import ExecutionId, TradeUpdate
from realtime.store.records import Record
from realtime.store.store import Store
from tests.api.documents.made import ACCOUNT, LIVE, order, put, state_of
from tests.browser.conftest import Open
from tests.browser.relay import relay
from tests.browser.test_states import ROWS, served, there

if TYPE_CHECKING:
    from playwright.async_api import CDPSession

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

ACCOUNTS = 1000
A_SECOND = 2000
"""Changes a second of all accounts together."""

LASTS_S = 3
TURNS_A_SECOND = 20

BUSIEST = 0.6
"""Part of one core, in processor time of the page's own thread."""


@pytest.fixture
def thousand() -> Store:
    store = Store(boot="b00t")
    for number in range(ACCOUNTS):
        equity = str(Decimal("1000.01") + number)
        state = structs.replace(state_of(), account=structs.replace(ACCOUNT, equity=equity))
        put(store, f"account_{number:03}", LIVE, state)
    return store


async def test_only_rows_in_sight_exist(thousand: Store, open_page: Open) -> None:
    """A thousand accounts, a few dozen rows; the sum is exact to the cent."""
    async for url in served(thousand):
        page = await open_page(url)
        await there(page)
        await expect(page.locator("table.fleet")).to_have_attribute("aria-rowcount", "1001")
        assert await page.locator(ROWS).count() < 60
        await expect(page.locator(".stat.large .value")).to_have_text("$1,499,510.00")
        await page.keyboard.press("/")
        await page.keyboard.press("Enter")
        await page.keyboard.press("End")
        last = page.locator('tr[aria-rowindex="1001"]')
        await expect(last).to_be_in_viewport()
        await expect(last.get_by_role("link")).to_be_focused()
        assert await page.locator(ROWS).count() < 60


WATCH = """() => {
    window.longTasks = [];
    const note = ({ duration }) => window.longTasks.push(duration);
    new PerformanceObserver(list => list.getEntries().forEach(note)).observe({ type: "longtask" });
}"""


async def busy_s(session: "CDPSession") -> float:
    """Processor time of the page's own thread so far."""
    metrics = (await session.send("Performance.getMetrics"))["metrics"]
    return float(next(each["value"] for each in metrics if each["name"] == "TaskDuration"))


def change(store: Store, record: Record, equity: int) -> None:
    """An account's equity as it is now."""
    account = structs.replace(record.state.account or ACCOUNT, equity=str(equity))
    state = structs.replace(record.state, account=account)
    store.update(record.profile.label, now=record.as_of + 1, state=state)


async def test_two_thousand_changes_a_second_leave_time_for_the_reader(
    thousand: Store, open_page: Open, record_property: Callable[[str, object], None]
) -> None:
    """Measured on two busy cores: 21 % of a core, one task over 50 ms, of 72."""
    loop = asyncio.get_running_loop()
    async for url in served(thousand):
        page = await open_page(url, width=1440, height=900)
        await there(page)
        session = await page.context.new_cdp_session(page)
        await session.send("Performance.enable", {"timeDomain": "threadTicks"})
        await page.evaluate(WATCH)
        labels = cycle([record.profile.label for record in thousand])
        began, busy = loop.time(), await busy_s(session)
        refresh_limiter = LASTS_S * TURNS_A_SECOND
        for turn in range(refresh_limiter):
            for label in islice(labels, A_SECOND // TURNS_A_SECOND):
                record = thousand.get(label)
                assert record is not None
                change(thousand, record, turn)
            await asyncio.sleep(began + (turn + 1) / TURNS_A_SECOND - loop.time())
        took_s, busy = loop.time() - began, await busy_s(session) - busy
        for record in list(thousand):
            change(thousand, record, 7)
        await expect(page.locator(".stat.large .value")).to_have_text("$7,000.00")
        tasks: list[float] = await page.evaluate("window.longTasks")
        longest = max(tasks, default=0)  # by the clock on the wall: reported, not a condition
        record_property("page", f"busy {busy / took_s:.0%}, longest task {longest:.0f} ms")
        assert busy / took_s < BUSIEST


MAX_BYTES_PER_S = 50_000
MAX_CORE_SHARE = 0.25
FILLS_PER_S = 500
"""Of all accounts together; each changes money and positions, too."""


async def follow_the_screen(page: Page) -> None:
    """Load the page again and wait until its stream carries the rows on the screen only."""
    async with page.expect_request(lambda request: "rows=" in request.url):
        await page.reload()
    await there(page)
    await expect(page.locator(".indicator.latency")).to_contain_text("ms")  # all files are loaded


def fill(store: Store, record: Record, number: int) -> None:
    """An execution of an account, with the money that follows from it."""
    account = structs.replace(record.state.account or ACCOUNT, equity=str(1000 + number))
    update = TradeUpdate(
        event="fill",
        order=order(number % 3600, status="filled", filled_qty="30"),
        execution_id=ExecutionId(f"e-{number}"),
        qty="30",
        price="188.4",
        timestamp="2026-10-06T14:00:00Z",
    )
    state = structs.replace(record.state, account=account)
    store.update(record.profile.label, now=record.as_of + 1, state=state, updates=(update,))


async def test_a_thousand_accounts_cost_what_is_on_the_screen(
    thousand: Store, open_page: Open, record_property: Callable[[str, object], None]
) -> None:
    """500 fills a second: at most 50 kB/s and a quarter of a core, and the totals are current.

    Measured on two busy cores: 4.3 kB/s and 3 % of a core, the compositor not counted.
    """
    loop = asyncio.get_running_loop()
    async for url in served(thousand):
        async with relay(int(url.rpartition(":")[2])) as line:
            page = await open_page(line.url, width=1440, height=900)
            await there(page)
            await expect(page.locator(".indicator.rate")).to_contain_text("events/s")
            await follow_the_screen(page)
            session = await page.context.new_cdp_session(page)
            await session.send("Performance.enable", {"timeDomain": "threadTicks"})
            labels = cycle([record.profile.label for record in thousand])
            began, busy, received = loop.time(), await busy_s(session), line.received_bytes
            for number in range(LASTS_S * FILLS_PER_S):
                label = next(labels)
                record = thousand.get(label)
                assert record is not None
                fill(thousand, record, number)
                if number % 25 == 24:
                    await asyncio.sleep(began + (number + 1) / FILLS_PER_S - loop.time())
            took_s = loop.time() - began
            busy = (await busy_s(session) - busy) / took_s
            rate = (line.received_bytes - received) / took_s
            record_property("page", f"{rate / 1000:.0f} kB/s, busy {busy:.0%}")
            await expect(page.locator(".fill-list li").first).to_be_visible()
            for record in list(thousand):
                change(thousand, record, 7)
            await expect(page.locator(".stat.large .value")).to_have_text("$7,000.00")
            assert rate < MAX_BYTES_PER_S
            assert busy < MAX_CORE_SHARE


async def test_rows_that_come_on_the_screen_are_current(thousand: Store, open_page: Open) -> None:
    """What changed while it was not on the screen is sent when it is."""
    async for url in served(thousand):
        page = await open_page(url, width=1440, height=900)
        await there(page)
        await expect(page.locator("table.fleet")).to_have_attribute("aria-rowcount", "1001")
        await follow_the_screen(page)
        for record in list(thousand):
            change(thousand, record, 12345)
        await page.keyboard.press("/")
        await page.keyboard.press("Enter")
        await page.keyboard.press("End")
        await expect(page.locator(f"{ROWS} td.equity").last).to_have_text("12,345.00")
        await expect(page.locator(ROWS).last).to_be_in_viewport()


async def test_a_phone_scrolls_through_all_of_them(thousand: Store, open_page: Open) -> None:
    """What stands below the rows is below all thousand, not only below those that are drawn."""
    async for url in served(thousand):
        page = await open_page(url, width=390, height=844)
        await there(page)
        await expect(page.locator("table.fleet")).to_have_attribute("aria-rowcount", "1001")
        box = await page.locator("table.fleet").bounding_box()
        assert box is not None
        assert box["height"] == ACCOUNTS * 62
