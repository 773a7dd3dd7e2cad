"""The page's pure modules, run in the browser: numbers, ages, labels, axes, columns."""

from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Page

from realtime.store.store import Store
from tests.browser.conftest import Open, in_one_loop
from tests.browser.fleets import LONGEST
from tests.browser.test_states import served

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


@in_one_loop
async def page(open_page: Open) -> AsyncIterator[Page]:
    async for url in served(Store(boot="b00t")):
        yield await open_page(url)


async def run(page: Page, module: str, expression: str) -> object:
    """The value of an expression on a module `m` of the page."""
    return await page.evaluate(
        f"async () => {{ const m = await import('/page/static/{module}');"
        f" const value = {expression}; return value === undefined ? null : value; }}"
    )


@pytest.mark.parametrize(
    ("expression", "text"),
    [
        ("m.formatDecimal(m.parseDecimal('98765392200.55'))", "98,765,392,200.55"),
        ("m.formatDecimal(m.parseDecimal('-150.2'), 2, {currency: '$'})", "−$150.20"),
        ("m.formatDecimal(m.parseDecimal('150.2'), 2, {currency: '$', sign: true})", "+$150.20"),
        ("m.formatDecimal(m.parseDecimal('-0.004'), 2, {sign: true})", "0.00"),
        ("m.formatDecimal(null)", "–"),
        ("m.formatDecimal(m.parseDecimal('nonsense'))", "–"),
        ("m.formatCompact(m.parseDecimal('98765392200.55'))", "98.77\u00a0B"),
        ("m.formatCompact(m.parseDecimal('-98765392200.55'), {currency: '$'})", "−$98.77\u00a0B"),
        ("m.formatCompact(m.parseDecimal('999.99'))", "999.99"),
        ("m.formatCompact(m.parseDecimal('1000'))", "1.00\u00a0k"),
        ("m.formatFitting(m.parseDecimal('1234.5'), 8)", "1,234.50"),
        ("m.formatFitting(m.parseDecimal('12345.6'), 8)", "12.35\u00a0k"),
        ("m.formatPercent(m.parseDecimal('0.0355'))", "+0.036 %"),
        ("m.formatPercent(m.parseDecimal('0.0003'))", ""),
        ("m.formatPercent(m.parseDecimal('-12.345'))", "−12.35 %"),
        ("m.toneOf(m.parseDecimal('-0.004'))", None),
        ("m.toneOf(m.parseDecimal('-0.005'))", "loss"),
        ("m.toneOf(m.parseDecimal('0.01'))", "gain"),
        ("m.toneOf(null)", None),
    ],
)
async def test_money(page: Page, expression: str, text: str | None) -> None:
    assert await run(page, "format/decimal.js", expression) == text


@pytest.mark.parametrize(
    ("expression", "text"),
    [
        (f"m.shortenLabel('{LONGEST}')", "momentum_cro…_v2_us_2026"),
        ("m.shortenLabel('alpha')", "alpha"),
        (f"m.shortenLabel('{LONGEST}').length", 24),
        ("m.shortenLabel('abcdefghij', 6)", "abc…ij"),
    ],
)
async def test_labels_are_cut_in_the_middle(page: Page, expression: str, text: object) -> None:
    assert await run(page, "format/instrument_format.js", expression) == text


@pytest.mark.parametrize(
    ("values", "reach"),
    [("100000, 100003.5", (99_750, 100_250)), ("90000, 120000", (90_000, 120_000))],
)
async def test_the_axis_spans_a_quarter_percent(
    page: Page, values: str, reach: tuple[int, int]
) -> None:
    """A change of 0.0035 % looks like noise, because it is."""
    ends = await run(page, "components/curve_data.js", f"m.axisRange({values}, 1e5)")
    assert isinstance(ends, list)
    assert ends[0] <= reach[0]
    assert ends[1] >= reach[1]


@pytest.mark.parametrize(
    ("expression", "labels"),
    [
        ("m.moneyLabels([98.6e9, 98.8e9])", ["$98.6\u00a0B", "$98.8\u00a0B"]),
        ("m.moneyLabels([100e9, 100.5e9])", ["$100.0\u00a0B", "$100.5\u00a0B"]),
        ("m.moneyLabels([-150, 0, 150])", ["−$150", "$0", "$150"]),
        (
            "m.percentLabels([99800, 1e5, 100200], 1e5)",
            ["−0.2\u00a0%", "0.0\u00a0%", "+0.2\u00a0%"],
        ),
    ],
)
async def test_axis_labels_differ_and_are_short(
    page: Page, expression: str, labels: list[str]
) -> None:
    assert await run(page, "components/curve_data.js", expression) == labels


@pytest.mark.parametrize("step", ["0.01", "0.5", "200", "25000", "2e6", "5e8"])
async def test_neighbours_on_the_axis_differ(page: Page, step: str) -> None:
    """Around a million, at any distance; and none is long enough to need the whole card."""
    labels = await run(
        page, "components/curve_data.js", f"m.moneyLabels([0, 1, 2].map(i => 1e6 + i * {step}))"
    )
    assert isinstance(labels, list)
    assert len(set(labels)) == 3
    assert max(map(len, labels)) <= 14


async def test_a_gap_breaks_the_line(page: Page) -> None:
    """Points every 15 s with ten minutes between two of them; older ones are a minute apart."""
    values = await run(
        page,
        "components/curve_data.js",
        """(() => {
            const times = [];
            for (let at = 0; at <= 600; at += 60) times.push(at);
            for (let at = 615; at <= 900; at += 15) times.push(at);
            for (let at = 1500; at <= 1800; at += 15) times.push(at);
            const { times: t, values } = m.breakAtGaps(times, times.map(() => 1));
            return t.filter((at, index) => values[index] === null);
        })()""",
    )
    assert values == [901]


async def test_columns_leave_before_a_number_is_cut(page: Page) -> None:
    """The least important columns leave first; then money is shown in larger units."""
    fit = """m.fitColumns([
        {key: 'name', chars: 24}, {key: 'equity', rank: 0, isMoney: true, chars: 17},
        {key: 'cash', rank: 4, isMoney: true, chars: 17}, {key: 'power', rank: 6, chars: 18},
    ], {widthPx: %d, charPx: 8})"""
    kept = {
        width: await run(
            page, "components/column_layout.js", f"(r => [r.keys, r.isCompact])({fit % width})"
        )
        for width in (800, 550, 400, 300)
    }
    assert kept == {
        800: [["name", "equity", "cash", "power"], False],
        550: [["name", "equity", "cash"], False],
        400: [["name", "equity"], False],
        300: [["name", "equity"], True],
    }


async def test_addresses_hold_the_whole_state(page: Page) -> None:
    hash_ = "#/?q=al&state=problem&sort=equity&order=asc&problems=0&columns=cash,flows"
    same = await run(page, "address.js", f"m.formatFleetAddress(m.parseAddress('{hash_}').query)")
    assert same == hash_
    assert await run(page, "address.js", "m.formatFleetAddress(m.parseAddress('').query)") == "#/"
    assert await run(page, "address.js", "m.parseAddress('#/account/a%2Fb').label") == "a/b"
