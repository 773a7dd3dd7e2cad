"""Compare on the page: curves from one start, a table with intervals, the meaning in words."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from tests.browser.compared import labels_of, make_store, served_comparison, write_ledger
from tests.browser.conftest import Open, becomes, in_one_loop
from tests.browser.test_access import CONTRAST, LISTS, NAMELESS, ORDER, TABLES
from tests.browser.test_layout import FAULTS
from tests.browser.test_states import served

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

EIGHT = labels_of(8)
RANKED = "table.compare tr[data-ranked]"


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("compared")
    write_ledger(path, EIGHT)
    return path


@in_one_loop
async def url(ledger: Path) -> AsyncIterator[str]:
    async with served_comparison(ledger, make_store(EIGHT)) as url:
        yield url


async def compared(page: Page, rows: int) -> None:
    """Wait until the table has this many rows without control rows."""
    await expect(
        page.locator("table.compare tbody tr[data-kind]:not([data-kind=control])")
    ).to_have_count(rows)


async def keys(page: Page, rows: str = RANKED) -> list[str]:
    found: list[str] = await page.locator(rows).evaluate_all("rows => rows.map(r => r.dataset.key)")
    return found


LEADERS = """() => {
    const over = document.querySelector('.u-over:has(.multi-overlay)');
    const canvas = over.closest('.uplot').querySelector('canvas');
    const [plot, drawn] = [over.getBoundingClientRect(), canvas.getBoundingClientRect()];
    const ratio = canvas.width / drawn.width;
    const box = [plot.right - drawn.left + 2, plot.top - drawn.top, 8, plot.height];
    const data = canvas.getContext('2d').getImageData(...box.map((at) => Math.round(at * ratio)));
    const rows = new Set();
    for (let i = 3; i < data.data.length; i += 4)
        if (data.data[i]) rows.add(Math.floor(i / 4 / data.width));
    const names = [...document.querySelectorAll('[data-key][style*="top"]')];
    if (!names.length) return ['no name'];
    const top = (name) => (parseFloat(name.style.top) - over.offsetTop) * ratio;
    const leads = (name) => [...rows].some((y) => Math.abs(y - top(name)) < 6 * ratio);
    return names.filter((name) => !leads(name)).map((name) => name.dataset.key);
}"""
"""Names beside the curves to which no line leads."""


async def test_a_line_leads_from_each_curve_to_its_name_in_every_window(
    url: str, open_page: Open
) -> None:
    page = await open_page(f"{url}/#/compare")
    await compared(page, 8)
    await becomes(page, LEADERS, [])
    others = page.locator("tbody.others")
    await others.get_by_role("button", name="Shorten to 17 Jun").click()
    await expect(page.locator(RANKED)).to_have_count(8)
    await becomes(page, LEADERS, [])


async def test_ranked_rows_are_above_and_the_others_have_their_reason(
    url: str, open_page: Open
) -> None:
    page = await open_page(f"{url}/#/compare")
    await compared(page, 8)
    assert await keys(page) == ["momentum", "echo", "meanrev", "idle", "pairs", "noise"]
    assert await keys(page, "tr[data-kind=control]") == ["cash", "SPY"]
    others = page.locator("tbody.others")
    await expect(others).to_contain_text("Not ranked (2)")
    await expect(others.locator("tr[data-key=late]")).to_contain_text("starts 2026-06-17")
    await expect(others.locator("tr[data-key=holes]")).to_contain_text("2 days not recorded")
    await others.get_by_role("button", name="Shorten to 17 Jun").click()
    await expect(page).to_have_url(re.compile("#/compare.*from=2026-06-17"))
    await expect(page.locator(RANKED)).to_have_count(8)


async def test_an_estimate_has_its_interval_in_numbers_and_drawn(url: str, open_page: Open) -> None:
    page = await open_page(f"{url}/#/compare")
    await compared(page, 8)
    cell = page.locator("tr[data-key=momentum] td.return_pct")
    await expect(cell).to_have_attribute(
        "title", re.compile(r"^\+10\.61.%, 95.% between \+3\.75 and \+17\.93, 21 days$")
    )
    await expect(cell.locator(".interval .bar")).to_have_class("bar sure")
    await expect(page.locator("tr[data-key=noise] .return_pct .bar")).to_have_class("bar")
    spoken = await page.locator("tr[data-key=momentum] td.win_rate_pct").text_content()
    assert spoken is not None
    assert "95\u00a0% between 31 and 83" in spoken


async def test_what_may_be_chance_is_no_win_and_no_loss(url: str, open_page: Open) -> None:
    """Green and red only where the interval leaves zero out."""
    page = await open_page(f"{url}/#/compare")
    await compared(page, 8)
    tinted = await page.locator("table.compare [data-tone]").evaluate_all(
        "cells => [...new Set(cells.map(c => c.closest('tr').dataset.key + ' ' + c.dataset.tone))]"
    )
    assert tinted == ["momentum gain", "echo gain"]


async def test_pairs_are_stated_in_words(url: str, open_page: Open) -> None:
    page = await open_page(f"{url}/#/compare")
    words = page.locator(".words")
    await expect(words).to_contain_text("Of 27 pairs, 2 can be distinguished at 95 %")
    await expect(words).to_contain_text("momentum is ahead of noise.")
    await expect(words).to_contain_text("The other 25 pairs cannot be distinguished")
    await expect(words).to_contain_text("more trading day")
    await page.goto(f"{url}/#/compare?from=2026-07-06&to=2026-07-08")
    await expect(words).to_contain_text("Too few days: 3 of 5. Curves only.")


async def test_a_grid_shows_every_pair_in_words(url: str, open_page: Open) -> None:
    page = await open_page(f"{url}/#/compare")
    await page.locator(".pairs-grid > summary").press("Enter")
    cells = page.locator("table.pairs tbody td:has(.unseen)")
    await expect(cells).to_have_count(28)
    await expect(cells.filter(has_text="were not compared")).to_have_count(1)  # cash and SPY
    await expect(page.locator("table.pairs i[data-standing=open]")).to_have_count(25)
    await expect(cells.filter(has_text="cannot be distinguished from")).to_have_count(25)


async def test_own_start_is_a_switch(url: str, open_page: Open) -> None:
    """A row that begins late has no curve until the switch is on."""
    page = await open_page(f"{url}/#/compare")
    switch = page.get_by_role("button", name=re.compile("^Own start"))
    await expect(switch).to_have_attribute("aria-pressed", "false")
    names = page.locator(".reading")
    await expect(names).not_to_contain_text("late")
    await switch.press("Enter")
    await expect(page).to_have_url(re.compile("own=yes"))
    await expect(switch).to_have_attribute("aria-pressed", "true")


async def test_the_address_holds_the_whole_view(url: str, open_page: Open) -> None:
    page = await open_page(f"{url}/#/compare")
    await compared(page, 8)
    await page.get_by_role("button", name="Win rate").click()
    await page.get_by_role("button", name="$", exact=True).click()
    await page.get_by_role("button", name="Unpin noise").click()
    await page.get_by_role("button", name="Pin late").click()
    await expect(page).to_have_url(re.compile("unit=usd&pin=.*late.*&sort=win_rate_pct$"))
    order, names = await keys(page), await page.locator(".multi-names").text_content()
    await page.reload()
    await compared(page, 8)
    assert await keys(page) == order
    await expect(page.locator(".multi-names")).to_have_text(names or "")
    await expect(page.locator("tr[data-key=late] .swatch")).to_have_attribute("data-slot", "5")


async def test_a_seventh_line_is_not_pinned(url: str, open_page: Open) -> None:
    page = await open_page(f"{url}/#/compare")
    await compared(page, 8)
    await page.get_by_role("button", name="Pin late").click()
    await expect(page.locator(".compare-body .count")).to_contain_text("unpin one first")
    await expect(page.locator("button.swatch[aria-pressed=true]")).to_have_count(6)


async def test_unknown_values_are_last_in_both_orders(url: str, open_page: Open) -> None:
    page = await open_page(f"{url}/#/compare?sort=win_rate_pct")
    await compared(page, 8)
    assert (await keys(page))[-1] == "idle"
    await page.get_by_role("button", name="Win rate").click()
    await expect(page).to_have_url(re.compile("order=asc"))
    assert (await keys(page))[-1] == "idle"
    await expect(page.locator("tr[data-key=idle] .win_rate_pct")).to_contain_text("no closed trade")


async def test_keys_read_the_curves_day_by_day(url: str, open_page: Open) -> None:
    page = await open_page(f"{url}/#/compare")
    await compared(page, 8)
    await page.locator(".multi").focus()
    await page.keyboard.press("Home")
    await expect(page.locator(".reading-title")).to_have_text("5 Jun")
    await expect(page.locator(".reading li b").first).to_have_text("0.00\u00a0%")
    await page.keyboard.press("ArrowRight")
    await expect(page.locator(".reading-title")).to_have_text("8 Jun")
    await page.keyboard.press("End")
    await expect(page.locator(".reading-title")).to_have_text("8 Jul, the last day")
    await expect(page.locator(".reading li").first).to_contain_text("momentum+10.61")


async def test_tiers_are_their_money_and_open_to_their_accounts(url: str, open_page: Open) -> None:
    page = await open_page(f"{url}/#/compare?by=tier")
    await expect(page.locator("tr[data-key=large]")).to_contain_text("4 accounts")
    await page.get_by_role("button", name="Members of large").click()
    assert await keys(page, "tr[data-member]") == ["momentum", "echo", "holes", "pairs"]
    await expect(page).to_have_url(re.compile("by=tier&open=large"))
    await expect(page.locator(".compare-about")).to_contain_text("as far back as the record")


async def test_a_window_and_a_grouping_by_keyboard(url: str, open_page: Open) -> None:
    page = await open_page(f"{url}/")
    await expect(page.locator("table.fleet")).to_be_visible()
    await page.keyboard.type("gc")  # at once: the second letter has its limit
    await compared(page, 8)
    await expect(page.get_by_role("heading", level=1)).to_be_focused()
    await page.get_by_role("button", name="1 W").focus()
    await page.keyboard.press("Enter")
    await expect(page.locator(".compare-about")).to_contain_text("5 trading days")
    await page.keyboard.press("Escape")
    await expect(page.locator("table.fleet")).to_be_visible()


async def test_without_history_it_says_how_to_have_it(open_page: Open) -> None:
    async for url in served(make_store(EIGHT)):
        page = await open_page(f"{url}/#/compare")
        await expect(page.locator(".empty")).to_contain_text("[history] enabled = true")
        await expect(page.locator("table.compare")).to_be_hidden()


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_it_is_readable_and_named(url: str, open_page: Open, scheme: str) -> None:
    page = await open_page(f"{url}/#/compare?by=tier&open=large", scheme=scheme)
    await expect(page.locator("tr[data-member]")).to_have_count(4)
    await becomes(page, CONTRAST, [])
    await becomes(page, NAMELESS, [])
    await becomes(page, ORDER, True)
    await becomes(page, TABLES, [])
    await becomes(page, LISTS, [])


@pytest.mark.parametrize("width", [1440, 1024, 780, 390, 320])
@pytest.mark.parametrize("count", [1, 8, 100])
async def test_it_fits(
    open_page: Open, tmp_path_factory: pytest.TempPathFactory, count: int, width: int
) -> None:
    path = tmp_path_factory.getbasetemp() / f"compared-{count}"
    if not path.exists():
        write_ledger(path, labels_of(count))
    async with served_comparison(path, make_store(labels_of(count))) as url:
        page = await open_page(f"{url}/#/compare", width=width, height=900)
        await compared(page, count)
        await becomes(page, FAULTS, [])
