"""Notices: one line for one cause, with what to do and where to read on."""

import pytest
from playwright.async_api import expect

from realtime.core.link import Link
from realtime.core.model import AccountLabel
from realtime.store.records import Profile, Record
from realtime.store.store import Store
from tests.api.documents.made import LIVE, NOW, fleet, put, state_of
from tests.browser.conftest import Open, becomes
from tests.browser.fleets import LONGEST, account, add
from tests.browser.relay import relay
from tests.browser.test_states import ROWS, served, there

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


def lost(attempts: int, cause: str = "connection closed (1006)") -> Link:
    """A link that waits for its next attempt."""
    return Link(
        state="waiting", since=NOW, reconnect_attempts=attempts, last_error_at=NOW,
        last_error_message=cause, next_attempt_at=NOW + 30, stale_since=NOW - 300,
        stale_reason=cause,
    )  # fmt: skip


async def test_all_accounts_have_a_sentence_of_their_own(open_page: Open) -> None:
    store = Store(boot="b00t")
    for label in ("alpha", "bravo", "charlie"):
        put(store, label, lost(1), state_of())
    async for url in served(store):
        page = await open_page(url)
        await expect(page.locator(".notice")).to_have_count(1)
        await expect(page.locator(".notice")).to_contain_text("All 3 accounts lost the broker")
        store.update(AccountLabel("charlie"), now=NOW, link=LIVE)
        await expect(page.locator(".notice strong")).to_have_text("alpha and bravo lost the broker")


@pytest.mark.parametrize(
    ("attempts", "text"), [(5, "No action needed"), (6, "Still failing since")]
)
async def test_after_the_fifth_attempt_it_is_still_failing(
    open_page: Open, attempts: int, text: str
) -> None:
    store = Store(boot="b00t")
    put(store, "alpha", LIVE, state_of())
    put(store, "bravo", lost(attempts), state_of())
    async for url in served(store):
        page = await open_page(url)
        await expect(page.locator(".notice .remedy")).to_contain_text(text)


async def test_each_notice_links_to_its_entry(open_page: Open) -> None:
    async for url in served(fleet()):
        page = await open_page(url)
        links = page.locator(".notice .runbook")
        await expect(links).to_have_count(2)
        for link, entry in zip(await links.all(), ("refused", "waiting"), strict=True):
            href = await link.get_attribute("href")
            assert href is not None
            reply = await page.request.get(f"{url}/{href}")
            assert reply.status == 200
            assert f'id="{entry}"' in await reply.text()
            assert href.endswith(f"#{entry}")


@pytest.mark.parametrize("width", [1440, 1024, 390, 320])
async def test_a_long_label_leaves_room_for_the_text(open_page: Open, width: int) -> None:
    store = Store(boot="b00t")
    label = add(store, LONGEST, account("100"))
    add(store, "bravo", account("100"))
    store.update(label, now=NOW, link=lost(1))
    async for url in served(store):
        page = await open_page(url, width=width, height=844)
        await expect(page.locator(".notice strong")).to_have_attribute("title", LONGEST)
        box = await page.locator(".notice .why").bounding_box()
        assert box is not None
        assert box["width"] >= 200
        await becomes(page, "document.documentElement.scrollWidth <= innerWidth", True)


async def test_a_device_without_a_network_says_so(open_page: Open) -> None:
    async for url in served(fleet()):
        async with relay(int(url.rpartition(":")[2])) as line:
            page = await open_page(line.url)
            await there(page)
            await page.context.set_offline(True)
            line.cut()
            await expect(page.locator("#notices")).to_contain_text("This device is offline")
            await page.context.set_offline(False)
            await expect(page.locator("#notices")).to_contain_text("No connection to the daemon")


async def test_halts_and_closings_are_shown(open_page: Open) -> None:
    halt = {
        "account_id": None, "reason": "fat finger", "principal": "desk",
        "since": "2026-10-03T04:00:00Z",
    }  # fmt: skip
    closing = {"account_id": "alpha", "state": "closing", "symbols": {
        "TSLA": {"symbol": "TSLA", "qty": "2", "status": "closing"},
        "KO": {"symbol": "KO", "qty": "0", "status": "flat"},
    }}  # fmt: skip
    async for url in served(fleet()):
        page = await open_page("about:blank")
        await page.route("**/orders/halt", lambda r: r.fulfill(json={"scopes": [halt]}))
        await page.route("**/orders/closing", lambda r: r.fulfill(json={"accounts": [closing]}))
        await page.goto(url)
        notices = page.locator("#notices")
        await expect(notices).to_contain_text("New orders of all accounts are halted")
        await expect(notices).to_contain_text("by desk: Fat finger.")
        await expect(notices).to_contain_text("→ To allow orders again: realtime halt --resume")
        await expect(notices).to_contain_text("alpha is being closed1 of 2 positions flat.")


async def test_escape_returns_to_the_table_as_it_was(open_page: Open) -> None:
    """Search, filter, order and focus; the address says them all."""
    async for url in served(fleet()):
        page = await open_page(url)
        await there(page)
        await page.get_by_role("button", name="Synced", exact=False).first.click()
        await page.get_by_role("button", name="Equity").click()
        await page.keyboard.press("/")
        await page.keyboard.type("l")
        before = page.url
        labels = await page.locator(f"{ROWS} th a").all_inner_texts()
        assert labels == ["alpha", "delta"]
        await page.keyboard.press("Enter")
        await page.keyboard.press("ArrowDown")
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("heading", level=1)).to_have_text("delta")
        await page.keyboard.press("Escape")
        await expect(page.get_by_role("link", name="delta")).to_be_focused()
        assert page.url == before
        assert await page.locator(f"{ROWS} th a").all_inner_texts() == labels
        await expect(page.get_by_label("Search accounts")).to_have_value("l")


async def test_forced_colours_keep_badges_lamps_and_pressed_chips(open_page: Open) -> None:
    """Each differs from its neighbour by more than colour."""
    store = fleet()
    add(store, "real", account("100"), paper=False)
    async for url in served(store):
        page = await open_page(url)
        await page.emulate_media(forced_colors="active")
        await there(page)
        border = "node => getComputedStyle(node).borderTopWidth"
        for selector in (".badge", ".chip[aria-pressed=true]", ".chip[aria-pressed=false]"):
            width = await page.locator(f"{selector}:visible").first.evaluate(border)
            assert width != "0px", selector
        pressed = await page.locator(".chip[aria-pressed=true]").first.evaluate(border)
        free = await page.locator(".chip[aria-pressed=false]").first.evaluate(border)
        assert pressed != free
        shapes = {
            tone: await page.locator(f"td.state [data-tone={tone}] > .lamp").first.evaluate(
                "node => { const s = getComputedStyle(node);"
                " return [s.backgroundColor, s.borderRadius, s.transform].join(); }"
            )
            for tone in ("good", "warn", "bad")
        }
        assert len(set(shapes.values())) == 3


async def test_a_front_names_the_owner_that_it_does_not_receive(open_page: Open) -> None:
    store = Store(boot="b00t")
    reason = "owner beta not received: nothing received for 1.5 s"
    link = Link(state="waiting", since=NOW, stale_since=NOW - 3, stale_reason=reason)
    for label in ("alpha", "bravo"):
        profile = Profile(label=AccountLabel(label))
        store.put(Record(profile=profile, state=state_of(), link=link, owner="beta", as_of=NOW))
    async for url in served(store):
        page = await open_page(url)
        await expect(page.locator(".notice strong")).to_have_text(
            "All 2 accounts are not received from beta"
        )
        await expect(page.locator(".notice")).to_contain_text("Nothing received for 1.5 s".lower())
        await expect(page.locator(".notice")).not_to_contain_text("lost the broker")
