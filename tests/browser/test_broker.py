"""The broker's report card, and the books of an account, on the page."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import expect

from tests.browser.compared import labels_of, make_store, served_comparison, write_ledger
from tests.browser.conftest import Open, becomes, in_one_loop
from tests.browser.test_layout import FAULTS
from tests.browser.test_states import served

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

LABELS = labels_of(5)


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("compared")
    write_ledger(path, LABELS)
    return path


@in_one_loop
async def url(ledger: Path) -> AsyncIterator[str]:
    async with served_comparison(ledger, make_store(LABELS)) as url:
        yield url


async def test_the_report_card_has_seconds_causes_and_latencies(url: str, open_page: Open) -> None:
    page = await open_page(f"{url}/#/broker")
    await expect(page.locator("table.broker tbody tr")).to_have_count(5)
    await expect(page.locator("table.broker tbody tr").first).to_contain_text("noise")
    await expect(page.locator(".broker-stats")).to_contain_text("all accounts added up")
    await expect(page.locator(".broker-stats")).to_contain_text(re.compile(r"n [\d,]{6,}"))
    await expect(page.locator(".words")).to_contain_text("the broker closed the connection (1006)")
    await page.get_by_role("button", name="1 W").click()
    await expect(page).to_have_url(re.compile("#/broker.range=week$"))
    csv = page.get_by_role("link", name="CSV")
    await expect(csv).to_have_attribute("href", re.compile(r"^report\?from=.*format=csv$"))


async def test_an_outage_opens_its_moment(url: str, open_page: Open) -> None:
    page = await open_page(f"{url}/#/broker")
    outage = page.locator(".outage-strip a").first
    await expect(outage).to_have_attribute(
        "href", re.compile(r"^#/account/noise\?as_of=2026-0[67]-\d\dT\d\d:\d\d:\d\dZ$")
    )


async def test_the_books_of_an_account_filter_its_lists(url: str, open_page: Open) -> None:
    page = await open_page(f"{url}/#/account/momentum")
    books = page.get_by_role("table", name="Books")
    await expect(books.locator("tbody tr")).to_have_count(3)
    await expect(books.locator("tbody tr").last).to_contain_text("other")
    await expect(page.locator(".book-notes")).to_contain_text("the broker's position")
    orders = page.get_by_role("table", name="Orders").locator("tbody tr")
    positions = page.get_by_role("table", name="Positions").locator("tbody tr")
    await expect(orders).to_have_count(3)
    await expect(positions).to_have_count(2)
    await page.locator(".books").get_by_role("button", name="pairs").click()
    await expect(orders).to_have_count(1)
    await expect(orders).to_contain_text("pair-2")
    await expect(positions).to_have_count(1)
    await expect(positions).to_contain_text("MSFT")
    await expect(page).to_have_url(re.compile("#/account/momentum.book=pairs$"))
    await page.reload()
    await expect(positions).to_have_count(1)


async def test_without_books_an_account_stands_as_it_is(open_page: Open) -> None:
    async for url in served(make_store(LABELS)):
        page = await open_page(f"{url}/#/account/momentum")
        await expect(page.get_by_role("table", name="Orders").locator("tbody tr")).to_have_count(3)
        await expect(page.locator(".books")).to_be_hidden()


@pytest.mark.parametrize("width", [1440, 1024, 780, 390, 320])
@pytest.mark.parametrize("view", ["broker", "account/momentum"])
async def test_they_fit(url: str, open_page: Open, view: str, width: int) -> None:
    page = await open_page(f"{url}/#/{view}", width=width, height=900)
    await expect(page.locator(".books tbody tr, .broker tbody tr").first).to_be_visible()
    await becomes(page, FAULTS, [])
