"""The page on a fleet in every state: synced, lost, refused and never read, disabled."""

from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Page, expect

from realtime.api.listener import serve
from realtime.core.link import Link
from realtime.core.model import AccountLabel
from realtime.store.records import Profile
from realtime.store.store import Store
from tests.api.documents.made import LIVE, NOW, fleet, state_of
from tests.api.reader import Clock, application
from tests.browser.conftest import Open, becomes, in_one_loop

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

ROWS = "table.fleet tbody tr:not(.spacer)"


async def served(store: Store) -> AsyncIterator[str]:
    async with serve(application(store, Clock()), "127.0.0.1", 0) as port:
        yield f"http://127.0.0.1:{port}"


@in_one_loop
async def url() -> AsyncIterator[str]:
    async for url in served(fleet()):
        yield url


async def there(page: Page) -> None:
    await expect(page.locator("html")).to_have_attribute("data-connection", "connected")


async def test_each_problem_is_shown_with_its_remedy(url: str, open_page: Open) -> None:
    page = await open_page(url)
    refused, lost = page.locator(".notice").nth(0), page.locator(".notice").nth(1)
    await expect(refused).to_contain_text("charlie is refused by the broker")
    await expect(refused).to_contain_text("Nothing is known yet.")
    await expect(refused.locator(".remedy")).to_have_text(
        "→ Check secrets.toml [charlie], then SIGHUP"
    )
    await expect(lost).to_contain_text("bravo lost the broker")
    await expect(page.locator(".notice")).to_have_count(2)  # a disabled account is no trouble


async def test_unknown_is_not_zero(url: str, open_page: Open) -> None:
    page = await open_page(url)
    charlie = page.locator(ROWS, has_text="charlie")
    await expect(charlie.locator("td.equity")).to_have_text("–")
    await page.goto(f"{url}/#/account/charlie")
    await expect(page.locator(".account-body")).to_contain_text("Not known yet: key refused (401).")
    await expect(page.locator(".account-body")).not_to_contain_text("No orders.")


async def test_provisional_figures_are_said_to_be(url: str, open_page: Open) -> None:
    page = await open_page(f"{url}/#/account/alpha")
    await expect(page.locator(".stat.large")).to_contain_text("the broker has not confirmed it yet")


async def test_it_can_be_used_with_the_keyboard_alone(url: str, open_page: Open) -> None:
    page = await open_page(url)
    await there(page)
    await page.keyboard.press("/")
    await page.keyboard.type("delt")
    await expect(page.locator(ROWS)).to_have_count(1)
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("link", name="delta")).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", level=1)).to_be_focused()
    await expect(page).to_have_title("delta · realtime")
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("link", name="delta")).to_be_focused()
    await page.keyboard.press("/")
    await page.keyboard.press("Escape")
    await expect(page.locator(ROWS)).to_have_count(5)
    await page.keyboard.press("Tab")
    await page.keyboard.press("?")
    await expect(page.get_by_role("dialog")).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("dialog")).to_be_hidden()
    await page.keyboard.press("a")
    await expect(page.locator("html")).to_have_attribute("data-ages", "")
    await expect(page.locator(".stats .age:visible").first).to_have_text("not confirmed yet")


async def test_columns_sort(url: str, open_page: Open) -> None:
    """What is unknown comes last either way."""
    page = await open_page(url)
    await there(page)
    labels = page.locator(f"{ROWS} th a")
    await page.get_by_role("button", name="Problems first").click()
    await page.get_by_role("button", name="Equity").click()
    await expect(labels).to_have_text(["alpha", "bravo", "delta", "charlie", "echo"])
    await page.get_by_role("button", name="Equity").click()
    await expect(labels).to_have_text(["delta", "alpha", "bravo", "charlie", "echo"])
    head = page.get_by_role("columnheader", name="Equity")
    await expect(head).to_have_attribute("aria-sort", "ascending")
    await expect(page.locator("#foot code")).to_contain_text("/realtime/accounts?sort=equity'")


async def test_dark_is_as_the_system_or_as_chosen(url: str, open_page: Open) -> None:
    page = await open_page(url, scheme="dark")
    html = page.locator("html")
    await expect(html).to_have_css("background-color", "rgb(11, 13, 16)")
    await page.get_by_role("button", name="Colours").click()
    await expect(html).to_have_css("background-color", "rgb(246, 247, 248)")
    await page.reload()
    await expect(html).to_have_css("background-color", "rgb(246, 247, 248)")


@pytest.mark.parametrize("view", ["", "#/account/alpha", "#/account/charlie"])
async def test_nothing_is_wider_than_a_phone(url: str, open_page: Open, view: str) -> None:
    page = await open_page(f"{url}/{view}", width=390, height=844)
    await there(page)
    await becomes(page, "document.documentElement.scrollWidth", 390)


async def test_a_link_that_comes_and_goes_is_remembered(open_page: Open) -> None:
    store = fleet()
    async for url in served(store):
        page = await open_page(url)
        await there(page)
        for link in (Link(state="connecting", stale_reason="cut"), LIVE):
            store.update(next(iter(store)).profile.label, now=2e9, link=link)
            await expect(page.locator(ROWS, has_text="alpha").locator("td.state")).to_contain_text(
                "Synced" if link is LIVE else "Connecting"
            )
        await page.goto(f"{url}/#/account/alpha")
        for words in (
            "No events arrive",
            "no fill was missed",
            "in step with the broker again",
            "Synced since",
        ):
            await expect(page.locator(".link-history")).to_contain_text(words)


@pytest.mark.parametrize("width", [780, 900, 1100, 1440])
async def test_no_figure_is_cut_off(url: str, open_page: Open, width: int) -> None:
    """Columns go as room goes; those that stay fill their card and show all of their figures."""
    page = await open_page(url, width=width, height=900)
    await expect(page.locator(ROWS)).to_have_count(5)
    await becomes(
        page,
        """() => {
            const table = document.querySelector("table.fleet");
            const cut = [...table.querySelectorAll("th, td.number")].filter(
                cell => cell.checkVisibility() && cell.scrollWidth > cell.clientWidth + 1);
            return [table.clientWidth - table.parentElement.clientWidth,
                ...cut.map(cell => cell.textContent)];
        }""",
        [0],
    )


async def test_real_money_is_marked(open_page: Open) -> None:
    """Each kind of money there is, with its number of accounts; an account has the badge itself."""
    store = fleet()
    async for url in served(store):
        page = await open_page(url)
        await expect(page.locator("#money")).to_have_text("PAPER 4")
        store.add(Profile(label=AccountLabel("real"), name="real", paper=False), now=NOW)
        store.update(AccountLabel("real"), now=NOW, link=LIVE, state=state_of())
        await expect(page.locator("#money")).to_have_text("REAL MONEY 1PAPER 4")
        row = page.locator(ROWS, has_text="real")
        await expect(row.locator(".badge")).to_have_text("REAL MONEY")
        await row.get_by_role("link").click()
        await expect(page.get_by_role("heading", level=1)).to_have_text("real")
        await expect(page.locator("#money")).to_have_text("REAL MONEY")
        await page.goto(f"{url}/#/account/alpha")
        await expect(page.locator("#money")).to_have_text("PAPER")
