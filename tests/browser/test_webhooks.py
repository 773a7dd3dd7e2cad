"""A webhook that is parked is a notice on the page; a page without webhooks has none."""

from collections.abc import AsyncIterator

import pytest
from msgspec import structs
from playwright.async_api import expect

from realtime.api.documents.notify import NotifyDocument, WebhookRow
from realtime.api.listener import serve
from tests.api.documents.made import fleet
from tests.api.reader import Clock, application
from tests.browser.conftest import Open, in_one_loop

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

ROW = WebhookRow(
    name="desk", host="https://hooks.example", state="ok", types=["order"], waiting=0, parked=0,
    delivered=11, failed_attempts=5, lost=0, failures_in_a_row=0, last_delivered_at=None,
    next_attempt_at=None, last_error=None, last_error_at=None,
)  # fmt: skip


class Notify:
    """Webhooks as a test has them."""

    def __init__(self) -> None:
        self.rows = [ROW]

    def get_status(self) -> NotifyDocument:
        return NotifyDocument(as_of="", outbox_error=None, webhooks=self.rows, notify=[])

    async def resend(self, names: list[str]) -> int:
        return 0


@in_one_loop
async def webhooks() -> AsyncIterator[tuple[str, Notify]]:
    notify = Notify()
    async with serve(application(fleet(), Clock(), notify=notify), "127.0.0.1", 0) as port:
        yield f"http://127.0.0.1:{port}", notify


async def test_a_parked_webhook_is_a_notice(open_page: Open, webhooks: tuple[str, Notify]) -> None:
    url, notify = webhooks
    notify.rows = [
        structs.replace(
            ROW, state="parked", waiting=12, last_error="status 503, 20 times in a row"
        ),
        structs.replace(ROW, name="well"),
    ]
    page = await open_page(url)
    notice = page.locator(".notice", has_text="Webhook")
    await expect(notice).to_have_count(1)
    await expect(notice).to_contain_text("Webhook desk is parked")
    await expect(notice).to_contain_text("12 messages waiting")
    await expect(notice).to_contain_text("Status 503, 20 times in a row")
    await expect(notice.locator(".remedy")).to_contain_text("realtime notify resend desk")
