"""Accounts marked to market on the page: beside the figures of the broker, with source and age."""

import re
from decimal import Decimal

import pytest
from msgspec import structs
from playwright.async_api import expect

from realtime.core.mark import AccountMark, PriceCounts
from realtime.core.mark_error import ErrorWindow, MarkError
from realtime.core.model import AccountLabel
from realtime.store.store import Store
from tests.api.documents.made import NOW
from tests.browser.conftest import Open
from tests.browser.fleets import account, add
from tests.browser.test_states import ROWS, served, there

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


def a_mark(name: AccountLabel, **fields: object) -> AccountMark:
    mark = AccountMark(
        label=name, seq=1, at=NOW, equity=Decimal("113.64"), cash=Decimal(100),
        long_market_value=Decimal(100), short_market_value=Decimal(100),
        unrealized_pl=Decimal(100), unrealized_intraday_pl=Decimal(100), last_equity=Decimal(100),
        last_equity_source="broker", prices=PriceCounts(fresh=1, old=0), price_at=NOW - 41,
        feed="iex", session="regular", is_provisional=False, is_stale=False,
        equity_rest=Decimal(100), equity_rest_at=NOW, error=None,
    )  # fmt: skip
    return structs.replace(mark, **fields)


async def test_the_mark_stands_beside_the_broker_s_equity_with_source_and_age(
    open_page: Open,
) -> None:
    """From the snapshot of the stream, and from each newer mark; never in the broker's place."""
    store = Store(boot="b00t")
    name = add(store, "alpha", account("100"))
    async for url in served(store):
        page = await open_page(f"{url}/#/account/alpha")
        await there(page)
        marked = page.locator(".marked")
        await expect(marked).to_be_hidden()
        store.set_mark(a_mark(name), now=NOW)
        await expect(marked.locator(".value")).to_have_text("$113.64")
        await expect(marked.locator(".beside")).to_have_text("+13.64 since")
        await expect(marked.locator(".note")).to_have_text(
            re.compile(r"^IEX only: indicative, \d+ s old$")
        )
        await expect(page.locator(".stat.large .value")).to_have_text("$100.00")
        errors = ErrorWindow()
        for _ in range(100):
            errors.add(
                MarkError(error=Decimal("-0.12"), naive=Decimal("-0.12"), equity=Decimal(100))
            )
        better = a_mark(name, feed="sip", price_at=NOW - 0.3, error=errors.summary)
        store.set_mark(structs.replace(better, seq=2), now=NOW)
        await expect(marked.locator(".note")).to_have_text(
            re.compile(r"^SIP, [\d.]+ s old · off by at most 0.12 in 95 of 100 checks, now −0.12$")
        )


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        (
            {"equity": None, "prices": PriceCounts(fresh=0, old=0, unpriced=("MRUS",))},
            "1 position without a price: MRUS",
        ),
        ({"prices": PriceCounts(fresh=1, old=0, halted=("NVDA",))}, "trading halted: NVDA"),
        ({"prices": PriceCounts(fresh=1, old=0, held=("NVDA",))}, "waiting for the broker"),
        ({"prices": PriceCounts(fresh=1, old=2)}, "2 of 3 prices old"),
        ({"session": "overnight"}, "oldest trade"),
    ],
)
async def test_what_is_wrong_with_a_mark_is_said_and_never_zero(
    open_page: Open, fields: dict[str, object], text: str
) -> None:
    store = Store(boot="b00t")
    name = add(store, "alpha", account("100"))
    store.set_mark(a_mark(name, **fields), now=NOW)
    async for url in served(store):
        page = await open_page(f"{url}/#/account/alpha")
        await there(page)
        await expect(page.locator(".marked .note")).to_contain_text(text)
        value = "–" if fields.get("equity", 1) is None else "$113.64"
        await expect(page.locator(".marked .value")).to_have_text(value)
        await expect(page.locator(".stat.large .value")).to_have_text("$100.00")


async def test_the_column_of_marks_is_off_until_chosen_and_follows_marks(open_page: Open) -> None:
    store = Store(boot="b00t")
    name = add(store, "alpha", account("100"))
    store.set_mark(a_mark(name), now=NOW)
    async for url in served(store):
        page = await open_page(url)
        await there(page)
        await expect(page.locator("th.equity_mark")).to_be_hidden()
        await page.locator("summary", has_text="Columns").click()
        await page.get_by_label("Marked").check()
        cell = page.locator(ROWS, has_text="alpha").locator("td.equity_mark")
        await expect(cell).to_have_text("113.64")
        for seq in range(2, 100):  # the subscription is renewed on the way
            store.set_mark(a_mark(name, seq=seq, equity=Decimal(120 + seq)), now=NOW)
            await page.wait_for_timeout(100)
            if await cell.text_content() != "113.64":
                break
        await expect(cell).to_have_text(f"{120 + seq}.00")
