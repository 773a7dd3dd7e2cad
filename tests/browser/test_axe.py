"""axe finds nothing on any view, in either colours, on a desk and on a phone.

axe-core is vendored for this file only; it is in the repository, not in the distribution.
"""

from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path

import pytest
from playwright.async_api import expect

from realtime.analytics.alert_log import AlertLog
from realtime.analytics.tier_bounds import Bounds
from realtime.api.listener import serve
from tests.api.documents.made import fleet
from tests.api.reader import Clock, application
from tests.browser.compared import NOW as COMPARED_NOW
from tests.browser.compared import labels_of, make_store, served_comparison, write_ledger
from tests.browser.conftest import Open, becomes, in_one_loop
from tests.browser.recorded import record, served_past
from tests.browser.test_past import moment
from tests.browser.test_states import served, there

AXE = Path(__file__).parent / "vendor" / "axe-core-4.14.1" / "axe.min.js"

pytestmark = [
    pytest.mark.browser,
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.skipif(not AXE.exists(), reason="axe-core is not vendored here"),
    pytest.mark.parametrize("width", [1280, 390]),
    pytest.mark.parametrize("scheme", ["light", "dark"]),
]

RUN = """async () => (await axe.run(document, { resultTypes: ["violations"] })).violations.flatMap(
    ({ id, nodes }) => nodes.slice(0, 3).map(({ target, failureSummary }) =>
        `${id}: ${target.join(" ")} ${failureSummary.split("\\n")[1]}`))"""


@pytest.fixture(scope="module")
def compared_ledger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("compared")
    write_ledger(path, labels_of(8))
    return path


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("history")
    record(path)
    return path


@in_one_loop
async def compared_url(compared_ledger: Path) -> AsyncIterator[str]:
    async with served_comparison(compared_ledger, make_store(labels_of(8))) as url:
        yield url


async def check(open_page: Open, address: str, selector: str, width: int, scheme: str) -> None:
    page = await open_page(address, width=width, height=900, scheme=scheme)
    await there(page)
    await expect(page.locator(selector).first).to_be_visible()
    await expect(page.locator("[aria-busy]")).to_have_count(0)
    await expect(page.locator("main")).to_have_css("opacity", "1")
    await expect(page.locator("main > *")).to_have_css("opacity", "1")
    await page.evaluate(AXE.read_text(encoding="utf-8"))
    await becomes(page, RUN, [])


@pytest.mark.parametrize("view", ["", "?group=tier", "account/alpha", "account/bravo"])
async def test_fleet_and_accounts(open_page: Open, view: str, width: int, scheme: str) -> None:
    async for url in served(fleet()):
        selector = ".account-view" if view.startswith("account") else "table.fleet"
        await check(open_page, f"{url}/#/{view}", selector, width, scheme)


@pytest.mark.parametrize(
    ("view", "selector"),
    [
        ("compare", "tr[data-key=momentum]"),
        ("compare?by=tier&open=large", "tr[data-member]"),
        ("broker", "table.broker tbody tr"),
        ("account/momentum?book=pairs", ".books tbody tr"),
    ],
)
async def test_compare_broker_and_books(
    compared_url: str, open_page: Open, view: str, selector: str, width: int, scheme: str
) -> None:
    await check(open_page, f"{compared_url}/#/{view}", selector, width, scheme)


@pytest.mark.parametrize("view", ["alerts", "alerts?list=hidden", "account/noise"])
async def test_alerts(open_page: Open, view: str, width: int, scheme: str) -> None:
    store, alerts, clock = make_store(labels_of(3)), AlertLog(), Clock()
    clock.now = COMPARED_NOW
    for entry in list(store):
        alerts.update(entry, Bounds(risk_pct=Decimal("0.7")), COMPARED_NOW - 130)
    first = alerts.open()[0]
    alerts.hide(first.account_id, first.key, COMPARED_NOW + 3600, "a person")
    async with serve(application(store, clock, alerts=alerts), "127.0.0.1", 0) as port:
        selector = ".account-view" if view.startswith("account") else "table.alerts tbody tr"
        await check(open_page, f"http://127.0.0.1:{port}/#/{view}", selector, width, scheme)


@pytest.mark.parametrize("view", ["", "account/alpha"])
async def test_the_past(history: Path, open_page: Open, view: str, width: int, scheme: str) -> None:
    async with served_past(history, fleet()) as url:
        await check(open_page, f"{url}/#/{view}?as_of={moment(7)}", ".time-bar", width, scheme)
