"""No number is cut or covered, and nothing scrolls sideways: at any width, in any colours."""

import pytest
from playwright.async_api import expect

from tests.browser.conftest import Open, becomes
from tests.browser.fleets import strained
from tests.browser.test_states import ROWS, served, there

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

WIDTHS = [1440, 1024, 780, 390, 320]

FAULTS = """() => {
    const faults = [];
    const width = document.documentElement.scrollWidth;
    if (width > innerWidth) faults.push(`page is ${width} px wide`);
    const visible = node => node.checkVisibility() && !node.closest(".unseen, thead, [hidden]");
    const numbers = [...document.querySelectorAll("td.number, .value, .stat .beside, .badge, b")]
        .filter(node => visible(node) && /[0-9A-Z]/.test(node.textContent));
    for (const node of numbers) {
        const text = node.textContent;
        if (/\\d…|…\\d*$/.test(text) && !node.closest(".fill-list, a")) faults.push(`cut: ${text}`);
        for (let at = node; at !== document.body; at = at.parentElement) {
            const { overflow, textOverflow } = getComputedStyle(at);
            if (textOverflow === "ellipsis" && at.scrollWidth > at.clientWidth + 1) {
                faults.push(`ellipsis: ${text}`);
            }
        }
    }
    const boxes = numbers.filter(node => !node.closest(".top")).map(node => {
        const range = document.createRange();
        range.selectNodeContents(node);
        return [node, range.getBoundingClientRect()];
    }).filter(([, box]) => box.width && box.bottom > 0 && box.top < innerHeight);
    for (const [index, [node, a]] of boxes.entries()) {
        const edge = (node.closest(".card") ?? document.body).getBoundingClientRect();
        const free = node.closest(".scroller");
        if (!free && (a.right > edge.right + 1 || a.left < edge.left - 1)) {
            faults.push(`over the edge: ${node.textContent}`);
        }
        for (const [other, b] of boxes.slice(index + 1)) {
            const apart = a.right <= b.left + 1 || b.right <= a.left + 1
                || a.bottom <= b.top + 3 || b.bottom <= a.top + 3;
            if (!apart && !node.contains(other) && !other.contains(node)) {
                faults.push(`overlap: ${node.textContent} and ${other.textContent}`);
            }
        }
    }
    return faults;
}"""


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("count", [1, 25, 1000])
async def test_numbers_are_whole_and_apart(open_page: Open, count: int, width: int) -> None:
    async for url in served(strained(count)):
        await check(url, open_page, width)


@pytest.mark.parametrize("width", [1440, 780, 320])
async def test_numbers_are_whole_and_apart_in_the_dark(open_page: Open, width: int) -> None:
    async for url in served(strained(25)):
        await check(url, open_page, width, scheme="dark")


@pytest.mark.parametrize("width", [1440, 780, 320])
async def test_numbers_are_whole_and_apart_in_forced_colours(open_page: Open, width: int) -> None:
    """Borders that colours of their own do not have must not push anything aside."""
    async for url in served(strained(25)):
        await check(url, open_page, width, has_forced_colours=True)


async def check(
    url: str,
    open_page: Open,
    width: int,
    *,
    scheme: str = "light",
    has_forced_colours: bool = False,
) -> None:
    page = await open_page(url, width=width, height=900, scheme=scheme)
    if has_forced_colours:
        await page.emulate_media(forced_colors="active")
    await there(page)
    await expect(page.locator(ROWS).first).to_be_visible()
    await becomes(page, FAULTS, [])
    await page.mouse.wheel(0, 900)
    await becomes(page, FAULTS, [])
    label = await page.locator(f"{ROWS} th a").first.get_attribute("href")
    await page.goto(f"{url}/{label}")
    equity = page.locator(".account-view .stat.large .value")
    await expect(equity).to_contain_text("98,765,392,200.55")
    await becomes(page, FAULTS, [])
