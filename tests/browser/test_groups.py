"""The table of all accounts by tier: exact sums, paper and real money apart, folded by address."""

import re

import pytest
from playwright.async_api import expect

from realtime.store.store import Store
from tests.browser.conftest import Open
from tests.browser.fleets import account, add
from tests.browser.test_states import ROWS, served, there

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

GROUPS = "table.fleet tr[data-group]"


def tiered() -> Store:
    """Three accounts of paper money and one of real money, all of tier `premium`."""
    store = Store(boot="b00t")
    for label, equity in (("alpha", "0.10"), ("bravo", "0.20"), ("charlie", "1000000.30")):
        add(store, label, account(equity))
    add(store, "delta", account("77.77"), paper=False)
    return store


async def test_sums_are_exact_and_paper_and_real_money_apart(open_page: Open) -> None:
    async for url in served(tiered()):
        page = await open_page(url)
        await there(page)
        await page.get_by_role("button", name="By tier").click()
        await expect(page).to_have_url(re.compile(r"#/\?group=tier$"))
        await expect(page.locator(GROUPS)).to_have_count(2)
        paper = page.locator(GROUPS, has_text="3 accounts")
        await expect(paper.locator("td.equity")).to_have_text("1,000,000.60")
        real = page.locator(GROUPS, has_text="1 account")
        await expect(real.locator(".badge")).to_have_text("REAL MONEY")
        await expect(real.locator("td.equity")).to_have_text("77.77")


async def test_a_group_folds_by_mouse_and_key_and_stays_so_in_the_address(open_page: Open) -> None:
    async for url in served(tiered()):
        page = await open_page(f"{url}/#/?group=tier")
        await there(page)
        await expect(page.locator(ROWS)).to_have_count(6)
        await page.locator(GROUPS, has_text="3 accounts").locator("td.equity").click()
        await expect(page.locator(ROWS)).to_have_count(3)
        await expect(page).to_have_url(re.compile(r"fold=premium(%3A|:)paper"))
        await page.reload()
        await there(page)
        await expect(page.locator(ROWS)).to_have_count(3)
        group = page.get_by_role("button", name="premium").first
        await group.focus()
        await page.keyboard.press("Enter")
        await expect(page.locator(ROWS)).to_have_count(6)


async def test_many_accounts_are_folded_at_first(open_page: Open) -> None:
    store = Store(boot="b00t")
    for number in range(60):
        add(store, f"account_{number:02}", account("1.00"))
    async for url in served(store):
        page = await open_page(f"{url}/#/?group=tier")
        await there(page)
        await expect(page.locator(GROUPS)).to_have_count(1)
        await expect(page.locator(f"{GROUPS} td.equity")).to_have_text("60.00")
        await expect(page.locator(ROWS)).to_have_count(1)
        await page.locator(f"{GROUPS} td.equity").click()
        await expect(page.locator("table.fleet")).to_have_attribute("aria-rowcount", "62")
