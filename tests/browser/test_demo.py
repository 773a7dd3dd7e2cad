"""The demo on the page: its faults are announced, its result is a card."""

from collections.abc import Iterator

import pytest
from playwright.async_api import expect

from realtime.cli.demo.demo_page import DemoPage, DemoStep
from realtime.web.files import DEMO, FILES, HOME, publish_demo
from tests.api.documents.made import NOW, fleet
from tests.browser.conftest import Open
from tests.browser.test_states import served, there

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


@pytest.fixture
def demo() -> Iterator[DemoPage]:
    home = FILES[HOME]
    yield DemoPage(publish_demo)
    FILES[HOME] = home
    FILES.pop(DEMO, None)


async def test_faults_are_announced_until_there_is_a_result(
    open_page: Open, demo: DemoPage
) -> None:
    demo.start([DemoStep(20, "alpha loses its connection")], now=NOW - 30, ends_at_s=60)
    async for url in served(fleet()):
        page = await open_page(url)
        await there(page)
        notice = page.locator(".notice").first
        await expect(notice).to_contain_text("Demo: faults are part of the programme until 60 s")
        await expect(notice).to_contain_text("20 s: alpha loses its connection. Now 30 s.")
        demo.finish("60 s: 1,234 events, update p99 2 ms, 3 faults, 0 lost", is_lost=False)
        card = page.locator(".demo")
        await expect(card).to_contain_text("The demo after 60 s")
        await expect(card.locator("li")).to_have_text(
            ["1,234 events", "update p99 2 ms", "3 faults", "0 lost"]
        )
        await expect(page.locator("#notices")).not_to_contain_text("Demo:")
        await card.get_by_role("button", name="Close").click()
        await expect(card).to_have_count(0)


async def test_without_a_demo_nothing_is_requested(open_page: Open) -> None:
    requests: list[str] = []
    async for url in served(fleet()):
        page = await open_page("about:blank")
        page.on("request", lambda request: requests.append(request.url))
        await page.goto(url)
        await there(page)
    assert requests
    assert not [address for address in requests if address.endswith("demo.json")]
