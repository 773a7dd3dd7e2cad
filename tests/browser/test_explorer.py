"""The page that shows every route and runs calls."""

from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Dialog, expect

from realtime.api.listener import serve
from realtime.api.order_routes import ORDER_ROUTES
from realtime.api.routes import ROUTES
from tests.api.documents.made import fleet
from tests.api.reader import Clock, application
from tests.browser.conftest import Open, in_one_loop

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

OPERATIONS = sum(len(r.paths) for r in ROUTES) + sum(len(r.paths) for r in ORDER_ROUTES) + 3
"""The last three are administration: reload, and messages of webhooks."""


@in_one_loop
async def docs() -> AsyncIterator[str]:
    async with serve(application(fleet(), Clock()), "127.0.0.1", 0) as port:
        yield f"http://127.0.0.1:{port}/docs"


async def test_every_route_is_shown_and_can_be_found(docs: str, open_page: Open) -> None:
    page = await open_page(docs)
    await expect(page.locator(".route")).to_have_count(OPERATIONS)
    await page.get_by_label("Find").fill("delete closing")
    await expect(page.locator(".route:visible")).to_have_count(1)


async def test_a_call_is_run_and_its_curl_line_shown(docs: str, open_page: Open) -> None:
    page = await open_page(docs)
    route = page.locator(".route", has_text="/realtime/positions/{account_id}")
    await route.locator("summary").click()
    await route.get_by_label("account_id").fill("alpha")
    await route.get_by_label("symbol").fill("TSLA")
    await route.get_by_role("button", name="Call").click()
    await expect(route).to_contain_text('"symbol": "TSLA"')
    await expect(route).to_contain_text("/realtime/positions/alpha?symbol=TSLA")


async def test_the_stream_is_followed_and_stopped(docs: str, open_page: Open) -> None:
    page = await open_page(docs)
    route = page.locator(".route", has_text="/realtime/events")
    await route.locator("summary").click()
    await route.get_by_role("button", name="Listen").click()
    await expect(route).to_contain_text("event: ready")
    await route.get_by_role("button", name="Stop").click()
    await expect(route.get_by_role("button", name="Stop")).to_be_hidden()


async def test_what_changes_something_asks_first(docs: str, open_page: Open) -> None:
    page = await open_page(docs)
    await expect(page.locator(".route")).to_have_count(OPERATIONS)
    said: list[str] = []

    async def refuse(dialog: Dialog) -> None:
        said.append(dialog.message)
        await dialog.dismiss()

    page.on("dialog", refuse)
    sent: list[str] = []
    page.on("request", lambda request: sent.append(f"{request.method} {request.url}"))
    route = page.locator(".route", has_text="Cancel every open order")
    await route.locator("summary").click()
    await route.get_by_role("button", name="Call").click()
    assert said == ["DELETE /orders is executed at once. Continue?"]
    assert [each for each in sent if not each.startswith("GET ")] == []  # it may still be loading
