"""Accessibility: names, landmarks, order, contrast; in both views and both colours."""

from collections.abc import AsyncIterator

import pytest
from playwright.async_api import expect

from realtime.api.listener import serve
from tests.api.documents.made import fleet
from tests.api.reader import Clock, application
from tests.browser.conftest import Open, becomes, in_one_loop

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

CONTRAST = """() => {
    const parse = text => (text.match(/[\\d.]+/g) ?? []).map(Number);
    const mix = (ink, c, a = 1) => ink * a + c * (1 - a);
    const over = (ink, below) => below.map((c, at) => mix(ink[at], c, ink[3]));
    const ground = node => {
        const chain = [];
        for (let at = node; at; at = at.parentElement) chain.push(getComputedStyle(at));
        const grounds = chain.map(style => parse(style.backgroundColor)).reverse();
        return grounds.reduce((below, colour) => over(colour, below), [255, 255, 255]);
    };
    const light = colour => {
        const linear = c => c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
        const [r, g, b] = colour.map(c => linear(c / 255));
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const poor = [];
    for (const node of document.querySelectorAll("body *")) {
        const own = [...node.childNodes].some(child => child.nodeType === 3 && child.data.trim());
        if (!own || !node.checkVisibility() || node.closest(".unseen, .skip")) continue;
        const below = ground(node);
        const ink = over(parse(getComputedStyle(node).color), below);
        const [high, low] = [light(ink), light(below)].sort((a, b) => b - a);
        const ratio = (high + 0.05) / (low + 0.05);
        const words = `${node.className || node.tagName}: ${node.textContent.slice(0, 30)}`;
        if (ratio < 4.5) poor.push(`${words} ${ratio.toFixed(2)}`);
    }
    return poor;
}"""

NAMELESS = """() => [...document.querySelectorAll("a, button, input, [role], [tabindex]")]
    .filter(node => node.checkVisibility() && !node.closest("[aria-hidden=true]"))
    .filter(node => !["status", "row", "rowgroup", "gridcell"].includes(node.getAttribute("role")))
    .filter(node => node.id !== "main" && !(node.ariaLabel || node.getAttribute("aria-labelledby")
        || node.textContent.trim() || node.title))
    .map(node => node.outerHTML.slice(0, 80))"""

ROWS = "table.fleet tbody tr:not(.spacer)"

VIEWS = ["", "#/account/alpha", "#/account/bravo", "#/account/nobody"]


@in_one_loop
async def url() -> AsyncIterator[str]:
    async with serve(application(fleet(), Clock()), "127.0.0.1", 0) as port:
        yield f"http://127.0.0.1:{port}"


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_text_has_enough_contrast(url: str, open_page: Open, scheme: str) -> None:
    """WCAG 2.2, 1.4.3: at least 4.5 to 1."""
    page = await open_page(url, scheme=scheme)
    for view in VIEWS:
        await page.goto(f"{url}/{view}")
        await expect(page.locator("html")).to_have_attribute("data-connection", "connected")
        await becomes(page, CONTRAST, [])


async def test_controls_have_names_and_landmarks_exist(url: str, open_page: Open) -> None:
    page = await open_page(url)
    for view in VIEWS:
        await page.goto(f"{url}/{view}")
        await expect(page.locator("html")).to_have_attribute("data-connection", "connected")
        await becomes(page, NAMELESS, [])
        for landmark in ("banner", "main", "contentinfo"):
            await expect(page.get_by_role(landmark)).to_have_count(1)
        await expect(page.get_by_role("heading", level=1)).to_have_count(1)
        assert (
            await page.locator('[tabindex]:not([tabindex="0"]):not([tabindex="-1"])').count() == 0
        )
        ids = await page.evaluate("[...document.querySelectorAll('[id]')].map(node => node.id)")
        assert len(ids) == len(set(ids))


ORDER = """() => {
    const levels = [...document.querySelectorAll("h1, h2, h3")]
        .filter(node => node.checkVisibility() && !node.closest("dialog"))
        .map(node => Number(node.tagName[1]));
    return levels[0] === 1 && levels.every((level, at) => !at || level <= levels[at - 1] + 1);
}"""

TABLES = """() => [...document.querySelectorAll("table")].filter(node => node.checkVisibility())
    .flatMap(table => [
        table.ariaLabel ? null : "no name",
        ...[...table.tHead.rows[0].cells].map(cell =>
            cell.scope === "col" && cell.textContent.trim() ? null : `head: ${cell.outerHTML}`),
        ...[...table.tBodies[0].rows].filter(row => !row.ariaHidden).map(row =>
            row.cells[0].scope === "row" && row.cells.length === table.tHead.rows[0].cells.length
                && [...row.cells].every(cell => cell.role) ? null : `row: ${row.outerHTML}`),
    ]).filter(Boolean)"""

LISTS = """() => [...document.querySelectorAll("ol, ul, dl")]
    .filter(list => list.hasAttribute("role") || [...list.children].some(
        child => child.tagName !== (list.tagName === "DL" ? "DIV" : "LI")))
    .map(list => list.outerHTML.slice(0, 80))"""

HIDDEN_BY_SCROLLING = """() => [...document.querySelectorAll("main *")].filter(node =>
        /auto|scroll/.test(getComputedStyle(node).overflow) && node.checkVisibility()
        && node.scrollHeight + node.scrollWidth > node.clientHeight + node.clientWidth + 2
        && node.tabIndex !== 0 && !node.querySelector("a, button, input"))
    .map(node => node.outerHTML.slice(0, 80))"""


@pytest.mark.parametrize("width", [1280, 390])
async def test_headings_tables_and_lists_are_marked_up(
    url: str, open_page: Open, width: int
) -> None:
    """Headings in order, tables with heads and row heads, lists of items, a language, a title."""
    page = await open_page(url, width=width, height=844)
    titles = set()
    for view in VIEWS:
        await page.goto(f"{url}/{view}")
        await expect(page.locator("html")).to_have_attribute("data-connection", "connected")
        await becomes(page, ORDER, True)
        await becomes(page, TABLES, [])
        await becomes(page, LISTS, [])
        await becomes(page, HIDDEN_BY_SCROLLING, [])
        titles.add(await page.title())
    assert await page.locator("html").get_attribute("lang") == "en"
    assert len(titles) == len(VIEWS)


async def test_focus_is_visible(url: str, open_page: Open) -> None:
    """On a phone's width, too: the keys of a window that is enlarged reach everything."""
    page = await open_page(url, width=640, height=700)
    await expect(page.locator("html")).to_have_attribute("data-connection", "connected")
    await expect(page.locator(ROWS).first).to_be_visible()
    for stop in range(40):
        await page.keyboard.press("Tab")
        box = await page.evaluate(
            """() => {
                if (document.activeElement === document.body) return null;
                const { width, height, left } = document.activeElement.getBoundingClientRect();
                const at = document.activeElement.closest(".search") ?? document.activeElement;
                return [width, height, left, getComputedStyle(at).outlineStyle,
                    document.activeElement.outerHTML.slice(0, 90)];
            }"""
        )
        if box is None:
            assert stop > 15
            break
        assert min(box[0], box[1]) > 2, box
        assert box[2] >= 0, box
        assert box[3] != "none", box


async def test_reduced_motion_is_respected(url: str, open_page: Open) -> None:
    """prefers-reduced-motion: nothing is animated."""
    page = await open_page(url)
    await page.emulate_media(reduced_motion="reduce")
    await expect(page.locator(ROWS)).to_have_count(5)
    await becomes(page, "document.getAnimations().length", 0)


async def test_tab_goes_from_the_top_to_the_table(url: str, open_page: Open) -> None:
    """One stop for the whole table: within it the arrows move."""
    page = await open_page(url)
    await expect(page.locator(ROWS)).to_have_count(5)
    stops = []
    for _ in range(36):
        await page.keyboard.press("Tab")
        stops.append(await page.evaluate("document.activeElement.textContent.trim().slice(0, 20)"))
    assert stops[:2] == ["Skip to the numbers", "realtime"]
    assert len({"alpha", "bravo", "charlie", "delta", "echo"} & set(stops[8:34])) == 1
