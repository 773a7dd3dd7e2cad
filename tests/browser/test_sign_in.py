"""A daemon that wants tokens: the page asks once, and says why when it must ask again."""

from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Page, expect

from tests.api.documents.made import fleet
from tests.api.guarded import ALL, guarded, token
from tests.api.reader import Clock
from tests.browser.conftest import Open, in_one_loop

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

ROWS = "table.fleet tbody tr:not(.spacer)"


@pytest.fixture
def clock() -> Clock:
    return Clock()


@in_one_loop
async def url(clock: Clock) -> AsyncIterator[str]:
    async with guarded(fleet(), clock) as server:
        yield f"http://127.0.0.1:{server.port}"


async def enter(page: Page, words: str) -> None:
    await page.get_by_label("Token").fill(words)
    await page.get_by_role("button", name="Sign in").click()


async def test_a_token_once_and_never_again(url: str, open_page: Open) -> None:
    page = await open_page(url)
    await expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")
    await expect(page.get_by_label("Token")).to_be_focused()
    await expect(page).to_have_title("Sign in · realtime")
    await enter(page, "nonsense")
    await expect(page.get_by_role("alert")).not_to_be_empty()
    await expect(page.get_by_label("Token")).to_have_attribute("aria-invalid", "true")
    await enter(page, token(**ALL))
    await expect(page.locator(ROWS)).to_have_count(5)
    await page.reload()
    await expect(page.locator(ROWS)).to_have_count(5)
    kept = await page.evaluate("[document.cookie, JSON.stringify(localStorage), location.href]")
    assert kept == ["", "{}", f"{url}/"]


async def test_who_signs_out_is_out(url: str, open_page: Open) -> None:
    page = await open_page(url)
    await enter(page, token(**ALL))
    await expect(page.locator(ROWS)).to_have_count(5)
    await page.keyboard.press("?")
    await page.get_by_role("button", name="Sign out").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")


async def test_only_what_the_token_names_is_there(url: str, open_page: Open) -> None:
    page = await open_page(f"{url}/#/account/bravo")
    await enter(page, token(account_id="alpha"))
    await expect(page.locator(".missing")).to_contain_text("Unknown account label")
    await page.get_by_role("link", name="All accounts", exact=True).click()
    await expect(page.locator(ROWS)).to_have_count(1)


async def test_a_token_that_may_not_read_is_told(url: str, open_page: Open) -> None:
    page = await open_page(url)
    await enter(page, token(**ALL, permissions=["trading"]))
    await expect(page.get_by_role("alert")).to_contain_text("the permission `account_access`")
