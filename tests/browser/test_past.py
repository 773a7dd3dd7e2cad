"""The past on the page: marked, exact or to the minute, gaps visible, one key back to now."""

import asyncio
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from playwright.async_api import Page, Request, Route, expect

from realtime.store.store import Store
from tests.api.documents.made import NOW, fleet
from tests.browser.conftest import Open, becomes, in_one_loop
from tests.browser.recorded import record, served_past
from tests.browser.test_layout import FAULTS
from tests.browser.test_states import ROWS, served, there

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


def moment(minute: float) -> str:
    """`as_of` so many minutes after the beginning."""
    return datetime.fromtimestamp(NOW + minute * 60, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("history")
    record(path)
    return path


@pytest.fixture
def store() -> Store:
    return fleet()


@in_one_loop
async def url(recorded: Path, store: Store) -> AsyncIterator[str]:
    async with served_past(recorded, store) as url:
        yield url


async def past_is_shown(page: Page) -> None:
    await expect(page.locator("html")).to_have_attribute("data-past", "")
    await expect(page.locator(".time-bar strong")).to_contain_text("As of ")
    await expect(page.locator(".time-note")).not_to_have_text("Reading …")


async def account_is_shown(page: Page) -> None:
    """Wait for the view itself: the address is an account's before its view is loaded."""
    await expect(page.locator(".account-view")).to_be_attached()


async def at(page: Page, pattern: str) -> None:
    """Wait until the address matches."""
    await expect(page).to_have_url(re.compile(pattern.replace("?", r"\?")))


async def test_an_address_opens_the_past_marked_as_such(url: str, open_page: Open) -> None:
    page = await open_page(f"{url}/#/account/alpha?as_of={moment(2.5)}")
    await past_is_shown(page)
    await expect(page).to_have_title(re.compile("^3 Oct, 04:02 · alpha"))
    orders = page.get_by_role("table", name="Orders")
    await expect(page.locator(".time-note")).to_contain_text("exact to the event")
    await expect(orders).not_to_contain_text("TSLA")
    await expect(page.locator(".indicator.rate")).to_be_hidden()
    await page.goto(f"{url}/#/account/alpha?as_of={moment(3.5)}")
    await expect(orders).to_contain_text("TSLA")
    await expect(page.locator(".fill-list")).to_contain_text("3 TSLA")
    await expect(page.locator("#foot code")).to_contain_text(f"as_of={moment(3.5)}")


async def test_money_of_the_past_is_marked_to_the_minute(url: str, open_page: Open) -> None:
    page = await open_page(f"{url}/#/account/alpha?as_of={moment(5.5)}")
    await past_is_shown(page)
    await expect(page.locator(".stat.large .value")).to_have_text("$100,500.00")
    await expect(page.locator(".stat.large .note")).to_contain_text("to the minute: ")
    await expect(page.locator(".stats .stat").first.locator(".value")).to_have_text("–")


async def test_one_key_opens_the_past_and_one_leaves_it(url: str, open_page: Open) -> None:
    page = await open_page(f"{url}/#/account/alpha")
    await there(page)
    await page.keyboard.press("h")
    await past_is_shown(page)
    slider = page.get_by_role("slider", name="Moment")
    await expect(slider).to_be_focused()
    opened = datetime.fromisoformat(page.url.rpartition("as_of=")[2])
    await page.keyboard.press("ArrowLeft")
    await page.keyboard.press("ArrowLeft")
    await at(page, f"as_of={(opened - timedelta(minutes=2)).strftime('%Y-%m-%dT%H:%M:%SZ')}")
    await page.keyboard.press("Escape")
    await expect(page.locator(".time-bar")).to_have_count(0)
    await at(page, "#/account/alpha$")
    await expect(page.locator("html")).not_to_have_attribute("data-past", "")
    await expect(page.locator(".stat.large .note")).to_contain_text("not confirmed")


async def test_back_returns_to_now_and_forward_to_the_moment(url: str, open_page: Open) -> None:
    page = await open_page(f"{url}/#/account/alpha")
    await there(page)
    await page.get_by_role("button", name="The past").click()
    await past_is_shown(page)
    await page.go_back()
    await expect(page.locator(".time-bar")).to_have_count(0)
    await page.go_forward()
    await past_is_shown(page)
    await page.get_by_role("button", name="Back to now").click()
    await expect(page.locator(".time-bar")).to_have_count(0)


async def test_a_moment_inside_a_gap_says_so(url: str, open_page: Open) -> None:
    page = await open_page(f"{url}/#/account/alpha?as_of={moment(7)}")
    await past_is_shown(page)
    note = page.locator(".time-note")
    await expect(note).to_contain_text("Nothing was recorded from 04:05:00 to 04:08:00")
    await expect(note).to_have_attribute("data-tone", "warn")
    await expect(page.locator(".spans .gap")).to_have_count(1)


async def test_before_the_first_record_is_unknown_and_not_zero(url: str, open_page: Open) -> None:
    page = await open_page(f"{url}/#/account/alpha?as_of=2026-09-01T00:00:00Z")
    await past_is_shown(page)
    await expect(page.locator(".time-note")).to_contain_text("history starts 3 Oct, 02:00")
    await expect(page.locator(".stat.large .value")).to_have_text("–")
    await expect(page.locator(".account-body")).not_to_contain_text("No orders.")
    await page.goto(f"{url}/#/?as_of=2026-09-01T00:00:00Z")
    await expect(page.locator(".headline .value")).to_have_text("–")
    await expect(page.locator(".time-note")).to_contain_text("history starts")


async def test_the_fleet_is_shown_as_it_was_and_its_links_stay_there(
    url: str, open_page: Open
) -> None:
    page = await open_page(f"{url}/#/?as_of={moment(5.5)}")
    await past_is_shown(page)
    alpha = page.locator(ROWS, has_text="alpha")
    await expect(alpha.locator("td.equity")).to_have_text("100,500.00")
    await expect(page.locator(".fill-list")).to_contain_text("3 TSLA")
    await page.locator(".slider input").focus()
    await page.keyboard.press("ArrowLeft")
    await page.keyboard.press("ArrowLeft")
    await expect(alpha.locator("td.equity")).to_have_text("100,281.40")
    await alpha.get_by_role("link").click()
    await at(page, f"#/account/alpha?as_of={moment(3.5)}$")
    await account_is_shown(page)
    await past_is_shown(page)
    await page.keyboard.press("Escape")
    await page.keyboard.press("Escape")
    await at(page, "#/$")
    await expect(alpha.locator("td.equity")).to_have_text("100,281.40")


async def test_keys_act_on_the_view_of_the_address_even_before_it_is_loaded(
    url: str, open_page: Open
) -> None:
    """They wait for it, in order: none is lost, none reaches the view before it."""
    page = await open_page("about:blank")
    is_released = asyncio.Event()

    async def hold(route: Route) -> None:
        await is_released.wait()
        await route.continue_()

    await page.route("**/account_view.js*", hold)
    await page.goto(f"{url}/#/?as_of={moment(3.5)}")
    await past_is_shown(page)
    await page.locator(ROWS, has_text="alpha").get_by_role("link").click()
    await at(page, f"#/account/alpha?as_of={moment(3.5)}$")
    await page.locator(".slider input").focus()
    await page.keyboard.press("Escape")
    await page.keyboard.press("Escape")
    await page.keyboard.press("/")
    assert page.url.endswith(f"#/account/alpha?as_of={moment(3.5)}")
    is_released.set()
    await at(page, "#/$")
    await expect(page.get_by_label("Search accounts")).to_be_focused()
    await expect(page.locator("html")).not_to_have_attribute("data-past", "")


async def test_a_view_that_is_left_does_not_write_its_address(url: str, open_page: Open) -> None:
    """While another view is loaded the address is already the other one's."""
    page = await open_page("about:blank")
    is_released = asyncio.Event()

    async def hold(route: Route) -> None:
        await is_released.wait()
        await route.continue_()

    await page.route("**/account_view.js*", hold)
    await page.goto(f"{url}/")
    await there(page)
    await page.locator(ROWS, has_text="alpha").get_by_role("link").click()
    await at(page, "#/account/alpha$")
    await page.get_by_role("button", name="Problems first").click()
    is_released.set()
    await account_is_shown(page)
    await at(page, "#/account/alpha$")


async def test_letters_act_at_the_slider_too(url: str, open_page: Open) -> None:
    page = await open_page(f"{url}/#/account/alpha?as_of={moment(5.5)}")
    await past_is_shown(page)
    await page.locator(".slider input").focus()
    await page.keyboard.press("h")
    await at(page, "#/account/alpha$")
    await expect(page.locator(".time-bar")).to_have_count(0)


async def test_the_event_before_and_the_next_one(url: str, open_page: Open) -> None:
    page = await open_page(f"{url}/#/account/alpha?as_of={moment(5.5)}")
    await past_is_shown(page)
    await page.get_by_role("button", name="The event before").click()
    await at(page, "04:03:01Z")
    await expect(page.get_by_role("table", name="Orders")).to_contain_text("TSLA")
    await page.get_by_role("button", name="A day earlier").click()
    await at(page, "2026-10-02")


async def test_nothing_is_sent_but_questions(url: str, open_page: Open) -> None:
    """No order can be sent from the past: nothing but GET, and no form."""
    page = await open_page("about:blank")
    sent: list[Request] = []
    page.on("request", lambda request: sent.append(request))
    await page.goto(f"{url}/#/account/alpha?as_of={moment(5.5)}")
    await past_is_shown(page)
    for button in await page.locator(".time-bar button").all():
        if await button.is_visible():
            await button.click()
    assert len(sent) > 30
    assert {request.method for request in sent} == {"GET"}
    assert await page.locator("main form").count() == 0


async def test_curves_show_weeks_with_the_step_of_the_server(url: str, open_page: Open) -> None:
    page = await open_page(f"{url}/#/account/alpha")
    await there(page)
    async with page.expect_request(lambda request: "/history/equity/alpha" in request.url) as sent:
        await page.get_by_role("button", name="1 W").click()
    assert "step=" not in (await sent.value).url
    await at(page, "#/account/alpha?range=week$")
    await page.reload()
    await expect(page.get_by_role("button", name="1 W")).to_have_attribute("aria-pressed", "true")
    await expect(page.locator(".curve canvas")).to_have_count(1)


async def test_without_history_the_page_says_how_to_have_it(open_page: Open) -> None:
    async for url in served(fleet()):
        page = await open_page(f"{url}/#/account/alpha?range=month&as_of=2026-10-03T00:00:00Z")
        await past_is_shown(page)
        await expect(page.locator(".time-note")).to_contain_text("[history] enabled = true")
        await expect(page.locator(".curve-empty")).to_contain_text("[history] enabled = true")


@pytest.mark.parametrize("width", [1440, 1024, 780, 390, 320])
async def test_the_bar_fits(url: str, open_page: Open, width: int) -> None:
    for view in ("account/alpha", ""):
        page = await open_page(f"{url}/#/{view}?as_of={moment(7)}", width=width, height=900)
        await past_is_shown(page)
        await becomes(page, FAULTS, [])
