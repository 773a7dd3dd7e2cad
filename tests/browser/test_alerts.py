"""Bounds of tiers on the page: counted in the header, one notice a rule, a table with reasons."""

import re
from collections.abc import AsyncIterator
from decimal import Decimal

import pytest
from playwright.async_api import expect

from realtime.analytics.alert_log import AlertLog
from realtime.analytics.tier_bounds import Bounds
from realtime.api.listener import serve
from tests.api.reader import Clock, application
from tests.browser.compared import NOW, labels_of, make_store
from tests.browser.conftest import Open, becomes, in_one_loop
from tests.browser.test_access import CONTRAST, LISTS, NAMELESS, ORDER, TABLES
from tests.browser.test_layout import FAULTS
from tests.browser.test_states import served

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

LABELS = labels_of(3)
ROWS = "table.alerts tbody tr"


@in_one_loop
async def url() -> AsyncIterator[str]:
    """Positions of two shares at 104 are over a bound of 0.7 % for the medium tier only."""
    store, clock, alerts = make_store(LABELS), Clock(), AlertLog()
    clock.now = NOW
    for record in list(store):
        alerts.update(record, Bounds(risk_pct=Decimal("0.7")), NOW - 130)
    async with serve(application(store, clock, alerts=alerts), "127.0.0.1", 0) as port:
        yield f"http://127.0.0.1:{port}"


async def test_a_notice_leads_to_what_is_over(url: str, open_page: Open) -> None:
    page = await open_page(url)
    notice = page.locator(".notice", has_text="risk of one position")
    await expect(notice).to_contain_text("noise is over the bound of its tier")
    await expect(notice).to_contain_text("bounds are watched, not enforced")
    await expect(page.locator(".nav a", has_text="Alerts").locator("b")).to_have_text("11")
    await notice.locator("strong a").click()
    await expect(page).to_have_url(re.compile(r"#/alerts\?list=over$"))
    await expect(page.locator(ROWS)).to_have_count(11)
    await expect(page.locator(".notice")).to_have_count(0)  # the table says it


async def test_the_table_names_value_bound_and_measure(url: str, open_page: Open) -> None:
    page = await open_page(f"{url}/#/alerts")
    row = page.locator(ROWS, has_text="risk of one position").first
    await expect(row).to_contain_text("noise")
    await expect(row.locator("td.now")).to_have_text("0.8\u00a0%")
    await expect(row.locator("td.bound")).to_have_text("0.7\u00a0%")
    await expect(row).to_contain_text("initial balance (0.8\u00a0% of equity)")
    await expect(row.locator("td.since")).to_have_text("2 min")


async def test_an_alert_is_hidden_and_shown_again_by_the_keyboard(
    url: str, open_page: Open
) -> None:
    page = await open_page(f"{url}/#/alerts")
    await expect(page.locator(ROWS).first).to_be_visible()
    count = await page.locator(ROWS).count()
    row = page.locator(ROWS).first
    rule = await row.locator("td.rule").inner_text()
    await row.get_by_role("button", name=re.compile("^1 h")).press("Enter")
    await expect(page.locator(ROWS)).to_have_count(count - 1)
    await page.get_by_role("button", name=re.compile("^Hidden")).press("Enter")
    await expect(page).to_have_url(re.compile(r"list=hidden$"))
    hidden = page.locator(ROWS)
    await expect(hidden).to_have_count(1)
    await expect(hidden.locator("td.rule")).to_have_text(rule)
    await expect(hidden.locator("td.against")).to_contain_text("hidden by local until")
    await hidden.get_by_role("button", name=re.compile("^Show")).press("Enter")
    await expect(page.locator(".empty")).to_have_text("No alert is hidden.")


async def test_a_position_over_its_bound_has_a_bar(url: str, open_page: Open) -> None:
    page = await open_page(f"{url}/#/account/noise")
    bar = page.locator("table[aria-label=Positions] .over-bound:visible").first
    await expect(bar).to_have_attribute("title", re.compile(r"0\.8 % .* bound is 0\.7 %"))
    await expect(bar).to_contain_text("% of the bound")


async def test_without_bounds_the_page_says_how_to_set_them(open_page: Open) -> None:
    async for url in served(make_store(LABELS)):
        page = await open_page(f"{url}/#/alerts")
        await expect(page.locator(".empty")).to_contain_text("add [tiers.NAME]")
        await expect(page.locator(".nav b")).to_have_text("")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1440, 780, 390, 320])
async def test_it_fits_and_is_readable(url: str, open_page: Open, width: int, scheme: str) -> None:
    page = await open_page(f"{url}/#/alerts", width=width, height=900, scheme=scheme)
    await expect(page.locator(ROWS).first).to_be_visible()
    await becomes(page, FAULTS, [])
    await becomes(page, NAMELESS, [])
    await becomes(page, ORDER, True)
    await becomes(page, TABLES, [])
    await becomes(page, LISTS, [])
    await expect(page.locator("main")).to_have_css("opacity", "1")
    await becomes(page, CONTRAST, [])
