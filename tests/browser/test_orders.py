"""The orders of an account: legs below their parent, open ones first, every id."""

from collections.abc import AsyncIterator

import pytest
from playwright.async_api import expect

from realtime.core.model import AccountLabel
from realtime.store.store import Store
from tests.api.documents.made import LIVE, fleet, order, put, state_of
from tests.browser.conftest import Open, in_one_loop
from tests.browser.test_states import served

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

ROWS = "table[aria-label=Orders] tbody tr"
ALPHA = AccountLabel("alpha")


@in_one_loop
async def url() -> AsyncIterator[str]:
    async for url in served(fleet()):
        yield url


async def test_legs_stand_below_their_parent(url: str, open_page: Open) -> None:
    """Entry, take-profit, stop-loss; each with its symbol and price."""
    page = await open_page(f"{url}/#/account/alpha")
    legs = page.locator(f"{ROWS}[data-leg]")
    await expect(legs).to_have_count(2)
    rows = page.locator(ROWS)
    texts = [" ".join((await row.inner_text()).split()) for row in await rows.all()]
    parent = next(index for index, text in enumerate(texts) if "rt-0010" in text)
    assert "rt-0011" in texts[parent + 1]
    assert "rt-0012" in texts[parent + 2]
    for text in texts[parent + 1 : parent + 3]:
        assert "leg" in text
        assert "188.40" in text


async def test_the_client_order_id_is_shown_and_whole_in_the_title(open_page: Open) -> None:
    store = Store(boot="b00t")
    long = "strategy-momentum-2026-11-30-000123456789"
    put(store, "alpha", LIVE, state_of([order(1, client_order_id=long)]))
    async for url in served(store):
        page = await open_page(f"{url}/#/account/alpha")
        cell = page.locator(f"{ROWS} td.client_order_id code")
        await expect(cell).to_have_text("strategy-…23456789")
        await expect(cell).to_have_attribute("title", long)


@pytest.mark.parametrize("width", [1280, 390])
async def test_closed_orders_do_not_bury_open_ones(open_page: Open, width: int) -> None:
    """Sixty closed orders, two open ones that are older: they are first, the closed ones folded."""
    store = Store(boot="b00t")
    closed = [order(100 + number, status="filled") for number in range(60)]
    put(store, "alpha", LIVE, state_of([order(1), order(2), *closed]))
    async for url in served(store):
        page = await open_page(f"{url}/#/account/alpha", width=width, height=844)
        rows = page.locator(ROWS)
        await expect(rows).to_have_count(10)
        for index in (0, 1):
            await expect(rows.nth(index)).to_contain_text("new")
        await page.get_by_role("button", name="Show 52 more closed orders").click()
        await expect(rows).to_have_count(62)
        await page.get_by_role("button", name="Open", exact=True).click()
        await expect(rows).to_have_count(2)
