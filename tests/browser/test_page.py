"""The page on a daemon that follows a simulator: what a user sees happen."""

import re
from functools import partial

import pytest
from msgspec import Struct, convert
from playwright.async_api import Page, expect

from tests.browser.conftest import Open
from tests.browser.relay import Relay
from tests.fleet import Fleet

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


class Book(Struct):
    """What the exchange knows of an account."""

    label: str
    executions: list[dict[str, object]]


LABELS = ("alpha", "bravo", "charlie")


async def all_connected(page: Page, count: int = 3) -> None:
    await expect(page.locator("html")).to_have_attribute("data-connection", "connected")
    await expect(page.locator("table.fleet tbody tr:not(.spacer)")).to_have_count(count)


async def test_changes_appear_without_a_reload(pair: Fleet, line: Relay, open_page: Open) -> None:
    page = await open_page(line.url)
    await all_connected(page)
    await page.evaluate("window.isTheSame = true")
    pair.buy("alpha", "AAPL", "3")
    await expect(page.locator(".fill-list li").first).to_contain_text("3 AAPL @ ")
    await expect(page.locator(".fill-list li a").first).to_have_text("alpha")
    positions = page.locator("tr", has_text="alpha").locator("td.positions")
    await expect(positions).to_have_text("1")
    assert await page.evaluate("window.isTheSame")


async def test_totals_are_exact(pair: Fleet, line: Relay, open_page: Open) -> None:
    """1 000 000 + 100 000 + 50 000."""
    page = await open_page(line.url)
    await expect(page.locator(".stat.large .value")).to_have_text("$1,150,000.00")
    await expect(page.locator("dl.stats")).to_contain_text("3 / 3 synced")


async def test_a_cut_is_shown_and_nothing_is_missed(
    pair: Fleet, line: Relay, open_page: Open
) -> None:
    page = await open_page(line.url)
    await all_connected(page)
    line.cut()
    html, strip = page.locator("html"), page.locator("#notices")
    await expect(html).to_have_attribute("data-connection", "disconnected")
    await expect(strip).to_contain_text("No connection to the daemon")
    await expect(page.locator("main")).to_have_css("filter", "grayscale(1)")
    assert (await page.title()) == "No connection · realtime"
    await expect(page.locator("table.fleet td.state .state").first).to_have_text("Unknown")
    await expect(page.locator("dl.stats")).to_contain_text("– / 3 synced")
    pair.buy("bravo", "KO", "7")
    await pair.until(lambda: bool(pair.record("bravo").state.positions))
    await expect(page.locator(".fill-list")).not_to_contain_text("KO")
    line.mend()
    await all_connected(page)
    await expect(page.locator(".fill-list li").first).to_contain_text("7 KO @ ")
    await expect(strip).to_be_empty()
    await expect(page.locator("main")).to_have_css("filter", "none")


FEED = """[...document.querySelectorAll(".fill-list li")].map(line => [
    line.querySelector("a").textContent, line.querySelector(".side").textContent.toLowerCase(),
    line.querySelector(".what b").textContent.replace(/,/g, ""),
].join(" "))"""


async def test_after_cuts_the_fills_are_those_of_the_exchange(
    pair: Fleet, line: Relay, open_page: Open
) -> None:
    """Fills before, during and after two cuts: each is told once, none is missing."""
    page = await open_page(line.url)
    await all_connected(page)
    for turn in range(1, 9):
        if turn in (3, 6):
            line.cut()
            await expect(page.locator("html")).to_have_attribute("data-connection", "disconnected")
        for label in LABELS:
            pair.buy(label, "F", str(turn))
        await pair.until(partial(all_know, pair, turn))
        if turn in (4, 7):
            line.mend()
            await all_connected(page)
    await pair.until(lambda: not any(pair.working(label) for label in LABELS))
    told = await executions(pair)
    assert len(told) >= 24  # an order may fill in parts
    await expect(page.locator(".fill-list li")).to_have_count(len(told))
    assert sorted(await page.evaluate(FEED)) == told


def all_know(pair: Fleet, fills: int) -> bool:
    """Whether the daemon has that many executions of each account."""
    kept = [pair.record(label).state.executions.values() for label in LABELS]
    return all(sum(map(len, each)) >= fills for each in kept)


async def executions(pair: Fleet) -> list[str]:
    """What the exchange has in its books."""
    books = [convert(await pair.broker(f"/books/{label}"), Book) for label in LABELS]
    return sorted(
        f"{book.label} {each['side']} {each['qty']} {each['symbol']}"
        for book in books
        for each in book.executions
    )


async def test_an_account_that_is_not_synced_never_looks_synced(
    pair: Fleet, line: Relay, open_page: Open
) -> None:
    page = await open_page(line.url)
    await all_connected(page)
    await pair.fault(kind="cut", account="charlie")
    charlie = page.locator("table.fleet tbody tr", has_text="charlie")
    await expect(charlie).to_have_attribute("data-stale", "yes")
    await expect(charlie.locator("td.state")).to_contain_text("Waiting")
    await expect(charlie.locator("td.equity")).to_have_css("font-style", "italic")
    notice = page.locator(".notice")
    await expect(notice).to_contain_text("charlie lost the broker")
    await expect(notice).to_contain_text("may be wrong now")
    await expect(notice.locator(".remedy")).to_contain_text("No action needed: retry in")
    await expect(page.locator("#announcements")).to_contain_text("charlie lost the broker")
    await page.get_by_role("button", name="Not synced").click()
    await expect(page.locator("table.fleet tbody tr:not(.spacer)")).to_have_count(1)
    await expect(page.locator("#foot code")).to_contain_text("/realtime/accounts?state=")


async def test_one_account(pair: Fleet, line: Relay, open_page: Open) -> None:
    page = await open_page(f"{line.url}/#/account/alpha")
    await expect(page.get_by_role("heading", level=1)).to_have_text("alpha")
    await expect(page.locator(".stat.large .value")).to_have_text("$1,000,000.00")
    await expect(page.locator(".account-body")).to_contain_text("No positions.")
    pair.buy("alpha", "TSLA", "2")
    positions = page.get_by_role("table", name="Positions")
    await expect(positions.locator("tbody tr")).to_contain_text(re.compile("TSLA.*2"))
    orders = page.get_by_role("table", name="Orders")
    await expect(orders.locator("tbody tr")).to_contain_text(re.compile("TSLA.*Buy.*filled"))
    await expect(page.locator("#foot code")).to_contain_text("/realtime/dashboard/alpha")


async def test_an_order_of_the_past_is_listed(pair: Fleet, line: Relay, open_page: Open) -> None:
    """Snapshots tell working orders only; the others are read once."""
    pair.buy("alpha", "TSLA", "2")
    await pair.until(lambda: any(o.is_closed for o in pair.record("alpha").state.orders.values()))
    page = await open_page(f"{line.url}/#/account/alpha")
    orders = page.get_by_role("table", name="Orders")
    await expect(orders.locator("tbody tr")).to_contain_text("filled")


async def test_an_unknown_account_suggests_a_label(line: Relay, open_page: Open) -> None:
    page = await open_page(f"{line.url}/#/account/alhpa")
    await expect(page.locator(".missing")).to_contain_text("Unknown account label")
    await expect(page.locator(".missing")).to_contain_text("did you mean alpha?")
    await page.get_by_role("link", name="All accounts", exact=True).click()
    await all_connected(page)


async def test_a_hidden_page_pauses(pair: Fleet, line: Relay, open_page: Open) -> None:
    page = await open_page(line.url)
    await all_connected(page)
    hide = """hidden => {
        Object.defineProperty(document, "hidden", { value: hidden, configurable: true });
        document.dispatchEvent(new Event("visibilitychange"));
    }"""
    await page.evaluate(hide, True)
    await expect(page.locator("html")).to_have_attribute("data-connection", "paused")
    pair.buy("alpha", "KO", "5")
    await pair.until(lambda: bool(pair.record("alpha").state.positions))
    await expect(page.locator(".fill-list")).not_to_contain_text("KO")
    await page.evaluate(hide, False)
    await all_connected(page)
    await expect(page.locator(".fill-list li").first).to_contain_text("5 KO @ ")
